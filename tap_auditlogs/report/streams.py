"""The loaded streams in the report: rows, first and last time, gaps."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa

from tap_auditlogs.report import charts, words
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.sql import Epoch, Instant, Moment
from tap_auditlogs.report.subject import Data, Figure

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_auditlogs.report.database import Database
    from tap_auditlogs.report.period import Hours, Period
    from tap_auditlogs.report.subject import Scope
    from tap_auditlogs.report.tables import Table

# One wrong clock must not move the usual period; a time zone may.
_MOST_AHEAD: t.Final = timedelta(days=1)


class Extent(t.NamedTuple):
    """How many rows a table has, and the times of some in seconds since 1970.

    Attributes:
        latest: The time of the last row that does not lie far in the future.
    """

    rows: int
    first: int | None
    last: int | None
    latest: int | None
    query: str


class Gap(t.NamedTuple):
    """Hours in a row without a row of a stream, by the numbers of the first and the one after the last."""

    start: int
    end: int

    @property
    def hours(self) -> int:
        """How long it is."""
        return self.end - self.start


def measure(database: Database, now: datetime) -> dict[str, Extent]:
    """Count the rows of each table."""
    return {name: _measure(database, table, now + _MOST_AHEAD) for name, table in database.tables.items()}


def _measure(database: Database, table: Table, future: datetime) -> Extent:
    columns = [sa.func.count().label("row_count")]
    if table.has_time:
        columns += [
            Epoch(sa.func.min(table.time)).label("first_time"),
            Epoch(sa.func.max(table.time)).label("last_time"),
            Epoch(sa.func.max(sa.case((Instant(table.time) < Moment(future), table.time)))).label("latest_time"),
        ]
    answer = database.ask(sa.select(*columns).select_from(table.clause))
    row = answer.rows[0]
    if not table.has_time:
        return Extent(row.row_count, None, None, None, answer.query)
    return Extent(row.row_count, row.first_time, row.last_time, row.latest_time, answer.query)


def show_streams(scope: Scope, extents: Mapping[str, Extent]) -> Iterator[Figure]:
    """The table of all streams, and their rows over time."""
    hours = scope.period.in_hours()
    counts: dict[str, dict[int, int]] = {}
    queries: list[str] = []
    for name, table in scope.database.tables.items():
        if table.has_time:
            answer = scope.database.ask(
                sa.select(hours.number(table.time).label("bucket"), sa.func.count().label("row_count"))
                .where(scope.period.contains(table.time))
                .group_by("bucket")
            )
            counts[name] = dict(t.cast("Sequence[tuple[int, int]]", answer.rows))
            queries.append(answer.query)
    gaps = {name: longest_gap(counts[name], _expected(hours, extents[name])) for name in counts}
    yield Figure(
        id="streams",
        title="Loaded streams",
        sentence=_sentence(gaps, extents, hours),
        data=Data(
            ("Stream", "Rows", "First", "Last", "Rows in the period", "Longest time without rows", "From"),
            [
                (
                    name,
                    extent.rows,
                    *(None if time is None else scope.period.text(time) for time in (extent.first, extent.last)),
                    sum(counts[name].values()) if name in counts else None,
                    *_cells(gaps.get(name), hours),
                )
                for name, extent in extents.items()
            ],
        ),
        query=";\n\n".join([*(extent.query for extent in extents.values()), *queries]),
    )
    yield from _rows_over_time(scope.period, hours, counts, queries)


def _rows_over_time(
    period: Period, hours: Hours, counts: Mapping[str, Mapping[int, int]], queries: Sequence[str]
) -> Iterator[Figure]:
    names = [name for name, found in counts.items() if found]
    if not names:
        return
    buckets = period.in_units()
    sums: dict[tuple[str, str], float] = {}
    for name in names:
        for number, rows in counts[name].items():
            place = (buckets.label(buckets.number_of(hours.moment(number))), name)
            sums[place] = sums.get(place, 0) + rows
    largest = {name: max(rows for (_, series), rows in sums.items() if series == name) for name in names}
    yield Figure(
        id="streams-rows",
        title=f"Rows per {buckets.unit}",
        sentence=(
            f"The stronger the colour, the more, relative to the largest {buckets.unit} of the same stream; a "
            "blank cell has no row."
        ),
        data=charts.table_over_time(
            [Point(part, name, rows) for (part, name), rows in sums.items()], buckets.labels, names, buckets.unit
        ),
        query=";\n\n".join(queries),
        draw=charts.grid(
            [Point(part, name, rows / largest[name]) for (part, name), rows in sums.items()], buckets.labels, names
        ),
    )


def longest_gap(found: Collection[int], expected: range) -> Gap | None:
    """Return the longest run of hours without rows; None if every hour has one."""
    bounds = [expected.start - 1, *sorted(hour for hour in found if hour in expected), expected.stop]
    gaps = [Gap(before + 1, after) for before, after in pairwise(bounds)]
    longest = max(gaps, key=lambda gap: gap.hours)
    return longest if longest.hours > 0 else None


def _expected(hours: Hours, extent: Extent) -> range:
    """The hours of the period since the first row: before it, nothing was loaded."""
    if extent.first is None:
        return range(0)
    first = hours.number_of(datetime.fromtimestamp(extent.first, tz=UTC))
    return range(max(first, hours.numbers.start), hours.numbers.stop)


def _cells(gap: Gap | None, hours: Hours) -> tuple[str | None, str | None]:
    return (None, None) if gap is None else (words.count(gap.hours, "hour"), hours.label(gap.start))


def _sentence(gaps: Mapping[str, Gap | None], extents: Mapping[str, Extent], hours: Hours) -> str:
    rows = sum(extent.rows for extent in extents.values())
    sentence = f"{words.count(rows, 'row')} in {words.count(len(extents), 'stream')}."
    longest = max(((name, gap) for name, gap in gaps.items() if gap), key=lambda pair: pair[1].hours, default=None)
    if longest is None:
        return sentence
    name, gap = longest
    silence = f"{words.count(gap.hours, 'hour')} in {name}, from {hours.label(gap.start)}"
    return f"{sentence} The longest time without rows: {silence}."
