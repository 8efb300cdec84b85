"""The tables that the report reads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import sqlalchemy as sa

from tap_auditlogs.report.sql import ParsedTime

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.types import TypeEngine


@dataclass(frozen=True)
class StreamTable:
    """A stream that the report reads.

    Attributes:
        name: The stream, and its table.
        time: The column with the time of its rows; None for reference data.
        columns: Further columns that the report uses, with their types.
    """

    name: str
    time: str | None = None
    columns: Mapping[str, TypeEngine[t.Any]] = field(default_factory=dict)


class Table:
    """A loaded stream.

    Attributes:
        name: The stream.
        c: The columns that the report uses and the table has.
        clause: The table in queries.
    """

    def __init__(self, stream: StreamTable, schema: str | None, present: Mapping[str, TypeEngine[t.Any]]) -> None:
        self.name = stream.name
        names = [name for name in {*stream.columns, *((stream.time,) if stream.time else ())} if name in present]
        # Drivers differ in what they return for times, which are only used in expressions.
        columns = (sa.column(name, stream.columns.get(name, sa.types.NullType())) for name in sorted(names))
        self.clause = sa.table(stream.name, *columns, schema=schema)
        self.c = self.clause.c
        self._time = stream.time if stream.time in present else None
        self._time_is_text = self._time is not None and isinstance(present[self._time], sa.String)

    @property
    def time(self) -> sa.ColumnElement[t.Any]:
        """The time of a row; only for tables that have one."""
        column = self.c[t.cast("str", self._time)]
        return ParsedTime(column) if self._time_is_text else column

    @property
    def has_time(self) -> bool:
        """Whether the table has the time column of its stream."""
        return self._time is not None

    def has(self, *names: str) -> bool:
        """Whether the table has these columns: an operator may have deselected some."""
        return all(name in self.c for name in names)
