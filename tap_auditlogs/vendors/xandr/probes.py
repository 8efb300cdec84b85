"""The questions that settle Xandr's assumptions."""

from __future__ import annotations

import typing as t
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from itertools import pairwise

from typing_extensions import override

from tap_auditlogs.core.errors import ApiError, ProtocolError, RefusedError
from tap_auditlogs.core.sweep import listed_id
from tap_auditlogs.core.times import timestamp_or_none
from tap_auditlogs.doctor.assumptions import Finding, confirmed, contradicted, judge_times, judged, not_observable
from tap_auditlogs.doctor.checks import Check, Status
from tap_auditlogs.doctor.estimates import Estimate, Load, Pace, total
from tap_auditlogs.doctor.shapes import configured_names, json_type
from tap_auditlogs.doctor.vendor_doctor import Answer, Sample, VendorDoctor
from tap_auditlogs.vendors.xandr.auth import LOGIN_PATH
from tap_auditlogs.vendors.xandr.client import NotUnderstoodError
from tap_auditlogs.vendors.xandr.listing import LARGEST_ZONE, list_query, write_time
from tap_auditlogs.vendors.xandr.reader import PAGE_SIZE, rows_of
from tap_auditlogs.vendors.xandr.services import (
    DEFAULT_SERVICES,
    FALLBACK_PARENTS,
    LOCAL_TIME_SERVICES,
    PARENTS,
    list_endpoint,
)
from tap_auditlogs.vendors.xandr.streams import DETAILS_KEY, LOG_KEY, ChangeLog, ChangeLogDetail
from tap_auditlogs.vendors.xandr.survey import LogPage, Service, Survey, pages

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.sweep import Row

_FOR_PROBES = 10
_UNIVERSAL_PIXEL = "universal-pixel"
_KNOWN_SERVICES = {*DEFAULT_SERVICES, *PARENTS, _UNIVERSAL_PIXEL}
_KNOWN_USER_TYPES = frozenset({"member", "advertiser"})
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SOON = timedelta(days=14)
_NO_LOG = "no change log with a transaction was seen"
_TOO_LONG_AGO = timedelta(days=730)


@dataclass
class Probes(VendorDoctor):
    """The questions to Xandr.

    Attributes:
        takes_object: Whether details can be asked for with the object's id; None while none have been.
    """

    reading_posts = (LOGIN_PATH,)

    takes_object: bool | None = None

    @cached_property
    def survey(self) -> Survey:
        """What has been seen of the account."""
        return Survey(self.client, self.settings["api_url"], self.stream)

    @property
    def stream(self) -> ChangeLog:
        """The stream of transactions."""
        return t.cast("ChangeLog", self.streams[ChangeLog.name])

    @property
    def details(self) -> ChangeLogDetail:
        """The stream of details."""
        return t.cast("ChangeLogDetail", self.streams[ChangeLogDetail.name])

    @property
    @override
    def pace(self) -> Pace:
        return Pace(
            self.settings["requests_per_minute"],
            concurrency=self.settings["max_concurrency"],
            origin="the setting requests_per_minute; none is documented",
        )

    @override
    def sample(self, stream: str) -> Sample:
        log = self._first_log()
        if stream == self.stream.name:
            return Sample([] if log is None else self._as_read(log.rows, log.service, log.object_id), PAGE_SIZE)
        if log is None:
            return Sample([])
        transaction = str(log.rows[-1].get("transaction_id"))
        query = self.details.detail_query(log.service, log.object_id, transaction)
        answer = self.answer(lambda: self.survey.send(self.details.path, query))
        self.takes_object = not isinstance(answer.error, NotUnderstoodError)
        if isinstance(answer.error, NotUnderstoodError):
            answer = self.answer(lambda: self.survey.send(self.details.path, {**query, "resource_id": None}))
        if answer.response is None:
            raise t.cast("ApiError", answer.error)
        rows = rows_of(answer.response, DETAILS_KEY, "details")
        return Sample(self._as_read(rows, log.service, log.object_id, transaction))

    def _first_log(self) -> LogPage | None:
        """Return a change log with transactions; asks one service after the other until there is one."""
        for service in self.stream.object_types:
            self.survey.ask(service)
            if self._logs():
                return self._logs()[0]
        if self.survey.services.keys() - self.survey.log_failures.keys():
            return None
        raise next(iter([*self.survey.log_failures.values(), *self.survey.failures.values()]))

    def _logs(self) -> list[LogPage]:
        return [log for service in self.survey.services.values() for log in service.logs if log.rows]

    def _as_read(
        self, rows: Sequence[Row], service: str, object_id: int, transaction_id: str | None = None
    ) -> list[Row]:
        """Return rows with all of their key; what the tap takes out stays, since only its type is looked at."""
        cleaner = self.stream.cleaner
        return [
            {
                **row,
                **cleaner.clean(dict(row), service=service, resource_id=object_id, transaction_id=transaction_id),
            }
            for row in rows
        ]

    @override
    def permission(self, stream: str) -> str:
        return "a user of the type `member` with the role Network Observer, enabled for the API"

    @override
    def is_refusal(self, error: ApiError) -> bool:
        return isinstance(error, NotUnderstoodError | RefusedError) or super().is_refusal(error)

    # Checks

    @override
    def checks(self) -> Iterable[Check]:
        yield from self._check_user()
        for service in self.stream.object_types:
            if self.log.left > _FOR_PROBES + len(PARENTS.get(service, ())):
                self.survey.ask(service)
        yield self._check_services()

    def _check_user(self) -> Iterable[Check]:
        answer = self._send("user", {"current": ""})
        user = {} if answer.response is None else answer.response.json()["response"].get("user")
        if not isinstance(user, dict) or not user:
            yield Check("user", Status.NOT_CHECKED, "the user service does not tell")
            return
        step = "Ask the vendor for an API user of the type `member`; one with the role Network Observer will do"
        kind = user.get("user_type")
        if kind in _KNOWN_USER_TYPES:
            yield Check("user", Status.OK, f"of the type `{kind}`, which may read the change log")
        else:
            yield Check("user", Status.WARNING, "of a type that gets no access to the API by the vendor's policy", step)
        expires = timestamp_or_none(user.get("password_expires_on"))
        if expires is None:
            yield Check("password", Status.OK, "the user service tells of no end")
            return
        days = (expires - self.client.server_time()) // _DAY
        step = "Set a new password in time, and put it into xandr.password"
        soon = days < _SOON // _DAY
        yield Check(
            "password",
            Status.WARNING if soon else Status.OK,
            f"expires in {days} days",
            step if soon else "",
            facts={"days": days},
        )

    def _check_services(self) -> Check:
        survey = self.survey
        unlisted = configured_names(survey.failures, _KNOWN_SERVICES)
        unlogged = configured_names(survey.log_failures, _KNOWN_SERVICES)
        unasked = len(
            [it for it in self.stream.object_types if it not in survey.services and it not in survey.failures]
        )
        facts = {"cannot_be_listed": unlisted, "cannot_be_read": unlogged, "not_asked": unasked}
        left = f"; {unasked} were not asked" if unasked else ""
        if not unlisted and not unlogged:
            return Check("services", Status.OK, f"{len(survey.services)} can be listed and read{left}", facts=facts)
        told = [f"cannot be listed: {', '.join(unlisted)}"] if unlisted else []
        told += [f"without a change log that may be read: {', '.join(unlogged)}"] if unlogged else []
        return Check(
            "services",
            Status.WARNING,
            f"{'; '.join(told)}{left}",
            "Leave them out of xandr.services, or ask the vendor for the right to read them",
            detail="\n".join(
                f"{name}: {error}" for name, error in [*survey.failures.items(), *survey.log_failures.items()]
            ),
            facts=facts,
        )

    # Requests

    def _send(self, path: str, params: dict[str, t.Any]) -> Answer:
        return self.answer(lambda: self.survey.send(path, params))

    def _ask_log(self, service: str, object_id: int, **others: str) -> Answer:
        return self.answer(lambda: self.survey.send_log(service, object_id, **others))

    @cached_property
    def _unsupported(self) -> Answer:
        return self._ask_log("nonsense", 1)

    @cached_property
    def _window(self) -> tuple[Row, list[Row]] | None:
        """A transaction, and what comes when just its time is asked for; None without a log to show it."""
        for log in self._logs():
            row = log.rows[len(log.rows) // 2]
            if (moment := _moment(row)) is None or len({str(row.get("created_on")) for row in log.rows}) == 1:
                continue
            bounds = {"min_timestamp": write_time(moment - _SECOND), "max_timestamp": write_time(moment + _SECOND)}
            answer = self._ask_log(log.service, log.object_id, **bounds)
            if answer.response is not None:
                return row, rows_of(answer.response, LOG_KEY, "change log")
            raise t.cast("ApiError", answer.error)
        return None

    # Probes: each settles the assumption of the same name in the module `doctor`.

    def probe_default_services(self) -> Finding:
        survey = self.survey
        unknown = [name for name, error in survey.log_failures.items() if isinstance(error, NotUnderstoodError)]
        unknown = [name for name in unknown if name in DEFAULT_SERVICES]
        if unknown:
            return contradicted(f"it does not know {', '.join(unknown)}")
        known = {log.service for log in self._logs()} & {*DEFAULT_SERVICES}
        if len(known) == len(DEFAULT_SERVICES):
            return confirmed(f"all {len(known)} have a change log")
        return not_observable(f"{len(known)} of {len(DEFAULT_SERVICES)} have a change log, the others were not seen")

    def probe_unsupported(self) -> Finding:
        answer = self._unsupported
        if isinstance(answer.error, NotUnderstoodError):
            return confirmed(f"SYNTAX with {answer.status}")
        if answer.accepted:
            return contradicted(f"answered with {answer.status} as if it were known")
        return contradicted(f"refused with {answer.status} as something that may not be read or is not there")

    def probe_missing_object(self) -> Finding:
        for service in self.survey.services.values():
            ids = sorted(listed_id(row, where="xandr") for row in service.listed)
            if not ids or not service.logs:
                continue
            answer = self._ask_log(service.name, ids[-1] + 1)
            if answer.accepted:
                return contradicted("an empty change log")
            if isinstance(answer.error, RefusedError):
                return confirmed(f"refused with {answer.status}")
            return contradicted(f"SYNTAX with {answer.status}, as for a malformed request")
        return not_observable(_NO_LOG)

    def probe_error_status(self) -> Finding:
        answer = self._unsupported
        if answer.accepted:
            return not_observable("no error was seen")
        return confirmed(answer.status) if answer.code == HTTPStatus.OK else contradicted(answer.status)

    def probe_bounds(self) -> Finding:
        if self._window is None:
            return not_observable(_NO_LOG)
        wanted, rows = self._window
        if any(row.get("transaction_id") == wanted.get("transaction_id") for row in rows):
            return confirmed("the transaction of that time came")
        return contradicted(f"the transaction of that time did not come; {len(rows)} others did")

    def probe_bounds_work(self) -> Finding:
        if self._window is None:
            return not_observable(_NO_LOG)
        wanted, rows = self._window
        moment = _moment(wanted)
        others = sum(moment is None or abs((_moment(row) or moment) - moment) > _SECOND for row in rows)
        if others:
            return contradicted(f"{others} transactions of other times came as well")
        return confirmed(f"of {len(rows)} transactions none is of another time")

    def probe_times(self) -> Finding:
        values = [row.get("created_on") for log in self._logs() for row in log.rows]
        return judge_times(values, self.client.server_time()) if values else not_observable(_NO_LOG)

    def probe_order(self) -> Finding:
        moments = [[moment for row in log.rows if (moment := _moment(row))] for log in self._logs()]
        steps = [(one, two) for each in moments for one, two in pairwise(each) if one != two]
        if not steps:
            return not_observable(_NO_LOG)
        descending = sum(one > two for one, two in steps)
        if descending:
            return contradicted(f"{descending} of {len(steps)} steps go to an older transaction")
        return confirmed(f"all {len(steps)} steps go to a newer transaction")

    def probe_ids(self) -> Finding:
        ids = [[row.get("transaction_id") for row in log.rows] for log in self._logs()]
        types = {json_type(each) for log in ids for each in log}
        if not types:
            return not_observable(_NO_LOG)
        if types != {"string"}:
            return contradicted(f"they are of the type {', '.join(sorted(types))}")
        repeated = sum(len(log) - len(set(log)) for log in ids)
        if repeated:
            return contradicted(f"{repeated} repeat another one of the same object")
        return confirmed(f"holds for {sum(map(len, ids))} transactions")

    def probe_detail_query(self) -> Finding:
        if self.takes_object is None or self.details.name not in self.samples:
            return not_observable("no details were seen")
        return confirmed("accepted") if self.takes_object else contradicted("accepted only without it")

    def probe_unknown_transaction(self) -> Finding:
        log = next(iter(self._logs()), None)
        if log is None:
            return not_observable(_NO_LOG)
        query = self.details.detail_query(log.service, log.object_id, str(uuid.UUID(int=1)))
        answer = self._send(self.details.path, query)
        if answer.response is None:
            return contradicted(f"refused with {answer.status}")
        rows = len(rows_of(answer.response, DETAILS_KEY, "details"))
        return confirmed("an empty list") if not rows else contradicted(f"{rows} rows")

    def probe_detail_of_object(self) -> Finding:
        log, sample = next(iter(self._logs()), None), self.samples.get(self.details.name)
        if log is None or sample is None or not sample.rows:
            return not_observable("no details were seen")
        others = sum(str(row.get("resource_id")) != str(log.object_id) for row in sample.rows)
        told = f"{others} of {len(sample.rows)} rows are of other objects"
        return judged(not others, told)

    def probe_modified(self) -> Finding:
        return self._compare_modified(lambda service: service not in LOCAL_TIME_SERVICES, timedelta(minutes=1))

    def probe_local_time(self) -> Finding:
        return self._compare_modified(lambda service: service in LOCAL_TIME_SERVICES, LARGEST_ZONE)

    def _compare_modified(self, concerns: Callable[[str], bool], tolerance: timedelta) -> Finding:
        """Compare the newest transaction of each object that was read whole with the object's time."""
        late = seen = 0
        for log in self._logs():
            modified = timestamp_or_none(log.listed.get(list_endpoint(log.service).modified))
            moments = [moment for row in log.rows if (moment := _moment(row))]
            if modified is None or not moments or log.total > len(log.rows) or not concerns(log.service):
                continue
            seen += 1
            late += max(moments) > modified + tolerance
        if not seen:
            return not_observable("no object with a time of modification was seen")
        if late:
            return contradicted(f"{late} of {seen} objects have a transaction after their time of modification")
        return confirmed(f"holds for {seen} objects")

    def probe_as_a_whole(self) -> Finding:
        asked = {name: whole for name, whole in self.survey.as_a_whole.items() if name in FALLBACK_PARENTS}
        refused = sorted(name for name, whole in asked.items() if not whole)
        if refused:
            return contradicted(f"refused for {', '.join(refused)}")
        return (
            confirmed(f"holds for {', '.join(sorted(asked))}")
            if asked
            else not_observable("none of them is configured")
        )

    def probe_needs_parent(self) -> Finding:
        service = next((name for name in self.stream.object_types if name in PARENTS), None)
        if service is None:
            return not_observable("no service with parents is configured")
        answer = self._send(service, list_query(service, {}))
        if not answer.accepted:
            return confirmed(f"{service} as a whole is refused with {answer.status}")
        return contradicted(f"{service} as a whole is accepted")

    def probe_old_start(self) -> Finding:
        log = next(iter(self._logs()), None)
        if log is None:
            return not_observable(_NO_LOG)
        start = write_time(self.client.server_time() - _TOO_LONG_AGO)
        answer = self._ask_log(log.service, log.object_id, min_timestamp=start)
        return judged(answer.accepted, f"two years ago is {answer.told}")

    def probe_single(self) -> Finding:
        singles = [page for page in self.survey.lists.values() if len(page.rows) == 1]
        for (service, _, _), page in list(self.survey.lists.items()):
            if singles or service in PARENTS or not page.rows or not list_endpoint(service).has_options:
                continue
            answer = self._send(service, {**list_query(service, {}), "id": page.rows[0]["id"]})
            if answer.response is None:
                return not_observable(f"asking for one object is refused with {answer.status}")
            return _single(answer.response)
        return _single(singles[0].response) if singles else not_observable("no list has an object")

    def probe_listed_ids(self) -> Finding:
        rows = [row for page in self.survey.lists.values() for row in page.rows]
        types = ", ".join(sorted({json_type(row.get("id")) for row in rows}))
        try:
            for row in rows:
                listed_id(row, where="xandr")
        except ProtocolError:
            return contradicted(f"of the type {types}, but no such numbers")
        return confirmed(f"of the type {types}") if rows else not_observable("no list has an object")

    def probe_rows_key(self) -> Finding:
        listed = {service for service, _, _ in self.survey.lists}
        failures = self.survey.failures.items()
        failed = sum(isinstance(error, ProtocolError) and service not in listed for service, error in failures)
        if failed:
            return contradicted(f"not in {failed} lists")
        told = sum("dbg_info" in page.response.json()["response"] for page in self.survey.lists.values())
        seen = len(self.survey.lists)
        return confirmed(f"in {seen} lists; {told} have `dbg_info`") if seen else not_observable("nothing was listed")

    def probe_pace(self) -> Finding:
        return (
            contradicted(self._throttled())
            if self._throttled()
            else not_observable(f"none of {self.log.sent} requests was throttled; a minute's worth was not sent")
        )

    def probe_throttling(self) -> Finding:
        if not self._throttled():
            return not_observable("no request was throttled")
        if not self.log.throttled:
            return contradicted("throttling came with another status than 429")
        without = len(self.log.throttled) - self.log.told_to_wait
        if without:
            return contradicted(f"{without} of {len(self.log.throttled)} answers with 429 came without it")
        return confirmed(f"{len(self.log.throttled)} answers with 429 came with it")

    def _throttled(self) -> str:
        number = sum(status in {405, 429} for status in self.log.statuses)
        return f"{number} of {self.log.sent} requests were throttled" if number else ""

    def probe_universal_pixel(self) -> Finding:
        error = self.survey.log_failures.get(_UNIVERSAL_PIXEL)
        if isinstance(error, NotUnderstoodError):
            return contradicted("the change log does not know it")
        if any(log.service == _UNIVERSAL_PIXEL for log in self._logs()):
            return confirmed("its change log was read")
        return not_observable(f"`{_UNIVERSAL_PIXEL}` is not configured, or has no transactions")

    # Estimate

    @override
    def estimates(self) -> Iterable[Estimate]:
        self._ask_more_logs()
        services = list(self.survey.services.values())
        logs = [log for service in services for log in service.logs]
        if not logs:
            return
        now = self.client.server_time()
        hours = 1 + float(self.settings["lookback_hours"])
        first = total(_first_load(service) for service in services)
        hourly = total(_hourly_load(service, hours, now) for service in services)
        how = f"from {len(logs)} change logs and {len(self.survey.lists)} pages of lists"
        login = 1
        yield Estimate(
            self.stream.name,
            Load(first.rows, first.requests + login),
            Load(hourly.rows, hourly.requests + login),
            how,
        )
        one_each = "one request for each transaction"
        yield Estimate(self.details.name, Load(first.rows, first.rows), Load(hourly.rows, hourly.rows), one_each)

    def _ask_more_logs(self) -> None:
        """Use what is left of the requests for the services with the most objects."""
        readable = [it for name, it in self.survey.services.items() if name not in self.survey.log_failures]
        with suppress(RefusedError, NotUnderstoodError):
            while self.log.left and (more := [it for it in readable if it.unasked]):
                self.survey.ask_log(max(more, key=lambda it: it.total / max(1, len(it.logs))))


def _first_load(service: Service) -> Load:
    logs = service.logs
    if not logs:
        return Load(0, service.list_requests)
    scale = service.total / len(logs)
    rows, requests = (sum(log.total for log in logs), sum(pages(log.total) for log in logs))
    return Load(round(rows * scale), service.list_requests + round(requests * scale))


def _hourly_load(service: Service, hours: float, now: datetime) -> Load:
    """Estimate from what changed in the last day; objects with local time are asked for all of a day's changes."""
    times = [timestamp_or_none(row.get(list_endpoint(service.name).modified)) for row in service.listed]
    changed = sum(moment is not None and moment > now - _DAY for moment in times)
    changed_per_day = changed / max(1, len(times)) * service.total
    recent = sum((_moment(row) or now) > now - _DAY for log in service.logs for row in log.rows)
    rows_per_day = max(changed_per_day, recent / max(1, len(service.logs)) * service.total)
    part_of_day = hours * _HOUR / _DAY
    asked = changed_per_day * (1 if service.name in LOCAL_TIME_SERVICES else part_of_day)
    return Load(round(rows_per_day * part_of_day), service.hourly_list_requests + round(asked))


def _moment(row: Row) -> datetime | None:
    return timestamp_or_none(row.get("created_on"))


def _single(response: ApiResponse) -> Finding:
    values = [value for key, value in response.json()["response"].items() if key != "dbg_info"]
    if any(isinstance(value, dict) for value in values):
        return confirmed("an object under the singular key")
    return contradicted("a list with one object")
