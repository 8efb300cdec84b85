from __future__ import annotations

import gzip
import json
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.end_to_end.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.end_to_end.tap_runs import Run

Settings: t.TypeAlias = "dict[str, t.Any]"
ROWS = ("index_exchange_impressions", "index_exchange_bids")


def with_batches(config: Settings, folder: Path, encoding: str, compression: str = "none", **more: t.Any) -> Settings:
    batch_config = {
        "encoding": {"format": encoding, "compression": compression},
        "storage": {"root": folder.as_uri(), "prefix": "ix-"},
        **more,
    }
    return {**config, "batch_config": batch_config}


def manifests(run: Run, stream: str) -> list[Path]:
    urls = [url for m in run.messages if m["type"] == "BATCH" and m["stream"] == stream for url in m["manifest"]]
    return [Path(urlsplit(url).path) for url in urls]


def _rows(path: Path) -> list[Settings]:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_json_lines_hold_the_same_records(config: Settings, tmp_path: Path, compression: str) -> None:
    plain = sync(config)
    run = sync(with_batches(config, tmp_path, "jsonl", compression))
    assert run.exit_code == 0, run.log
    for stream in ROWS:
        rows = [row for path in manifests(run, stream) for row in _rows(path)]
        assert rows == plain.records(stream)
        assert rows
        assert not run.records(stream)
    encodings = [message["encoding"] for message in run.messages if message["type"] == "BATCH"]
    assert all(encoding["format"] == "jsonl" for encoding in encodings)
    assert {encoding.get("compression") for encoding in encodings} == {compression if compression == "gzip" else None}


def test_parquet_holds_the_same_records(config: Settings, tmp_path: Path) -> None:
    plain = sync(config)
    run = sync(with_batches(config, tmp_path, "parquet"))
    assert run.exit_code == 0, run.log
    for stream in ROWS:
        rows = [row for path in manifests(run, stream) for row in pq.read_table(path).to_pylist()]
        assert [_comparable(row) for row in rows] == [_comparable(record) for record in plain.records(stream)]
        assert rows


def _comparable(row: dict[str, t.Any]) -> dict[str, t.Any]:
    extra = {name: text for name, text in (row["additional_properties"] or {}).items() if text is not None} or None
    numbers = {name: float(value) for name, value in row.items() if hasattr(value, "as_tuple")}
    return {**row, **numbers, "additional_properties": extra}


def test_other_streams_stay_records_and_no_file_has_too_many_rows(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    hour = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(hour), 25)
    run = sync(with_batches(config, tmp_path, "jsonl", batch_size=10))
    counts = [len(path.read_text().splitlines()) for path in manifests(run, ROWS[0])]
    assert counts == [10, 10, 5]
    assert run.records("index_exchange_files")
    assert run.records("index_exchange_hourly")
    assert run.records("index_exchange_dsps")
    assert {message["stream"] for message in run.messages if message["type"] == "BATCH"} == {ROWS[0]}


def test_a_file_leaves_as_records_from_the_first_irregular_row_on(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    hour = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(hour), 5, shape="short_row")
    run = sync(with_batches(config, tmp_path, "jsonl"))
    assert run.exit_code == 0
    in_bulk = [row for path in manifests(run, ROWS[0]) for row in _rows(path)]
    one_by_one = run.records(ROWS[0])
    assert in_bulk
    assert one_by_one
    assert [row["row_number"] for row in [*in_bulk, *one_by_one]] == [1, 2, 3, 4, 5]


def test_a_batch_folder_that_cannot_be_written_is_told(config: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    run = sync(with_batches(config, blocked / "below", "jsonl"))
    assert run.exit_code == 1
    assert "cannot be written to batch_config.storage.root" in run.log
    assert "Traceback" not in run.log
    summary = run.log.splitlines()[-1]
    assert "`index_exchange_files`" in summary
    assert f"`{ROWS[0]}`" in summary


def test_where_batches_fail_sums_are_complete(config: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    whole = sync(config).records("index_exchange_hourly")
    run = sync(with_batches(config, blocked / "below", "jsonl"))
    assert run.records("index_exchange_hourly") == whole
    assert "`index_exchange_hourly`" not in run.log.splitlines()[-1]
    again = sync(config, run.state)
    assert again.exit_code == 0
    assert not again.records("index_exchange_hourly")
    assert again.records(ROWS[0])
