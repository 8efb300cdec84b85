"""Cryptolens' streams: three logs with the same API."""

from __future__ import annotations

import abc
import math
import re
import typing as t
from datetime import date, timedelta
from itertools import pairwise

import requests
from singer_sdk import typing as th
from typing_extensions import override

from tap_auditlogs.core.errors import ApiError, ProtocolError, StateError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES_PROPERTY
from tap_auditlogs.core.schema import FreeFormObjectType
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.times import format_timestamp, from_epoch, parse_timestamp
from tap_auditlogs.vendors.cryptolens.client import BadParametersError, with_lower_keys
from tap_auditlogs.vendors.cryptolens.paginator import IdPaginator
from tap_auditlogs.vendors.cryptolens.slices import Cutter, Row
from tap_auditlogs.vendors.cryptolens.state_code import decode

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.state import Bookmark


# cryptolens-04: Cryptolens' .NET client declares StartingAfter as a 32-bit integer, but ids are larger; the server may
# do the same.
FIRST_WIDE_ID = 2**31
HIGHEST_ID = 2**63 - 1  # cryptolens-11


class _Page(t.NamedTuple):
    """The rows of one page, and the number of rows without a usable id."""

    rows: list[Row]
    unreadable: int


class LogStream(AuditStream, abc.ABC):
    """A log with ascending ids, read from the last id onwards.

    Attributes:
        path: The path of the API method.
        page_size: The largest `Limit` that the method allows.
        rows_keys: Possible keys of the list of rows, in lower case.
        time_property: The property with the row's time in Unix seconds.
        retention: How long the vendor keeps rows; None for no limit.
        takes_ending_before: Whether the method supports the cursor `EndingBefore`.
    """

    path: t.ClassVar[str]
    page_size: t.ClassVar[int]
    rows_keys: t.ClassVar[Sequence[str]]
    time_property: t.ClassVar[str] = "time"
    retention: t.ClassVar[timedelta | None] = None
    takes_ending_before: t.ClassVar[bool] = True

    primary_keys = ("id",)
    replication_key = "id"
    derived_properties: t.ClassVar[Sequence[str]] = ("occurred_at",)

    _unreadable = 0

    @override
    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:
        self._warn_of_purged_rows()
        # With a start date and no bookmark, read from the first row: the id at a given time is not known.
        # The start date stays in the state until the end is reached, in case the run is interrupted.
        start = self._start()
        cutter = Cutter(
            start=None if start is None else parse_timestamp(start).timestamp(),
            end=None if self.end_date is None else self.end_date.timestamp(),
            settle_seconds=self.settings["settle_seconds"],
        )
        client = self.connection.client
        loaded = self.bookmark.value or 0
        paginator = IdPaginator(loaded, self._last_id)
        finished = False
        while not (paginator.finished or finished):
            after = t.cast("int", paginator.current_value)
            try:
                response = self._send(after)
            except BadParametersError as refusal:
                if after == loaded > 0 and self.retention is not None and after < FIRST_WIDE_ID:
                    self.logger.warning("Cryptolens refuses the bookmark %d: reading from the oldest row.", loaded)
                    paginator = IdPaginator(0, self._last_id)  # cryptolens-10
                    continue
                self._check_backward(after, refusal)
                # Down to the bookmark, not to `after`: the rows between them may have to be read again.
                yield from self._read_backward(self.bookmark.value or 0, cutter, start)
                break
            page = self._page_after(response, after)
            rows = page.rows
            if not rows and after == loaded > 0:
                self._make_sure_of(loaded)
            if page.unreadable:
                self._note_unreadable(page)
                cutter.hold()
            cut = cutter.cut(rows, client.server_time().timestamp())
            yield [self._to_record(row) for row in cut.emitted]
            if cut.passed is not None:
                self.bookmark.advance(cut.passed, **self._read_up_to(cut.passed_time))
            if start is not None:
                self.bookmark.keep_progress({"start": start})
            self.checkpoint()
            finished = cut.finished
            paginator.advance(response)
        if self._unreadable:
            raise self._unreadable_rows()
        self._finish()

    def _check_backward(self, after: int, refusal: BadParametersError) -> None:
        """Raise unless a cursor is refused that is so large that reading backwards may help."""
        if after < FIRST_WIDE_ID:
            raise refusal
        if not self.takes_ending_before:
            msg = f"the vendor refuses StartingAfter={after}, and this log has no other cursor"
            raise ApiError(
                msg, where=f"cryptolens: {self.method}", answer=str(refusal), advice="Ask the vendor"
            ) from refusal

    def _read_backward(self, floor: int, cutter: Cutter, start: str | None) -> Iterator[list[Record]]:
        """Read from the end of the log back to the id `floor`, where ids are too large for `StartingAfter`.

        The bookmark advances only once `floor` is reached. If an earlier run began this, newer rows are read next.
        """
        self.logger.info("Row ids are too large for StartingAfter: reading from the end of the log down to %d.", floor)
        resumed = True
        while resumed:
            left = self.bookmark.progress.get("backward") or {}
            resumed = bool(left)
            before, top = left.get("before", HIGHEST_ID), left.get("top")
            while before is not None:
                page = self._page_before(before)
                rows = page.rows
                if before == HIGHEST_ID and floor and (not rows or rows[0].id < floor):
                    self._refuse_beyond(floor, rows[::-1])
                above = [row for row in rows if row.id > floor]
                emitted, top = cutter.cut_backward(above, self.connection.client.server_time().timestamp(), top)
                if page.unreadable:
                    self._note_unreadable(page)
                    top = None  # the next run reads the page again
                yield [self._to_record(row) for row in emitted]
                before = above[-1].id if above and len(above) == len(rows) else None
                self.bookmark.keep_progress({"start": start, "backward": {"before": before or floor + 1, "top": top}})
                self.checkpoint()
            self.bookmark.advance(top)
            self.checkpoint()
            floor = top or floor

    def _page_before(self, before: int) -> _Page:
        """Request the rows before an id; raises unless their ids descend."""
        page = self._parse_page(self._send(before, cursor="EndingBefore"))
        for above, row in pairwise([before, *(row.id for row in page.rows)]):
            if row >= above:
                raise self._out_of_order(row, above)
        return page

    @override
    def check_bookmark(self, bookmark: Bookmark) -> None:
        value = bookmark.value
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63):
            msg = f"its value {value!r:.60} is not an id"
            raise StateError(msg)
        try:
            parse_timestamp(bookmark.progress.get("start") or "2000-01-01")
            _check_ids(bookmark.progress.get("backward") or {})
            date.fromisoformat(bookmark.note("read_on") or "2000-01-01")
        except (TypeError, ValueError) as error:
            msg = "its `progress` or `read_on` is not what this tap writes"
            raise StateError(msg) from error

    # Start and retention of rows

    def _start(self) -> str | None:
        """Return the start time of a first read, from the settings or from an interrupted earlier run."""
        if self.bookmark.value is None and self.start_date is not None:
            return format_timestamp(self.start_date)
        return self.bookmark.progress.get("start")

    def _warn_of_purged_rows(self) -> None:
        read_on = self.bookmark.note("read_on")
        if self.retention is None or read_on is None:
            return
        kept_since = (self.connection.client.server_time() - self.retention).date()
        if date.fromisoformat(read_on) <= kept_since:
            self.logger.warning(
                "Cryptolens keeps this log for %d days and it was read up to %s: rows from then to %s may be lost.",
                self.retention.days,
                read_on,
                kept_since,
            )

    def _make_sure_of(self, bookmark: int) -> None:
        """Check a bookmark after which the log has no rows, by requesting the row with that id.

        With an id above all existing rows, every run would find nothing and miss new rows.

        Raises:
            StateError: If the row is missing and cannot have expired.
        """
        if self._page_after(self._send(bookmark - 1), bookmark - 1).rows:
            return
        self._refuse_beyond(bookmark, self._page_after(self._send(0), 0).rows)

    def _refuse_beyond(self, bookmark: int, oldest: Sequence[Row]) -> None:
        if self.retention is not None and not self._has_kept_row(oldest):
            self.logger.info("The log holds no rows, so that nothing shows whether its bookmark %d is right.", bookmark)
            return
        held = f"row {oldest[-1].id} but none with this id or a higher one" if oldest else "no rows"
        msg = (
            f"cryptolens: {self.method}: the bookmark {bookmark} in the state is beyond the log, which holds {held}. "
            "Correct it or, to read this stream again from start_date, remove it"
        )
        raise StateError(msg)

    def _has_kept_row(self, rows: Sequence[Row]) -> bool:
        """Return whether any row is still retained, and so also all later ones; ignores rows dated in the future."""
        now = self.connection.client.server_time().timestamp()
        return any(row.time is not None and row.time <= now for row in rows)

    def _finish(self) -> None:
        """Record that the log was read to its end or to `end_date`."""
        end = math.inf if self.end_date is None else self.end_date.timestamp()
        self.bookmark.advance(None, **self._read_up_to(end))
        self.checkpoint()

    def _read_up_to(self, seconds: float | None) -> dict[str, str]:
        """Return the `read_on` note; a date, so that a run without new rows does not change the state."""
        if self.retention is None or seconds is None:
            return {}
        now = self.connection.client.server_time()
        day = from_epoch(min(max(seconds, 0.0), now.timestamp())).date().isoformat()
        return {"read_on": max(day, self.bookmark.note("read_on") or "")}

    # Requests and rows

    @property
    def method(self) -> str:
        """The name of the API method."""
        return self.path.rpartition("/")[2]

    def _send(self, row_id: int, *, cursor: str = "StartingAfter") -> ApiResponse:
        return self.connection.client.send(self.request(row_id, cursor), what=self.method)

    def request(self, row_id: int, cursor: str = "StartingAfter") -> requests.Request:
        """Return the request for the page after or before an id."""
        # A form, so that the token is not part of the URL. No `OrderBy` (deprecated), and no `Time` (cursors would
        # become times).
        form = {
            "token": self.settings["access_token"],
            cursor: row_id,
            "Limit": self.page_size,
        }
        if "product_id" in self.filter_settings and self.settings.get("product_id") is not None:
            form["ProductId"] = self.settings["product_id"]
        return requests.Request("POST", self.settings["api_url"].rstrip("/") + self.path, data=form)

    def raw_rows(self, response: ApiResponse) -> list[dict[str, t.Any]]:
        """Return the rows of a page; raises ProtocolError if there is no list of them."""
        payload = response.json()
        envelope = with_lower_keys(payload) if isinstance(payload, dict) else {}
        for key in self.rows_keys:
            if key in envelope:
                rows = [] if envelope[key] is None else envelope[key]  # cryptolens-12: null means no rows
                if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                    return [self._with_known_spelling(row) for row in rows]
        msg = "the answer holds no list of rows"
        raise ProtocolError(msg, where=f"cryptolens: {self.method}", answer=response.describe())

    def _with_known_spelling(self, row: dict[str, t.Any]) -> dict[str, t.Any]:
        """Rename keys to the schema's spelling (Cryptolens docs: keys are case-insensitive; cryptolens-13)."""
        spellings = self.shaper.sources_by_lower_name
        return {spellings.get(key.lower(), key): value for key, value in row.items()}

    def _page_after(self, response: ApiResponse, after: int) -> _Page:
        """Parse a page; raises unless its ids ascend from the cursor."""
        page = self._parse_page(response)
        # cryptolens-01 and cryptolens-02
        for previous, row in pairwise([after, *(row.id for row in page.rows)]):
            if row <= previous:
                raise self._out_of_order(row, previous)
        return page

    def _parse_page(self, response: ApiResponse) -> _Page:
        raw = self.raw_rows(response)
        rows = [
            Row(row_id, parse_seconds(row.get(self.time_property)), row)
            for row in raw
            if (row_id := parse_id(row.get("id"))) is not None
        ]
        if raw and not rows:
            msg = "no row of a page has a usable `id`, so that no later page can be requested"
            raise ProtocolError(msg, where=f"cryptolens: {self.method}")
        return _Page(rows, unreadable=len(raw) - len(rows))

    def _note_unreadable(self, page: _Page) -> None:
        self._unreadable += page.unreadable
        self.logger.warning(
            "Rows without a usable `id` between row %d and row %d: %d. The bookmark stays before them.",
            *sorted((page.rows[0].id, page.rows[-1].id)),
            page.unreadable,
        )

    def _unreadable_rows(self) -> ProtocolError:
        msg = f"rows without a usable `id`: {self._unreadable}. They were left out, and all others were read"
        return ProtocolError(msg, where=f"cryptolens: {self.method}", advice="The next run reads these pages again")

    def _out_of_order(self, row_id: int, previous: int) -> ProtocolError:
        msg = f"the rows do not come in the order of their ids: {row_id} follows {previous}. Going on could lose rows"
        return ProtocolError(msg, where=f"cryptolens: {self.method}", advice="Please report this")

    def _last_id(self, response: ApiResponse) -> int | None:
        rows = self._parse_page(response).rows
        return rows[-1].id if rows else None

    def _to_record(self, row: Row) -> Record:
        record = self.shaper.shape(row.data)
        record["occurred_at"] = _timestamp(record[self.time_property])
        return record


class WebApiLog(LogStream):
    """Calls of license key and data object methods."""

    name = "cryptolens_web_api_log"
    path = "/ai/GetWebAPILog"
    page_size = 1000
    rows_keys = ("logs", "events")  # Cryptolens docs: events; its clients: logs
    filter_settings = ("product_id",)
    derived_properties = ("occurred_at", "method_code", "method", "succeeded")
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType(nullable=False), required=True, description="Unique id, ascending."),
        th.Property("product_id", th.IntegerType, description="The product."),
        th.Property("key", th.StringType, description="The license key: sensitive."),
        th.Property("ip", th.StringType, description="The caller's address, its last bits masked by the vendor."),
        th.Property("time", th.IntegerType, description="When it happened, in Unix seconds."),
        th.Property("occurred_at", th.DateTimeType, description="When it happened. Derived from `time`."),
        th.Property("state", th.IntegerType, description="Four digits: method (2), outcome, detail."),
        th.Property("method_code", th.IntegerType, description="The method's digits. Derived from `state`."),
        th.Property("method", th.StringType, description="The method; null if unknown. Derived from `state`."),
        th.Property("succeeded", th.BooleanType, description="The outcome; null if unknown. Derived from `state`."),
        th.Property("machine_code", th.StringType, description="The device: personal data."),
        th.Property("friendly_name", th.StringType, description="The device's name: personal data."),
        th.Property("floating_expires", th.IntegerType, description="Unix seconds; 0 if it does not apply."),
        th.Property("do_int_value", th.IntegerType, description="Value passed for a data object; 0 if none."),
        th.Property("do_id", th.IntegerType, description="The data object; 0 if none."),
        th.Property("is_anomaly", th.BooleanType, description="The vendor's anomaly mark, where it sends one."),
        th.Property(
            "anomaly_properties",
            FreeFormObjectType(),
            description="What the vendor says of the anomaly, where it does.",
        ),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    def _to_record(self, row: Row) -> Record:
        record = super()._to_record(row)
        code = decode(record["state"])
        record["method_code"], record["method"], record["succeeded"] = code
        return record


class Events(LogStream):
    """Events registered by the account's own software, and some by the vendor."""

    name = "cryptolens_events"
    path = "/ai/GetEvents"
    page_size = 100  # cryptolens-05
    rows_keys = ("events",)
    filter_settings = ("product_id",)
    retention = timedelta(days=30)
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType(nullable=False), required=True, description="Unique id, ascending."),
        th.Property("product_id", th.IntegerType, description="The product."),
        th.Property("key", th.StringType, description="The license key: sensitive."),
        th.Property("machine_code", th.StringType, description="The device or user: personal data."),
        th.Property("feature_name", th.StringType, description="Chosen by the customer."),
        th.Property("event_name", th.StringType, description="Chosen by the customer; any value may come."),
        th.Property("time", th.IntegerType, description="When it was registered, in Unix seconds."),
        th.Property("occurred_at", th.DateTimeType, description="When it was registered. Derived from `time`."),
        th.Property("value", th.IntegerType, description="In minor units: 25.30 is 2530."),
        th.Property("currency", th.StringType, description="Of the value."),
        th.Property("metadata", th.StringType, description="Text supplied by the customer, often JSON."),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()


class ObjectLog(LogStream):
    """Changes made by team members to customers, licenses, products and other objects."""

    name = "cryptolens_object_log"
    path = "/ai/GetObjectLog"
    takes_ending_before = False
    page_size = 100
    rows_keys = ("events", "logs", "objectlogs")  # cryptolens-03; Cryptolens docs: events
    time_property = "created"
    retention = timedelta(days=30)
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType(nullable=False), required=True, description="Unique id, ascending."),
        th.Property("created", th.IntegerType, description="When it was changed, in Unix seconds."),
        th.Property("occurred_at", th.DateTimeType, description="When it was changed. Derived from `created`."),
        # cryptolens-06
        th.Property(
            "resource_type",
            th.IntegerType,
            description="The kind of object. The vendor's list starts with unspecified, customer, issued license; "
            "whether it counts from 0 or 1 is not public.",
        ),
        th.Property(
            "resource_action",
            th.IntegerType,
            description="The kind of change. The vendor's list is none, added, updated, deleted; whether it counts "
            "from 0 or 1 is not public.",
        ),
        th.Property("affected_object_id", th.IntegerType, description="The object."),
        th.Property("object_owner_user_id", th.IntegerType, description="Whose object it is."),
        # cryptolens-15
        th.Property("performed_by_user_id", th.StringType, description="Who changed it."),
        th.Property(
            "data",
            th.StringType,
            description="JSON text: the whole object if it is new, else each changed field with [old, new].",
        ),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()


def _check_ids(progress: object) -> None:
    if not isinstance(progress, dict):
        raise TypeError
    for number in progress.values():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63):
            raise TypeError


def parse_id(value: object) -> int | None:
    """Parse an id; some of the vendor's clients declare ids as strings."""
    number = _whole(value)  # cryptolens-14
    return number if number is not None and abs(number) < 2**63 else None


def parse_seconds(value: object) -> float | None:
    """Parse a time in Unix seconds; None if it is not usable."""
    number = _whole(value)
    return None if number is None or abs(number) >= 2**63 else float(number)


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,19}", value, re.ASCII) else None


def _timestamp(seconds: int | None) -> str | None:
    try:
        return None if seconds is None else format_timestamp(from_epoch(seconds))
    except ValueError:
        return None
