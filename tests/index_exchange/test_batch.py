from __future__ import annotations

import gzip
import hashlib
import json
import typing as t
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset

from auditlogs_demo.database import SCHEMA
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors.index_exchange.bulk import regular
from tests.support.postgres import load, postgres_server
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.support.tap_runs import Run

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


def exact_records(run: Run, stream: str) -> list[Settings]:
    messages = [json.loads(line, parse_float=Decimal) for line in run.stdout.splitlines()]
    return [message["record"] for message in messages if message["type"] == "RECORD" and message["stream"] == stream]


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


@pytest.mark.parametrize("account", [None, "emea"])
def test_parquet_holds_the_same_records(config: Settings, tmp_path: Path, account: str | None) -> None:
    if account:
        config["index_exchange"]["account"] = account
    plain = sync(config)
    run = sync(with_batches(config, tmp_path, "parquet"))
    assert run.exit_code == 0, run.log
    for stream in ROWS:
        rows = [row for path in manifests(run, stream) for row in pq.read_table(path).to_pylist()]
        assert [_with_extra(row) for row in rows] == exact_records(plain, stream)
        assert rows


def _with_extra(row: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read the JSON text of `additional_properties`."""
    extra = row["additional_properties"]
    return {**row, "additional_properties": None if extra is None else json.loads(extra)}


def test_a_catalog_from_before_or_after_batches_does_not_change_what_the_schema_says(
    config: Settings, tmp_path: Path
) -> None:
    batches = with_batches(config, tmp_path, "parquet")
    for settings, older in ((config, batches), (batches, config)):
        wanted = sync(settings).schemas("index_exchange_impressions")
        catalog = TapAuditLogs(config=older).catalog_dict
        found = sync(settings, None, catalog).schemas("index_exchange_impressions")
        assert [schema["properties"] for schema in found] == [schema["properties"] for schema in wanted]


# Several files


NARROW = "site_id,domain\n7,a\n"
MASKED = 'domain,site_id,net_revenue,timestamp\n"a ""b""",XXXXX,0.10,2026-11-20 05:00:00\nc,8,omitted,yesterday\n'
UNKNOWN = 'new,site_id,gross_revenue\n"x, ""y""",9,12345678901.000000001\n,,\n'
IRREGULAR = "site_id,domain,new\n7\n8,b,c,d\n"


def publish(vendor: IndexExchangeSandbox, folder: Path, *texts: str) -> None:
    """Publish a file per hour, the first one for the oldest."""
    hours = vendor.hours[-len(texts) :]
    vendor.clear()
    for hour, text in zip(hours, texts, strict=True):
        data = gzip.compress(text.encode())
        path = folder / f"{hour:%Y-%m-%dT%H}.gz"
        path.write_bytes(data)
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        generated = GeneratedFile(path, hour, rows=0, size=len(data), csv_size=len(text), md5sum=digest)
        vendor.publish_file(generated, HourKey(hour))


def test_all_files_have_one_schema_and_all_readers_see_the_same_rows(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    publish(vendor, tmp_path, NARROW, MASKED, UNKNOWN)
    plain = sync(config)
    run = sync(with_batches(config, tmp_path / "batches", "parquet"))
    paths = list(map(str, manifests(run, ROWS[0])))
    assert len(paths) == 3
    assert len({str(pq.read_schema(path)) for path in paths}) == 1
    schemas = {m["stream"]: m["schema"] for m in run.messages if m["type"] == "SCHEMA"}
    schema = schemas[ROWS[0]]
    assert pq.read_schema(paths[0]).names == list(schema["properties"])
    assert schema["properties"]["additional_properties"]["type"] == ["string", "null"]
    by_duckdb = duckdb.read_parquet(paths).to_arrow_table().to_pylist()
    for rows in (dataset(paths).to_table().to_pylist(), by_duckdb, pl.read_parquet(paths).to_dicts()):
        assert [_with_extra(row) for row in rows] == exact_records(plain, ROWS[0])
    extras = [record["additional_properties"] for record in plain.records(ROWS[0])]
    assert extras == [
        None,
        {"site_id": "XXXXX"},
        {"net_revenue": "omitted", "timestamp": "yesterday"},
        {"new": 'x, "y"'},
        None,
    ]


@pytest.mark.exhaustive
def test_target_postgres_loads_parquet_as_records(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    publish(vendor, tmp_path, NARROW, MASKED, UNKNOWN, IRREGULAR)
    columns = 'file_id, row_number, site_id, domain, net_revenue, gross_revenue, "timestamp", part'
    loaded = []
    for number, settings in enumerate((config, with_batches(config, tmp_path / "batches", "parquet"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with postgres_server() as server:
            run = sync(settings)
            assert run.exit_code == 0, run.log
            done = load(server, run.stdout, folder)
            assert done.returncode == 0, done.stderr
            query = f"SELECT {columns}, additional_properties::jsonb FROM {SCHEMA}.{ROWS[0]} ORDER BY 1, 2"  # noqa: S608 - no input
            loaded.append(server.query(query))
    records, batches = loaded
    assert batches == records
    assert len(records) == 7


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


def test_rows_before_an_irregular_one_are_written_once(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regular, "BLOCK_BYTES", 64)
    publish(vendor, tmp_path, "site_id,domain\n" + "7,a\n" * 200 + "8\n" + "9,b\n" * 100)
    run = sync(config)
    assert run.exit_code == 0
    assert [row["row_number"] for row in run.records(ROWS[0])] == list(range(1, 302))
    assert "is not regular CSV: it is read row by row" in run.log
    assert "1 rows shorter than the header" in run.log


@pytest.mark.parametrize("encoding", ["jsonl", "parquet"])
def test_an_irregular_file_leaves_as_records_and_no_batch_file_is_left(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regular, "BLOCK_BYTES", 64)
    folder = tmp_path / "batches"
    publish(vendor, tmp_path, "site_id,domain\n" + "7,a\n" * 200 + "8\n", "site_id,domain\n9,a\n")
    run = sync(with_batches(config, folder, encoding, batch_size=10))
    assert run.exit_code == 0
    assert [row["row_number"] for row in run.records(ROWS[0])] == list(range(1, 202))
    assert "is not regular CSV: it is read row by row" in run.log
    assert [path.name for path in folder.iterdir()] == [path.name for path in manifests(run, ROWS[0])]
    assert len(manifests(run, ROWS[0])) == 1


def test_a_number_that_parquet_cannot_hold_leaves_its_file_to_records(
    vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    publish(vendor, tmp_path, "site_id,net_revenue,new\n7,1e200,x\n", "site_id,net_revenue\n8,0.10\n")
    run = sync(with_batches(config, tmp_path / "batches", "parquet"))
    assert run.exit_code == 0
    (record,) = exact_records(run, ROWS[0])
    assert record["net_revenue"] == Decimal("1e200")
    assert record["additional_properties"] == '{"new":"x"}'  # text, as the schema says
    (path,) = manifests(run, ROWS[0])
    assert pq.read_table(path).column("net_revenue").to_pylist() == [Decimal("0.10")]


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
