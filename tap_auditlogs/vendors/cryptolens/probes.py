"""The questions that settle Cryptolens' assumptions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import pairwise

from typing_extensions import override

from tap_auditlogs.doctor.assumptions import Finding, confirmed, contradicted, not_observable
from tap_auditlogs.doctor.checks import Check, Status
from tap_auditlogs.doctor.estimates import Estimate, Pace
from tap_auditlogs.doctor.shapes import json_type
from tap_auditlogs.doctor.vendor_doctor import Sample, VendorDoctor
from tap_auditlogs.vendors.cryptolens.client import BadParametersError, with_lower_keys
from tap_auditlogs.vendors.cryptolens.log_size import LogSize, Mark
from tap_auditlogs.vendors.cryptolens.state_code import KNOWN_STATES
from tap_auditlogs.vendors.cryptolens.streams import (
    HIGHEST_ID,
    Events,
    LogStream,
    ObjectLog,
    WebApiLog,
    parse_id,
    parse_seconds,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tap_auditlogs.core.errors import ApiError
    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.doctor.vendor_doctor import Answer

PERMISSIONS: t.Final = {
    WebApiLog.name: "Get Web API Log",
    Events.name: "Get Events",
    ObjectLog.name: "Get Object Log",
}
_WIDE_ID = 5_000_000_000  # beyond 32 bits, signed or not
_NO_ROWS = "the log has too few rows"
_RESOURCE_TYPES = 7  # Cryptolens docs: the lists of kinds of objects and of changes
_RESOURCE_ACTIONS = 4


@dataclass
class Probes(VendorDoctor):
    """The questions to Cryptolens.

    Attributes:
        pages: The first page of each log.
        ends: The last page of each log that can be read backwards, newest first.
    """

    enumerations: t.ClassVar[Mapping[str, Mapping[str, Collection[t.Any]]]] = {
        WebApiLog.name: {"state": KNOWN_STATES},
        ObjectLog.name: {"resourceType": range(_RESOURCE_TYPES + 1), "resourceAction": range(_RESOURCE_ACTIONS + 1)},
    }
    reading_posts = ("/ai/GetWebAPILog", "/ai/GetEvents", "/ai/GetObjectLog")

    pages: dict[str, ApiResponse] = field(default_factory=dict)
    ends: dict[str, Answer] = field(default_factory=dict)

    @property
    @override
    def pace(self) -> Pace:
        return Pace()

    @override
    def sample(self, stream: str) -> Sample:
        log = self.log_stream(stream)
        self.pages[stream] = self.client.send(log.request(0), what=log.method)
        return Sample(log.raw_rows(self.pages[stream]), log.page_size)

    @override
    def permission(self, stream: str) -> str:
        return f"an access token with the permission {PERMISSIONS[stream]}, and without a key lock"  # cryptolens-16

    @override
    def is_refusal(self, error: ApiError) -> bool:
        return isinstance(error, BadParametersError)

    @override
    def checks(self) -> Iterable[Check]:
        if self.settings.get("product_id") is None:
            return
        filtered = [sample for name, sample in self.samples.items() if name != ObjectLog.name]
        if any(sample.rows for sample in filtered):
            yield Check("product_id", Status.OK, "the logs have rows of this product")
        else:
            step = "Check cryptolens.product_id, and whether the access token is locked to another product"
            yield Check("product_id", Status.WARNING, "the logs have no rows of this product", step)

    @override
    def estimates(self) -> Iterable[Estimate]:
        now = self.client.server_time().timestamp()
        for name, page in self.pages.items():
            log = self.log_stream(name)
            first = _marks(log, page)
            if first != sorted(first, key=lambda mark: mark.id):
                continue  # the tap cannot read it
            end = self.ends.get(name)
            last = None if end is None or end.response is None else sorted(_marks(log, end.response))
            size = LogSize(
                first,
                last,
                partial(self._marks_after, log),
                now=now,
                page_size=log.page_size,
            )
            start = None if log.start_date is None else log.start_date.timestamp()
            yield Estimate(name, size.first_run(start), size.hourly_run(), size.how)

    def _marks_after(self, log: LogStream, row_id: int) -> list[Mark]:
        return _marks(log, self.client.send(log.request(row_id), what=log.method))

    def log_stream(self, name: str) -> LogStream:
        """Return a stream."""
        return t.cast("LogStream", self.streams[name])

    def ask_log(self, log: LogStream, row_id: int, cursor: str = "StartingAfter", **parameters: int) -> Answer:
        """Ask for a page, with other parameters than the tap's."""
        request = log.request(row_id, cursor)
        request.data = {**t.cast("dict[str, t.Any]", request.data), **parameters}
        return self.ask(request, what=log.method)

    # Probes: each settles the assumption of the same name in the module `doctor`.

    def probe_order_of_events(self) -> Finding:
        return self._probe_order(Events.name)

    def probe_order_of_objects(self) -> Finding:
        return self._probe_order(ObjectLog.name)

    def _probe_order(self, name: str) -> Finding:
        ids = [number for row in self.rows(name) if (number := parse_id(row.get("id"))) is not None]
        if len(ids) < 2:  # noqa: PLR2004 - an order needs two
            return not_observable(_NO_ROWS)
        descending = sum(later <= earlier for earlier, later in pairwise(ids))
        if descending:
            return contradicted(f"{descending} of {len(ids)} rows on the first page follow one with a higher id")
        return confirmed(f"the {len(ids)} rows on the first page ascend")

    def probe_rows_key(self) -> Finding:
        page = self.pages.get(ObjectLog.name)
        if page is None:
            return not_observable("the object log could not be read")
        envelope = with_lower_keys(page.json())
        found = next(key for key in ObjectLog.rows_keys if key in envelope)
        return confirmed("the key is `events`") if found == "events" else contradicted(f"the key is `{found}`")

    def probe_wide_cursors(self) -> Finding:
        refused = []
        for name in self.samples:
            log = self.log_stream(name)
            if not self.ask_log(log, _WIDE_ID).accepted:
                refused.append(log.method)
        if not self.samples:
            return not_observable("no log could be read")
        if refused:
            return contradicted(f"refused by {', '.join(refused)}")
        return confirmed(f"accepted by {len(self.samples)} methods")

    def probe_limit(self) -> Finding:
        if Events.name not in self.samples:
            return not_observable("the events could not be read")
        log = self.log_stream(Events.name)
        answer = self.ask_log(log, 0, Limit=log.page_size + 1)
        if answer.response is None:
            return confirmed(f"{log.page_size + 1} is refused")
        rows = len(log.raw_rows(answer.response))
        if rows > log.page_size:
            return contradicted(f"{log.page_size + 1} brings {rows} rows")
        if len(self.rows(Events.name)) < log.page_size:
            return not_observable(f"{log.page_size + 1} is accepted, and there are too few rows to see more")
        return confirmed(f"{log.page_size + 1} brings {rows} rows")

    def probe_numbering(self) -> Finding:
        rows = self.rows(ObjectLog.name)
        types, actions = ({row.get(name) for row in rows} for name in ("resourceType", "resourceAction"))
        zero = 0 in types or 0 in actions
        beyond = _RESOURCE_TYPES in types or _RESOURCE_ACTIONS in actions
        if zero == beyond:
            seen = "both numbers occur" if zero else "neither number occurs"
            return not_observable(f"{seen}: 0, and the number of members of the list")
        if zero:
            return confirmed("0 occurs, and the number of members of the list does not")
        return contradicted("the number of members of the list occurs, and 0 does not")

    def probe_error_status(self) -> Finding:
        if not self.samples:
            return not_observable("no log could be read")
        answer = self.ask_log(self.log_stream(next(iter(self.samples))), 0, Limit=-1)
        if answer.accepted:
            return not_observable("a negative `Limit` is accepted, so that no error was seen")
        if answer.code == HTTPStatus.OK:
            return confirmed(answer.status)
        return contradicted(answer.status)

    def probe_throttling(self) -> Finding:
        throttled = len(self.log.throttled)
        if throttled:
            return contradicted(f"{throttled} of {self.log.sent} requests were throttled")
        return confirmed(f"none of {self.log.sent} requests was throttled")

    def probe_expired_cursor(self) -> Finding:
        for name in (Events.name, ObjectLog.name):
            ids = [parse_id(row.get("id")) or 0 for row in self.rows(name)]
            if not ids or min(ids) < 3:  # noqa: PLR2004 - an id below it that is a cursor
                continue
            log = self.log_stream(name)
            answer = self.ask_log(log, 1)
            if answer.response is None:
                return contradicted(f"refused by {log.method}")
            first = [parse_id(row.get("id")) for row in log.raw_rows(answer.response)][:1]
            if first != ids[:1]:
                return contradicted(f"{log.method} answers with other rows than without a cursor")
            return confirmed(f"{log.method} answers with its oldest rows")
        return not_observable("no log has lost a row yet")

    def probe_backward(self) -> Finding:
        for name in (WebApiLog.name, Events.name):
            if name in self.samples:
                self.ends[name] = self.ask_log(self.log_stream(name), HIGHEST_ID, "EndingBefore")
        if not self.ends:
            return not_observable("no log with this cursor could be read")
        looked_at = 0
        for name, answer in self.ends.items():
            log = self.log_stream(name)
            if answer.response is None:
                return contradicted(f"refused by {log.method}")
            ids = [parse_id(row.get("id")) or 0 for row in log.raw_rows(answer.response)]
            if any(later >= earlier for earlier, later in pairwise(ids)):
                del self.ends[name]
                return contradicted(f"{log.method} does not answer in descending order")
            looked_at += len(ids)
        return confirmed(f"{looked_at} rows come in descending order") if looked_at else not_observable(_NO_ROWS)

    def probe_empty_list(self) -> Finding:
        for name, answer in self.ends.items():
            log = self.log_stream(name)
            rows = [] if answer.response is None else log.raw_rows(answer.response)
            newest = parse_id(rows[0].get("id")) if rows else None
            if newest is None:
                continue
            after = self.ask_log(log, newest)
            if after.response is None:
                return not_observable("the page after the last row is refused")
            envelope = with_lower_keys(after.response.json())
            value = next((envelope[key] for key in log.rows_keys if key in envelope), None)
            if value is None:
                return contradicted("null, or no key")
            return confirmed("an empty list") if not value else not_observable("new rows had come")
        return not_observable("the last row of no log is known")

    def probe_spelling(self) -> Finding:
        known = {name: set(self.log_stream(name).shaper.sources_by_lower_name.values()) for name in self.samples}
        other = {
            key
            for name, page in self.pages.items()
            for row in _sent_rows(self.log_stream(name), page)
            for key in row
            if key not in known[name] and key.lower() in {source.lower() for source in known[name]}
        }
        if not any(self.rows(name) for name in known):
            return not_observable(_NO_ROWS)
        if other:
            return contradicted(f"{len(other)} keys are spelled otherwise")
        return confirmed("all known keys of all rows")

    def probe_ids(self) -> Finding:
        types = {json_type(row.get("id")) for name in self.samples for row in self.rows(name)}
        if not types:
            return not_observable(_NO_ROWS)
        return confirmed("all are integers") if types == {"integer"} else contradicted(f"they are {_listed(types)}")

    def probe_performer(self) -> Finding:
        types = {json_type(row.get("performedByUserId")) for row in self.rows(ObjectLog.name)} - {"null"}
        if not types:
            return not_observable("no row names who made the change")
        return confirmed(_listed(types)) if types <= {"integer", "string"} else contradicted(_listed(types))


def _listed(types: set[str]) -> str:
    return ", ".join(sorted(types))


def _sent_rows(log: LogStream, page: ApiResponse) -> list[dict[str, t.Any]]:
    """Return the rows with their keys as sent."""
    envelope = with_lower_keys(page.json())
    return next((envelope[key] or [] for key in log.rows_keys if key in envelope), [])


def _marks(log: LogStream, page: ApiResponse) -> list[Mark]:
    return [
        Mark(number, moment)
        for row in log.raw_rows(page)
        if (number := parse_id(row.get("id"))) is not None
        and (moment := parse_seconds(row.get(log.time_property))) is not None
    ]
