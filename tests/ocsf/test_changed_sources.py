"""Streams that were renamed or flattened before the mapper, and the mapper's own schema when it is flattened."""

from __future__ import annotations

import json
import typing as t

import pytest
from singer_sdk.helpers._flattening import flatten_record, flatten_schema

from tap_auditlogs.ocsf import schema
from tap_auditlogs.tap import TapAuditLogs
from tests.ocsf.mapping import events_in, map_record, record_line, run_mapper
from tests.ocsf.records import PIGMENT

STREAM = "pigment_audit_events"


def announcement(name: str, **changes: t.Any) -> bytes:
    stream = TapAuditLogs(config={}, validate_config=False).streams[STREAM]
    properties = {**stream.schema["properties"], **changes}
    message = {"type": "SCHEMA", "stream": name, "schema": {"properties": properties}, "key_properties": ["event_id"]}
    return json.dumps(message).encode() + b"\n"


def nested_schemas(value: t.Any, path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from nested_schemas(inner, f"{path}/{name}")


def test_no_schema_has_an_empty_list_of_properties() -> None:
    tap = TapAuditLogs(config={}, validate_config=False)
    schemas = {**{name: stream.schema for name, stream in tap.streams.items()}, schema.NAME: schema.SCHEMA}
    empty = [path for path, spec in nested_schemas(schemas) if spec.get("properties") == {}]
    assert len(schemas) >= 19
    assert empty == []


def test_a_flattening_target_keeps_the_whole_event() -> None:
    flat = flatten_schema(schema.SCHEMA, max_level=3)
    assert "ocsf" in flat["properties"]
    event = map_record(STREAM, PIGMENT)
    record = flatten_record(event, flattened_schema=flat, max_level=3, separator="__")
    assert json.loads(record["ocsf"]) == event["ocsf"]


def test_a_renamed_stream_is_warned_of_with_the_names_that_are_known(caplog: pytest.LogCaptureFixture) -> None:
    lines = announcement("workspace_log") + record_line("workspace_log", PIGMENT)
    assert run_mapper(lines) == lines
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "does not know them: `workspace_log`" in warning
    assert f"`{STREAM}`" in warning


def test_streams_of_the_tap_that_are_no_audit_trail_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    run_mapper(announcement(STREAM) + announcement("index_exchange_deals") + record_line(STREAM, PIGMENT))
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_what_was_flattened_before_the_mapper_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    flattened = announcement(STREAM, payload={"type": ["string", "null"]})
    run_mapper(flattened + record_line(STREAM, PIGMENT) + flattened)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"`{STREAM}`: flattened or removed before the mapper: `payload`." in warning


@pytest.mark.parametrize(
    "schema_json",
    [
        "null",
        '"x"',
        "[1]",
        '{"properties":[1]}',
        '{"properties":{"payload":5}}',
        '{"properties":{"payload":{"type":5}}}',
        '{"properties":{"payload":{"type":[["a"]]}}}',
    ],
)
def test_a_malformed_schema_is_passed_on_and_the_records_after_it_are_mapped(schema_json: str) -> None:
    line = f'{{"type":"SCHEMA","stream":"{STREAM}","schema":{schema_json}}}\n'.encode()
    written = run_mapper(line + record_line(STREAM, PIGMENT))
    assert written.startswith(line)
    assert len(events_in(written)) == 1
