"""One stream's part in the sweep of one object type: its bookmark, and how far its sweep is."""

from __future__ import annotations

import typing as t

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
    """Read the marks of an object type from its bookmark.

    Args:
        bookmark: The type's bookmark.

    Returns:
        The marks.
    """
    return Marks(bookmark.value, bookmark.note("swept"), bookmark.note("full_scan"))


class Track:
    """One stream's part in the sweep of one object type.

    Attributes:
        stream: The name of the stream.
        sweep: The sweep as far as it has come.
        resumed: Whether an earlier run began it.
        asks_modified: Whether it asks any object whose time of modification is known.
        failure: Why the stream cannot go on, where the others can.
    """

    def __init__(self, stream: str, replication_key: str, bookmark: Bookmark, rules: Rules, now: datetime) -> None:
        """Begin a sweep, or go on with the one that an earlier run began.

        Args:
            stream: The name of the stream.
            replication_key: The property with the time of a change.
            bookmark: The stream's bookmark of the object type.
            rules: What the settings say.
            now: The vendor's time.
        """
        self.stream = stream
        self.failure: TapError | None = None
        self._replication_key = replication_key
        self._bookmark = bookmark
        opened = Sweep.opening(marks_of(bookmark), rules, now)
        left = opened.resuming(bookmark.progress) if bookmark.progress else None
        self.resumed = left is not None
        self.asks_modified = False
        self.sweep = left or opened
        self._current_object_read = False

    def starting_at(self, moment: datetime) -> None:
        """Correct the start of a new sweep, once the vendor has told its time.

        Args:
            moment: The start by the vendor's clock.
        """
        if not self.resumed:
            self.sweep = self.sweep.starting_at(moment)

    def lost_range(self, retention: timedelta, now: datetime) -> tuple[str, str] | None:
        """Say what the vendor may have removed since the last sweep.

        Args:
            retention: How long it keeps changes.
            now: The vendor's time.

        Returns:
            Start and end, or None if the last sweep is recent enough, or there was none.
        """
        marks = marks_of(self._bookmark)
        reached = max(filter(None, (marks.swept, marks.full_scan, marks.bookmark)), default=None)
        kept_since = format_timestamp(now - retention)
        return (reached, kept_since) if reached is not None and reached < kept_since else None

    def wants_object(self, listed: Listed) -> bool:
        """Say, and note, whether this stream wants an object asked.

        Args:
            listed: The object.

        Returns:
            Whether it may have changed and is not done.
        """
        wanted = self.sweep.wants_object(listed)
        self.asks_modified |= wanted and listed.modified is not None
        return wanted

    def wants(self, moment: str | None) -> bool:
        """Say whether this stream wants a change.

        Args:
            moment: When it was made.

        Returns:
            Whether it is to be written.
        """
        return self.failure is None and self.sweep.wants(moment)

    def note_written(self, records: Sequence[Record], now: datetime) -> None:
        """Note records that have been written, the object's last ones or not.

        Args:
            records: The records.
            now: The vendor's time.
        """
        self.sweep = self.sweep.seeing((record[self._replication_key] for record in records), now)

    def pass_object(self, object_id: int, outcome: Outcome) -> None:
        """Note that all of an object's records have been written.

        Args:
            object_id: Its id.
            outcome: What became of it.
        """
        self.sweep = self.sweep.passing(object_id, outcome)
        self._bookmark.keep_progress(self.sweep.as_progress())

    def complete(self, *, by_vendor_clock: bool) -> None:
        """Move the bookmark: every object has been asked.

        Args:
            by_vendor_clock: Whether the start of the sweep is by the vendor's clock.
        """
        moves_swept = by_vendor_clock and (self.asks_modified or self.resumed)
        marks = self.sweep.completed(marks_of(self._bookmark), moves_swept=moves_swept)
        self._bookmark.advance(marks.bookmark, **_present(swept=marks.swept, full_scan=marks.full_scan))

    def give_up(self) -> None:
        """Leave the bookmark where it is: the sweep is to be done again from its start."""
        self._bookmark.drop_progress()


def check_progress(progress: dict[str, t.Any]) -> Progress | None:
    """Read the progress of a sweep as loaded.

    Args:
        progress: What the state holds.

    Returns:
        The progress, or None if there is none.

    Raises:
        TypeError: If it is something else.
        ValueError: Likewise.
    """
    return Progress.parse(progress) if progress else None


def _present(**notes: str | None) -> dict[str, str]:
    return {name: value for name, value in notes.items() if value is not None}
