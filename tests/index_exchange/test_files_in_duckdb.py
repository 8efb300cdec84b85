"""The guide's way to read BATCH files without a target: its SQL gives what the vendor has."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import duckdb

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    import pytest

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

GUIDE: t.Final = Path(__file__).parents[2] / "docs" / "vendors" / "index-exchange.md"


def test_the_sql_of_the_guide_gives_the_current_rows(
    vendor: IndexExchangeSandbox, config: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / "stage"
    stage.mkdir()
    config["batch_config"] = {"encoding": {"format": "parquet"}, "storage": {"root": stage.as_uri()}}
    state = None
    for number in range(2):
        run = sync(config, state)
        assert run.exit_code == 0, run.log
        (tmp_path / f"messages-{number}.jsonl").write_bytes(run.stdout)
        state = run.state
        if number == 0:
            vendor.republish(HourKey(vendor.hours[-1]), 2)
            vendor.publish(HourKey(vendor.hours[0]), 7)
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        create = sql_of_guide("CREATE TABLE index_exchange_impressions")
        connection.execute(create.replace("s3://bucket/stage", str(stage)))
        current = connection.execute(sql_of_guide("SELECT r.*")).fetchall()
        (stored,) = connection.execute("SELECT count(*) FROM index_exchange_impressions").fetchall()[0]
    truth = vendor.truth()["index_exchange_impressions"]
    assert sorted(row[0:1] for row in current) == sorted((row["file_id"],) for row in truth)
    assert stored > len(current)


def sql_of_guide(start: str) -> str:
    """Return the block of SQL that starts so."""
    found = re.search(rf"```sql\n({re.escape(start)}.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, start
    return found[1]
