"""The tables of Index Exchange in the report, and what its figures share."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.report.tables import StreamTable

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_auditlogs.report.subject import Scope
    from tap_auditlogs.report.tables import Table

FILES: t.Final = "index_exchange_files"
HOURLY: t.Final = "index_exchange_hourly"
PARTNERS: t.Final = "index_exchange_partners"
SITES: t.Final = "index_exchange_sites"

TABLES: t.Final = (
    StreamTable(
        FILES,
        "hour",
        {
            "account": sa.Text(),
            "file_id": sa.Text(),
            "md5sum": sa.Text(),
            "part": sa.BigInteger(),
            "parts": sa.BigInteger(),
        },
    ),
    StreamTable("index_exchange_impressions", "timestamp"),
    StreamTable("index_exchange_bids", "timestamp"),
    StreamTable(
        HOURLY,
        "hour",
        {
            **dict.fromkeys(("account", "file_id", "file_md5", "dsp_name", "buyer_name", "supply_source"), sa.Text()),
            **dict.fromkeys(("dsp_id", "trading_desk_id", "partner_id", "site_id", "impressions"), sa.BigInteger()),
            **dict.fromkeys(("net_revenue", "gross_revenue"), sa.Double()),
        },
    ),
    StreamTable("index_exchange_malformed_rows"),
    StreamTable("index_exchange_dsps"),
    StreamTable("index_exchange_buyers"),
    StreamTable("index_exchange_deals"),
    StreamTable(SITES, columns={"account": sa.Text(), "site_id": sa.BigInteger(), "site_name": sa.Text()}),
    StreamTable(PARTNERS, columns={"account": sa.Text(), "partner_id": sa.BigInteger(), "partner_name": sa.Text()}),
    StreamTable("index_exchange_campaigns"),
    StreamTable("index_exchange_exchange_rates"),
)
MASK: t.Final = -1
"""What the vendor sends in place of an id or an amount that the account may not see."""

IMPRESSIONS: t.Final = "impressions"
GROSS: t.Final = "gross_revenue"
NET: t.Final = "net_revenue"
MEASURES: t.Final = (IMPRESSIONS, GROSS, NET)
TITLES: t.Final = {IMPRESSIONS: "Impressions", GROSS: "Gross revenue", NET: "Net revenue"}


def rows_of_current_files(scope: Scope) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """Return the hourly rows, and the condition that a row's file was not replaced since; true if that is not known."""
    hourly = scope.database.tables[HOURLY]
    if not scope.database.has(FILES) or not hourly.has("file_id", "file_md5"):
        return hourly.clause, sa.true()
    files = scope.database.tables[FILES]
    if not files.has("file_id", "md5sum", "part", "parts"):
        return hourly.clause, sa.true()
    source = hourly.clause.outerjoin(files.clause, sa.and_(*same_values(files, hourly, ["file_id"])))
    is_current = sa.and_(files.c.md5sum == hourly.c.file_md5, files.c.part < files.c.parts)
    return source, sa.or_(files.c.file_id.is_(None), is_current)


def sums(hourly: Table, condition: sa.ColumnElement[bool], suffix: str = "") -> list[sa.Label[t.Any]]:
    """Return the sums of the measures over the rows that meet a condition."""
    return [
        sa.func.coalesce(sa.func.sum(sa.case((condition, hourly.c[name]))), 0).label(f"sum_{name}{suffix}")
        for name in MEASURES
        if hourly.has(name)
    ]


def same_values(one: Table, other: Table, names: Sequence[str]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions of a join on columns of the same names, within one account."""
    if one.has("account") and other.has("account"):
        yield one.c.account.is_not_distinct_from(other.c.account)
    for name in names:
        yield one.c[name] == other.c[name]
