"""One stream's sweep of one object type: its bookmark, and how far it has come."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.errors import ApiError, ProtocolError, unit_failure
from tap_auditlogs.core.sweep.plan import Marks, Outcome, Progress, Sweep
from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.errors import TapError
    from tap_auditlogs.core.state import Bookmark
    from tap_auditlogs.core.sweep.plan import Listed, Rules


def marks_of(bookmark: Bookmark) -> Marks:
    """Return the marks of an object type from its bookmark."""
    return Marks(bookmark.value, bookmark.note("swept"), bookmark.note("full_scan"))


class StreamSweep:
    """One stream's sweep of one object type.

    Attributes:
        stream: The name of the stream.
        sweep: The sweep as far as it has come.
        resumed: Whether an earlier run began it.
        asks_modified: Whether it asks any object whose time of modification is known.
        failure: Why the stream cannot go on, where the others can.
        failed_ids: The objects that failed; the bookmark then stays where it is.
        first_failure: Why the first of them failed.
    """

    def __init__(self, stream: str, replication_key: str, bookmark: Bookmark, rules: Rules, now: datetime) -> None:
        """Begin a sweep at the vendor's time `now`, or go on with the one that an earlier run began."""
        self.stream = stream
        self.failure: TapError | None = None
        self.failed_ids: list[int] = []
        self.first_failure: TapError | None = None
        self._replication_key = replication_key
        self._bookmark = bookmark
        opened = Sweep.opening(marks_of(bookmark), rules, now)
        left = opened.resuming(bookmark.progress) if bookmark.progress else None
        self.resumed = left is not None
        self.asks_modified = False
        self.sweep = left or opened

    def starting_at(self, moment: datetime) -> None:
        """Correct the start of a new sweep to the vendor's clock."""
        if not self.resumed:
            self.sweep = self.sweep.starting_at(moment)

    def lost_range(self, retention: timedelta, now: datetime) -> tuple[str, str] | None:
        """Return start and end of what the vendor may have removed since the last sweep, or None."""
        marks = marks_of(self._bookmark)
        reached = max(filter(None, (marks.swept, marks.full_scan, marks.bookmark)), default=None)
        kept_since = format_timestamp(now - retention)
        return (reached, kept_since) if reached is not None and reached < kept_since else None

    def wants_object(self, listed: Listed) -> bool:
        """Return, and note, whether an object may have changed and is not done."""
        wanted = self.sweep.wants_object(listed)
        self.asks_modified |= wanted and listed.modified is not None
        return wanted

    def wants(self, moment: str | None) -> bool:
        """Return whether a change made at this time is to be written."""
        return self.failure is None and self.sweep.wants(moment)

    def note_written(self, records: Sequence[Record], now: datetime) -> None:
        """Note records that have been written, at the vendor's time `now`."""
        self.sweep = self.sweep.seeing((record[self._replication_key] for record in records), now)

    def pass_object(self, object_id: int, outcome: Outcome) -> None:
        """Note that all records of an object have been written.

        Once an object has failed, the progress in the state stays before it: a run that is interrupted later asks it
        again.
        """
        self.sweep = self.sweep.passing(object_id, outcome)
        if not self.failed_ids:
            self._bookmark.keep_progress(self.sweep.as_progress())

    def fail_object(self, object_id: int, failure: TapError) -> None:
        """Note an object whose history could not be read."""
        self.failed_ids.append(object_id)
        self.first_failure = self.first_failure or failure

    def complete(self, *, by_vendor_clock: bool) -> None:
        """Move the bookmark: every object has been asked.

        Args:
            by_vendor_clock: Whether the start of the sweep is by the vendor's clock.
        """
        moves_swept = by_vendor_clock and (self.asks_modified or self.resumed)
        marks = self.sweep.completed(marks_of(self._bookmark), moves_swept=moves_swept)
        self._bookmark.advance(marks.bookmark, **_present(swept=marks.swept, full_scan=marks.full_scan))

    def give_up(self) -> None:
        """Leave the bookmark where it is: the next run sweeps again from the start."""
        self._bookmark.drop_progress()


def check_progress(progress: dict[str, t.Any]) -> Progress | None:
    """Read the progress of a sweep as loaded, or None if there is none.

    Raises:
        TypeError: If it is not the progress of a sweep.
        ValueError: Likewise.
    """
    return Progress.parse(progress) if progress else None


def failure_of_unit(error: Exception) -> TapError:
    """Return the failure of the object or the type that an exception ended.

    Raises:
        ApiError: If this is the exception, and not a `ProtocolError`: a request that failed for good ends the stream.
    """
    if isinstance(error, ApiError) and not isinstance(error, ProtocolError):
        raise error
    return unit_failure(error)


def _present(**notes: str | None) -> dict[str, str]:
    return {name: value for name, value in notes.items() if value is not None}
