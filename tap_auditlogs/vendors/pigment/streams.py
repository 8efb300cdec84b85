"""Pigment's stream of audit events."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import requests
from singer_sdk import typing as th
from typing_extensions import override

from tap_auditlogs.core.canonical import digest
from tap_auditlogs.core.errors import ApiError, CredentialsError, ProtocolError, StateError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES_PROPERTY
from tap_auditlogs.core.schema import FreeFormObjectType
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.times import canonical_timestamp, format_timestamp, parse_timestamp
from tap_auditlogs.vendors.pigment.paginator import EventPaginator
from tap_auditlogs.vendors.pigment.window import REACH, RETENTION, Window, next_midnight, window_start

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.state import Bookmark

WHAT = "audit events"

# pigment-08: the status for an expired or unknown cursor is not documented; any of these may be it.
CURSOR_REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class AuditEvents(AuditStream):
    """The audit events of a workspace, bookmarked by the time at which Pigment stored them."""

    name = "pigment_audit_events"
    path = "/api/audit/v1/events"
    primary_keys = ("event_id",)
    replication_key = "ingestion_timestamp"
    schema = th.PropertiesList(
        th.Property(
            "event_id",
            th.StringType(nullable=False),
            required=True,
            description="Unique id of the event; a hash of the event should the vendor send none.",
        ),
        th.Property("event_type", th.StringType, description="What happened, in PascalCase; any value may come."),
        # pigment-12
        th.Property("event_timestamp", th.DateTimeType, description="When it happened."),
        th.Property(
            "ingestion_timestamp",
            th.DateTimeType,
            description="When Pigment stored the event; may be much later than when it happened.",
        ),
        th.Property("actor", FreeFormObjectType(), description="Who did it."),
        th.Property("context", FreeFormObjectType(), description="Where it was done."),
        th.Property(
            "payload",
            FreeFormObjectType(),
            description="The details, as the vendor sends them; their shape depends on the event type.",
        ),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    @override
    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:
        self._warn_of_lost_events()
        # First the rest of the window in which the last run was interrupted (pigment-07), then the window up to now.
        if (left := self._window_left()) is not None:
            try:
                yield from self._read(left)
            except _CursorRefusedError:
                self.logger.info("Pigment no longer accepts the cursor of the last run; its window is read again.")
            except _UnreadableEventsError as error:
                self.logger.warning("%s", error)
        try:
            yield from self._read(self.new_window())
        except _CursorRefusedError:
            self.logger.warning("Pigment did not accept its own cursor; the window is read again, once.")
            yield from self._read(self.new_window())

    @override
    def check_bookmark(self, bookmark: Bookmark) -> None:
        super().check_bookmark(bookmark)
        if bookmark.progress:
            try:
                window = Window.resumed(bookmark.progress)
            except (TypeError, ValueError) as error:
                msg = "its `progress` is not that of a window"
                raise StateError(msg) from error
            self.check_time(window.newest)

    # Windows

    def _window_left(self) -> Window | None:
        """Return the unfinished window of an earlier run, if it covers the range of a new one."""
        if not self.bookmark.progress:
            return None
        left = Window.resumed(self.bookmark.progress)
        wanted = self.new_window()
        if left.covers(wanted.start, wanted.end):
            return left
        self.logger.info("The window that the last run began does not cover what is asked for now; it is dropped.")
        return None

    def new_window(self) -> Window:
        """Return the window from the bookmark, or else from `start_date`, up to now."""
        lookback = timedelta(hours=float(self.settings["lookback_hours"]))
        start = window_start(self.bookmark.value, self.start_date, lookback)
        return Window.opening(start, self.end_date, self.connection.client.server_time())

    def _warn_of_lost_events(self) -> None:
        bookmark = self.bookmark.value
        reached = self.connection.client.server_time() - REACH
        if bookmark is not None and parse_timestamp(bookmark) < reached:
            self.logger.warning(
                "Pigment keeps events for %d days: those stored between %s and %s can no longer be read.",
                RETENTION.days,
                bookmark,
                format_timestamp(reached),
            )

    def _read(self, window: Window) -> Iterator[list[Record]]:
        paginator = EventPaginator(window.cursor)
        unreadable = _UnreadableEvents()
        resumed = window.cursor is not None
        while not paginator.finished:
            window, response = self._resume(window) if resumed else self.request_page(window)
            resumed = False
            events = events_of(response)
            records = [
                record
                for record in self._to_records(events, f"page {paginator.count + 1}", unreadable)
                if window.wants(record["ingestion_timestamp"])
            ]
            yield records
            paginator.count_rows(len(events))
            paginator.advance(response)
            ingested = [record["ingestion_timestamp"] for record in records]
            window = window.after_page(ingested, paginator.current_value, self.connection.client.server_time())
            if not unreadable.count and not paginator.finished:  # else a resumed run would skip the incomplete page
                self.bookmark.keep_progress(window.as_progress())
                self.checkpoint()
        if unreadable.count:
            self.bookmark.drop_progress()
            self.checkpoint()
            raise unreadable.error()
        # pigment-10: only now, since the order of events is not certain.
        # A back-fill that ends before the bookmark must not move the bookmark back.
        reached = [canonical_timestamp(text) for text in (window.newest, self.bookmark.value) if text is not None]
        self.bookmark.advance(max(reached, default=None))
        self.checkpoint()

    def _resume(self, window: Window) -> tuple[Window, ApiResponse]:
        """Return the page at a cursor from the state.

        pigment-08: Any error may mean that the cursor has expired, and so may an end without events.
        """
        try:
            window, response = self.request_page(window)
        except CredentialsError:
            raise
        except ApiError as error:
            if error.status is None or error.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
            raise _CursorRefusedError(str(error), status=error.status) from error
        if not events_of(response) and not EventPaginator(window.cursor).has_more(response):
            raise _CursorRefusedError("no events follow the cursor")
        return window, response

    def request_page(self, window: Window) -> tuple[Window, ApiResponse]:
        """Return the next page, and the window as it was accepted."""
        try:
            return window, self.connection.client.send(self.request(window), what=WHAT)
        except ApiError as error:
            if error.status not in CURSOR_REFUSED:
                raise
            if window.cursor is not None:
                raise _CursorRefusedError(str(error), status=error.status) from error
            now = self.connection.client.server_time()
            if window.is_out_of_reach(now):  # opened by this machine's clock, which is behind Pigment's
                return self.request_page(window.opened_again(now))
            if "T" not in window.since:
                raise
            # pigment-02
            self.logger.warning("Pigment does not accept a start with a time of day; asking from the next midnight on.")
            window = next_midnight(window)
            return window, self.connection.client.send(self.request(window), what=WHAT)

    def request(self, window: Window) -> requests.Request:
        """Return the request for the next page of a window."""
        # Pigment's sample script sends `ingestedSince` (pigment-05), unchanged, together with the cursor; its
        # `Content-Type` is left out (pigment-16).
        params = {"ingestedSince": window.since}
        if window.cursor is not None:
            params["cursor"] = window.cursor
        return requests.Request("GET", self.settings["api_url"].rstrip("/") + self.path, params=params)

    # Events

    def _to_records(self, events: list[t.Any], page: str, unreadable: _UnreadableEvents) -> Iterator[Record]:
        for number, event in enumerate(events, 1):
            try:
                yield self._to_record(event)
            except ProtocolError as error:
                unreadable.add(f"{page}, event {number}: {error}")

    def _to_record(self, event: object) -> Record:
        if not isinstance(event, dict):
            msg = "not a JSON object"
            raise ProtocolError(msg)
        record = self.shaper.shape(event)
        if not record["event_id"]:  # pigment-11
            record["event_id"] = "sha256:" + digest(event).hex()
        return record


class _CursorRefusedError(ApiError):
    """The vendor does not accept a cursor, perhaps because it has expired."""


class _UnreadableEventsError(ApiError):
    """A window was read to its end, but some events could not be stored."""


@dataclass
class _UnreadableEvents:
    """The events of a window that cannot be stored."""

    count: int = 0
    first: str = ""

    def add(self, description: str) -> None:
        self.count += 1
        self.first = self.first or description

    def error(self) -> _UnreadableEventsError:
        return _UnreadableEventsError(
            f"events that cannot be stored: {self.count}. They were left out, all others were read, and the next run "
            f"reads the window again. The first: {self.first}",
            where=f"pigment: {WHAT}",
        )


def events_of(response: ApiResponse) -> list[t.Any]:
    """Return the events of a page; raises ProtocolError if there is no list of them."""
    page = response.json()
    events = page.get("events") if isinstance(page, dict) else None
    if not isinstance(events, list):
        msg = "the answer holds no list of events"
        raise ProtocolError(msg, where=f"pigment: {WHAT}", answer=response.describe())
    return events
