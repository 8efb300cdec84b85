from __future__ import annotations

import json
import typing as t

import pytest
import requests

from auditlogs_sandbox.faults import Fault
from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.http import HttpOptions
from tap_auditlogs.vendors.pigment.target.imports import IMPORTS_PER_HOUR, ImportClient
from tests.pigment_import.messages import load, record, schema, state

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.pigment_imports import ImportApi

    Config: t.TypeAlias = dict[str, t.Any]

ROWS = [{"id": str(number), "text": f"row {number}"} for number in range(20)]
MESSAGES = [schema("a", "id", "text"), *(record("a", **row) for row in ROWS), state(n=1)]


def states(capsysbinary: pytest.CaptureFixture[bytes]) -> list[t.Any]:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def chunked(config: Config, body_bytes: int) -> Config:
    return {**config, "max_chunk_megabytes": body_bytes / 1_000_000}


def test_every_row_is_imported_and_then_the_state_goes_out(
    config: Config, imports: ImportApi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    load(config, MESSAGES)
    assert imports.rows(imports.configurations[0]) == ROWS
    assert states(capsysbinary) == [{"n": 1}]


def test_chunks_are_imported_one_after_the_other(config: Config, imports: ImportApi, sandbox: Sandbox) -> None:
    load(chunked(config, 80), MESSAGES)
    assert len(imports.imports) > 2
    assert all(len(each.body) <= 80 for each in imports.imports)
    assert imports.rows(imports.configurations[0]) == ROWS
    paths = [request.path.rpartition("/")[2] for request in sandbox.requests]
    assert paths == ["csv", "status"] * len(imports.imports)


def test_without_waiting_no_status_is_asked(config: Config, imports: ImportApi, sandbox: Sandbox) -> None:
    load({**chunked(config, 80), "wait_for_imports": False}, MESSAGES)
    assert {request.path.rpartition("/")[2] for request in sandbox.requests} == {"csv"}
    assert len(imports.imports) > 2


def test_nothing_is_left_in_the_temporary_folder(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    load(config, MESSAGES)
    assert list(tmp_path.iterdir()) == []


def test_a_csv_that_cannot_be_written_whole_is_not_left_in_the_temporary_folder(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(TapError, match="more than max_chunk_megabytes allows"):
        load({**config, "max_chunk_megabytes": 0.00001}, [schema("a"), record("a", id="x" * 100)])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_import_ends_the_run_with_what_pigment_says_and_keeps_the_csv(
    config: Config, imports: ImportApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    imports.failures = [[], [{"name": "UnknownItem", "description": "no such month"}] * 7]
    messages = [schema("a"), record("a", id=1), state(n=1), schema("b"), record("b", id=2), state(n=2)]
    with pytest.raises(TapError) as caught:
        load(config, messages)
    message = str(caught.value)
    assert f"import of `b` into configuration {imports.configurations[1]}: failed" in message
    assert "UnknownItem: no such month" in message
    assert "and 2 more" in message
    (kept,) = tmp_path.glob("*/b.csv")
    assert str(kept) in message
    assert kept.read_bytes() == b"id\r\n2\r\n"
    assert states(capsysbinary) == [{"n": 1}]  # all records before it are imported


def test_no_state_goes_out_while_an_import_before_it_is_not_completed(
    config: Config, imports: ImportApi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    imports.failures = [[], [{"name": "Late", "description": "second chunk"}]]
    with pytest.raises(TapError):
        load(chunked(config, 80), MESSAGES)
    assert states(capsysbinary) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"api_key": "wrong"}, "HTTP 401). Check api_key"),
        ({"api_key": "audit"}, "HTTP 403). Check that api_key is of the kind `Import`"),
        ({"import_configurations": {"a": "no-such-id"}}, "HTTP 404). Pigment does not know this import configuration"),
    ],
)
def test_refusals_say_what_to_do(config: Config, imports: ImportApi, change: Config, told: str) -> None:
    if change.get("api_key") == "audit":
        change = {"api_key": imports.other_keys[0]}
    with pytest.raises(TapError) as caught:
        load({**config, **change}, MESSAGES)
    configuration = {**config, **change}["import_configurations"]["a"]
    assert f"import of `a` into configuration {configuration}" in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(("status", "answer"), [(400, "(HTTP 400"), (404, "(HTTP 404")])
def test_a_refused_status_request_does_not_blame_what_pigment_has_accepted(
    config: Config, sandbox: Sandbox, status: int, answer: str
) -> None:
    sandbox.faults.add(Fault("pigment", "/status", times=None, status=status))
    with pytest.raises(TapError) as caught:
        load(config, MESSAGES)
    assert f"status of the import of `a` into configuration {config['import_configurations']['a']}" in str(caught.value)
    assert answer in str(caught.value)
    assert "import_configurations" not in str(caught.value)
    assert "max_chunk_megabytes" not in str(caught.value)


def test_the_message_of_an_import_that_was_tried_too_long_reads_well(config: Config, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("pigment", "push/csv", times=None, status=503))
    with pytest.raises(TapError) as caught:
        load({**config, "max_retry_wait_seconds": 0}, MESSAGES)
    assert "max_retry_wait_seconds allows longer waits. The CSV is kept in " in str(caught.value)


@pytest.mark.parametrize(("status", "told"), [(413, "lower max_chunk_megabytes"), (400, "max_chunk_megabytes")])
def test_a_chunk_too_large_for_pigment_is_told(config: Config, imports: ImportApi, status: int, told: str) -> None:
    imports.max_bytes, imports.too_large_status = 100, status
    with pytest.raises(TapError, match=told):
        load(config, MESSAGES)


def test_a_push_that_is_throttled_is_sent_again_whole(
    config: Config, imports: ImportApi, sandbox: Sandbox, waits: list[float]
) -> None:
    sandbox.faults.add(Fault(vendor="pigment", path="/push/csv", status=429, headers={"Retry-After": "7"}))
    load(config, MESSAGES)
    assert imports.rows(imports.configurations[0]) == ROWS
    assert len(waits) == 1
    assert waits[0] >= 7


def test_the_connection_that_breaks_before_the_answer_costs_no_row(
    config: Config, imports: ImportApi, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault(vendor="pigment", path="/push/csv", drop=True))
    load(config, MESSAGES)
    assert imports.rows(imports.configurations[0]) == ROWS


@pytest.mark.parametrize("body", [b'{"importId": 7}', b'{"importId": ""}', b"{}", b"[]"])
def test_an_answer_without_an_import_id_is_no_success(
    config: Config, sandbox: Sandbox, body: bytes, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    sandbox.faults.add(Fault(vendor="pigment", path="/push/csv", body=body))
    with pytest.raises(TapError, match="import of `a`"):
        load(config, MESSAGES)
    assert states(capsysbinary) == []


@pytest.mark.parametrize("body", [b'{"importStatus": "Cancelled"}', b'{"importStatus": null}', b"{}", b"[]"])
def test_a_status_that_is_not_known_is_no_success(
    config: Config, sandbox: Sandbox, body: bytes, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    sandbox.faults.add(Fault(vendor="pigment", path="/status", body=body))
    with pytest.raises(TapError, match="status of the import of `a`"):
        load(config, MESSAGES)
    assert states(capsysbinary) == []


def test_the_status_is_asked_less_and_less_often(sandbox: Sandbox, imports: ImportApi) -> None:
    imports.polls_in_progress = 12
    pauses: list[float] = []
    client = ImportClient(
        f"{sandbox.url}/pigment", imports.api_key, HttpOptions("test", 30.0, 0.0), sleep=pauses.append
    )
    configuration = imports.configurations[0]
    client.wait("a", configuration, client.push("a", configuration, b"id\r\n1\r\n"))
    assert len(pauses) == 12
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] == 30


def test_each_configuration_is_paced_by_itself(
    sandbox: Sandbox, imports: ImportApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, float]] = []

    class Recorder:
        def __init__(self, requests: int, *, per_seconds: float) -> None:
            self.limit = (requests, per_seconds)

        def wait(self) -> None:
            made.append(self.limit)

    monkeypatch.setattr("tap_auditlogs.vendors.pigment.target.imports.Throttle", Recorder)
    client = ImportClient(f"{sandbox.url}/pigment", imports.api_key, HttpOptions("test", 30.0, 0.0))
    for configuration in imports.configurations:
        client.push("a", configuration, b"id\r\n1\r\n")
    assert made.count((IMPORTS_PER_HOUR, 3600.0)) == 2


def test_no_key_is_shown(config: Config, imports: ImportApi, caplog: pytest.LogCaptureFixture) -> None:
    imports.failures = [[{"name": "Echo", "description": f"key {imports.api_key}"}]]
    with caplog.at_level("DEBUG"), pytest.raises(TapError):
        load(config, MESSAGES)
    assert imports.api_key not in caplog.text


def test_the_sandbox_takes_both_spellings_as_the_vendor_does(sandbox: Sandbox, imports: ImportApi) -> None:
    for path, name in (("/api/import/push/csv", "configurationID"), ("/api/v1/import/push/csv", "configurationId")):
        answer = requests.post(
            f"{sandbox.url}/pigment{path}",
            params={name: imports.configurations[0]},
            headers={"Authorization": f"Bearer {imports.api_key}", "Content-Type": "application/csv; charset=utf-8"},
            data=b"id\r\n1\r\n",
            timeout=10,
        )
        assert answer.status_code == 200
        assert set(answer.json()) == {"importId"}
