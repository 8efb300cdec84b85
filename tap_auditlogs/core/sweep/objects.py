"""What is asked about one object, and what came back."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from tap_auditlogs.core.errors import ApiError, ProtocolError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.sweep.offsets import Row
    from tap_auditlogs.core.sweep.plan import Outcome
    from tap_auditlogs.core.sweep.stream_sweep import StreamSweep

_NAMED_OBJECTS = 20


class UnsupportedTypeError(ApiError):
    """The vendor does not know an object type."""


@dataclass(frozen=True)
class ObjectQuery:
    """An object whose history is wanted by one or more streams."""

    object_id: int
    sweeps: Sequence[StreamSweep]

    @property
    def since(self) -> str | None:
        """The earliest start that any of the streams wants; None for the whole history."""
        starts = [each.sweep.since for each in self.sweeps]
        return None if None in starts else min(start for start in starts if start is not None)

    @property
    def streams(self) -> Sequence[str]:
        """The names of the streams."""
        return [each.stream for each in self.sweeps]


@dataclass(frozen=True)
class ObjectHistory:
    """The history of an object, or a part of it.

    Attributes:
        object_id: The object.
        records: The records of each stream, by the stream's name.
        outcomes: What became of the object for a stream without records of it.
        errors: What kept a stream's records from being read.
        complete: Whether this is the last part.
    """

    object_id: int
    records: Mapping[str, list[Record]] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    errors: Mapping[str, Exception] = field(default_factory=dict)
    complete: bool = True


def listed_id(row: Row, *, where: str) -> int:
    """Return the id of a listed object, which vendors send as a number or as text.

    Raises:
        ProtocolError: If it is no positive 64-bit integer.
    """
    value = row.get("id")
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,19}", str(value), re.ASCII) and int(value) < 2**63:
        return int(value)
    raise ProtocolError("an object of the list has no usable id", where=where)


def name_objects(ids: Sequence[int]) -> str:
    """Return the first ids as text for a message."""
    named = ", ".join(map(str, ids[:_NAMED_OBJECTS]))
    return named + (", ..." if len(ids) > _NAMED_OBJECTS else "")
