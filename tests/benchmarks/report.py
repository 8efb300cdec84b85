"""The report over large tables, beside its bare queries.

    uv run python -m tests.benchmarks.report [--rows 10000000] [--postgres-rows 1000000] [--runs 3]

The page is the installed command as a whole process, over the later half of the rows and compared with the earlier
half. The bare queries are those that stand in the page, run one after the other by a process that only knows the
driver. Both run in turn; the least wall time of each counts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import typing as t
from html import unescape
from pathlib import Path

import duckdb
import sqlalchemy as sa

from auditlogs_demo.database import open_database
from tests.benchmarks.processes import measure

if t.TYPE_CHECKING:
    from tests.benchmarks.processes import Measured

REPORT: t.Final = str(Path(sys.executable).with_name("auditlogs-report"))

# 180 days; five vendors, 5,000 actors and addresses, 400 kinds of actions.
EVENTS: t.Final = """
CREATE TABLE audit_events AS
SELECT 'event-' || i AS event_uid,
       TIMESTAMP '2026-06-01 00:00:00' + CAST(i * 15552000.0 / {rows} AS integer) * INTERVAL '1 second' AS event_time,
       'vendor' || i % 5 AS vendor,
       'Action' || i % 40 AS action,
       'user-' || i * 7919 % 5000 AS actor_id,
       'Name ' || i * 7919 % 5000 AS actor_name,
       CAST(NULL AS text) AS actor_email,
       'type' || i % 10 AS target_type,
       'target-' || i % 100000 AS target_id,
       'Target ' || i % 100000 AS target_name,
       '10.' || i * 104729 % 20 || '.' || i * 7919 % 250 || '.1' AS source_ip,
       CASE WHEN i % 30 = 0 THEN 'failure' ELSE 'success' END AS outcome
FROM {source}
"""
HOURLY: t.Final = """
CREATE TABLE index_exchange_hourly AS
SELECT 'impressions/41/' || i % 4320 AS file_id,
       'group-' || i AS group_key,
       TIMESTAMP '2026-06-01 00:00:00' + i % 4320 * INTERVAL '1 hour' AS hour,
       184000 + i % 12 AS partner_id,
       200100 + i % 400 AS site_id,
       'source' || i % 4 AS supply_source,
       50 + i % 30 AS dsp_id,
       300 + i % 70 AS trading_desk_id,
       'DSP ' || i % 30 AS dsp_name,
       'Desk ' || i % 70 AS buyer_name,
       i % 900 AS impressions,
       i % 900 * 0.0018 AS net_revenue,
       i % 900 * 0.0021 AS gross_revenue,
       'md5' AS file_md5
FROM {source}
"""

_BARE: t.Final = """
import json, sys
queries = json.load(open(sys.argv[2]))
if sys.argv[1].startswith("postgresql"):
    import psycopg
    connection = psycopg.connect(sys.argv[1].replace("+psycopg", ""), options="-c timezone=UTC")
else:
    import duckdb
    connection = duckdb.connect(sys.argv[1].removeprefix("duckdb:///"), read_only=True)
for query in queries:
    connection.execute(query).fetchall()
"""
_QUERY: t.Final = re.compile(r"<code>(SELECT .*?)</code>", re.DOTALL)


def main() -> None:
    """Measure both databases."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--postgres-rows", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table, statement in (("audit_events", EVENTS), ("index_exchange_hourly", HOURLY)):
            path = folder / f"{table}.duckdb"
            with duckdb.connect(path) as connection:
                connection.execute(statement.format(rows=given.rows, source=f"range({given.rows}) AS t(i)"))
            compare(f"DuckDB, {given.rows:,} rows of {table}", f"duckdb:///{path}", folder, given.runs)
            path.unlink()
        with open_database(None) as database:
            source = f"generate_series(0::bigint, {given.postgres_rows - 1}) AS t(i)"
            engine = sa.create_engine(database.url, poolclass=sa.NullPool)
            for table, statement in (("audit_events", EVENTS), ("index_exchange_hourly", HOURLY)):
                with engine.begin() as connection:
                    filled = statement.format(rows=given.postgres_rows, source=source)
                    connection.exec_driver_sql(filled.replace("%", "%%"))
                    connection.exec_driver_sql(f"ANALYZE {table}")
                compare(f"PostgreSQL, {given.postgres_rows:,} rows of {table}", database.url, folder, given.runs)
                with engine.begin() as connection:
                    connection.exec_driver_sql(f"DROP TABLE {table}")


def compare(what: str, url: str, folder: Path, runs: int) -> None:
    """Print the time of the page, of its queries, and their ratio."""
    page, queries = folder / "page.html", folder / "queries.json"
    command = [REPORT, "--from", url, "--since", "2026-09-01", "--output", str(page)]
    measured: dict[str, list[Measured]] = {"page": [], "queries": []}
    for _ in range(runs):
        measured["page"].append(measure(command))
        listed = queries_of(page.read_text(encoding="utf-8"))
        queries.write_text(json.dumps(listed))
        measured["queries"].append(measure([sys.executable, "-c", _BARE, url, str(queries)]))
    best = {name: min(found, key=lambda it: it.wall_seconds) for name, found in measured.items()}
    print(f"{what}: {len(listed)} queries, page of {page.stat().st_size / 1e6:.2f} MB")
    for name, found in best.items():
        print(f"  {name:<8} {found.wall_seconds:7.2f} s wall {found.cpu_seconds:7.2f} s CPU {found.peak_mib:6.0f} MiB")
    wall, cpu = (getattr(best["page"], it) / getattr(best["queries"], it) for it in ("wall_seconds", "cpu_seconds"))
    print(
        f"  ratio    {wall:7.2f}        {cpu:7.2f}" + " (the server's CPU is not in it)" * url.startswith("postgresql")
    )


def queries_of(page: str) -> list[str]:
    """Return the different queries of a page."""
    found = (query for code in _QUERY.findall(page) for query in unescape(code).split(";\n\n"))
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    main()
