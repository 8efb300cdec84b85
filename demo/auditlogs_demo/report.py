"""Compares the tables with the source and formats the result."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from auditlogs_demo.errors import DemoError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

Key: t.TypeAlias = "tuple[str, ...]"

_WORD_START: t.Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TIME: t.Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_EXAMPLES: t.Final = 3


@dataclass(frozen=True)
class Comparison:
    """Comparison of a stream's source with its table.

    Attributes:
        stream: The name of the stream and of its table.
        key_names: The names of the primary key.
        source: How many rows the source has.
        table: How many rows the table has.
        missing: The keys that only the source has.
        unknown: The keys that only the table has.
        repeated: The keys that the table has more than once.
    """

    stream: str
    key_names: tuple[str, ...]
    source: int
    table: int
    missing: tuple[Key, ...]
    unknown: tuple[Key, ...]
    repeated: tuple[Key, ...]

    def differences(self) -> Iterator[str]:
        """Yield one sentence per kind of difference."""
        for keys, what in (
            (self.missing, "of the source are not in the table"),
            (self.unknown, "of the table are not in the source"),
            (self.repeated, "are in the table more than once"),
        ):
            if keys:
                yield f"{self.stream}: {len(keys):,} rows {what}: {self._examples(keys)}"

    def _examples(self, keys: Sequence[Key]) -> str:
        shown = [
            ", ".join(f"{name}={value}" for name, value in zip(self.key_names, key, strict=True))
            for key in keys[:_EXAMPLES]
        ]
        return "; ".join([*shown, "..."] if len(keys) > _EXAMPLES else shown)


@dataclass(frozen=True)
class Line:
    """A line of the final table.

    Attributes:
        stream: The name of the stream.
        source: How many rows the source has.
        table: How many rows the table has.
        new: How many of them the second run added.
        rate: How many rows a second the first run read; None if it did not tell.
    """

    stream: str
    source: int
    table: int
    new: int
    rate: float | None


def source_keys(stream: str, rows: Iterable[Mapping[str, t.Any]], key_names: Sequence[str]) -> frozenset[Key]:
    """Return the keys of the source's rows, whose names may be in camelCase.

    Raises:
        DemoError: A row lacks a part of the key.
    """
    keys = set()
    for row in rows:
        values = {to_snake_case(name): value for name, value in row.items()}
        if absent := [name for name in key_names if values.get(name) is None]:
            msg = f"{stream}: the sandbox has a row without {', '.join(absent)}"
            raise DemoError(msg)
        keys.add(tuple(comparable(values[name]) for name in key_names))
    return frozenset(keys)


def table_keys(rows: Iterable[Sequence[t.Any]]) -> list[Key]:
    """Convert the key values of a table to the form of the source's keys."""
    return [tuple(comparable(value) for value in row) for row in rows]


def compare(
    stream: str, key_names: Sequence[str], shown: AbstractSet[Key], seen: AbstractSet[Key], table: Sequence[Key]
) -> Comparison:
    """Compare source and table key by key.

    `shown` are the keys that the source has now, `seen` those that it had earlier: the table may have these or not.
    """
    counts = Counter(table)
    source = shown | (seen & counts.keys())
    return Comparison(
        stream=stream,
        key_names=tuple(key_names),
        source=len(source),
        table=len(table),
        missing=tuple(sorted(source - counts.keys())),
        unknown=tuple(sorted(counts.keys() - source)),
        repeated=tuple(sorted(key for key, count in counts.items() if count > 1)),
    )


def render(lines: Iterable[Line]) -> str:
    """Format the final table."""
    cells = [("stream", "in the source", "in the table", "new in run 2", "rows/s")]
    cells += [
        (
            line.stream,
            f"{line.source:,}",
            f"{line.table:,}",
            f"{line.new:,}",
            "-" if line.rate is None else f"{line.rate:,.0f}",
        )
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells)


def to_snake_case(name: str) -> str:
    """Convert a vendor's name such as `eventId` to snake_case."""
    return _WORD_START.sub("_", name).lower()


def comparable(value: object) -> str:
    """Convert a value to text that is the same from JSON and from PostgreSQL; times in UTC."""
    if isinstance(value, str) and _TIME.match(value):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return str(value)
