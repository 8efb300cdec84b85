"""The arithmetic of sweeps, apart from any I/O. Times are texts of one fixed width, which compare as times do."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tap_auditlogs.core.times import canonical_timestamp, format_timestamp, parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STILL_CURRENT = timedelta(hours=1)
"""A sweep that was begun longer ago than this and then resumed is followed by a new one in the same run."""


class Listed(t.NamedTuple):
    """An object as a listing shows it.

    Attributes:
        id: Its id; the order of a sweep is that of the ids.
        modified: When it was last changed, at the latest; None if that is unknown.
    """

    id: int
    modified: datetime | None = None


class Outcome(enum.Enum):
    """What became of an object."""

    READ = enum.auto()
    REFUSED = enum.auto()
    """This account may not read it, or it is gone."""
    UNKNOWN = enum.auto()
    """The vendor rejects the query as malformed; if it does for every object, it does not know the type."""
    NOTHING_DUE = enum.auto()


@dataclass(frozen=True)
class Marks:
    """Bookmarks of an object type in the state.

    Attributes:
        bookmark: The newest change written, or the start of a sweep if that is earlier.
        swept: When the last completed sweep began.
        full_scan: When the last completed full scan began.
    """

    bookmark: str | None = None
    swept: str | None = None
    full_scan: str | None = None


@dataclass(frozen=True)
class Rules:
    """What is configured for sweeps.

    Attributes:
        start_date: Inclusive; counts where there is no bookmark.
        end_date: Exclusive.
        lookback: How far sweeps overlap: a change may be logged this much late.
        full_scan_every: After this, every object is asked again, whether it seems to have changed or not.
    """

    start_date: datetime | None
    end_date: datetime | None
    lookback: timedelta
    full_scan_every: timedelta


@dataclass(frozen=True)
class Sweep:
    """One sweep over the objects of a type, at some point of its way.

    Attributes:
        started: When it began by the vendor's clock, or the end date if that is earlier. The bookmark does not pass
            it: changes made since then may belong to objects that had been asked already.
        since: Histories are wanted from here on; None for all there is.
        end: Changes from here on are not wanted.
        full: Whether it asks every object.
        listed_since: What a vendor's filter on modification may leave out; None if it must list every object.
        changed_since: Objects unchanged since then are not asked; None if every object is.
        after: The id up to which objects are done.
        newest: The newest change written.
        read: How many objects have answered.
        refused: How many objects may not be read.
        unknown: Of how many the vendor does not understand the question.
    """

    started: str
    since: str | None
    end: str | None = None
    full: bool = True
    listed_since: str | None = None
    changed_since: str | None = None
    after: int | None = None
    newest: str | None = None
    read: int = 0
    refused: int = 0
    unknown: int = 0

    @classmethod
    def opening(cls, marks: Marks, rules: Rules, now: datetime) -> Sweep:
        """Plan a new sweep.

        Where nothing has ever been seen, the last sweep's start stands in for the bookmark. A full scan asks for
        histories since the last one, and since the bookmark if that lies further back: it replaces the sweep that is
        due anyway. Objects are left out if the last sweep, which asked them, began later than they were changed; so a
        type that has long been quiet is not asked again and again for its newest changes.
        """
        started = format_timestamp(now if rules.end_date is None else min(now, rules.end_date))
        end = None if rules.end_date is None else format_timestamp(rules.end_date)
        full = marks.full_scan is None or now - parse_timestamp(marks.full_scan) >= rules.full_scan_every
        base = marks.bookmark or marks.swept
        if base is None:
            start = None if rules.start_date is None else format_timestamp(rules.start_date)
            return cls(started, start, end)
        if full:
            since = _earlier(min(base, marks.full_scan or base), rules.lookback)
            return cls(started, since, end)
        since = _earlier(base, rules.lookback)
        changed_since = _earlier(marks.swept or base, rules.lookback)
        return cls(started, since, end, full=False, listed_since=since, changed_since=changed_since)

    def resuming(self, progress: Mapping[str, t.Any]) -> Sweep | None:
        """Go on with a sweep that an earlier run began, if it gives what this one would.

        Returns:
            The sweep where it was left, or None if it began later in time or asks fewer objects.

        Raises:
            TypeError: If the state holds something else.
            ValueError: Likewise.
        """
        left = Progress.parse(progress)
        if self.full and not left.full:
            return None
        if left.since is not None and (self.since is None or left.since > self.since):
            return None
        return replace(
            self,
            started=min(self.started, left.started),
            since=left.since,
            full=left.full,
            listed_since=None if left.full else self.listed_since,
            changed_since=None if left.full else self.changed_since,
            after=left.after,
            newest=left.newest,
            read=left.read,
            refused=left.refused,
            unknown=left.unknown,
        )

    def as_progress(self) -> dict[str, t.Any]:
        """Return what the state needs to go on with the sweep."""
        return {name: getattr(self, name) for name in Progress.__dataclass_fields__}

    @property
    def has_window(self) -> bool:
        """Whether any change can be wanted: a back-fill may end before the sweep would start."""
        return self.since is None or self.end is None or self.since < self.end

    def is_refused(self, *, asks_all: bool) -> bool:
        """Return whether no object could be read. One alone, of several, says nothing about its type."""
        return self.refused + self.unknown > (0 if self.full or asks_all else 1) and self.read == 0

    @property
    def is_unknown(self) -> bool:
        """Whether a full scan found no object about which the vendor understood the question.

        A type that is swept by what has changed was understood before.
        """
        return self.full and self.unknown > 0 and self.read == 0 and self.refused == 0

    def wants_object(self, listed: Listed) -> bool:
        """Return whether an object may have changed and is not done."""
        if self.after is not None and listed.id <= self.after:
            return False
        if self.changed_since is None or listed.modified is None:
            return True
        return format_timestamp(listed.modified) >= self.changed_since

    def wants(self, moment: str | None) -> bool:
        """Say whether a change is to be written.

        Args:
            moment: When it was made; one without a time is always wanted.
        """
        if moment is None:
            return True
        return (self.since is None or self.since <= moment) and (self.end is None or moment < self.end)

    def starting_at(self, moment: datetime) -> Sweep:
        """Correct the start to the vendor's clock."""
        started = format_timestamp(moment)
        return replace(self, started=started if self.end is None else min(started, self.end))

    def seeing(self, moments: Iterable[str | None], now: datetime) -> Sweep:
        """Note changes that have been written.

        Args:
            moments: When they were made.
            now: The vendor's time. A later one is an error of the vendor's and must not carry the bookmark with it.
        """
        limit = format_timestamp(now)
        believable = [moment for moment in moments if moment is not None and moment <= limit]
        return replace(self, newest=max([*believable, self.newest or ""]) or None)

    def passing(self, object_id: int, outcome: Outcome) -> Sweep:
        """Move past an object."""
        return replace(
            self,
            after=object_id if self.after is None else max(self.after, object_id),
            read=self.read + (outcome is Outcome.READ),
            refused=self.refused + (outcome is Outcome.REFUSED),
            unknown=self.unknown + (outcome is Outcome.UNKNOWN),
        )

    def is_current(self, now: datetime) -> bool:
        """Return whether a resumed sweep needs no new one after it: it began recently, or reaches the end date."""
        return self.started == self.end or now - parse_timestamp(self.started) <= STILL_CURRENT

    def completed(self, marks: Marks, *, moves_swept: bool) -> Marks:
        """Say what the state holds when the sweep has ended. No mark moves back.

        Args:
            marks: What the state says.
            moves_swept: Whether later sweeps may leave out what was modified before this one: its start must be by
                the vendor's clock. Where nothing was left to ask, the old mark does as well, and a run without news
                leaves the state as it was.
        """
        reached = None if self.newest is None else min(self.started, self.newest)
        return Marks(
            bookmark=_latest(marks.bookmark, reached),
            swept=_latest(marks.swept, self.started) if moves_swept else marks.swept,
            full_scan=_latest(marks.full_scan, self.started) if self.full else marks.full_scan,
        )


@dataclass(frozen=True)
class Progress:
    """What of a sweep is kept in the state; see `Sweep` for the meanings."""

    started: str
    since: str | None
    full: bool
    after: int | None
    newest: str | None
    read: int
    refused: int
    unknown: int

    @classmethod
    def parse(cls, values: Mapping[str, t.Any]) -> Progress:
        """Read it from the state.

        Raises:
            TypeError: If it is something else.
            ValueError: Likewise.
        """
        progress = cls(**values)
        for moment in (progress.since, progress.newest):
            _check_time(moment)
        _check_time(progress.started or "")
        for number in (progress.after or 0, progress.read, progress.refused, progress.unknown):
            if isinstance(number, bool) or not isinstance(number, int):
                raise TypeError
        if not isinstance(progress.full, bool):
            raise TypeError
        return progress


def _check_time(text: str | None) -> None:
    if text is not None and canonical_timestamp(text) != text:
        raise ValueError(text)


def _earlier(text: str, by: timedelta) -> str:
    moment = parse_timestamp(text)
    return format_timestamp(moment - min(by, moment - datetime.min.replace(tzinfo=UTC)))


def _latest(*texts: str | None) -> str | None:
    return max((canonical_timestamp(text) for text in texts if text is not None), default=None)
