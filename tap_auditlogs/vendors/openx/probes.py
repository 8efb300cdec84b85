"""The questions that settle OpenX's assumptions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from itertools import pairwise

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ApiError, RefusedError
from tap_auditlogs.core.sweep import listed_id, requests_for
from tap_auditlogs.core.times import timestamp_or_none
from tap_auditlogs.doctor.assumptions import Finding, confirmed, contradicted, judge_times, judged, not_observable
from tap_auditlogs.doctor.checks import Check, Status
from tap_auditlogs.doctor.estimates import Estimate, Load, Pace, total
from tap_auditlogs.doctor.shapes import configured_names, json_type
from tap_auditlogs.doctor.vendor_doctor import Answer, Sample, VendorDoctor
from tap_auditlogs.vendors.openx.client import SESSION_PATH, BareForbiddenError, NotUnderstoodError, api_url
from tap_auditlogs.vendors.openx.reader import SAFE_PAGE_SIZE, Reader, page_of
from tap_auditlogs.vendors.openx.settings import DEFAULT_OBJECT_TYPES
from tap_auditlogs.vendors.openx.streams import AuditTrail, history_query

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.sweep import Row

KNOWN_ACTIONS = frozenset({"create", "update", "modify", "delete"})
_FOR_PROBES = 8
_STEP = 3  # from one offset to the next while a list is measured, so that its length is known within a factor of two
_LARGE_PAGE = 1000
_UNKNOWN_TYPE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_REDIRECTION = 3  # the first digit of the HTTP status
_NO_HISTORY = "no history with a row was seen"


@dataclass
class ListPage:
    """The first page of a list, or the objects that the settings name.

    Attributes:
        length: How many objects the type has; estimated if the page does not have all.
    """

    response: ApiResponse | None
    rows: Sequence[Row]
    more: bool
    length: int


@dataclass
class History:
    """The first page of an object's history."""

    object_type: str
    object_id: int
    listed: Row
    rows: Sequence[Row]
    more: bool


@dataclass
class Probes(VendorDoctor):
    """The questions to OpenX.

    Attributes:
        lists: The first page of the lists, by object type.
        failures: Why a type could not be listed.
        histories: The histories of some objects.
        page_size: How many rows are asked for; fewer once that has been refused.
    """

    reading_posts = (
        "/accounts:signInWithPassword",
        "/login/consent",
        "/token",
        "/index/initiate",
        "/login/process",
    )
    enumerations: t.ClassVar[Mapping[str, Mapping[str, frozenset[t.Any]]]] = {
        AuditTrail.name: {"action": KNOWN_ACTIONS, "type": frozenset({"audittrail"})}
    }

    lists: dict[str, ListPage] = field(default_factory=dict)
    failures: dict[str, ApiError] = field(default_factory=dict)
    histories: list[History] = field(default_factory=list)
    page_size: int = 0

    @property
    def stream(self) -> AuditTrail:
        """The stream of revisions."""
        return t.cast("AuditTrail", self.streams[AuditTrail.name])

    @cached_property
    def reader(self) -> Reader:
        """Sends requests as the tap does."""
        return Reader(self.client, api_url(self.settings), self.settings["page_size"])

    @property
    @override
    def pace(self) -> Pace:
        return Pace(
            concurrency=self.settings["max_concurrency"],
            origin="an hourly quota for the whole instance, whose size is not published",
        )

    @override
    def permission(self, stream: str) -> str:
        return "an instance-wide administrator, who may see the history of every object"

    @override
    def is_refusal(self, error: ApiError) -> bool:
        refusals = (NotUnderstoodError, RefusedError, BareForbiddenError)
        return isinstance(error, refusals) or super().is_refusal(error)

    # Pages

    @override
    def sample(self, stream: str) -> Sample:
        self.page_size = self.settings["page_size"]
        for object_type in self.stream.object_types:
            self._list(object_type)
            self._ask_history(object_type)
            if self._rows():
                break
        if not self.lists:
            raise next(iter(self.failures.values()))
        return Sample(self._rows(), self.page_size)

    def _rows(self) -> list[Row]:
        return [row for history in self.histories for row in history.rows]

    def _list(self, object_type: str) -> None:
        """List a type; a refusal is noted."""
        if object_type in self.lists or object_type in self.failures:
            return
        if ids := self.stream.configured_ids(object_type):
            self.lists[object_type] = ListPage(None, [{"id": each} for each in ids], more=False, length=len(ids))
            return
        answer = self._send(f"/{object_type}", self.page_size)
        if isinstance(answer.error, NotUnderstoodError) and self.page_size > SAFE_PAGE_SIZE:
            small = self._send(f"/{object_type}", SAFE_PAGE_SIZE)
            if small.accepted:
                answer, self.page_size = small, SAFE_PAGE_SIZE
        if answer.response is None:
            self.failures[object_type] = t.cast("ApiError", answer.error)
            return
        page = page_of(answer.response, object_type)
        self.lists[object_type] = ListPage(answer.response, page.rows, page.more, len(page.rows))

    def _ask_history(self, object_type: str) -> None:
        """Request the history of an object in the middle of a list, which is less likely to be the oldest."""
        page = self.lists.get(object_type)
        if page is None or not page.rows:
            return
        listed = page.rows[len(page.rows) // 2]
        object_id = listed_id(listed, where=f"openx: list of {object_type}")
        answer = self._send(AuditTrail.path, self.page_size, history_query(object_type, object_id))
        if answer.response is not None:
            found = page_of(answer.response, object_type)
            self.histories.append(History(object_type, object_id, listed, found.rows, found.more))

    def _send(self, path: str, limit: int, params: Mapping[str, t.Any] | None = None, offset: int = 0) -> Answer:
        query = {**(params or {}), "offset": offset, "limit": limit}
        return self.answer(lambda: self.reader.send(path, query, path))

    # Checks

    @override
    def checks(self) -> Iterable[Check]:
        for object_type in self.stream.object_types:
            if self.log.left > _FOR_PROBES:
                self._list(object_type)
        asked = {history.object_type for history in self.histories}
        for object_type in self.lists:
            if self.log.left > _FOR_PROBES and object_type not in asked:
                self._ask_history(object_type)
        refused = configured_names(self.failures, DEFAULT_OBJECT_TYPES)
        unasked = len({*self.stream.object_types} - self.lists.keys() - self.failures.keys())
        left = f"; {unasked} were not asked" if unasked else ""
        facts = {"cannot_be_listed": refused, "not_asked": unasked}
        if not refused:
            yield Check("object types", Status.OK, f"{len(self.lists)} can be listed{left}", facts=facts)
            return
        yield Check(
            "object types",
            Status.WARNING,
            f"cannot be listed: {', '.join(refused)}{left}",
            "The tap skips them. Leave them out of openx.object_types, or give the user the right to see them",
            detail="\n".join(f"{name}: {error}" for name, error in self.failures.items()),
            facts=facts,
        )

    # Probes: each settles the assumption of the same name in the module `doctor`.

    def probe_bulk(self) -> Finding:
        object_type = next(iter(self.lists), None)
        if object_type is None:
            return not_observable("no type could be listed")
        answer = self._send(AuditTrail.path, 5, {"obj_type": object_type})
        if answer.response is None:
            return confirmed(f"without it, refused with {answer.status}")
        ids = {row.get("obj_id") for row in page_of(answer.response, object_type).rows}
        return contradicted(f"without it, rows of {len(ids)} objects come")

    def probe_page_size(self) -> Finding:
        wanted = self.settings["page_size"]
        pages = [page.response.json() for page in self.lists.values() if page.response is not None]
        echoed = {page.get("limit") for page in pages if isinstance(page, dict)} - {None}
        if self.page_size != wanted:
            return contradicted(f"{wanted} is refused; {self.page_size} is accepted")
        if not echoed:
            return not_observable("no answer tells its limit")
        if echoed != {wanted}:
            return contradicted(f"{wanted} is cut to another number")
        object_type = next(iter(self.lists))
        answer = self._send(f"/{object_type}", _LARGE_PAGE)
        if answer.response is None:
            return confirmed(f"{wanted} is granted; {_LARGE_PAGE} is refused with {answer.status}")
        larger = answer.response.json().get("limit")
        told = f"`limit` {larger}" if isinstance(larger, int) else f"a `limit` of the type {json_type(larger)}"
        return confirmed(f"{wanted} is granted; {_LARGE_PAGE} is answered with {told}")

    def probe_days(self) -> Finding:
        for history in self.histories:
            moments = sorted(moment for row in history.rows if (moment := _moment(row)))
            nights = [(two - one, two.date()) for one, two in pairwise(moments) if one.date() < two.date()]
            if history.more or not nights:
                continue
            _, day = min(nights)  # rows close to midnight on both sides show the time zone best
            query = {**history_query(history.object_type, history.object_id), "timestamp>": day.isoformat()}
            answer = self._send(AuditTrail.path, self.page_size, query)
            if answer.response is None:
                return contradicted(f"refused with {answer.status}")
            rows = page_of(answer.response, history.object_type).rows
            found = [moment for row in rows if (moment := _moment(row))]
            expected = sum(moment.date() >= day for moment in moments)
            early = sum(moment.date() < day for moment in found)
            if len(found) - early < expected:
                return contradicted(f"{expected - len(found) + early} of {expected} rows of that day are missing")
            if early:
                return contradicted(f"{early} rows of earlier days came as well")
            return confirmed(f"{expected} rows of that day came, and none of an earlier one")
        return not_observable("no history has rows of two days")

    def probe_times(self) -> Finding:
        values = [row.get("timestamp") for row in self._rows()]
        return judge_times(values, self.client.server_time()) if values else not_observable(_NO_HISTORY)

    def probe_numbering(self) -> Finding:
        steps = [two - one for history in self.histories for one, two in pairwise(sorted(_revisions(history)))]
        if not steps:
            return not_observable("no history has two revisions")
        gaps = sum(step > 1 for step in steps)
        return (
            contradicted(f"{gaps} of {len(steps)} steps leave numbers out")
            if gaps
            else confirmed(f"all {len(steps)} steps are by one")
        )

    def probe_first(self) -> Finding:
        firsts = [min(revisions) for history in self.histories if (revisions := _revisions(history))]
        if not firsts:
            return not_observable(_NO_HISTORY)
        later = sum(first > 1 for first in firsts)
        return (
            contradicted(f"{later} of {len(firsts)} histories begin later")
            if later
            else confirmed(f"all {len(firsts)} histories begin with 1")
        )

    def probe_modified(self) -> Finding:
        seen = late = 0
        for history in self.histories:
            modified = timestamp_or_none(history.listed.get("modified_date"))
            moments = [moment for row in history.rows if (moment := _moment(row))]
            if modified is None or not moments or history.more:
                continue
            seen += 1
            late += max(moments) > modified + timedelta(minutes=1)
        if not seen:
            return not_observable("no object with a time of modification was seen")
        told = f"{late} of {seen} objects have a revision after it"
        return judged(not late, told)

    def probe_key(self) -> Finding:
        if not self._rows():
            return not_observable(_NO_HISTORY)
        without = len(self._rows()) - sum(len(_revisions(history)) for history in self.histories)
        if without:
            return contradicted(f"{without} of {len(self._rows())} rows have no number")
        repeated = sum(len(numbers) - len(set(numbers)) for numbers in map(_revisions, self.histories))
        return (
            contradicted(f"{repeated} numbers are repeated")
            if repeated
            else confirmed(f"holds for {len(self._rows())} rows")
        )

    def probe_order(self) -> Finding:
        steps = [two - one for history in self.histories for one, two in pairwise(_revisions(history)) if one != two]
        if not steps:
            return not_observable("no history has two revisions")
        back = sum(step < 0 for step in steps)
        told = f"{back} of {len(steps)} steps go to an older revision"
        return judged(not back, told)

    def probe_envelope(self) -> Finding:
        payloads = [page.response.json() for page in self.lists.values() if page.response is not None]
        if not payloads:
            return not_observable("no type could be listed")
        arrays = sum(isinstance(payload, list) for payload in payloads)
        told = f"{arrays} of {len(payloads)} lists are bare arrays"
        return judged(not arrays, told)

    def probe_listed_fields(self) -> Finding:
        rows = [row for page in self.lists.values() if page.response is not None for row in page.rows]
        if not rows:
            return not_observable("no object was listed")
        without = sum(timestamp_or_none(row.get("modified_date")) is None for row in rows)
        told = f"{without} of {len(rows)} objects have no time of modification"
        return judged(not without, told)

    def probe_unknown_type(self) -> Finding:
        answer = self.answer_or_error(lambda: self._send("/nonsense", self.page_size))
        return judged(answer.code in _UNKNOWN_TYPE, answer.told)

    def probe_types(self) -> Finding:
        refused = [name for name, error in self.failures.items() if not _is_forbidden(error)]
        unknown = configured_names(refused, DEFAULT_OBJECT_TYPES)
        if unknown:
            return contradicted(f"it does not know {', '.join(unknown)}")
        if not self.lists:
            return not_observable("no type could be listed")
        return confirmed(f"holds for {len(self.lists)} types")

    def probe_deleted(self) -> Finding:
        rows = [row for page in self.lists.values() for row in page.rows if "deleted" in row]
        if not rows:
            return not_observable("no object tells whether it is deleted")
        deleted = sum(str(row["deleted"]) not in {"0", "False"} for row in rows)
        told = f"{deleted} of {len(rows)} objects are deleted"
        return judged(not deleted, told)

    def probe_missing_object(self) -> Finding:
        object_type = next((name for name, page in self.lists.items() if page.rows and not page.more), None)
        if object_type is None:
            return not_observable("no type was listed whole")
        highest = max(listed_id(row, where="openx") for row in self.lists[object_type].rows)
        answer = self._send(AuditTrail.path, 1, history_query(object_type, highest + 1))
        if isinstance(answer.error, RefusedError):
            return confirmed(f"refused with {answer.status}")
        return contradicted(f"answered with {answer.status} and no such error")

    def probe_without_session(self) -> Finding:
        request = requests.Request(
            "GET", api_url(self.settings) + AuditTrail.path, headers={"Content-Type": "application/json"}
        )
        answer = self.ask_without_credentials(request)
        return judged(answer.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}, answer.status)

    def probe_session(self) -> Finding:
        url = api_url(self.settings) + SESSION_PATH
        answer = self.ask(requests.Request("GET", url, headers={"Content-Type": "application/json"}))
        return confirmed(answer.status) if answer.accepted else contradicted(f"refused with {answer.status}")

    def probe_quota(self) -> Finding:
        if not self.log.throttled:
            return not_observable("no request was throttled")
        told = self.log.told_to_wait
        if told:
            return contradicted(f"{told} of {len(self.log.throttled)} answers with 429 tell how long to wait")
        return confirmed(f"{len(self.log.throttled)} answers with 429 do not tell how long to wait")

    def probe_gateway(self) -> Finding:
        if self.settings["auth_method"] == "oauth1":
            return not_observable("the settings use the older way to log in")
        return confirmed("a history came") if self.histories else not_observable("no history could be asked for")

    def probe_oauth2(self) -> Finding:
        if self.settings["auth_method"] != "oauth2":
            return not_observable("the settings use another way to log in")
        hops = sum(status // 100 == _REDIRECTION for status in self.log.statuses)
        return confirmed(f"the login succeeded, with {hops} redirects")

    def probe_oauth1(self) -> Finding:
        if self.settings["auth_method"] != "oauth1":
            return not_observable("the settings use another way to log in")
        return confirmed(f"the login succeeded, {'with' if self.settings.get('realm') else 'without'} a realm")

    def probe_actions(self) -> Finding:
        if not self._rows():
            return not_observable(_NO_HISTORY)
        others = sum(row.get("action") not in KNOWN_ACTIONS for row in self._rows())
        told = f"{others} of {len(self._rows())} rows have another one"
        return judged(not others, told)

    def probe_changes(self) -> Finding:
        changes = [row.get("changes") for row in self._rows() if row.get("changes") is not None]
        if not changes:
            return not_observable(_NO_HISTORY)
        values = [it.get(name) for it in changes if isinstance(it, dict) for name in ("new_value", "old_value")]
        types = {json_type(it) for it in changes} | {json_type(it) for it in values if it is not None}
        before = sum(isinstance(it, dict) and "old_value" in it for it in changes)
        told = f"{', '.join(sorted(types))}; {before} of {len(changes)} have `old_value`"
        return judged(types == {"object"}, told)

    def probe_user(self) -> Finding:
        types = {json_type(row.get("user")) for row in self._rows()} - {"null"}
        if not types:
            return not_observable("no row names a user")
        return confirmed("objects") if types == {"object"} else contradicted(", ".join(sorted(types)))

    # Estimate

    @override
    def estimates(self) -> Iterable[Estimate]:
        if not self.lists:
            return
        self._measure_lists()
        hours = 1 + 24 * float(self.settings["lookback_days"])
        now = self.client.server_time()
        first = total(self._first_load(object_type) for object_type in self.lists)
        hourly = total(self._hourly_load(object_type, hours, now) for object_type in self.lists)
        login = self.login_requests
        yield Estimate(
            self.stream.name,
            Load(first.rows, first.requests + login),
            Load(hourly.rows, hourly.requests + login),
            f"from {len(self.lists)} lists and {len(self.histories)} histories",
        )

    @property
    def login_requests(self) -> int:
        """How many requests a login takes."""
        return {"oauth2": 5, "oauth1": 3}.get(self.settings["auth_method"], 0)

    def _measure_lists(self) -> None:
        """Find out how long lists of more than a page are: a list does not tell."""
        for object_type, page in self.lists.items():
            reached, beyond = len(page.rows), len(page.rows) * _STEP
            while page.more and self.log.left:
                answer = self._send(f"/{object_type}", 1, offset=beyond)
                if answer.response is None or not page_of(answer.response, object_type).rows:
                    break
                reached, beyond = beyond, beyond * _STEP
            page.length = round((reached * beyond) ** 0.5) if page.more else len(page.rows)

    def _first_load(self, object_type: str) -> Load:
        page = self.lists[object_type]
        start = self.stream.start_date
        kept = [row for row in self._rows() if start is None or (_moment(row) or start) >= start]
        share = len(kept) / max(1, len(self._rows()))
        numbers = [row["revision"] for row in page.rows if isinstance(row.get("revision"), int)]
        numbers = numbers or [len(history.rows) for history in self.histories] or [0]
        mean = sum(numbers) / len(numbers)
        asked = sum(self._pages(number) for number in numbers) / len(numbers)
        return Load(round(mean * page.length * share), self._list_requests(page) + round(asked * page.length))

    def _hourly_load(self, object_type: str, hours: float, now: datetime) -> Load:
        """Estimate from what was modified in the time that is asked for again."""
        page = self.lists[object_type]
        times = [timestamp_or_none(row.get("modified_date")) for row in page.rows]
        changed = sum(moment is None or moment > now - timedelta(hours=hours) for moment in times)
        asked = round(changed / max(1, len(times)) * page.length)
        return Load(asked, self._list_requests(page) + asked)

    def _list_requests(self, page: ListPage) -> int:
        return 0 if page.response is None else self._pages(page.length)

    def _pages(self, rows: int) -> int:
        return requests_for(rows, self.page_size)


def _revisions(history: History) -> list[int]:
    return [row["revision"] for row in history.rows if isinstance(row.get("revision"), int)]


def _is_forbidden(error: ApiError) -> bool:
    return error.status == HTTPStatus.FORBIDDEN  # the type is known


def _moment(row: Row) -> datetime | None:
    return timestamp_or_none(row.get("timestamp"))
