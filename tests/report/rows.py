"""Rows of the streams, as the tap writes them, and tables of them in several places."""

from __future__ import annotations

import json
import random
import typing as t
from datetime import UTC, datetime, timedelta

import duckdb
import sqlalchemy as sa

from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Row: t.TypeAlias = "dict[str, t.Any]"
Tables: t.TypeAlias = "dict[str, list[Row]]"

END: t.Final = datetime(2026, 11, 28, tzinfo=UTC)

METHODS: t.Final = ("activation", "validation", "deactivation")


def request_rows(outcomes: Sequence[bool | None], *, end: datetime = END) -> Iterator[Row]:
    """Yield one request per hour, the last of them in the hour before `end`."""
    for number, succeeded in enumerate(outcomes):
        moment = end - timedelta(hours=len(outcomes) - number, minutes=-10)
        yield {
            "id": number + 1,
            "key": f"AAAA{number % 7}-HGKLG-BIRMT-KWNEL",
            "occurred_at": format_timestamp(moment),
            "method": METHODS[number % 3],
            "state": {True: 2010, False: 2020, None: 2000}[succeeded],
            "succeeded": succeeded,
        }


def event_row(number: int, moment: datetime, **values: t.Any) -> Row:
    """Return an audit event."""
    return {
        "event_uid": f"event-{number}",
        "event_time": format_timestamp(moment),
        "vendor": "pigment",
        "source_stream": "pigment_audit_events",
        "action": "MetricUpdated",
        "actor_id": "u-1",
        "actor_name": "Ada Lovelace",
        "actor_email": "ada@example.com",
        "target_type": "Metric",
        "target_id": "m-1",
        "target_name": "Headcount",
        "source_ip": "192.0.2.1",
        "outcome": "success",
        **values,
    }


def write_jsonl(folder: Path, tables: Mapping[str, Iterable[Row]]) -> Path:
    """Write one JSONL file per stream."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def load_tables(url: str, tables: Mapping[str, Sequence[Row]], *, schema: str | None = None) -> None:
    """Create tables with the types that a target gives them, and load the rows."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    metadata = sa.MetaData(schema=schema)
    with engine.begin() as connection:
        if schema:
            connection.execute(sa.schema.CreateSchema(schema))
        for name, rows in tables.items():
            table = sa.Table(name, metadata, *(sa.Column(key, _type(key, rows)) for key in _columns(rows)))
            table.create(connection)
            if rows:
                connection.execute(table.insert(), [_adapt(row) for row in rows])
    engine.dispose()


def load_into_duckdb(path: Path, scratch: Path, tables: Mapping[str, Sequence[Row]], schema: str = "main") -> None:
    """Do the same for DuckDB, where it is much faster through files."""
    write_jsonl(scratch, tables)
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, rows in tables.items():
            columns = {key: str(_type(key, rows)).replace("DATETIME", "TIMESTAMP") for key in _columns(rows)}
            source = f"read_json('{scratch / name}.jsonl', format = 'newline_delimited', columns = {columns})"
            connection.execute(f"CREATE TABLE {schema}.{name} AS FROM {source}")


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row)) or ["id"]


def _is_time(key: str) -> bool:
    return key in {"occurred_at", "event_time", "hour", "created_on", "timestamp", "event_timestamp"}


def _type(key: str, rows: Sequence[Row]) -> sa.types.TypeEngine[t.Any]:
    if _is_time(key):
        return sa.DateTime()
    kinds = {type(row.get(key)) for row in rows} - {type(None)}
    if kinds == {bool}:
        return sa.Boolean()
    if kinds == {int}:
        return sa.BigInteger()
    return sa.Double() if kinds and kinds <= {int, float} else sa.Text()


def _adapt(row: Row) -> Row:
    return {
        key: datetime.fromisoformat(value).replace(tzinfo=None) if value and _is_time(key) else value
        for key, value in row.items()
    }


def trail_rows(days: int, actors: Sequence[str], *, end: datetime = END, a_day: int = 60) -> Iterator[Row]:
    """Yield audit events of three vendors; the last actor appears in the last week only."""
    chance = random.Random(7)  # noqa: S311 - test data
    kinds = [
        ("pigment", "MetricUpdated", "Metric", "success"),
        ("pigment", "UserLoginFailed", "user", "failure"),
        ("xandr", "PUT", "line-item", "success"),
        ("openx", "update", "order", "success"),
    ]
    for number in range(days * a_day):
        moment = end - timedelta(days=days) + timedelta(days=number / a_day)
        if moment.weekday() > 4 and chance.random() < 0.7:
            continue
        recent = end - moment < timedelta(days=7)
        actor = chance.randrange(len(actors) - (not recent and len(actors) > 1))
        vendor, action, target, outcome = chance.choices(kinds, [6, 1, 3, 2])[0]
        yield event_row(
            number,
            moment,
            vendor=vendor,
            action=action,
            target_type=target,
            outcome=outcome,
            actor_id=f"u-{actor}",
            actor_name=actors[actor],
            actor_email=None,
            source_ip=f"192.0.2.{actor % 200}",
        )
    for number, row in enumerate(request_rows([n % 9 != 0 for n in range(days * 24)], end=end)):
        yield event_row(
            -1 - number,
            datetime.fromisoformat(row["occurred_at"]),
            vendor="cryptolens",
            action=row["method"],
            target_type="license key",
            outcome="success" if row["succeeded"] else "failure",
            actor_id=None,
            actor_name=None,
            actor_email=None,
            source_ip=None,
        )


def hourly_rows(hours: int, *, end: datetime = END, missing: Iterable[int] = ()) -> Iterator[Row]:
    """Yield the hourly sums of four sites; `missing` hours have no file."""
    for hour in range(hours):
        if hour in missing:
            continue
        moment = end - timedelta(hours=hours - hour)
        for site in range(4):
            impressions = 1000 + 100 * site + 40 * abs(moment.hour - 12)
            yield {
                "file_id": f"impressions/41/{moment:%Y-%m-%dT%H}/0",
                "group_key": f"group-{site}",
                "file_md5": f"md5-{hour}",
                "hour": format_timestamp(moment),
                "partner_id": 184000 + site % 2,
                "site_id": 200100 + site,
                "supply_source": "header_bidding",
                "dsp_id": 50 + site,
                "trading_desk_id": 300,
                "dsp_name": f"Example DSP {site}",
                "buyer_name": f"Desk 300 of {50 + site}",
                "impressions": impressions,
                "net_revenue": round(impressions * 0.0018, 4),
                "gross_revenue": round(impressions * 0.0021, 4),
            }


def file_rows(hours: int, *, end: datetime = END, missing: Iterable[int] = ()) -> Iterator[Row]:
    """Yield the files of `hourly_rows`."""
    for hour in range(hours):
        if hour not in missing:
            moment = end - timedelta(hours=hours - hour)
            yield {
                "file_id": f"impressions/41/{moment:%Y-%m-%dT%H}/0",
                "hour": format_timestamp(moment),
                "md5sum": f"md5-{hour}",
                "part": 0,
                "parts": 1,
            }


def all_tables(*, days: int = 70, actors: Sequence[str] = ("Ada Lovelace", "Grace Hopper", "Alan Turing")) -> Tables:
    """Return tables of every subject of the report."""
    hours = min(days, 14) * 24
    missing = range(100, 106)
    return {
        "audit_events": list(trail_rows(days, actors)),
        "cryptolens_web_api_log": list(request_rows([None if n % 101 == 0 else n % 9 != 0 for n in range(days * 24)])),
        "index_exchange_hourly": list(hourly_rows(hours, missing=missing)),
        "index_exchange_files": list(file_rows(hours, missing=missing)),
        "index_exchange_partners": [{"partner_id": 184000 + n, "partner_name": f"Publisher {n}"} for n in range(2)],
        "index_exchange_sites": [{"site_id": 200100 + n, "site_name": f"site{n}.example"} for n in range(4)],
    }
