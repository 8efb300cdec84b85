"""Stream maps: which count, which change nothing, and what is said when an expression fails."""

from __future__ import annotations

import copy
import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.support.tap_runs import Run, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = "pigment_audit_events"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, vendors=["pigment", "cryptolens"], size=20) as running:
        yield running


def run_with(sandbox: Sandbox, stream_maps: dict[str, t.Any], *, without: str = "") -> Run:
    config = {**copy.deepcopy(dict(sandbox.config)), "stream_maps": stream_maps}
    catalog = TapAuditLogs(config=dict(sandbox.config)).catalog_dict
    for stream in catalog["streams"]:
        if stream["tap_stream_id"] == without:
            stream["metadata"][-1]["metadata"]["selected"] = False
    return sync(config, None, catalog)


@pytest.mark.parametrize(
    "stream_map",
    [
        {"cryptolens_events": {"key": "__NULL__", "shop": "event_name.lower()"}},
        {"cryptolens_events": {"__key_properties__": ["id"], "id": "id"}},
        {"sales": {"__source__": "cryptolens_events", "event_name": "__NULL__"}},
        {"cryptolens_ev*": {"event_name": "event_name + '!'"}},
    ],
)
def test_the_map_of_a_deselected_stream_is_ignored_in_one_line(sandbox: Sandbox, stream_map: dict[str, t.Any]) -> None:
    run = run_with(sandbox, {**stream_map, EVENTS: {"actor": "__NULL__"}}, without="cryptolens_events")
    assert run.exit_code == 0, run.log
    told = [line for line in run.log.splitlines() if "ignored" in line]
    assert len(told) == 1
    assert f"stream_maps: {next(iter(stream_map))} match no selected stream" in told[0]
    assert all("actor" not in record for record in run.records(EVENTS))
    assert run.records("cryptolens_web_api_log")


@pytest.mark.parametrize("stream_map", [{}, {"actor": "actor"}])
def test_a_map_that_changes_nothing_is_warned_of(sandbox: Sandbox, stream_map: dict[str, t.Any]) -> None:
    run = run_with(sandbox, {EVENTS: stream_map})
    assert f"stream_maps: {EVENTS} change nothing. Where null is written" in run.log
    assert "`__NULL__`" in run.log


@pytest.mark.parametrize("stream_map", [{"actor": "__NULL__"}, {"who": "event_type"}, {"__alias__": "'other'"}, None])
def test_a_map_that_changes_something_is_not_warned_of(sandbox: Sandbox, stream_map: dict[str, t.Any] | None) -> None:
    run = run_with(sandbox, {EVENTS: stream_map})
    assert run.exit_code == 0, run.log
    assert "change nothing" not in run.log


@pytest.mark.parametrize("expression", ["event_type + 1", "int(event_type)", "nobody.lower()", "record['none']"])
def test_an_expression_that_fails_is_named_with_its_record(sandbox: Sandbox, expression: str) -> None:
    run = run_with(sandbox, {EVENTS: {"broken": expression}})
    assert run.exit_code == 1
    last = run.log.splitlines()[-1]
    assert f"the expression `{expression}` of `{EVENTS}` fails for the record event_id='" in last
    assert "report" not in last
    assert run.records("cryptolens_events")  # the other streams are complete


def test_the_description_of_the_setting_names_the_text_for_null() -> None:
    TapAuditLogs.append_builtin_config(TapAuditLogs.config_jsonschema)
    description = TapAuditLogs.config_jsonschema["properties"]["stream_maps"]["description"]
    assert description.count("`__NULL__`") == 1


@pytest.mark.parametrize(
    "change", [{"stream_maps": {"index_exchange_*": {"country": "__NULL__"}}}, {"flattening_enabled": True}]
)
def test_batch_together_with_maps_or_flattening_says_that_rows_go_as_records(
    tmp_path: Path, change: dict[str, t.Any]
) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": tmp_path.as_uri()}}
    flattening = {"flattening_max_depth": 1} if "flattening_enabled" in change else {}
    with Sandbox(seed=2, vendors=["index_exchange"], size=5) as running:
        run = sync({**running.config, "batch_config": batch, **change, **flattening})
    assert run.exit_code == 0, run.log
    told = [line for line in run.log.splitlines() if "written as RECORD messages, not as BATCH files" in line]
    assert {line.split()[1] for line in told} == {
        f"tap-auditlogs.index_exchange_{kind}" for kind in ("bids", "impressions")
    }
    assert len(told) == 2
    assert run.records("index_exchange_impressions")
    assert not list(tmp_path.iterdir())
