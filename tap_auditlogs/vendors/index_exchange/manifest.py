"""The manifest: which version of which file is finished, and for which streams. No I/O.

It is stored in the state, one entry per hour and subscription, small enough for the 14 days that files are kept:

    {"impressions/41": {"2026-11-20T05": "0123456789abcdef:fr"},
     "bids/41": {"2026-11-20T05": "0123456789abcdef:fr - fedcba9876543210:f"}}

The text has one word per part: half of the md5, a colon, and a letter per kind of work; `-` if nothing is finished.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Vendor pages: files are kept for 14 days and appear within 36 hours. Whether the days count from the hour or from the
# creation of the file is not documented: an entry is kept for the sum of both, or for as long as its file is listed.
# index-exchange-09
RETENTION = timedelta(days=14)
LATENESS = timedelta(hours=36)

_HOUR_FORMAT = "%Y-%m-%dT%H"
_GROUP = re.compile(r"(impressions|bids)/-?\d{1,19}")
_WORD = re.compile(r"([0-9a-f]{16}):([a-z]*)|-")
_MD5_DIGITS = 16


class Work(StrEnum):
    """A use of a file; the value is its letter in the state."""

    RECORD = "f"
    """Its record in `index_exchange_files`."""
    ROWS = "r"
    HOURLY = "h"
    ARCHIVE = "a"
    MALFORMED_ROWS = "m"


@dataclass(frozen=True, order=True)
class FileKey:
    """Identifies a file in all its versions; sorts in reading order."""

    hour: datetime
    event_type: str
    subscription_id: int
    part: int

    @property
    def group(self) -> str:
        """The event type and subscription, as in the state."""
        return f"{self.event_type}/{self.subscription_id}"

    @property
    def hour_text(self) -> str:
        """The hour as in keys and file names."""
        return format_hour(self.hour)

    @property
    def file_id(self) -> str:
        """The key in the target: text, as some targets store times in a zone in which two hours can be equal."""
        return f"{self.group}/{self.hour_text}/{self.part}"

    def __str__(self) -> str:
        return self.file_id


@dataclass(frozen=True)
class _Entry:
    md5: str
    works: str


class Manifest:
    """The finished work by file."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, datetime], list[_Entry | None]] = {}
        # By group and kind of work; not derived from `_hours`, because `set_parts` removes letters.
        self._first_hours: dict[tuple[str, Work], datetime] = {}

    # State

    @classmethod
    def load(cls, saved: object) -> Manifest:
        """Parse what `dump` returned; None is an empty manifest.

        Raises:
            ValueError: If it is anything else.
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
        """Return JSON values for the state."""
        saved: dict[str, dict[str, str]] = {}
        for (group, hour), entries in sorted(self._hours.items()):
            words = [f"{entry.md5}:{entry.works}" if entry is not None else "-" for entry in entries]
            saved.setdefault(group, {})[format_hour(hour)] = " ".join(words)
        return saved

    # Reading

    def done(self, key: FileKey, md5: str) -> frozenset[Work]:
        """Return the finished work of this version of a file."""
        entry = self._entry(key)
        return _works(entry) if entry is not None and entry.md5 == md5[:_MD5_DIGITS] else frozenset()

    def begun(self, key: FileKey) -> frozenset[Work]:
        """Return the work done for this hour or an earlier one: `start_date` no longer applies to it."""
        return frozenset(
            work for (group, work), hour in self._first_hours.items() if group == key.group and hour <= key.hour
        )

    def vanished_parts(self, group: str, hour: datetime, parts: int) -> list[int]:
        """Return the parts that have a record in `index_exchange_files` but no longer exist."""
        entries = self._hours.get((group, hour), [])
        return [
            number
            for number, entry in enumerate(entries)
            if number >= parts and entry is not None and Work.RECORD in entry.works
        ]

    # Changing

    def set_parts(self, group: str, hour: datetime, parts: int) -> None:
        """Set the number of parts of an hour; if it changes, the record of each part is due again."""
        entries = self._hours.get((group, hour))
        if entries is None or len(entries) == parts:
            return
        kept = [entry and _Entry(entry.md5, entry.works.replace(Work.RECORD, "")) for entry in entries[:parts]]
        self._hours[group, hour] = kept + [None] * (parts - len(kept))

    def finish(self, key: FileKey, md5: str, works: Iterable[Work], *, parts: int) -> None:
        """Add finished work; earlier work stays if it was for the same md5."""
        entries = self._hours.setdefault((key.group, key.hour), [None] * parts)
        letters = "".join(sorted({*works, *self.done(key, md5)}))
        entries[key.part] = _Entry(md5[:_MD5_DIGITS], letters)
        self._note_begun(key.group, key.hour, works)

    def _note_begun(self, group: str, hour: datetime, works: Iterable[Work]) -> None:
        for work in works:
            self._first_hours[group, work] = min(hour, self._first_hours.get((group, work), hour))

    def forget(self, work: Work) -> None:
        """Mark a kind of work as unfinished for all files."""
        for entries in self._hours.values():
            entries[:] = [entry and _Entry(entry.md5, entry.works.replace(work, "")) for entry in entries]
        self._first_hours = {place: hour for place, hour in self._first_hours.items() if place[1] is not work}

    def prune(self, listed: Iterable[FileKey], now: datetime) -> None:
        """Drop the entries of files that have expired."""
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
    """Return the work that is due for a listed file, of what the settings and the selection want.

    Nothing is due from `end` on. Before `start`, only work is due that was done for an even earlier hour.
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
