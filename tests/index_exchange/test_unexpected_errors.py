"""An exception that nobody expected ends its unit (a file, an archive copy, a list), not the pass."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tap_auditlogs.vendors.index_exchange import available_files, hourly
from tap_auditlogs.vendors.index_exchange.archive import Archive
from tap_auditlogs.vendors.index_exchange.download import Downloader
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.rows import ImpressionsStream
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.support.tap_runs import Run

Settings: t.TypeAlias = "dict[str, t.Any]"
FILES, IMPRESSIONS, BIDS, HOURLY = (f"index_exchange_{name}" for name in ("files", "impressions", "bids", "hourly"))


@pytest.fixture
def file_ids(vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path) -> list[str]:
    """Three files of impressions, oldest first, which are archived too."""
    newest = vendor.hours[-1]
    vendor.clear()
    hours = [newest - timedelta(hours=back) for back in (2, 1, 0)]
    for hour in hours:
        vendor.publish(HourKey(hour), 5)
    config["index_exchange"]["archive_url"] = str(tmp_path)
    return [f"impressions/41/{hour:%Y-%m-%dT%H}/0" for hour in hours]


def fail_once(monkeypatch: pytest.MonkeyPatch, target: object, name: str) -> None:
    original = getattr(target, name)
    calls: list[None] = []

    def fail_first(*args: t.Any, **options: t.Any) -> t.Any:
        calls.append(None)
        if len(calls) == 1:
            raise ZeroDivisionError("what nobody expected")
        return original(*args, **options)

    monkeypatch.setattr(target, name, fail_first)


def ids_of(run: Run, stream: str) -> list[str]:
    return list(dict.fromkeys(record["file_id"] for record in run.records(stream)))


@pytest.mark.parametrize(
    ("target", "name", "lacking"),
    [
        (Downloader, "_fill", {FILES, IMPRESSIONS, HOURLY}),
        (ImpressionsStream, "write_file", {FILES, IMPRESSIONS}),
        (hourly, "hourly_records", {HOURLY}),
        (FilesStream, "_record", {FILES}),
        (Archive, "holds", set()),
    ],
)
def test_an_unexpected_error_ends_its_file_only(
    monkeypatch: pytest.MonkeyPatch, config: Settings, file_ids: list[str], target: object, name: str, lacking: set[str]
) -> None:
    config["index_exchange"]["max_concurrency"] = 1
    fail_once(monkeypatch, target, name)
    run = sync(config)
    assert run.exit_code == 1
    assert "Traceback" not in run.log
    summary = run.log.splitlines()[-1]
    assert f"file {file_ids[0]}: unexpected ZeroDivisionError at " in summary
    for stream in (FILES, IMPRESSIONS, HOURLY):
        assert ids_of(run, stream) == (file_ids[1:] if stream in lacking else file_ids), stream
    healed = sync(config, run.state)
    assert healed.exit_code == 0, healed.log
    for stream in (FILES, IMPRESSIONS, HOURLY):
        assert ids_of(healed, stream) == (file_ids[:1] if stream in lacking else []), stream


def test_an_unexpected_error_ends_its_list_only(
    monkeypatch: pytest.MonkeyPatch, config: Settings, file_ids: list[str]
) -> None:
    config["index_exchange"]["event_types"] = ["bids", "impressions"]
    fail_once(monkeypatch, available_files, "read_listing")
    run = sync(config)
    assert run.exit_code == 1
    assert ids_of(run, IMPRESSIONS) == file_ids
    summary = run.log.splitlines()[-1]
    assert f"`{BIDS}`" in summary
    assert "unexpected ZeroDivisionError" in summary
    assert "Traceback" not in run.log
