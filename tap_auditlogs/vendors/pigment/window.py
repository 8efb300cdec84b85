"""The arithmetic of Pigment's windows, apart from any I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from tap_auditlogs.core.times import format_timestamp, parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Mapping

# Vendor page: the earliest start is 180 days before the request. The hour keeps clear of the edge while paging.
RETENTION = timedelta(days=180)
REACH = RETENTION - timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """One query, from its first page to its last.

    The vendor's query has a start only; the end, and the exact start, are cut here.

    Attributes:
        start: The events wanted are ingested at or after this.
        end: And before this, if it is set.
        since: The value of `ingestedSince`, which has to stay the same on all pages of a query.
        cursor: Of the next page to read; None for the first.
        newest: The latest ingestion time among the events read so far, not later than the vendor's clock.
    """

    start: str
    end: str | None
    since: str
    cursor: str | None = None
    newest: str | None = None

    @classmethod
    def opening(cls, start: datetime, end: datetime | None, now: datetime) -> Window:
        """Begin a window.

        Args:
            start: The events wanted are ingested at or after this.
            end: And before this, if it is set.
            now: The vendor's time.

        Returns:
            A window that asks for no more than the vendor accepts.
        """
        start = max(start, now - REACH)
        return cls(
            start=format_timestamp(start),
            end=None if end is None else format_timestamp(end),
            since=_since(start, now),
        )

    @classmethod
    def resumed(cls, progress: Mapping[str, t.Any]) -> Window:
        """Rebuild a window from the state.

        Args:
            progress: What `as_progress` gave.

        Returns:
            The window, at the page where it was left.

        Raises:
            TypeError: If the state holds something else.
            ValueError: If one of its times is none.
        """
        window = cls(**progress)
        if not all(isinstance(text, str) for text in (window.start, window.since, window.cursor)):
            raise TypeError
        for text in (window.start, window.end, window.newest):
            if text is not None:
                parse_timestamp(text)
        return window

    def as_progress(self) -> dict[str, t.Any]:
        """Return what the state needs to go on with the window.

        Returns:
            JSON values.
        """
        return dict(self.__dict__)

    def covers(self, start: str, end: str | None) -> bool:
        """Say whether going on with this window gives what a new one would.

        Args:
            start: The start of the new one.
            end: Its end.

        Returns:
            Whether this window starts no later and ends alike.
        """
        return self.start <= start and self.end == end

    def wants(self, ingested: str | None) -> bool:
        """Say whether an event belongs into the window.

        Args:
            ingested: Its ingestion time; an event without one is always wanted.

        Returns:
            Whether to emit it.
        """
        return ingested is None or (self.start <= ingested and (self.end is None or ingested < self.end))

    def after_page(self, ingested: t.Iterable[str | None], cursor: str | None, now: datetime) -> Window:
        """Move on by a page.

        Args:
            ingested: The ingestion times of the page's emitted events.
            cursor: Of the next page.
            now: The vendor's time. A later ingestion time is an error of the vendor's and must not carry the
                bookmark with it.

        Returns:
            The window at its next page.
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
    """Say from when on events are wanted.

    Args:
        bookmark: The latest ingestion time written so far, if any.
        start_date: Counts where there is no bookmark.
        lookback: The overlap with what has been read, for events that were stored late.

    Returns:
        The start; the beginning of time where nothing limits it.
    """
    if bookmark is not None:
        moment = parse_timestamp(bookmark)
        return moment - min(lookback, moment - datetime.min.replace(tzinfo=UTC))
    return start_date or datetime.min.replace(tzinfo=UTC)


def _since(start: datetime, now: datetime) -> str:
    """Choose the text of `ingestedSince`.

    The vendor's script sends a date, taken as midnight UTC (that it is, and that it is inclusive, is the safe
    assumption: unknown). Where that midnight is older than the vendor accepts, a full time has to do, which
    third-party notes show.
    """
    midnight = datetime.combine(start.date(), time(), UTC)
    if midnight >= now - REACH:
        return midnight.date().isoformat()
    return start.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def next_midnight(window: Window) -> Window:
    """Ask by date only, from the first midnight within reach.

    Args:
        window: A window whose full time the vendor did not accept.

    Returns:
        A window that begins up to a day later.
    """
    start = parse_timestamp(window.start)
    date = (start + timedelta(days=1)).date()
    return replace(window, since=date.isoformat(), cursor=None)
