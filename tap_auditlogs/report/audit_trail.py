"""The audit trail over all vendors in the report: its subject, and the expressions that its figures share."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.ocsf import schema
from tap_auditlogs.report import charts, words
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.people import ACTOR, TARGET, VENDOR_COLORS, actors, addresses, vendor_of, working_hours
from tap_auditlogs.report.sql import how_many
from tap_auditlogs.report.subject import Data, Figure, Subject
from tap_auditlogs.report.tables import StreamTable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.report.database import Answer
    from tap_auditlogs.report.period import Buckets
    from tap_auditlogs.report.subject import Scope

TABLE: t.Final = StreamTable(
    schema.NAME,
    "event_time",
    dict.fromkeys((*ACTOR, *TARGET, "vendor", "action", "source_ip", "outcome"), sa.Text()),
)

_MOST_SERIES: t.Final = 7
_SHOWN_ACTIONS: t.Final = 20

_NO_ACTION: t.Final = "no action"
_NO_TARGET: t.Final = "no target"


def _count_over_time(
    scope: Scope, buckets: Buckets, series: sa.Label[str], *conditions: sa.ColumnElement[bool]
) -> tuple[Answer, list[Point], int]:
    """Count events by part of the period and series; returns the number in the period before as well."""
    events = scope.database.tables[schema.NAME]
    answer = scope.database.ask(
        sa.select(
            buckets.number(events.time).label("bucket"),
            series,
            scope.period.era(events.time),
            sa.func.count().label("events"),
        )
        .where(scope.period.reaches(events.time), *conditions)
        .group_by("bucket", series.name, "is_current")
    )
    points = [
        Point(buckets.label(row.bucket), row._mapping[series.name], row.events)  # noqa: SLF001 - public, to name a column
        for row in answer.rows
        if row.is_current
    ]
    return answer, points, sum(row.events for row in answer.rows if not row.is_current)


def events_over_time(scope: Scope) -> Iterator[Figure]:
    """Events by vendor."""
    events = scope.database.tables[schema.NAME]
    if not events.has("vendor"):
        return
    buckets = scope.period.in_units()
    answer, points, before = _count_over_time(scope, buckets, vendor_of(events))
    totals = charts.totals_of(points)
    total = int(sum(totals.values()))
    comparison = scope.change(schema.NAME, total, before)
    sentence = f"{words.count(total, 'event')}{comparison}"
    if totals:
        most = next(iter(totals))
        sentence += f"; {words.share(totals[most], total)} of them from {most}"
    yield Figure(
        id="events-vendors",
        title=f"Events per {buckets.unit} by vendor",
        sentence=f"{sentence}.",
        data=charts.table_over_time(points, buckets.labels, list(totals), buckets.unit),
        query=answer.query,
        draw=charts.bars_over_time(points, buckets.labels, charts.palette(list(totals), VENDOR_COLORS)),
    )


def actions(scope: Scope) -> Iterator[Figure]:
    """The most frequent actions, each with the type of its target."""
    events = scope.database.tables[schema.NAME]
    if not events.has("vendor", "action", "target_type"):
        return
    current, before = map(how_many, scope.period.eras(events.time))
    per_action = (
        sa.select(
            vendor_of(events),
            events.c.action,
            events.c.target_type,
            current.label("events"),
            before.label("events_before"),
        )
        .where(scope.period.reaches(events.time))
        .group_by("from_vendor", events.c.action, events.c.target_type)
        .having(current > 0)
        .subquery("actions")
    )
    answer = scope.database.ask(
        sa.select(
            per_action,
            sa.func.count().over().label("kinds"),
            sa.cast(sa.func.sum(per_action.c.events).over(), sa.BigInteger).label("total"),
        )
        .order_by(per_action.c.events.desc(), per_action.c.from_vendor, per_action.c.action, per_action.c.target_type)
        .limit(_SHOWN_ACTIONS)
    )
    if not answer.rows:
        return
    top = answer.rows[0]
    comparison = scope.change(schema.NAME, top.events, top.events_before)
    labels = words.distinct(f"{row.action or _NO_ACTION} · {row.target_type or _NO_TARGET}" for row in answer.rows)
    points = [Point(label, row.from_vendor, row.events) for label, row in zip(labels, answer.rows, strict=True)]
    yield Figure(
        id="events-actions",
        title="Events by action and target type",
        sentence=(
            f"The most frequent of {words.count(top.kinds, 'kind')}: {words.isolated(top.action or _NO_ACTION)} of "
            f"{words.isolated(top.target_type or _NO_TARGET)}, {words.share(top.events, top.total)} of all events"
            f"{comparison}."
        ),
        data=Data(
            ("Action", "Target type", "Vendor", "Events", "Events before"),
            [
                (
                    row.action,
                    row.target_type,
                    row.from_vendor,
                    row.events,
                    scope.before(schema.NAME, row.events_before),
                )
                for row in answer.rows
            ],
            note=words.first_of(len(answer.rows), top.kinds),
        ),
        query=answer.query,
        draw=charts.ranking(points, charts.palette(list(charts.totals_of(points)), VENDOR_COLORS)),
    )


def failures(scope: Scope) -> Iterator[Figure]:
    """Failed logins, activations and other actions."""
    events = scope.database.tables[schema.NAME]
    if not events.has("action", "outcome"):
        return
    buckets = scope.period.in_units()
    action = sa.func.coalesce(events.c.action, _NO_ACTION).label("failed_action")
    answer, points, before = _count_over_time(scope, buckets, action, events.c.outcome == "failure")
    totals = charts.totals_of(points)
    comparison = scope.change(schema.NAME, sum(totals.values()), before)
    kinds = ", ".join(f"{words.number(value)} {words.isolated(name)}" for name, value in list(totals.items())[:3])
    shown = charts.largest_series(points, _MOST_SERIES)
    series = list(charts.totals_of(shown))
    yield Figure(
        id="events-failures",
        title=f"Failed logins, activations and other actions per {buckets.unit}",
        sentence=f"{words.count(int(sum(totals.values())), 'failed action')}{comparison}{kinds and f': {kinds}'}.",
        data=charts.table_over_time(shown, buckets.labels, series, buckets.unit),
        query=answer.query,
        draw=charts.bars_over_time(shown, buckets.labels, charts.palette(series)),
    )


SUBJECT: t.Final = Subject(
    "Audit trail",
    needs=(schema.NAME,),
    figures=(events_over_time, failures, actors, actions, working_hours, addresses),
)
