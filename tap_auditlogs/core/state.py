"""State: what is refused when loaded, and one stream's bookmark with its progress and its filters."""

from __future__ import annotations

import hashlib
import json
import logging
import typing as t

from tap_auditlogs.core.errors import StateError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

logger = logging.getLogger(__name__)

STATE_VERSION = 2
"""Raised when the form of a bookmark changes, so that an older tap refuses what it cannot read."""

_LEFT_BY_THE_SDK = ("progress_markers", "replication_key_signpost", "starting_replication_value")
_PARKED = "other_filters"
_FILTERS = "filters"
_PROGRESS = "progress"
_PARTS = "parts"
_NOTES = "notes"
_SCALARS = ("replication_key", "replication_key_value", _FILTERS)
_CONTAINERS = (_PROGRESS, _PARKED, _PARTS, _NOTES)
_KNOWN = {*_SCALARS, *_CONTAINERS}
_UNFILTERED = "none"
_ADVICE = "Correct it or, to read everything again, remove it"
_DEEPEST = 100
"""No bookmark of any tap is nested so deep; what is ten times as deep cannot be written back."""


def parse_state(text: str) -> dict[str, t.Any]:
    """Read the text of a state file.

    Raises:
        StateError: If it is empty, not JSON, or not a state.
    """
    if not text.strip():
        msg = f"The state file is empty. {_ADVICE}; a first run needs no state file."
        raise StateError(msg)
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"The state file is not JSON. {_ADVICE}."
        raise StateError(msg) from error
    return check_state(state)


def check_state(state: object) -> dict[str, t.Any]:
    """Refuse a state whose shape cannot be understood.

    Raises:
        StateError: If it is not a state of this tap, or of a later version.
    """
    if not isinstance(state, dict):
        msg = f"The state is a JSON {_json_type(state)}, not an object. {_ADVICE}."
        raise StateError(msg)
    if not state:
        return state
    if "bookmarks" not in state:
        msg = f"The state has no `bookmarks`.{_wrapping_of(state)} {_ADVICE}."
        raise StateError(msg)
    version = state.get("version", STATE_VERSION)
    if not _is_integer(version) or version > STATE_VERSION:
        msg = f"The state has version {version!r:.20}: a later tap-auditlogs made it. Install that one or later."
        raise StateError(msg)
    if _is_deeper(state, _DEEPEST):
        msg = f"The state is nested more than {_DEEPEST} levels deep, which no state is. {_ADVICE}."
        raise StateError(msg)
    bookmarks = state["bookmarks"]
    if not isinstance(bookmarks, dict):
        msg = f"`bookmarks` in the state is a JSON {_json_type(bookmarks)}, not an object. {_ADVICE}."
        raise StateError(msg)
    for stream, entry in bookmarks.items():
        if not isinstance(entry, dict):
            msg = f"The bookmark of `{stream}` in the state is a JSON {_json_type(entry)}, not an object. {_ADVICE}."
            raise StateError(msg)
    return state


def pack_entry(entry: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a stream's entry in the form in which it is written, which survives being merged with an older one.

    Meltano merges states key by key at any depth: a key that is absent keeps its older value, and an object merged
    onto null fails. So every key is always written, null where there is nothing, and each object stands in a list of
    one, which a merge replaces as a whole.
    """
    known = {name: entry.get(name) for name in _SCALARS} | {name: _pack(entry.get(name)) for name in _CONTAINERS}
    return known | {name: value for name, value in entry.items() if name not in {*_KNOWN, *_LEFT_BY_THE_SDK}}


def unpack_entry(entry: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a loaded entry in the form in which it is used; entries written by version 1 have it already."""
    unpacked = {name: _unpack(value) if name in _CONTAINERS else value for name, value in entry.items()}
    if not entry.keys() >= _KNOWN:
        return unpacked
    has_lost_its_value = entry["replication_key"] is not None and entry["replication_key_value"] is None
    return {
        name: value
        for name, value in unpacked.items()
        if value is not None or (has_lost_its_value and name == "replication_key_value")
    }


def _pack(value: t.Any) -> t.Any:
    return ([value] if value else None) if isinstance(value, dict) else value


def _unpack(value: t.Any) -> t.Any:
    match value:
        case [dict() as content]:
            return content
        case _:
            return value


def _wrapping_of(state: Mapping[str, t.Any]) -> str:
    """Name the part of a file that is the state, where the file is something known."""
    if "value" in state:
        return " It looks like a whole STATE message: only its `value` is the state."
    if "singer_state" in state:
        return " It looks like the output of `meltano state get`: only its `singer_state` is the state."
    if isinstance(state.get("completed"), dict) and "singer_state" in state["completed"]:
        return " It looks like a state file of Meltano's: only the `singer_state` within its `completed` is the state."
    return ""


class Bookmark:
    """One stream's entry in the state.

    It holds the replication key's value, the progress of work that was begun but is not finished, and belongs to
    the filters it was made with: under other filters it is put aside, and comes back with them. A stream that is read
    in parts, such as object types, has a bookmark for each of them.
    """

    def __init__(self, entry: dict[str, t.Any], replication_key: str) -> None:
        """Wrap an entry; it is changed in place.

        Raises:
            StateError: If the entry is of another replication key or its parts have the wrong shape.
        """
        self._entry = entry
        self._replication_key = replication_key
        for name in _LEFT_BY_THE_SDK:
            entry.pop(name, None)
        if (fault := _fault_of(entry, replication_key)) is not None:
            raise StateError(fault)

    def put_aside(self) -> Iterator[Bookmark]:
        """Give the bookmarks kept for other filters.

        Raises:
            StateError: If one cannot be understood.
        """
        for entry in self._entry.get(_PARKED, {}).values():
            yield Bookmark(entry, self._replication_key)

    @property
    def value(self) -> t.Any:
        """The replication key's value up to which everything has been written; None at first."""
        return self._entry.get("replication_key_value")

    @property
    def progress(self) -> dict[str, t.Any]:
        """What the stream needs to go on with work it has begun; empty if there is none."""
        return t.cast("dict[str, t.Any]", self._entry.get(_PROGRESS, {}))

    @property
    def parts(self) -> list[str]:
        """The names of the parts that have a bookmark."""
        return list(self._entry.get(_PARTS, {}))

    def part(self, name: str) -> Bookmark:
        """Return the bookmark of a part of the stream.

        Raises:
            StateError: If it cannot be understood.
        """
        # In one step: the state may be written at any moment, and without a part it would be refused.
        parts = self._entry.setdefault(_PARTS, {name: {}})
        return Bookmark(parts.setdefault(name, {}), self._replication_key)

    def note(self, name: str) -> t.Any:
        """Return a further value kept with the bookmark."""
        return self._entry.get(_NOTES, {}).get(name)

    def advance(self, value: t.Any, **notes: t.Any) -> None:
        """Move the bookmark; begun work is thereby finished.

        Args:
            value: The new value; None leaves the old one.
            **notes: Further values to keep with it.
        """
        if value is not None:
            # In one step: the state may be written at any moment, and one without the other would be refused.
            self._entry.update(replication_key=self._replication_key, replication_key_value=value)
        if notes:
            self._entry[_NOTES] = {**self._entry.get(_NOTES, {}), **notes}
        self.drop_progress()

    def keep_progress(self, progress: Mapping[str, t.Any]) -> None:
        """Remember how far begun work has come; the value stays."""
        self._entry[_PROGRESS] = dict(progress)

    def drop_progress(self) -> None:
        """Forget work that was begun: it is to be done again from its start."""
        self._entry.pop(_PROGRESS, None)

    def apply_filters(self, filters: Mapping[str, t.Any]) -> None:
        """Switch to the bookmark that was made with these filters.

        Args:
            filters: The settings that decide which rows the stream sees; unset ones left out. Only a hash of them
                goes into the state: they may name a person.
        """
        wanted = fingerprint(filters) if filters else None
        current = self._entry.get(_FILTERS)
        if wanted == current:
            return
        parked: dict[str, dict[str, t.Any]] = self._entry.pop(_PARKED, {})
        former = {key: self._entry.pop(key) for key in list(self._entry)}
        had_bookmark = any(former.get(name) for name in (_PROGRESS, _NOTES)) or "replication_key_value" in former
        had_bookmark = had_bookmark or any(former.get(_PARTS, {}).values())
        if had_bookmark:
            parked[current or _UNFILTERED] = former
        self._entry.update(parked.pop(wanted or _UNFILTERED, {}))
        if wanted is not None:
            self._entry[_FILTERS] = wanted
        if parked:
            self._entry[_PARKED] = parked
        if not had_bookmark:
            return
        found = (
            "going on from the bookmark kept for them"
            if self.value is not None or self.progress or self.parts or self._entry.get(_NOTES)
            else "starting from start_date"
        )
        logger.warning(
            "The filters of this stream have changed since its last run (%s): %s. "
            "The bookmark of the former filters is kept for when they return.",
            ", ".join(sorted(filters)) or "none now",
            found,
        )


def _fault_of(entry: Mapping[str, t.Any], replication_key: str) -> str | None:
    """Say what keeps a stream's entry from being understood."""
    if entry.get("replication_key", replication_key) != replication_key:
        return f"it was made for the replication key {entry['replication_key']!r:.60}, not `{replication_key}`"
    if (
        not {"replication_key", "replication_key_value"}.isdisjoint(entry)
        and entry.get("replication_key_value") is None
    ):
        return "its `replication_key` has no value"
    if entry and not entry.keys() & _KNOWN:
        return f"it holds nothing that this tap writes, but {', '.join(sorted(entry))!r:.60}"
    return _misshapen_part(entry) or _emptied_part(entry)


def _misshapen_part(entry: Mapping[str, t.Any]) -> str | None:
    if not isinstance(entry.get(_FILTERS, ""), str):
        return f"its `{_FILTERS}` is not text"
    for name in _CONTAINERS:
        if not isinstance(entry.get(name, {}), dict):
            return f"its `{name}` is not an object"
    for of_many in (_PARTS, _PARKED):
        for name, part in entry.get(of_many, {}).items():
            if not isinstance(part, dict):
                return f"`{name:.60}` in its `{of_many}` is not an object"
    return None


def _emptied_part(entry: Mapping[str, t.Any]) -> str | None:
    """Name a part without which nothing is left of a bookmark; the tap writes no part that is empty."""
    held = [name for name in _CONTAINERS if name in entry]
    if not held or "replication_key_value" in entry or any(entry[name] for name in held):
        return None
    return f"its `{held[0]}` is empty, and it holds nothing else to go on from"


def fingerprint(value: object) -> str:
    """Return a short hash of a JSON value, which shows a change of settings without showing them."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether a JSON value is nested deeper than so many levels, without going down by recursion."""
    level = [value]
    for _ in range(levels):
        level = [inner for each in level for inner in _inner(each)]
    return bool(level)


def _inner(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json_type(value: object) -> str:
    names: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
