"""Rows of the streams, as the tap writes them, and tables of them in several places."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Row: t.TypeAlias = "dict[str, t.Any]"

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
