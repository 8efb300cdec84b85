"""Cryptolens in the report: the requests that succeeded and failed."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.report import charts, colors, words
from tap_auditlogs.report.anonymity import mask_key
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.sql import how_many
from tap_auditlogs.report.subject import Data, Figure, Subject
from tap_auditlogs.report.tables import StreamTable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.report.subject import Scope
    from tap_auditlogs.report.tables import Table

LOG: t.Final = "cryptolens_web_api_log"

TABLES: t.Final = (
    StreamTable(
        LOG, "occurred_at", {"key": sa.Text(), "method": sa.Text(), "state": sa.BigInteger(), "succeeded": sa.Boolean()}
    ),
    StreamTable("cryptolens_events", "occurred_at"),
    StreamTable("cryptolens_object_log", "occurred_at"),
)

SUCCESS: t.Final = "successful"
FAILURE: t.Final = "failed"
UNKNOWN: t.Final = "outcome unknown"
_COLORS: t.Final = {SUCCESS: colors.SUCCESS, FAILURE: colors.FAILURE, UNKNOWN: colors.UNKNOWN}
_UNKNOWN_METHOD: t.Final = "unknown method"
_SHOWN_KEYS: t.Final = 15


def _outcome(log: Table) -> sa.ColumnElement[str]:
    # Of another state code, such as one without an outcome, `succeeded` is null.
    return sa.case((log.c.succeeded, SUCCESS), (sa.not_(log.c.succeeded), FAILURE), else_=UNKNOWN).label("outcome")


def outcomes(scope: Scope) -> Iterator[Figure]:
    """The vendor's own example: the share of successful and failed requests."""
    log = scope.database.tables[LOG]
    if not log.has("succeeded"):
        return
    answer = scope.database.ask(
        sa.select(_outcome(log), scope.period.era(log.time), sa.func.count().label("requests"))
        .where(scope.period.reaches(log.time))
        .group_by("outcome", "is_current")
    )
    counts = {(outcome, is_current): requests for outcome, is_current, requests in answer.rows}
    total, total_before = (sum(n for (_, era), n in counts.items() if era == wanted) for wanted in (1, 0))
    if not total:
        return
    shown = [name for name in _COLORS if counts.get((name, 1))]
    failed, failed_before = counts.get((FAILURE, 1), 0), counts.get((FAILURE, 0), 0)
    comparison = ""
    if scope.before(LOG, total_before):
        comparison = f"; {words.share(failed_before, total_before)} in the period before"
    yield Figure(
        id="cryptolens-success",
        title="Successful vs. failed API requests",
        sentence=f"{words.share(failed, total)} of {words.count(total, 'request')} failed{comparison}.",
        data=Data(
            ("Outcome", "Requests", "Share", "Requests before"),
            [
                (
                    it,
                    counts[it, 1],
                    words.share(counts[it, 1], total),
                    scope.before(LOG, counts.get((it, 0), 0)),
                )
                for it in shown
            ],
        ),
        query=answer.query,
        draw=charts.ranking(
            [Point(it, it, counts[it, 1] / total) for it in shown],
            charts.palette(shown, _COLORS),
            as_share=True,
        ),
    )


def requests_over_time(scope: Scope) -> Iterator[Figure]:
    """Requests by outcome."""
    log = scope.database.tables[LOG]
    if not log.has("succeeded"):
        return
    buckets = scope.period.in_units()
    answer = scope.database.ask(
        sa.select(buckets.number(log.time).label("bucket"), _outcome(log), sa.func.count().label("requests"))
        .where(scope.period.contains(log.time))
        .group_by("bucket", "outcome")
    )
    if not answer.rows:
        return
    points = [Point(buckets.label(part), outcome, requests) for part, outcome, requests in answer.rows]
    failures = [point for point in points if point.series == FAILURE]
    sentence = "No request failed."
    if failures:
        worst = charts.peak(failures)
        sentence = f"The {buckets.unit} with the most failed requests is {worst.part}: {words.number(worst.value)}."
    yield Figure(
        id="cryptolens-requests",
        title=f"API requests per {buckets.unit}",
        sentence=sentence,
        data=charts.table_over_time(points, buckets.labels, [*_COLORS], buckets.unit),
        query=answer.query,
        draw=charts.bars_over_time(
            points, buckets.labels, charts.palette(charts.series_of(points, [*_COLORS]), _COLORS)
        ),
    )


def methods(scope: Scope) -> Iterator[Figure]:
    """Requests by method and outcome."""
    log = scope.database.tables[LOG]
    if not log.has("succeeded", "method"):
        return
    method = sa.func.coalesce(log.c.method, _UNKNOWN_METHOD).label("called")
    answer = scope.database.ask(
        sa.select(method, _outcome(log), sa.func.count().label("requests"))
        .where(scope.period.contains(log.time))
        .group_by("called", "outcome")
    )
    if not answer.rows:
        return
    counts = {(called, outcome): requests for called, outcome, requests in answer.rows}
    totals: dict[str, int] = {}
    for (called, _), requests in counts.items():
        totals[called] = totals.get(called, 0) + requests
    order = sorted(totals, key=lambda called: (-totals[called], called))
    points = [Point(called, it, counts[called, it]) for called in order for it in _COLORS if (called, it) in counts]
    failed = {called: counts.get((called, FAILURE), 0) for called in order}
    most = max(order, key=lambda called: failed[called])
    sentence = "No request failed."
    if failed[most]:
        part = words.share(failed[most], sum(failed.values()))
        sentence = f"{part} of the failed requests are of the method {words.isolated(most)}."
    yield Figure(
        id="cryptolens-methods",
        title="API requests by method",
        sentence=sentence,
        data=Data(
            ("Method", "Requests", "Failed", "Share failed"),
            [(it, totals[it], failed[it], words.share(failed[it], totals[it])) for it in order],
        ),
        query=answer.query,
        draw=charts.ranking(points, charts.palette(charts.series_of(points, [*_COLORS]), _COLORS)),
    )


def failing_keys(scope: Scope) -> Iterator[Figure]:
    """The license keys with the most failed requests, masked."""
    log = scope.database.tables[LOG]
    if not log.has("succeeded", "key"):
        return
    failures = how_many(sa.not_(log.c.succeeded))
    per_key = (
        sa.select(log.c.key.label("license_key"), failures.label("failures"), sa.func.count().label("requests"))
        .where(scope.period.contains(log.time), log.c.key.is_not(None), log.c.key != "")
        .group_by("license_key")
        .having(failures > 0)
        .subquery("failing")
    )
    answer = scope.database.ask(
        sa.select(per_key, sa.func.count().over().label("failing_keys"))
        .order_by(per_key.c.failures.desc(), per_key.c.requests, per_key.c.license_key)
        .limit(_SHOWN_KEYS)
    )
    if not answer.rows:
        return
    number = answer.rows[0].failing_keys
    top = answer.rows[0]
    sentence = (
        f"{words.count(number, 'key')} failed at least once; the first of them "
        f"{top.failures:,} of {words.count(top.requests, 'time')}."
    )
    yield Figure(
        id="cryptolens-keys",
        title="License keys with the most failed requests",
        sentence=sentence,
        data=Data(
            ("License key", "Failed", "Requests", "Share failed"),
            [
                (mask_key(row.license_key), row.failures, row.requests, words.share(row.failures, row.requests))
                for row in answer.rows
            ],
            note=words.first_of(len(answer.rows), number),
        ),
        query=answer.query,
    )


SUBJECTS: t.Final = (
    Subject("Cryptolens", needs=(LOG,), figures=(outcomes, requests_over_time, methods, failing_keys)),
)
