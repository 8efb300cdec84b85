"""Field selection and stream maps are honoured, and change nothing about what is read."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_auditlogs.tap import TapAuditLogs
from tests.end_to_end.truth import PIGMENT, STREAMS, true_keys
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tests.support.tap_runs import Run

WEB_API_LOG, EVENTS, OBJECT_LOG = "cryptolens_web_api_log", "cryptolens_events", "cryptolens_object_log"


def catalog(sandbox: Sandbox, deselected: dict[str, list[str]], *, without: str | None = None) -> dict[str, t.Any]:
    """The discovered catalog with some fields, and one stream, deselected."""
    found: dict[str, t.Any] = TapAuditLogs(config=sandbox.config).catalog_dict
    for stream in found["streams"]:
        for entry in stream["metadata"]:
            breadcrumb = list(entry["breadcrumb"])
            if not breadcrumb:
                entry["metadata"]["selected"] = stream["tap_stream_id"] != without
            elif breadcrumb[-1] in deselected.get(stream["tap_stream_id"], []):
                entry["metadata"]["selected"] = False
    return found


def schemas(run: Run) -> dict[str, dict[str, t.Any]]:
    return {message["stream"]: message["schema"] for message in run.messages if message["type"] == "SCHEMA"}


def validate(run: Run) -> None:
    for stream, schema in schemas(run).items():
        for record in run.records(stream):
            DEFAULT_JSONSCHEMA_VALIDATOR(schema).validate(record)


def test_deselected_fields_are_in_neither_records_nor_schema(sandbox: Sandbox) -> None:
    left_out = {
        PIGMENT: ["payload", "actor", "additional_properties"],
        WEB_API_LOG: ["key", "ip", "machine_code", "friendly_name"],
        EVENTS: ["metadata", "occurred_at"],
        OBJECT_LOG: ["data"],
    }
    everything = sync(sandbox.config)
    run = sync(sandbox.config, catalog=catalog(sandbox, left_out))
    assert run.exit_code == 0
    for stream in STREAMS:
        assert not set(left_out[stream]) & schemas(run)[stream]["properties"].keys()
        assert run.records(stream) == [
            {name: value for name, value in record.items() if name not in left_out[stream]}
            for record in everything.records(stream)
        ]
    assert run.state == everything.state
    validate(run)


def test_keys_are_selected_always_and_bookmarks_move_without_their_column(sandbox: Sandbox) -> None:
    left_out = {PIGMENT: ["event_id", "ingestion_timestamp"], WEB_API_LOG: ["id", "time", "state"]}
    everything = sync(sandbox.config)
    run = sync(sandbox.config, catalog=catalog(sandbox, left_out))
    assert run.exit_code == 0
    assert {record["event_id"] for record in run.records(PIGMENT)} == true_keys(sandbox)[PIGMENT]
    assert {record["id"] for record in run.records(WEB_API_LOG)} == true_keys(sandbox)[WEB_API_LOG]
    first = run.records(WEB_API_LOG)[0]
    assert first.keys().isdisjoint({"time", "state"})
    assert first["method"] == everything.records(WEB_API_LOG)[0]["method"]
    assert run.state == everything.state


@pytest.mark.parametrize("stream", STREAMS)
def test_a_deselected_stream_is_not_read_and_gets_no_bookmark(sandbox: Sandbox, stream: str) -> None:
    run = sync(sandbox.config, catalog=catalog(sandbox, {}, without=stream))
    assert run.exit_code == 0
    assert stream not in schemas(run)
    assert not run.records(stream)
    assert not run.state["bookmarks"].get(stream)
    assert len(schemas(run)) == len(STREAMS) - 1


def test_a_deselected_stream_keeps_its_bookmark(sandbox: Sandbox) -> None:
    first = sync(sandbox.config)
    sandbox.advance()
    second = sync(sandbox.config, first.state, catalog(sandbox, {}, without=PIGMENT))
    assert second.bookmark(PIGMENT) == first.bookmark(PIGMENT)
    assert second.bookmark(WEB_API_LOG) != first.bookmark(WEB_API_LOG)


def test_stream_maps_rename_remove_compute_and_filter(sandbox: Sandbox) -> None:
    everything = sync(sandbox.config)
    maps = {
        PIGMENT: {"__alias__": "pigment", "payload": None, "kind": "event_type.lower()"},
        WEB_API_LOG: {"key": "md5(key)", "__filter__": "succeeded == True"},
        EVENTS: None,
    }
    run = sync({**sandbox.config, "stream_maps": maps})
    assert run.exit_code == 0
    assert set(schemas(run)) == {"pigment", WEB_API_LOG, OBJECT_LOG}
    for record, original in zip(run.records("pigment"), everything.records(PIGMENT), strict=True):
        assert "payload" not in record
        assert record["kind"] == original["event_type"].lower()
    succeeded = [record for record in everything.records(WEB_API_LOG) if record["succeeded"]]
    assert [record["id"] for record in run.records(WEB_API_LOG)] == [record["id"] for record in succeeded]
    assert all(len(record["key"]) == 32 for record in run.records(WEB_API_LOG))
    for stream in (PIGMENT, WEB_API_LOG, OBJECT_LOG):
        assert run.bookmark(stream) == everything.bookmark(stream)
    validate(run)


def test_flattening_gives_records_that_fit_their_schema(sandbox: Sandbox) -> None:
    run = sync({**sandbox.config, "flattening_enabled": True, "flattening_max_depth": 2})
    assert run.exit_code == 0
    assert {record["event_id"] for record in run.records(PIGMENT)} == true_keys(sandbox)[PIGMENT]
    validate(run)
