"""The query that returns the rows of the current file versions only, as the guide has it."""

from __future__ import annotations

import re
import sqlite3
import typing as t
from pathlib import Path

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.support.tap_runs import Run

GUIDE = Path(__file__).parents[2] / "docs" / "vendors" / "index-exchange.md"

CURRENT_HOURS = """
SELECT h.*
FROM index_exchange_hourly AS h
JOIN index_exchange_files AS f
  ON f.file_id = h.file_id
 AND f.md5sum = h.file_md5
"""


def query_of_the_guide(event_type: str) -> str:
    queries = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (query,) = [query for query in queries if "index_exchange_files" in query and "file_md5" in query]
    assert query.count("impressions") == 1  # the table
    return t.cast("str", query).replace("impressions", event_type)


class Warehouse:
    """Upserts records by their keys, as targets do."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row

    def load(self, run: Run) -> None:
        for message in run.messages:
            stream = message.get("stream", "")
            if message["type"] == "SCHEMA":
                names = [f'"{name}"' for name in message["schema"]["properties"]]
                keys = [f'"{name}"' for name in message["key_properties"]]
                self.connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {stream} ({', '.join(names)}, PRIMARY KEY ({', '.join(keys)}))"
                )
            if message["type"] == "RECORD":
                record = {
                    name: str(value) if isinstance(value, dict | list) else value
                    for name, value in message["record"].items()
                }
                names = [f'"{name}"' for name in record]
                marks = ", ".join("?" * len(record))
                self.connection.execute(
                    f"INSERT OR REPLACE INTO {stream} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - our own names
                    list(record.values()),
                )

    def query(self, sql: str) -> list[dict[str, t.Any]]:
        return [dict(row) for row in self.connection.execute(sql)]


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    made = Warehouse()
    yield made
    made.connection.close()


def test_the_query_returns_only_rows_of_current_versions(
    vendor: IndexExchangeSandbox, config: dict[str, t.Any], warehouse: Warehouse
) -> None:
    hour = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(hour), 10)
    vendor.publish(HourKey(hour, "bids"), 12, parts=4)
    first = sync(config)
    warehouse.load(first)
    vendor.republish(HourKey(hour), 3)  # shorter than before
    vendor.set_parts(HourKey(hour, "bids"), 2)  # and two parts are gone
    vendor.republish(HourKey(hour, "bids"), 1, part=1)
    second = sync(config, first.state)
    assert second.exit_code == 0, second.log
    warehouse.load(second)
    truth = vendor.truth()
    for event_type in ("impressions", "bids"):
        table = f"index_exchange_{event_type}"
        current = warehouse.query(query_of_the_guide(event_type))
        keys = [(row["part"], row["row_number"], row["file_md5"]) for row in current]
        expected = [(row["part"], row["row_number"], row["file_md5"]) for row in truth[table]]
        assert sorted(keys) == sorted(expected)
        (everything,) = warehouse.query(f"SELECT count(*) AS rows FROM {table}")  # noqa: S608 - our own name
        assert everything["rows"] > len(current)  # an upsert alone leaves rows of the former version
    assert sum(row["impressions"] for row in warehouse.query(CURRENT_HOURS)) == 3
