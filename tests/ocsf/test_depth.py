"""Records of any depth: every one passes, and has one event."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.ocsf.mapping import EXTRACTED, events_in, map_record, record_line, run_mapper, without_additions
from tests.ocsf.records import EVENT, OBJECT_LOG, OPENX, PIGMENT, RECORDS, WEB_API_LOG, XANDR
from tests.ocsf.test_command import run
from tests.ocsf.validator import faults

if t.TYPE_CHECKING:
    from pathlib import Path

Json: t.TypeAlias = "dict[str, t.Any]"

LEVELS: t.Final = (100, 240, 320, 470, 500, 900, *range(960, 1001, 4), 1100)
SECRET: t.Final = "hunter2-hunter2"


def nested(levels: int, shape: str) -> str:
    """Spell nested JSON, which `json.dumps` could not."""
    opening, closing = {"lists": ("[", "]"), "objects": ('{"a":', "}")}[shape]
    return opening * levels + f'{{"password":"{SECRET}"}}' + closing * levels


def lines(stream: str, record: Json, place: str) -> t.Iterator[bytes]:
    """Put nested JSON, and then JSON text, into the places of a record."""
    line = record_line(stream, record)
    for levels in LEVELS:
        for shape in ("lists", "objects"):
            json_text = nested(levels, shape)
            for value in (json_text, json.dumps(json_text)):
                yield line.replace(json.dumps(place).encode(), value.encode())


PLACE: t.Final = "THE PLACE"
DEEP: t.Final[tuple[tuple[str, Json], ...]] = (
    *((stream, {**record, "additional_properties": {"more": PLACE}}) for stream, record in RECORDS.items()),
    ("pigment_audit_events", {**PIGMENT, "payload": PLACE}),
    ("pigment_audit_events", {**PIGMENT, "actor": {"user": PLACE}, "event_id": None}),
    ("openx_audit_trail", {**OPENX, "changes": {"old_value": PLACE, "new_value": None}}),
    ("openx_audit_trail", {**OPENX, "additional_properties": PLACE, "timestamp": "yesterday"}),
    ("openx_audit_trail", {**OPENX, "additional_properties": PLACE, "obj_id": None}),
    ("xandr_change_log_detail", {**XANDR, "raw_json": PLACE}),
    ("xandr_change_log_detail", {**XANDR, "changes": [{"field_name": "a", "new_value": PLACE, "changed": True}]}),
    ("xandr_change_log_detail", {**XANDR, "changes": PLACE, "service": PLACE}),
    ("cryptolens_object_log", {**OBJECT_LOG, "data": PLACE}),
    ("cryptolens_web_api_log", {**WEB_API_LOG, "key": PLACE}),
    ("cryptolens_events", {**EVENT, "metadata": PLACE}),
)


@pytest.mark.parametrize(("stream", "record"), DEEP)
@pytest.mark.parametrize("everything", [False, True])
def test_a_deep_record_passes_and_has_one_event(stream: str, record: Json, everything: bool) -> None:
    each = [*lines(stream, record, PLACE)]
    written = run_mapper(b"".join(each), include_usage_events=True, include_raw_data=everything)
    added = [line for line in written.splitlines(keepends=True) if b'"stream":"audit_events"' in line]
    assert len(added) == 1 + len(each)
    assert b"".join(line for line in written.splitlines(keepends=True) if line not in added) == b"".join(each)
    assert b"unexpected" not in b"".join(added)
    if stream.startswith("xandr"):
        assert SECRET.encode() not in b"".join(added)


# The others have nothing to look through, and are mapped at any depth at which their messages can be read and written.
LOOKED_THROUGH: t.Final = [name for name in RECORDS if name.startswith(("xandr", "cryptolens"))]


@pytest.mark.parametrize("stream", LOOKED_THROUGH)
@pytest.mark.parametrize("levels", [500, 700, 900])
def test_a_record_that_is_too_deep_says_so_and_keeps_its_uid(stream: str, levels: int) -> None:
    record = RECORDS[stream]
    usual = map_record(stream, record, include_usage_events=True)
    text = {**record, "additional_properties": {"more": PLACE}}
    given = record_line(stream, text).replace(json.dumps(PLACE).encode(), nested(levels, "lists").encode())
    (event,) = events_in(run_mapper(given, include_usage_events=True).removeprefix(given))
    assert event["event_uid"] == usual["event_uid"]
    assert event["ingested_at"] == EXTRACTED
    assert event["ocsf"]["type_uid"] == 300499
    assert event["ocsf"]["message"] == f"This record of {stream} could not be mapped: it is nested too deep."
    assert SECRET not in json.dumps(event)
    assert faults(event["ocsf"]) == []


def test_a_record_that_is_too_deep_has_the_same_uid_without_its_key() -> None:
    given = record_line("openx_audit_trail", {"additional_properties": PLACE}).replace(
        json.dumps(PLACE).encode(), nested(700, "lists").encode()
    )
    (first,), (again,) = (events_in(run_mapper(given).removeprefix(given)) for _ in range(2))
    assert first["event_uid"] == again["event_uid"]


def test_a_message_that_is_too_deep_to_be_read_says_so() -> None:
    for shape in ("lists", "objects"):
        given = record_line("openx_audit_trail", PLACE).replace(
            json.dumps(PLACE).encode(), nested(1100, shape).encode()
        )
        (event,) = events_in(run_mapper(given).removeprefix(given))
        assert "could not be mapped: it is nested too deep." in event["ocsf"]["message"]


def test_a_cleaning_that_fails_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> t.NoReturn:
        raise KeyError("x")

    given = record_line("xandr_change_log_detail", XANDR)
    (usual,) = events_in(run_mapper(given))
    monkeypatch.setattr("tap_auditlogs.vendors.xandr.ocsf.ChangeLogDetailMapping.clean", fail)
    written = run_mapper(given)
    assert without_additions(written) == given
    (event,) = events_in(written)
    assert event["event_uid"] == usual["event_uid"]
    assert "unexpected KeyError" in event["ocsf"]["message"]
    assert "unmapped" not in event["ocsf"]


def test_the_installed_mapper_goes_on_behind_deep_records(tmp_path: Path) -> None:
    deep = [each for stream, record in DEEP for each in lines(stream, record, PLACE)]
    usual = record_line("openx_audit_trail", OPENX)
    config = tmp_path / "config.json"
    config.write_text('{"include_usage_events": true}')
    done = run(f"--config={config}", given=b"".join([*deep, usual]))
    assert done.returncode == 0
    added = [each for each in done.stdout.splitlines() if each.startswith(b'{"type":"RECORD","stream":"audit_events"')]
    assert len(added) == len(deep) + 1
    assert f"{len(deep) + 1} records became audit events" in done.stderr.decode()
