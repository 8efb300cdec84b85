"""Reads states as they are written."""

from __future__ import annotations

import typing as t

State: t.TypeAlias = "dict[str, t.Any]"


def entry_of(state: State, stream: str) -> dict[str, t.Any]:
    """Return what a state says of a stream: without nulls, objects taken out of their lists of one."""
    entry = state.get("bookmarks", {}).get(stream, {})
    return {name: _content(value) for name, value in entry.items() if value is not None}


def has_begun_part(state: State) -> bool:
    """Say whether the sweep of an object type was begun and not completed."""
    parts = [part for stream in state["bookmarks"] for part in entry_of(state, stream).get("parts", {}).values()]
    return any("progress" in part for part in parts)


def _content(value: t.Any) -> t.Any:
    match value:
        case [dict() as content]:
            return content
        case _:
            return value
