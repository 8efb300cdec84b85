"""Impressions and revenue over time."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import sqlalchemy as sa

from tap_auditlogs.report import charts, words
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.subject import Figure
from tap_auditlogs.vendors.index_exchange.report.tables import (
    GROSS,
    HOURLY,
    IMPRESSIONS,
    MASK,
    NET,
    TITLES,
    rows_of_current_files,
    sums,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_auditlogs.report.database import Answer
    from tap_auditlogs.report.period import Buckets
    from tap_auditlogs.report.subject import Scope

_MOST_HOURLY: t.Final = timedelta(days=31)


def measures_over_time(scope: Scope) -> Iterator[Figure]:
    """Impressions, and revenue, by hour."""
    hourly = scope.database.tables[HOURLY]
    period = scope.period
    buckets = period.in_hours() if period.length <= _MOST_HOURLY else period.in_units()
    current, before = period.eras(hourly.time)
    source, of_current_files = rows_of_current_files(scope)
    answer = scope.database.ask(
        sa.select(
            buckets.number(hourly.time).label("bucket"), period.era(hourly.time), *sums(hourly, sa.or_(current, before))
        )
        .select_from(source)
        .where(period.reaches(hourly.time), of_current_files)
        .group_by("bucket", "is_current")
    )
    for title, names in (("Impressions", [IMPRESSIONS]), ("Revenue in USD", [GROSS, NET])):
        present = [name for name in names if hourly.has(name)]
        if present:
            yield _over_time(scope, answer, buckets, title, present)


def _over_time(scope: Scope, answer: Answer, buckets: Buckets, title: str, names: Sequence[str]) -> Figure:
    def value(row: sa.Row[t.Any], name: str) -> float:
        return float(row._mapping[f"sum_{name}"])  # noqa: SLF001 - SQLAlchemy's public way to name a column

    rows = [row for row in answer.rows if row.is_current]
    points = [Point(buckets.label(row.bucket), TITLES[name], value(row, name)) for name in names for row in rows]
    total = sum(value(row, names[0]) for row in rows)
    before = sum(value(row, names[0]) for row in answer.rows if not row.is_current)
    comparison = scope.change(HOURLY, total, before)
    parts = buckets.labels_since(scope.first[HOURLY])  # what came earlier was never loaded
    missing = len(parts) - len({row.bucket for row in rows})
    unit = "" if names[0] == IMPRESSIONS else " USD"
    sentence = f"{words.number(round(total, 2))}{unit} {TITLES[names[0]].lower()}{comparison}"
    if points:
        top = charts.peak(points)
        sentence += f"; most in the {buckets.unit} {top.part}, {words.number(round(top.value, 2))}{unit}"
    if missing:
        sentence += f". {words.count(missing, buckets.unit)} without rows"
    if any(point.value < 0 for point in points):
        sentence += f". Negative sums come from rows whose revenue the vendor masked as {MASK}"
    series = [TITLES[name] for name in names]
    return Figure(
        id=f"index-exchange-{title.partition(' ')[0].lower()}",
        title=f"{title} per {buckets.unit}",
        sentence=f"{sentence}.",
        data=charts.table_over_time(points, parts, series, buckets.unit),
        query=answer.query,
        draw=charts.lines_over_time(points, parts, charts.palette(series)),
    )
