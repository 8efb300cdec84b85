"""The time ranges in which Pigment's events are read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from tap_auditlogs.core.times import format_timestamp, parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Mapping

# Pigment docs: the earliest start is 180 days before the request. The hour is a margin for reading all pages.
RETENTION = timedelta(days=180)
REACH = RETENTION - timedelta(hours=1)  # pigment-04

_ANY_ZONE = timedelta(hours=12)
_MOMENT = timedelta(microseconds=1)
_YEAR_1 = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """One query, from its first page to its last.

    The API takes only a start, often as a date: the exact start and the end are applied to the events received.

    Attributes:
        start: The earliest ingestion time to emit, inclusive.
        end: The end of the range, exclusive; None for no end.
        since: `ingestedSince`, the same for all pages of a query.
        cursor: The cursor of the next page; None for the first.
        newest: The latest ingestion time read so far; times ahead of the vendor's clock are ignored.
    """

    start: str
    end: str | None
    since: str  # pigment-06
    cursor: str | None = None
    newest: str | None = None

    @classmethod
    def opening(cls, start: datetime, end: datetime | None, now: datetime) -> Window:
        """Return a new window whose start is no earlier than the API accepts; `now` is the vendor's time."""
        start = max(start, now - REACH)
        return cls(
            start=format_timestamp(start),
            end=None if end is None else format_timestamp(end),
            since=query_start(start, now),
        )

    def is_out_of_reach(self, now: datetime) -> bool:
        """Return whether the start is earlier than the API accepts; `now` is the vendor's time."""
        return parse_timestamp(self.start) < now - RETENTION

    def opened_again(self, now: datetime) -> Window:
        """Return the window from its first page, with a start that the API accepts at `now`."""
        end = None if self.end is None else parse_timestamp(self.end)
        return self.opening(parse_timestamp(self.start), end, now)

    @classmethod
    def resumed(cls, progress: Mapping[str, t.Any]) -> Window:
        """Return the window saved in the state, at the page where the earlier run stopped.

        Raises:
            TypeError: If the state holds something else.
            ValueError: If one of its times is not a time.
        """
        window = cls(**progress)
        if not all(isinstance(text, str) for text in (window.start, window.since, window.cursor)):
            raise TypeError
        for text in (window.start, window.end, window.newest):
            if text is not None:
                parse_timestamp(text)
        return window

    def as_progress(self) -> dict[str, t.Any]:
        """Return the JSON values from which `resumed` restores the window."""
        return dict(self.__dict__)

    def covers(self, start: str, end: str | None) -> bool:
        """Return whether this window starts no later than a new one and has the same end."""
        return self.start <= start and self.end == end

    def wants(self, ingested: str | None) -> bool:
        """Return whether to emit an event with this ingestion time; an event without one is always emitted."""
        return ingested is None or (self.start <= ingested and (self.end is None or ingested < self.end))

    def after_page(self, ingested: t.Iterable[str | None], cursor: str | None, now: datetime) -> Window:
        """Return the window at its next page.

        Args:
            ingested: The ingestion times of the page's emitted events.
            cursor: The cursor of the next page.
            now: The vendor's time. Later ingestion times are wrong and must not move the bookmark.
        """
        limit = format_timestamp(now)
        believable = [text for text in ingested if text is not None and text <= limit]
        newest = max([*believable, self.newest or ""]) or None
        return replace(self, cursor=cursor, newest=newest)


def window_start(
    bookmark: str | None,
    start_date: datetime | None,
    lookback: timedelta,
) -> datetime:
    """Return the start of a new window: the bookmark less the look-back, else the start date, else year 1.

    The look-back finds events that were stored late.
    """
    if bookmark is not None:
        moment = parse_timestamp(bookmark)
        return moment - min(lookback, moment - _YEAR_1)
    return start_date or _YEAR_1


def query_start(start: datetime, now: datetime) -> str:
    """Return the value of `ingestedSince`: a date, as in Pigment's sample script, or a full time.

    The zone of a date is not documented: half a day earlier, midnight in any zone is early enough. If that is before
    the earliest start that the API accepts, a full time is sent, which only third-party notes show.
    """
    safe_start = start - min(_ANY_ZONE + _MOMENT, start - _YEAR_1)  # pigment-01
    midnight = datetime.combine(safe_start.date(), time(), UTC)
    if midnight >= now - REACH:
        return midnight.date().isoformat()
    # pigment-03: were it exclusive, a second before would still include the start
    return (start - _MOMENT).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def next_midnight(window: Window) -> Window:
    """Return the window from the next midnight on, for when the API rejects a full time."""
    start = parse_timestamp(window.start)
    date = (start + timedelta(days=1)).date()
    return replace(window, since=date.isoformat(), cursor=None)
