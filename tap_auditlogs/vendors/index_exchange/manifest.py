"""The manifest: which file was finished in which version, and for what. Arithmetic only, no I/O.

It lives in the state, one entry per hour and subscription, compact enough for the 14 days that files are kept:

    {"impressions/41": {"2026-11-20T05": "0123456789abcdef:fr"},
     "bids/41": {"2026-11-20T05": "0123456789abcdef:fr - fedcba9876543210:f"}}

The text has one word per part: half of the md5, a colon, and a letter per kind of work; `-` where nothing is done.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Vendor pages: files are kept for 14 days, and appear within 36 hours of their hour. Whether the days count from the
# hour or from the file's creation is not said: an entry is kept for both, or for as long as its file is listed.
RETENTION = timedelta(days=14)
LATENESS = timedelta(hours=36)

_HOUR_FORMAT = "%Y-%m-%dT%H"
_GROUP = re.compile(r"(impressions|bids)/-?\d{1,19}")
_WORD = re.compile(r"([0-9a-f]{16}):([a-z]*)|-")
_MD5_DIGITS = 16


class Work(StrEnum):
    """What can be done with a file; the value is its letter in the state."""

    RECORD = "f"
    """Its record in `index_exchange_files`."""
    ROWS = "r"
    HOURLY = "h"
    ARCHIVE = "a"
    MALFORMED_ROWS = "m"


@dataclass(frozen=True, order=True)
class FileKey:
    """What identifies a file over all its versions, in the order in which files are read."""

    hour: datetime
    event_type: str
    subscription_id: int
    part: int

    @property
    def group(self) -> str:
        """The part of the manifest it belongs to."""
        return f"{self.event_type}/{self.subscription_id}"

    @property
    def hour_text(self) -> str:
        """The hour as it stands in names and keys."""
        return format_hour(self.hour)

    @property
    def file_id(self) -> str:
        """The key in the target: text, since targets may store times in a zone where two hours of a night are one."""
        return f"{self.group}/{self.hour_text}/{self.part}"

    def __str__(self) -> str:
        return self.file_id


@dataclass(frozen=True)
class _Entry:
    md5: str
    works: str


class Manifest:
    """What was finished, file by file."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, datetime], list[_Entry | None]] = {}
        # Of each kind of work. Kept apart, since `set_parts` takes letters away.
        self._first_hours: dict[tuple[str, Work], datetime] = {}

    # State

    @classmethod
    def load(cls, saved: object) -> Manifest:
        """Read a manifest from the state.

        Args:
            saved: What `dump` gave, or None.

        Returns:
            The manifest.

        Raises:
            ValueError: If it is something else.
        """
        manifest = cls()
        for group, hours in _items(saved if saved is not None else {}):
            if not _GROUP.fullmatch(group):
                raise ValueError(group)
            for hour, text in _items(hours):
                moment = datetime.strptime(hour, _HOUR_FORMAT).replace(tzinfo=UTC)
                entries = [_parse(word) for word in _words(text)]
                manifest._hours[group, moment] = entries
                for entry in entries:
                    manifest._note_begun(group, moment, _works(entry) if entry is not None else ())
        return manifest

    def dump(self) -> dict[str, dict[str, str]]:
        """Return the manifest for the state.

        Returns:
            JSON values.
        """
        saved: dict[str, dict[str, str]] = {}
        for (group, hour), entries in sorted(self._hours.items()):
            words = [f"{entry.md5}:{entry.works}" if entry is not None else "-" for entry in entries]
            saved.setdefault(group, {})[format_hour(hour)] = " ".join(words)
        return saved

    # Reading

    def done(self, key: FileKey, md5: str) -> frozenset[Work]:
        """Tell what is finished for this version of a file.

        Args:
            key: The file.
            md5: Its md5 in hexadecimal.

        Returns:
            The finished work; none if another version was worked on.
        """
        entry = self._entry(key)
        return _works(entry) if entry is not None and entry.md5 == md5[:_MD5_DIGITS] else frozenset()

    def begun(self, key: FileKey) -> frozenset[Work]:
        """Tell what has begun with the hour of a file or an earlier one, and so does not depend on a start any more.

        Args:
            key: The file.

        Returns:
            The work.
        """
        return frozenset(
            work for (group, work), hour in self._first_hours.items() if group == key.group and hour <= key.hour
        )

    def vanished_parts(self, group: str, hour: datetime, parts: int) -> list[int]:
        """Tell which parts have a record in `index_exchange_files` but are no longer there.

        Args:
            group: As `FileKey.group`.
            hour: The hour.
            parts: How many parts it has now.

        Returns:
            Their numbers.
        """
        entries = self._hours.get((group, hour), [])
        return [
            number
            for number, entry in enumerate(entries)
            if number >= parts and entry is not None and Work.RECORD in entry.works
        ]

    # Changing

    def set_parts(self, group: str, hour: datetime, parts: int) -> None:
        """Take over how many parts an hour has; every part's record tells it, so that each is due again.

        Args:
            group: As `FileKey.group`.
            hour: The hour.
            parts: How many.
        """
        entries = self._hours.get((group, hour))
        if entries is None or len(entries) == parts:
            return
        kept = [entry and _Entry(entry.md5, entry.works.replace(Work.RECORD, "")) for entry in entries[:parts]]
        self._hours[group, hour] = kept + [None] * (parts - len(kept))

    def finish(self, key: FileKey, md5: str, works: Iterable[Work], *, parts: int) -> None:
        """Note finished work.

        Args:
            key: The file.
            md5: Its md5 in hexadecimal.
            works: What is finished; earlier work counts on if it was for the same md5.
            parts: How many parts the hour has.
        """
        entries = self._hours.setdefault((key.group, key.hour), [None] * parts)
        letters = "".join(sorted({*works, *self.done(key, md5)}))
        entries[key.part] = _Entry(md5[:_MD5_DIGITS], letters)
        self._note_begun(key.group, key.hour, works)

    def _note_begun(self, group: str, hour: datetime, works: Iterable[Work]) -> None:
        for work in works:
            self._first_hours[group, work] = min(hour, self._first_hours.get((group, work), hour))

    def forget(self, work: Work) -> None:
        """Take a kind of work for not done, for all files.

        Args:
            work: The kind.
        """
        for entries in self._hours.values():
            entries[:] = [entry and _Entry(entry.md5, entry.works.replace(work, "")) for entry in entries]
        self._first_hours = {place: hour for place, hour in self._first_hours.items() if place[1] is not work}

    def prune(self, listed: Iterable[FileKey], now: datetime) -> None:
        """Drop the entries of files that have expired.

        Args:
            listed: The files that are there now.
            now: The time.
        """
        there = {(key.group, key.hour) for key in listed}
        oldest = now - RETENTION - LATENESS
        self._hours = {place: entries for place, entries in self._hours.items() if place in there or place[1] >= oldest}

    def _entry(self, key: FileKey) -> _Entry | None:
        entries = self._hours.get((key.group, key.hour), [])
        return entries[key.part] if key.part < len(entries) else None


def work_due(  # noqa: PLR0913 - all that the decision rests on
    key: FileKey,
    md5: str,
    manifest: Manifest,
    wanted: Iterable[Work],
    *,
    start: datetime | None,
    end: datetime | None,
) -> frozenset[Work]:
    """Decide what there is to do with a listed file.

    Args:
        key: The file.
        md5: Its md5 in hexadecimal.
        manifest: What is finished.
        wanted: The kinds of work that the settings and the selection ask for.
        start: Files of hours before it count only for work that had begun with an hour before them.
        end: Files of hours from it on are left alone.

    Returns:
        The work.
    """
    if end is not None and key.hour >= end:
        return frozenset()
    due = frozenset(wanted) - manifest.done(key, md5)
    return due & manifest.begun(key) if start is not None and key.hour < start else due


def missing_hours(hours: Iterable[datetime], *, since: datetime, until: datetime) -> list[datetime]:
    """Return the hours between the first and the last that are missing, from `since` to before `until`."""
    there = set(hours)
    first, last = max(min(there), since), min(max(there), until)
    span = range(int((last - first) / timedelta(hours=1)) + 1)
    return [hour for step in span if (hour := first + timedelta(hours=step)) < until and hour not in there]


def format_hour(hour: datetime) -> str:
    """Return for example `2026-11-20T05`."""
    return hour.isoformat(timespec="hours")[:13]  # `strftime` leaves out the zeros of years before 1000


def _works(entry: _Entry) -> frozenset[Work]:
    return frozenset(Work(letter) for letter in entry.works)


def _parse(word: str) -> _Entry | None:
    match = _WORD.fullmatch(word)
    if match is None:
        raise ValueError(repr(word))
    if match[1] is None:
        return None
    entry = _Entry(match[1], match[2])
    _works(entry)  # raises ValueError for a letter that is no work
    return entry


def _words(text: object) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(text)  # noqa: TRY004 - one kind of error for all that is not a manifest
    return text.split(" ")


def _items(saved: object) -> Iterable[tuple[str, t.Any]]:
    if not isinstance(saved, dict):
        raise ValueError(saved)  # noqa: TRY004 - one kind of error for all that is not a manifest
    return t.cast("Mapping[str, t.Any]", saved).items()
