"""Index Exchange in the report: impressions and revenue by hour and by the mapped names."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.report.tables import StreamTable

FILES: t.Final = "index_exchange_files"
HOURLY: t.Final = "index_exchange_hourly"
PARTNERS: t.Final = "index_exchange_partners"
SITES: t.Final = "index_exchange_sites"

TABLES: t.Final = (
    StreamTable(
        FILES,
        "hour",
        {"file_id": sa.Text(), "md5sum": sa.Text(), "part": sa.BigInteger(), "parts": sa.BigInteger()},
    ),
    StreamTable("index_exchange_impressions", "timestamp"),
    StreamTable("index_exchange_bids", "timestamp"),
    StreamTable(
        HOURLY,
        "hour",
        {
            **dict.fromkeys(("file_id", "file_md5", "dsp_name", "buyer_name", "supply_source"), sa.Text()),
            **dict.fromkeys(("dsp_id", "trading_desk_id", "partner_id", "site_id", "impressions"), sa.BigInteger()),
            **dict.fromkeys(("net_revenue", "gross_revenue"), sa.Double()),
        },
    ),
    StreamTable("index_exchange_malformed_rows"),
    StreamTable("index_exchange_dsps"),
    StreamTable("index_exchange_buyers"),
    StreamTable("index_exchange_deals"),
    StreamTable(SITES, columns={"site_id": sa.BigInteger(), "site_name": sa.Text()}),
    StreamTable(PARTNERS, columns={"partner_id": sa.BigInteger(), "partner_name": sa.Text()}),
    StreamTable("index_exchange_campaigns"),
    StreamTable("index_exchange_exchange_rates"),
)
SUBJECTS: t.Final = ()
