from __future__ import annotations

import json
import typing as t
from decimal import Decimal, InvalidOperation

from tests.support.tap_runs import parse_lines, sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

Row: t.TypeAlias = "dict[str, t.Any]"


def test_everything_that_the_files_hold_is_there(vendor: IndexExchangeSandbox, config: Row) -> None:
    outcome = sync(config)
    assert outcome.exit_code == 0, outcome.log
    for stream, rows in vendor.truth().items():
        if stream in {"index_exchange_impressions", "index_exchange_bids"}:
            records = [_cells(record) for record in outcome.records(stream)]
            assert _sorted(records) == _sorted([_expected(row) for row in rows]), stream
            assert records
        elif stream != "index_exchange_hourly":
            names = {name for row in rows for name in row}
            records = [{name: record.get(name) for name in names} for record in outcome.records(stream)]
            assert _sorted(records) == _sorted([_with_canonical_times(row) for row in rows]), stream


def test_the_hourly_table_has_every_row_and_exact_sums(vendor: IndexExchangeSandbox, config: Row) -> None:
    outcome = sync(config)
    records = [
        message["record"]
        for message in (json.loads(line, parse_float=Decimal) for line in outcome.stdout.splitlines())
        if message["type"] == "RECORD" and message["stream"] == "index_exchange_hourly"
    ]
    keys = {(record["file_id"], record["group_key"]) for record in records}
    assert len(keys) == len(records)
    expected = [_expected(row) for row in vendor.truth()["index_exchange_hourly"]]
    for row in expected:
        del row["group_key"], row["part"]
    found = [_cells(record) for record in records]
    for row in found:
        del row["group_key"]
    assert _sorted(found) == _sorted(expected)
    assert any(record["dsp_name"] for record in records)
    assert any(record["buyer_name"] for record in records)


def _cells(record: Row) -> Row:
    """The cells of a record as they were in the file, numbers in one form."""
    cells = {name: value for name, value in record.items() if value is not None and name != "additional_properties"}
    return {name: _plain(value) for name, value in {**cells, **(record["additional_properties"] or {})}.items()}


def _expected(row: Row) -> Row:
    cells = {name: value for name, value in row.items() if value not in {None, ""}}
    if "timestamp" in cells:
        cells["timestamp"] = cells["timestamp"].replace(" ", "T") + ".000000Z"
    return {name: _plain(value) for name, value in _with_canonical_times(cells).items()}


def _with_canonical_times(row: Row) -> Row:
    times = ("hour", "file_date_created", "date_created", "expires")
    return {name: value.replace("Z", ".000000Z") if name in times else value for name, value in row.items()}


def _plain(value: t.Any) -> t.Any:
    try:
        return str(Decimal(str(value)).normalize())
    except InvalidOperation:
        return value


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def test_a_second_run_without_news_says_nothing(config: Row) -> None:
    first = sync(config)
    second = sync(config, first.state)
    assert second.exit_code == 0
    assert not second.records("index_exchange_files")
    assert not second.records("index_exchange_impressions")
    assert second.state == first.state
    assert len(parse_lines(second.stdout)) < len(parse_lines(first.stdout))
