from __future__ import annotations

import json
import logging
import typing as t

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_auditlogs.core.errors import TapError
from tests.pigment_import.messages import lines, load, record, run, schema, state

if t.TYPE_CHECKING:
    from pathlib import Path


def states(capsysbinary: pytest.CaptureFixture[bytes]) -> list[t.Any]:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_each_stream_becomes_a_csv_and_the_last_state_goes_out(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    messages = [
        schema("a"),
        record("a", id=1),
        state(n=1),
        schema("b"),
        record("b", id=2),
        record("a", id=3),
        state(n=2),
    ]
    load({"csv_folder": str(tmp_path / "new" / "folder")}, messages)
    assert (tmp_path / "new" / "folder" / "a.csv").read_bytes() == b"id\r\n1\r\n3\r\n"
    assert (tmp_path / "new" / "folder" / "b.csv").read_bytes() == b"id\r\n2\r\n"
    assert states(capsysbinary)[-1] == {"n": 2}


def test_state_keeps_its_digits(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    load({"csv_folder": str(tmp_path)}, b'{"type":"STATE","value":{"x":1.10,"y":12345678901234567890}}\n')
    assert capsysbinary.readouterr().out == b'{"x":1.10,"y":12345678901234567890}\n'


def test_a_stream_without_rows_makes_no_file(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    load({"csv_folder": str(tmp_path)}, [schema("a"), state(n=1)])
    assert list(tmp_path.iterdir()) == []
    assert states(capsysbinary) == [{"n": 1}]


def test_rows_before_and_after_a_change_of_schema_are_in_one_file(tmp_path: Path) -> None:
    messages = [schema("a", "id"), record("a", id=1), schema("a", "id", "x"), record("a", id=2, x=3)]
    load({"csv_folder": str(tmp_path), "column_order": "schema"}, messages)
    assert (tmp_path / "a.csv").read_bytes() == b"id,x\r\n1,\r\n2,3\r\n"


def test_times_stay_as_they_came(tmp_path: Path) -> None:
    announced = schema("a", "id", "at")
    announced["schema"]["properties"]["at"] = {"type": "string", "format": "date-time"}
    load({"csv_folder": str(tmp_path)}, [announced, record("a", id=1, at="2026-11-20T05:00:00.000000Z")])
    assert (tmp_path / "a.csv").read_bytes() == b"id,at\r\n1,2026-11-20T05:00:00.000000Z\r\n"


def test_a_stream_with_nowhere_to_go_is_named_once_and_holds_no_state_back(
    caplog: pytest.LogCaptureFixture, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = {"api_key": "import-key", "import_configurations": {"other": "c-1"}, "api_url": "http://127.0.0.1:9"}
    with caplog.at_level(logging.WARNING):
        load(config, [schema("a"), record("a", id=1), schema("a", "id", "x"), record("a", id=2), state(n=1)])
    assert sum("`a` is left out" in text for text in caplog.messages) == 1
    assert states(capsysbinary) == [{"n": 1}]


def test_a_stream_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    load({"csv_folder": str(folder)}, [schema("../../a"), record("../../a", id=1)])
    assert [path.name for path in folder.iterdir()] == ["..%2F..%2Fa.csv"]


def test_stream_maps_apply(tmp_path: Path) -> None:
    config = {"csv_folder": str(tmp_path), "stream_maps": {"a": {"secret": "__NULL__"}}}
    load(config, [schema("a", "id", "secret"), record("a", id=1, secret="s")])
    assert (tmp_path / "a.csv").read_bytes() == b"id\r\n1\r\n"


@pytest.mark.parametrize("kind", ["BATCH", "ACTIVATE_VERSION"])
def test_other_messages_are_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    messages = [schema("a"), record("a", id=1), {"type": kind, "stream": "a"}, state(n=1)]
    outcome = run(tmp_path, {"csv_folder": str(tmp_path)}, messages)
    assert (outcome.code, outcome.states) == (1, [])
    (line,) = [line for line in outcome.stderr.splitlines() if "ERROR" in line]
    assert "`a`" in line
    assert kind in line
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"no json\n", "Line 1 of standard input is not JSON"),
        (b"[1]\n", "Line 1 of standard input is not a JSON object"),
        (b'{"type": "WHAT", "value": "personal"}\n', "Line 1 of standard input has the unknown type 'WHAT'"),
        (b'{"stream": "personal"}\n', "lacks type"),
        (b'{"type": "RECORD", "stream": "a"}\n', "a RECORD that lacks record"),
        (b'{"stream": "a"}\n', "holds a message that lacks type"),
        (b'{"type": ["RECORD"]}\n', "Line 1 of standard input has a type that is not a text"),
        (b'{"type": "RECORD", "stream": ["a"], "record": {}}\n', "has a stream that is not a text"),
        (b'{"type": "SCHEMA", "stream": "a", "schema": null}\n', "has a schema that is not a JSON object"),
        (b'{"type": "SCHEMA", "stream": "a", "schema": {"type": "object"}}\n', "a schema that lacks properties"),
        (b'{"type": "RECORD", "stream": "a", "record": null}\n', "Line 1 of standard input has a record that"),
        (b'{"type": "RECORD", "stream": "a", "record": [1]}\n', "a record that is not a JSON object"),
        (lines([record("a", id=1)]), "`a` has a RECORD before its SCHEMA"),
    ],
)
def test_invalid_input_is_an_error_that_shows_no_data(tmp_path: Path, text: bytes, told: str) -> None:
    with pytest.raises(TapError) as caught:
        load({"csv_folder": str(tmp_path)}, text)
    assert told in str(caught.value)
    assert "personal" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "import_configurations or csv_folder: at least one of them has to be set"),
        ({"import_configurations": {"a": "c"}}, "api_key: missing"),
        ({"csv_folder": "x", "api_url": "http://example.com"}, "api_url: must be https"),
        ({"csv_folder": "x", "max_chunk_megabytes": 0}, "max_chunk_megabytes: must be greater than 0"),
        ({"csv_folder": "x", "column_order": "random"}, "column_order: must be one of"),
        ({"csv_foldr": "x"}, "did you mean `csv_folder`?"),
    ],
)
def test_wrong_settings_are_told_plainly(config: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        load(config, [])
    assert told in "; ".join(caught.value.errors)


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TapError, match="cannot be made"):
        load({"csv_folder": str(tmp_path / "file" / "folder")}, [])
