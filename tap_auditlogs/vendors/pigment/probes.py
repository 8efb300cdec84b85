"""The questions that settle Pigment's assumptions."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from itertools import pairwise

import requests
from typing_extensions import override

from tap_auditlogs.core.times import parse_timestamp, timestamp_or_none
from tap_auditlogs.doctor.assumptions import Finding, confirmed, contradicted, judged, not_observable
from tap_auditlogs.doctor.checks import counted
from tap_auditlogs.doctor.estimates import Estimate, Load, Pace
from tap_auditlogs.doctor.shapes import json_type, member_names
from tap_auditlogs.doctor.vendor_doctor import Sample, VendorDoctor
from tap_auditlogs.vendors.pigment.client import REQUESTS_PER_WINDOW, WINDOW_SECONDS
from tap_auditlogs.vendors.pigment.streams import CURSOR_REFUSED, WHAT, AuditEvents, events_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.doctor.vendor_doctor import Answer, Row
    from tap_auditlogs.vendors.pigment.window import Window

PAGE_SIZE = 1000  # Pigment docs: fixed batch of 1000 events
_PAGES_FOR_PROBES = 3
_PAGES_FOR_ESTIMATE = 10
_DAYS_FOR_RATE = timedelta(days=7)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_NO_EVENTS = "the account shows too few events"
_NO_CURSOR = "all events fit on one page, so there is no cursor"


@dataclass
class Probes(VendorDoctor):
    """The questions to Pigment.

    Attributes:
        window: The query that a first run would make.
        pages: Its first pages.
    """

    window: Window | None = None
    pages: list[ApiResponse] = field(default_factory=list)

    @property
    def stream(self) -> AuditEvents:
        """The stream of audit events."""
        return t.cast("AuditEvents", self.streams[AuditEvents.name])

    @property
    @override
    def pace(self) -> Pace:
        return Pace(REQUESTS_PER_WINDOW, WINDOW_SECONDS, origin="documented, per IP address")

    @override
    def sample(self, stream: str) -> Sample:
        self.window, page = self.stream.request_page(self.stream.new_window())
        self.pages = [page]
        return Sample([event for event in events_of(page) if isinstance(event, dict)], PAGE_SIZE)

    @override
    def permission(self, stream: str) -> str:
        return "an API key of the kind `Audit logs`, whose IP allow list has this machine's address"

    @override
    def estimates(self) -> Iterable[Estimate]:
        if self.window is None:
            return
        pages = [events_of(page) for page in self.walk(_PAGES_FOR_ESTIMATE)]
        moments = sorted(moment for page in pages for event in page if (moment := _ingested(event)))
        now = self.client.server_time()
        rows, requests = sum(map(len, pages)), len(pages)
        page_size = max(1, *map(len, pages))
        lookback = timedelta(hours=float(self.settings["lookback_hours"]) + 1)
        how = f"counted on {counted(len(pages), 'page')}"
        per_hour = sum(moment > now - _DAYS_FOR_RATE for moment in moments) / (_DAYS_FOR_RATE / _HOUR)
        if _has_more(self.pages[-1]) and len(moments) > 1:
            how = f"from the times of the events on {len(pages)} pages"
            covered = max(moments[-1] - moments[0], _HOUR)
            rows = round(len(moments) * max(1.0, (now - parse_timestamp(self.window.start)) / covered))
            requests = -(-rows // page_size)
            per_hour = len(moments) / (covered / _HOUR)
        yield Estimate(
            self.stream.name,
            Load(rows, requests),
            # The start that is sent is a date: half a day to a day and a half before the look-back.
            Load(round(per_hour * (lookback / _HOUR)), 1 + int(per_hour * ((lookback + _DAY) / _HOUR) / page_size)),
            how,
        )

    # Pages and requests

    def walk(self, most: int) -> list[ApiResponse]:
        """Return the first pages of the query, fewer if there are no more."""
        while self.window is not None and len(self.pages) < most and (cursor := _cursor(self.pages[-1])):
            self.pages.append(self.client.send(self.stream.request(replace(self.window, cursor=cursor)), what=WHAT))
        return self.pages[:most]

    def events(self) -> Sequence[Row]:
        """Return the events of the first page."""
        return self.rows(self.stream.name)

    def ask_events(self, **parameters: str) -> Answer:
        """Request events with other parameters than the tap's."""
        url = self.settings["api_url"].rstrip("/") + self.stream.path
        return self.ask(requests.Request("GET", url, params=parameters))

    def first_cursor(self) -> str | None:
        """Return the cursor of the second page."""
        return _cursor(self.pages[0]) if self.pages else None

    def days_ago(self, days: int) -> str:
        """Return a date for `ingestedSince`."""
        return (self.client.server_time() - timedelta(days=days)).date().isoformat()

    # Probes: each settles the assumption of the same name in the module `doctor`.

    def probe_date(self) -> Finding:
        dated = [(moment, event["eventId"]) for event in self.events() if (moment := _ingested(event))]
        midnight, hours = _telling_midnight([moment for moment, _ in dated])
        if midnight is None:
            return not_observable("no midnight on the first page has events in the twelve hours before and after it")
        answer = self.ask_events(ingestedSince=midnight.date().isoformat())
        if not answer.accepted:
            return contradicted(f"a date is refused with {answer.status}")
        expected = {event_id for moment, event_id in dated if moment >= midnight}
        return _compared(answer, expected, midnight, hours)

    def probe_time(self) -> Finding:
        moments = [moment for event in self.events() if (moment := _ingested(event))]
        if not moments:
            return not_observable(_NO_EVENTS)
        answer = self.ask_events(ingestedSince=max(moments).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return judged(answer.accepted, answer.told)

    def probe_inclusive(self) -> Finding:
        candidates = [
            event for event in self.events() if _ingested(event) and event["ingestionTimestamp"].endswith("Z")
        ]
        exact = [
            event for event in candidates if len(event["ingestionTimestamp"]) <= len("2026-01-01T00:00:00.0000000Z")
        ]
        if len(exact) < 2:  # noqa: PLR2004 - one, and a newer one to show that the answer is right
            return not_observable("too few events on the first page have a time that can be sent as it is")
        event = exact[len(exact) // 2]
        answer = self.ask_events(ingestedSince=event["ingestionTimestamp"])
        if not answer.accepted:
            return not_observable(f"a time with a fraction is refused with {answer.status}")
        if event["eventId"] in _ids(answer):
            return confirmed("the event of that very time came as well")
        if _has_more(t.cast("ApiResponse", answer.response)):
            return not_observable("the answer has more than one page")
        return contradicted("the event of that very time did not come")

    def probe_beyond_retention(self) -> Finding:
        answer = self.ask_events(ingestedSince=self.days_ago(181))
        return judged(not answer.accepted, f"181 days back is {answer.told}")

    def probe_no_start(self) -> Finding:
        answer = self.ask_events()
        return judged(not answer.accepted, answer.told)

    def probe_foreign_cursor(self) -> Finding:
        cursor = self.first_cursor()
        if cursor is None:
            return not_observable(_NO_CURSOR)
        answer = self.ask_events(ingestedSince=self.days_ago(2), cursor=cursor)
        return judged(not answer.accepted, answer.told)

    def probe_cursor_again(self) -> Finding:
        cursor = self.first_cursor()
        if cursor is None or self.window is None:
            return not_observable(_NO_CURSOR)
        pages = self.walk(2)
        answer = self.ask_events(ingestedSince=self.window.since, cursor=cursor)
        if not answer.accepted:
            return contradicted(f"the second use is refused with {answer.status}")
        first = {event.get("eventId") for event in events_of(pages[1]) if isinstance(event, dict)}
        if first != _ids(answer):
            return contradicted("the second use brings other events")
        return confirmed(f"the second use brings the same {len(first)} events")

    def probe_damaged_cursor(self) -> Finding:
        if self.window is None:
            return not_observable(_NO_EVENTS)
        since = self.window.since
        answer = self.answer_or_error(lambda: self.ask_events(ingestedSince=since, cursor="damaged"))
        if answer.accepted:
            return contradicted(f"accepted with {answer.status} and {len(_dated(answer))} events")
        return judged(answer.code in CURSOR_REFUSED, f"refused with {answer.status}")

    def probe_more(self) -> Finding:
        pages = self.walk(_PAGES_FOR_PROBES)
        if not pages:
            return not_observable(_NO_EVENTS)
        for page in pages:
            more, cursor = page.json().get("hasMoreEvents"), _cursor(page)
            if not isinstance(more, bool):
                return contradicted(f"`hasMoreEvents` is of the type {json_type(more)}")
            if more and cursor is None:
                return contradicted("`hasMoreEvents` is true without `nextEventsCursor`")
        return confirmed(f"holds on {counted(len(pages), 'page')}")

    def probe_order(self) -> Finding:
        moments = [moment for event in self.events() if (moment := _ingested(event))]
        steps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments) if later != earlier]
        if not steps:
            return not_observable(_NO_EVENTS)
        ascending = sum(step > 0 for step in steps)
        if ascending:
            return contradicted(f"{ascending} of {len(steps)} steps between events on the first page go to a newer one")
        return confirmed(f"all {len(steps)} steps between events on the first page go to an older one")

    def probe_ids(self) -> Finding:
        events = self.events()
        if not events:
            return not_observable(_NO_EVENTS)
        ids = [event.get("eventId") for event in events]
        without = sum(not isinstance(event_id, str) or not event_id for event_id in ids)
        repeated = len(ids) - len(set(map(str, ids)))
        if without:
            return contradicted(f"{without} of {len(ids)} events have no text in `eventId`")
        if repeated:
            return contradicted(f"{repeated} of {len(ids)} events repeat the `eventId` of another")
        return confirmed(f"holds for {len(ids)} events")

    def probe_times(self) -> Finding:
        events = self.events()
        if not events:
            return not_observable(_NO_EVENTS)
        for name in ("eventTimestamp", "ingestionTimestamp"):
            types = {json_type(event.get(name)) for event in events}
            if types != {"string"}:
                return contradicted(f"`{name}` is of the type {', '.join(sorted(types))}")
            unread = sum(not _has_zone(event[name]) for event in events)
            if unread:
                return contradicted(f"`{name}` has no zone, or is no time, in {unread} of {len(events)} events")
        return confirmed(f"holds for {len(events)} events")

    def probe_members(self) -> Finding:
        events = self.events()
        actors = [event.get("actor") for event in events]
        contexts = [event.get("context") for event in events]
        types = {json_type(value) for value in (*actors, *contexts)} - {"null"}
        if not types:
            return not_observable("no event has an `actor` or a `context`")
        if types != {"object"}:
            return contradicted(f"they are of the type {', '.join(sorted(types))}")
        users = [actor["user"] for actor in actors if isinstance(actor, dict) and isinstance(actor.get("user"), dict)]
        named = sum("id" in user for user in users)
        members = f"`actor` has {', '.join(member_names(actors))}; `context` has {', '.join(member_names(contexts))}"
        if users and not named:
            return contradicted(f"no `actor.user` has an `id`; {members}")
        return confirmed(f"{named} of {len(events)} events have `actor.user.id`; {members}")

    def probe_throttling(self) -> Finding:
        throttled = self.log.throttled
        if not throttled:
            return not_observable("no request was throttled, and the doctor provokes none")
        told = self.log.told_to_wait
        if told:
            return contradicted(f"{told} of {len(throttled)} throttled answers have `Retry-After`")
        return confirmed(f"{len(throttled)} throttled answers have no `Retry-After`")

    def probe_without_key(self) -> Finding:
        if self.window is None:
            return not_observable(_NO_EVENTS)
        answer = self.ask_without_credentials(self.stream.request(self.window))
        return judged(answer.code == HTTPStatus.UNAUTHORIZED, answer.status)

    def probe_content_type(self) -> Finding:
        if self.samples:
            return confirmed("a request without it is answered")
        if HTTPStatus.UNSUPPORTED_MEDIA_TYPE in self.log.statuses:
            return contradicted("a request without it is refused with HTTP 415")
        return not_observable("no page could be read")

    def probe_empty_pages(self) -> Finding:
        pages = self.walk(_PAGES_FOR_ESTIMATE)
        empty = [number for number, page in enumerate(pages) if not events_of(page) and _has_more(page)]
        if not empty:
            return not_observable(f"none of {len(pages)} pages is empty with more to follow")
        if all(events_of(page) for number, page in enumerate(pages) if number - 1 in empty):
            return confirmed(f"{len(empty)} of {len(pages)} pages are empty, and events follow")
        return contradicted(f"{len(empty)} of {len(pages)} pages are empty, and no events follow")


def _cursor(page: ApiResponse) -> str | None:
    cursor = page.json().get("nextEventsCursor")
    return cursor if isinstance(cursor, str) and cursor else None


def _has_more(page: ApiResponse) -> bool:
    return page.json().get("hasMoreEvents") is True


def _ingested(event: object) -> datetime | None:
    return timestamp_or_none(event.get("ingestionTimestamp")) if isinstance(event, dict) else None


def _ids(answer: Answer) -> set[t.Any]:
    return {event.get("eventId") for event in _dated(answer)}


def _dated(answer: Answer) -> list[dict[str, t.Any]]:
    return [event for event in events_of(t.cast("ApiResponse", answer.response)) if isinstance(event, dict)]


def _compared(answer: Answer, expected: set[t.Any], midnight: datetime, hours: int) -> Finding:
    """Compare the events since a date with those expected since midnight UTC."""
    found = [moment for event in _dated(answer) if (moment := _ingested(event))]
    missing = len(expected - _ids(answer))
    early = sum(moment < midnight for moment in found)
    oldest_first = bool(found) and found[0] < found[-1]
    if missing and _has_more(t.cast("ApiResponse", answer.response)) and not oldest_first:
        return not_observable("the answer has more than one page")
    if missing:
        return contradicted(f"{missing} of {len(expected)} events after midnight UTC are missing")
    if early:
        return contradicted(f"{early} events from before midnight UTC came as well")
    if hours > 1:
        return not_observable(f"the events nearest to a midnight leave up to {hours} hours open")
    return confirmed(f"all {len(expected)} events after midnight UTC came, and none from before")


def _telling_midnight(moments: list[datetime]) -> tuple[datetime | None, int]:
    """Return the midnight with the nearest events on both sides, and within how many hours they are."""
    best, least = None, timedelta(hours=12)
    for midnight in sorted({datetime.combine(moment.date(), time(), UTC) for moment in moments}):
        before = min((midnight - moment for moment in moments if moment < midnight), default=least)
        after = min((moment - midnight for moment in moments if moment >= midnight), default=least)
        if max(before, after) < least:
            best, least = midnight, max(before, after)
    return best, math.ceil(least / _HOUR)


def _has_zone(text: str) -> bool:
    return timestamp_or_none(text) is not None and (text.endswith("Z") or text[-6] in "+-")
