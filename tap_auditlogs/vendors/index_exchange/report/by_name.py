"""Impressions and revenue by the mapped names."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.report import charts, words
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.sql import how_many
from tap_auditlogs.report.subject import Data, Figure
from tap_auditlogs.vendors.index_exchange.report.tables import (
    GROSS,
    HOURLY,
    MASK,
    MEASURES,
    PARTNERS,
    SITES,
    TITLES,
    rows_of_current_files,
    same_values,
    sums,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_auditlogs.report.subject import Cell, Scope

_SHOWN: t.Final = 10
_SHOWN_GROUPS: t.Final = 100


class _Dimension(t.NamedTuple):
    """What impressions can be summed by.

    Attributes:
        name: What it is, in the singular.
        ids: Its columns.
        named: The column with its name.
        mapping: The table that `named` is in; None for the hourly table itself.
    """

    name: str
    ids: Sequence[str]
    named: str
    mapping: str | None = None


_DIMENSIONS: t.Final = (
    _Dimension("partner", ("partner_id",), "partner_name", PARTNERS),
    _Dimension("site", ("site_id",), "site_name", SITES),
    _Dimension("DSP", ("dsp_id",), "dsp_name"),
    _Dimension("buyer", ("dsp_id", "trading_desk_id"), "buyer_name"),
)


def by_name(scope: Scope) -> Iterator[Figure]:
    """Revenue and impressions by each dimension, with the mapped names."""
    hourly = scope.database.tables[HOURLY]
    if not hourly.has(*MEASURES):
        return
    for dimension in _DIMENSIONS:
        if hourly.has(*dimension.ids):
            yield from _by_dimension(scope, dimension)


def _by_dimension(scope: Scope, dimension: _Dimension) -> Iterator[Figure]:
    hourly = scope.database.tables[HOURLY]
    current, before = scope.period.eras(hourly.time)
    rows, of_current_files = rows_of_current_files(scope)
    source, named = _with_names(scope, dimension, rows)
    ids = [hourly.c[name] for name in dimension.ids]
    groups = (
        sa.select(
            *ids, sa.func.max(named).label("shown_name"), *sums(hourly, current), *sums(hourly, before, "_before")
        )
        .select_from(source)
        .where(scope.period.reaches(hourly.time), of_current_files)
        .group_by(*ids)
        .having(how_many(current) > 0)
        .subquery("totals")
    )
    answer = scope.database.ask(
        sa.select(
            groups,
            sa.func.count().over().label("kinds"),
            sa.func.sum(groups.c.sum_gross_revenue).over().label("all_revenue"),
            sa.func.min(groups.c.sum_gross_revenue).over().label("least_revenue"),
        )
        .order_by(groups.c.sum_gross_revenue.desc(), *(groups.c[name] for name in dimension.ids))
        .limit(_SHOWN)
    )
    if not answer.rows:
        return
    names = [_shown_name(row, dimension) for row in answer.rows]
    top = answer.rows[0]
    comparison = scope.change(HOURLY, float(top.sum_gross_revenue), float(top.sum_gross_revenue_before))
    part = words.number(round(float(top.sum_gross_revenue), 2)) + " USD"
    if top.least_revenue >= 0:  # of masked amounts there is no share
        part = words.share(float(top.sum_gross_revenue), float(top.all_revenue))
    bars = [
        Point(label, TITLES[GROSS], float(row.sum_gross_revenue))
        for label, row in zip(words.distinct(names), answer.rows, strict=True)
    ]
    yield Figure(
        id=f"index-exchange-{dimension.name.lower()}",
        title=f"Gross revenue by {dimension.name}",
        sentence=f"{words.count(top.kinds, dimension.name)}; {part} comes from {words.isolated(names[0])}{comparison}.",
        data=Data(
            (
                dimension.name.capitalize() if dimension.name.islower() else dimension.name,
                *(TITLES[it] for it in MEASURES),
                "Gross revenue before",
            ),
            [
                (
                    name,
                    int(row.sum_impressions),
                    *(round(float(it), 2) for it in (row.sum_gross_revenue, row.sum_net_revenue)),
                    scope.before(HOURLY, round(float(row.sum_gross_revenue_before), 2)),
                )
                for name, row in zip(names, answer.rows, strict=True)
            ],
            note=words.first_of(len(answer.rows), top.kinds),
        ),
        query=answer.query,
        draw=charts.ranking(bars, charts.palette([TITLES[GROSS]])),
    )


def _with_names(
    scope: Scope, dimension: _Dimension, source: sa.FromClause
) -> tuple[sa.FromClause, sa.ColumnElement[t.Any]]:
    hourly = scope.database.tables[HOURLY]
    if dimension.mapping is None:
        return source, hourly.c[dimension.named] if hourly.has(dimension.named) else sa.null()
    if not scope.database.has(dimension.mapping):
        return source, sa.null()
    mapping = scope.database.tables[dimension.mapping]
    if not mapping.has(*dimension.ids, dimension.named):
        return source, sa.null()
    matches = sa.and_(*same_values(mapping, hourly, dimension.ids))
    return source.outerjoin(mapping.clause, matches), mapping.c[dimension.named]


def _shown_name(row: sa.Row[t.Any], dimension: _Dimension) -> str:
    if row.shown_name:
        return str(row.shown_name)
    ids = [getattr(row, name) for name in dimension.ids]
    if None in ids:
        return f"no {dimension.name}"
    if MASK in ids:
        return f"masked {dimension.name}"
    return f"{dimension.name} {'/'.join(map(str, ids))}"


def in_order_of_the_script(scope: Scope) -> Iterator[Figure]:
    """The table of the vendor's own script, over the whole period."""
    hourly = scope.database.tables[HOURLY]
    ids = ("partner_id", "site_id", "supply_source", "dsp_id", "trading_desk_id")
    if not hourly.has(*ids, *MEASURES):
        return
    source, of_current_files = rows_of_current_files(scope)
    columns = [hourly.c[name] for name in ids]
    names = [
        sa.func.max(hourly.c[name]).label(f"shown_{name}") for name in ("dsp_name", "buyer_name") if hourly.has(name)
    ]
    groups = (
        sa.select(*columns, *names, *sums(hourly, scope.period.is_current(hourly.time)))
        .select_from(source)
        .where(scope.period.contains(hourly.time), of_current_files)
        .group_by(*columns)
        .subquery("totals")
    )
    answer = scope.database.ask(
        sa.select(groups, sa.func.count().over().label("kinds"))
        .order_by(groups.c.partner_id, groups.c.site_id, groups.c.sum_impressions.desc())
        .limit(_SHOWN_GROUPS)
    )
    if not answer.rows:
        return
    number = answer.rows[0].kinds
    yield Figure(
        id="index-exchange-groups",
        title="Impressions and revenue by partner, site and buyer",
        sentence=(
            f"{words.count(number, 'combination')}, sorted as by the vendor's own script: by partner, site, and most "
            "impressions."
        ),
        data=Data(
            (
                "Partner",
                "Site",
                "Supply source",
                "DSP",
                "Trading desk",
                *("DSP name", "Buyer name")[: len(names)],
                *(TITLES[it] for it in MEASURES),
            ),
            [_group_cells(row, ids, [label.name for label in names]) for row in answer.rows],
            note=words.first_of(len(answer.rows), number),
        ),
        query=answer.query,
    )


def _group_cells(row: sa.Row[t.Any], ids: Sequence[str], names: Sequence[str]) -> list[Cell]:
    shown = [None if getattr(row, name) is None else str(getattr(row, name)) for name in (*ids, *names)]
    revenue = (round(float(it), 2) for it in (row.sum_gross_revenue, row.sum_net_revenue))
    return [*shown, int(row.sum_impressions), *revenue]
