"""What the SDK leaves unsaid of the setting `stream_maps`."""

from __future__ import annotations

import fnmatch
import traceback
import typing as t

from singer_sdk.exceptions import MapExpressionError

from tap_auditlogs.core.errors import TapError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

NULL_HINT = (
    "Where null is written to remove a stream or a property, write `__NULL__`: Meltano and environment variables drop "
    "nulls, and the column would stay."
)


def unused_maps(maps: Mapping[str, t.Any], selected: Collection[str]) -> list[str]:
    """Name the maps that match no selected stream."""
    return [name for name, definition in maps.items() if not fnmatch.filter(selected, _source(name, definition))]


def idle_maps(maps: Mapping[str, t.Any]) -> list[str]:
    """Name the maps that change nothing: they remove, rename, compute and filter nothing."""
    return [
        name
        for name, definition in maps.items()
        if isinstance(definition, dict) and all(key == expression for key, expression in definition.items())
    ]


def map_failure(error: Exception, stream: str, record: Mapping[str, t.Any], keys: Sequence[str]) -> TapError:
    """Say which expression failed on which record. The cause is told by its type: its text may hold values."""
    cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ is not None else error
    key = ", ".join(f"{name}={record.get(name)!r:.60}" for name in keys)
    expression = next(_expressions(error), None)
    what = "a stream map" if expression is None else f"the expression `{expression:.200}`"
    msg = f"stream_maps: {what} of `{stream}` fails for the record {key} ({type(cause).__name__}). Correct the setting"
    return TapError(msg)


def _source(name: str, definition: t.Any) -> str:
    return str(definition.get("__source__", name)) if isinstance(definition, dict) else name


def _expressions(error: Exception) -> Iterator[str]:
    """Find the expression in the frames of the SDK's `CustomStreamMap._eval`, which alone knows it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_eval" and isinstance(frame.f_locals.get("expr"), str):
            yield frame.f_locals["expr"]
