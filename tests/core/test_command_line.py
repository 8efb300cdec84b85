"""The command as it is installed: what it prints, and how it fails."""

from __future__ import annotations

import json
import typing as t

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors import VENDORS
from tests.support.marks import first_of
from tests.support.secret_scan import leaks
from tests.support.states import entry_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tap_process import Outcome, TapRunner

SECRET = "s3cr3t-v4lue-of-a-setting"
CLOSED = {"pigment": {"api_key": SECRET, "api_url": "http://127.0.0.1:9"}}
STREAMS = set(TapAuditLogs(validate_config=False).streams)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["pigment", "cryptolens"], size=50) as running:
        yield running


def failed_in_one_line(done: Outcome, *, code: int = 1) -> str:
    """Make sure that a run failed plainly, and give its last message."""
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    assert leaks(done.stderr, [SECRET]) == []
    assert b"RECORD" not in done.stdout
    return done.stderr.splitlines()[-1]


# About.


def test_version(tap_runner: TapRunner) -> None:
    done = tap_runner.run("--version")
    assert done.code == 0
    assert done.stdout.decode().startswith("tap-auditlogs v")


HEAVY = {"polars", "pyarrow", "pandas", "rich", "pyrate_limiter", "requests_oauthlib", "s3fs", "werkzeug", "hypothesis"}


@pytest.mark.parametrize("option", ["--version", "--about"])
def test_what_only_prints_imports_nothing_heavy(tap_runner: TapRunner, option: str) -> None:
    tell = (
        f"import atexit, sys; atexit.register(lambda: print('imported', {HEAVY!r} & set(sys.modules), file=sys.stderr))"
    )
    assert tap_runner.run(option, before=tell).stderr == "imported set()\n"


@pytest.mark.parametrize("form", ["json", "markdown", None])
def test_about_shows_every_setting(tap_runner: TapRunner, form: str | None) -> None:
    done = tap_runner.run("--about", *([] if form is None else [f"--format={form}"]))
    assert done.code == 0, done.stderr
    printed = done.stdout.decode()
    for vendor in VENDORS:
        assert vendor.name in printed
    assert "request_timeout_seconds" in printed
    if form == "json":
        about = json.loads(printed)
        assert set(about["settings"]["properties"]) >= {vendor.name for vendor in VENDORS}
        assert about["settings"]["additionalProperties"] is False


def test_help(tap_runner: TapRunner) -> None:
    done = tap_runner.run("--help")
    assert done.code == 0
    assert "--discover" in done.stdout.decode()


# Discovery.


@pytest.mark.parametrize("config", [None, {}, {"pigment": None}, {"pigment": {}}])
def test_discovery_without_a_vendor_lists_every_stream(tap_runner: TapRunner, config: t.Any) -> None:
    done = tap_runner.run("--discover", config=config)
    assert done.code == 0, done.stderr
    assert {stream["tap_stream_id"] for stream in json.loads(done.stdout)["streams"]} == STREAMS


def test_discovery_lists_the_streams_of_the_active_vendors_and_sends_nothing(tap_runner: TapRunner) -> None:
    done = tap_runner.run("--discover", config=CLOSED)
    assert done.code == 0, done.stderr
    (stream,) = json.loads(done.stdout)["streams"]
    assert stream["tap_stream_id"] == "pigment_audit_events"
    assert stream["key_properties"] == ["event_id"]
    assert stream["replication_key"] == "ingestion_timestamp"
    assert "refused" not in done.stderr


@pytest.mark.parametrize(
    "config",
    [
        {"request_timeout_seconds": "soon", "pigment": {"api_key": 5}},
        {"pigment": {"lookback_hours": "x"}},
        {"unknown": 1},
        {"pigment": {"api_url": "http://example.com"}},
    ],
)
def test_discovery_needs_no_valid_settings(tap_runner: TapRunner, config: t.Any) -> None:
    done = tap_runner.run("--discover", config=config)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["streams"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"pigment": SECRET}, "Settings: pigment: must be of type object"),
        (
            {"index_exchange": {"client_key": SECRET}, "batch_config": {"encoding": {"format": "jsonl"}}},
            "Settings: batch_config.storage: missing root, such as s3://bucket/folder",
        ),
    ],
)
def test_settings_with_which_no_stream_can_be_listed_are_told(tap_runner: TapRunner, config: t.Any, told: str) -> None:
    assert told in failed_in_one_line(tap_runner.run("--discover", config=config))


# Settings.


@pytest.mark.parametrize("arguments", [[], ["--test"], ["--test=schema"]])
def test_a_stream_map_that_cannot_be_parsed_is_told(tap_runner: TapRunner, arguments: list[str]) -> None:
    config = {**CLOSED, "stream_maps": {"*": {"more": "1 +"}}}
    assert "The setting stream_maps cannot be used: " in failed_in_one_line(tap_runner.run(*arguments, config=config))


@pytest.mark.parametrize("arguments", [[], ["--test"], ["--test=schema"]])
def test_without_a_vendor_the_vendors_are_named(tap_runner: TapRunner, arguments: list[str]) -> None:
    last = failed_in_one_line(tap_runner.run(*arguments))
    assert "No vendor is configured" in last
    assert all(f"`{vendor.name}`" in last for vendor in VENDORS)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is not JSON (line 1, column 1)"),
        ('{\n"a": bad', "the file is not JSON (line 2, column 6)"),
        ("[1]", "the file does not hold a JSON object"),
        ("5", "the file does not hold a JSON object"),
        ("null", "the file does not hold a JSON object"),
    ],
)
@pytest.mark.parametrize("arguments", first_of([[], ["--discover"]]))
def test_a_configuration_file_that_is_not_one_is_reported(
    tap_runner: TapRunner, content: str, expected: str, arguments: list[str]
) -> None:
    last = failed_in_one_line(tap_runner.run(*arguments, config=content), code=2)
    assert "--config" in last
    assert expected in last


def test_a_missing_configuration_file_is_reported(tap_runner: TapRunner) -> None:
    last = failed_in_one_line(tap_runner.run("--config=nowhere.json"), code=2)
    assert "there is no such file" in last


def test_a_folder_in_place_of_a_configuration_file_is_reported(tap_runner: TapRunner, tmp_path: Path) -> None:
    last = failed_in_one_line(tap_runner.run(f"--config={tmp_path}"), code=2)
    assert "the file cannot be read (Is a directory)" in last


def test_a_wrong_setting_is_reported_without_its_value(tap_runner: TapRunner) -> None:
    done = tap_runner.run(
        config={"pigment": {"api_key": [SECRET], "api_ulr": SECRET}}, env={"TAP_AUDITLOGS_LOGLEVEL": "DEBUG"}
    )
    failed_in_one_line(done)
    assert "pigment.api_key: must be of type string" in done.stderr
    assert "did you mean `api_url`?" in done.stderr


def test_a_broken_stream_map_is_reported(tap_runner: TapRunner) -> None:
    config = {**CLOSED, "stream_maps": {"pigment_audit_events": {"x": "1 +"}}}
    assert "stream" in failed_in_one_line(tap_runner.run(config=config))


# Settings in the environment.


def test_a_vendor_in_the_environment_is_one_json_object(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    env = {
        "TAP_AUDITLOGS_PIGMENT": json.dumps(sandbox.config["pigment"]),
        "TAP_AUDITLOGS_CRYPTOLENS": "",
        "TAP_AUDITLOGS_START_DATE": "2020-01-01",
        "TAP_AUDITLOGS_REQUEST_TIMEOUT_SECONDS": "12.5",
        "TAP_AUDITLOGS_MAX_RETRY_WAIT_SECONDS": "5",
        "TAP_AUDITLOGS_UNKNOWN": "not ours",
    }
    done = tap_runner.run("--config=ENV", env=env)
    assert done.code == 0, done.stderr
    assert len(done.records("pigment_audit_events")) == 50
    assert leaks(done.stderr + done.stdout.decode(), sandbox.secrets()) == []


def test_the_environment_wins_over_a_file(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    env = {"TAP_AUDITLOGS_PIGMENT": json.dumps(sandbox.config["pigment"])}
    assert tap_runner.run("--config=ENV", config=CLOSED, env=env).code == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PIGMENT", '{"api_key": "' + SECRET, "pigment: the environment variable TAP_AUDITLOGS_PIGMENT cannot be read"),
        ("PIGMENT", SECRET, "pigment: the environment variable TAP_AUDITLOGS_PIGMENT cannot be read"),
        ("PIGMENT", f'["{SECRET}"]', "pigment: must be of type object"),
        ("PIGMENT", "{}", "No vendor is configured"),
        ("MAX_RETRY_WAIT_SECONDS", "abc", "max_retry_wait_seconds: the environment variable"),
        ("REQUEST_TIMEOUT_SECONDS", "abc", "request_timeout_seconds: the environment variable"),
        ("REQUEST_TIMEOUT_SECONDS", "-1", "request_timeout_seconds: must be greater than 0"),
    ],
)
@pytest.mark.parametrize("arguments", first_of([[], ["--test"]]))
def test_a_variable_that_cannot_be_read_is_reported(
    tap_runner: TapRunner, name: str, value: str, expected: str, arguments: list[str]
) -> None:
    last = failed_in_one_line(tap_runner.run("--config=ENV", *arguments, env={f"TAP_AUDITLOGS_{name}": value}))
    assert expected in last


def test_discovery_with_a_variable_that_cannot_be_read_is_reported(tap_runner: TapRunner) -> None:
    last = failed_in_one_line(tap_runner.run("--config=ENV", "--discover", env={"TAP_AUDITLOGS_PIGMENT": "{" + SECRET}))
    assert "TAP_AUDITLOGS_PIGMENT" in last


# State and catalog files.


@pytest.mark.parametrize(
    "state", ["", "{bad", "[]", '{"type": "STATE", "value": {"bookmarks": {}}}', '{"bookmarks": null}']
)
def test_a_state_that_cannot_be_understood_ends_the_run_in_one_line(tap_runner: TapRunner, state: str) -> None:
    done = tap_runner.run(config=CLOSED, state=state)
    assert "state" in failed_in_one_line(done).lower()
    assert done.stdout == b""


@pytest.mark.parametrize("option", ["--state", "--catalog"])
def test_a_file_that_is_not_text_is_reported(tap_runner: TapRunner, tmp_path: Path, option: str) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe{\0")
    last = failed_in_one_line(tap_runner.run(f"{option}={path}", config=CLOSED))
    assert "is not UTF-8 text" in last


NAMELESS = '{"streams": [{"tap_stream_id": "a", "stream": {"a": 1}, "schema": {}, "metadata": []}]}'


@pytest.mark.parametrize(
    "catalog", first_of([NAMELESS, "", "{bad", "[]", "{}", '{"streams": 5}', '{"streams": [{}]}', '{"streams": [1]}'])
)
def test_a_catalog_that_is_not_one_is_reported(tap_runner: TapRunner, catalog: str) -> None:
    last = failed_in_one_line(tap_runner.run(config=CLOSED, catalog=catalog))
    assert "is not a Singer catalog" in last


def test_the_catalog_of_discovery_is_accepted(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    config = {name: sandbox.config[name] for name in ("pigment", "cryptolens")}
    catalog = json.loads(tap_runner.run("--discover", config=config).stdout)
    done = tap_runner.run(config=config, catalog=catalog)
    assert done.code == 0, done.stderr
    assert done.messages[:-1] != []
    plain = tap_runner.run(config=config)
    assert [m for m in done.messages if m["type"] == "SCHEMA"] == [m for m in plain.messages if m["type"] == "SCHEMA"]


# Tests of the connection.


def test_the_connection_test_reads_one_record_of_each_stream_and_moves_no_bookmark(
    sandbox: Sandbox, tap_runner: TapRunner
) -> None:
    config = {name: sandbox.config[name] for name in ("pigment", "cryptolens")}
    done = tap_runner.run("--test", config=config)
    assert done.code == 0, done.stderr
    streams = [message["stream"] for message in done.messages if message["type"] == "RECORD"]
    assert sorted(streams) == sorted(set(streams))
    assert len(streams) == 4
    assert "ERROR" not in done.stderr
    state = done.state or {"bookmarks": {}}
    assert [stream for stream in state["bookmarks"] if entry_of(state, stream)] == []


def test_the_connection_test_fails_with_wrong_credentials(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    config = {"pigment": {**sandbox.config["pigment"], "api_key": SECRET}}
    done = tap_runner.run("--test", config=config)
    assert done.failed_plainly, done.stderr
    assert "Check the pigment credentials" in done.stderr.splitlines()[-1]
    assert leaks(done.stderr, [SECRET]) == []


def test_the_test_of_schemas_sends_nothing(tap_runner: TapRunner) -> None:
    done = tap_runner.run("--test=schema", config=CLOSED)
    assert done.code == 0, done.stderr
    assert [message["type"] for message in done.messages] == ["SCHEMA"]


def test_a_library_that_prints_would_be_seen(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    """Standard output holds Singer messages only, also in a foreign locale and with warnings as errors."""
    env = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "latin1", "PYTHONWARNINGS": "error", "HOME": "/nonexistent"}
    done = tap_runner.run(config={"pigment": sandbox.config["pigment"]}, env=env)
    assert done.code == 0, done.stderr
    plain = tap_runner.run(config={"pigment": sandbox.config["pigment"]})
    assert done.records("pigment_audit_events") == plain.records("pigment_audit_events")


def test_a_debug_log_shows_no_secret_and_no_query(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    sandbox.faults.replace([Fault(vendor="pigment", echo_credentials=True, status=500)])
    config = {name: sandbox.config[name] for name in ("pigment", "cryptolens")}
    done = tap_runner.run(config=config, env={"TAP_AUDITLOGS_LOGLEVEL": "DEBUG"})
    assert done.code == 0, done.stderr
    assert leaks(done.stderr + done.stdout.decode(), sandbox.secrets()) == []
    assert "ingestedSince" not in done.stderr
    assert "answered HTTP 200" in done.stderr
