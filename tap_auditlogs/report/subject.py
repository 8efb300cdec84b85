"""What the report shows: the interface of a vendor's `report.py`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_auditlogs.report import words

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import altair as alt

    from tap_auditlogs.report.anonymity import Names
    from tap_auditlogs.report.database import Database
    from tap_auditlogs.report.period import Period

    Drawing: t.TypeAlias = alt.Chart | alt.LayerChart
    Draw: t.TypeAlias = Callable[[int], Drawing]

Cell: t.TypeAlias = "str | int | float | None"


@dataclass(frozen=True)
class Data:
    """The rows of a figure, as a table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart or a table, with what it is based on.

    Attributes:
        id: Its address in the page, and the file name of its image.
        title: What it is.
        sentence: What it shows, computed from the data.
        data: Its rows.
        query: The query that returns them.
        draw: Draws the chart in a given width in pixels; None for a table only.
    """

    id: str
    title: str
    sentence: str
    data: Data
    query: str
    draw: Draw | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it has no values: then neither a chart nor a table is shown."""
        return not self.data.rows or len(self.data.columns) == 1


@dataclass(frozen=True)
class Scope:
    """What a figure is computed from.

    Attributes:
        first: The time of each table's first row in seconds since 1970.
    """

    database: Database
    period: Period
    names: Names
    first: Mapping[str, int | None]

    def before(self, table: str, value: float) -> float | None:
        """Return a value of the period before; None if that is not loaded, so that a comparison would mean nothing."""
        first = self.first.get(table)
        is_loaded = first is not None and first <= (self.period.before + self.period.length / 10).timestamp()
        return value if is_loaded else None

    def change(self, table: str, now: float, before: float) -> str:
        """Continue a sentence with a comparison with the period before, if that is loaded."""
        return words.change(now, self.before(table, before))


@dataclass(frozen=True)
class Subject:
    """A section of the report.

    Attributes:
        needs: The tables without which the section is left out.
        figures: Each yields the figures that its tables allow.
    """

    title: str
    needs: Sequence[str]
    figures: Sequence[Callable[[Scope], Iterable[Figure]]]

    def show(self, scope: Scope) -> Iterator[Figure]:
        """Yield its figures; none without its tables or their times."""
        tables = scope.database.tables
        if all(name in tables and tables[name].has_time for name in self.needs):
            for draw in self.figures:
                yield from draw(scope)
