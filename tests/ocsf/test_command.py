"""The installed command: how it starts, and how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.ocsf.mapping import events_in, record_line
from tests.ocsf.records import PIGMENT
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

COMMAND: t.Final = str(Path(sys.executable).with_name("auditlogs-ocsf"))
LINE: t.Final = record_line("pigment_audit_events", PIGMENT)


def run(*arguments: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [COMMAND, *arguments],
        input=given,
        capture_output=True,
        check=False,
        env=environment(**variables),
        timeout=60,
    )


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    """A mapper that has passed a record on and waits for more."""
    with subprocess.Popen(
        [COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin
        process.stdin.write(LINE)
        process.stdin.flush()
        yield process
        process.kill()


def test_messages_go_on_as_they_come(running: subprocess.Popen[bytes]) -> None:
    assert running.stdout
    assert running.stdin
    ready, _, _ = select.select([running.stdout], [], [], 30)
    assert ready
    assert running.stdout.readline() == LINE
    running.stdin.close()
    assert len(events_in(running.stdout.read())) == 1
    assert running.wait(30) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_after_a_whole_line(
    running: subprocess.Popen[bytes], number: signal.Signals, code: int
) -> None:
    assert running.stdout
    assert running.stderr
    first = running.stdout.readline()
    running.send_signal(number)
    written = first + running.stdout.read()
    errors = running.stderr.read().decode()
    assert running.wait(30) == code
    assert written.endswith(b"}\n")
    assert len(events_in(written)) == 1
    assert f"ended by {number.name}" in errors
    assert "Traceback" not in errors


def test_a_target_that_is_gone_ends_it_with_1() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [COMMAND],
            input=LINE,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert b"Standard output is closed or full" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_without_standard_input_it_says_what_to_do() -> None:
    done = subprocess.run(["/bin/sh", "-c", '"$0" <&-', COMMAND], capture_output=True, check=False, env=environment())
    assert done.returncode == 1
    assert b"Standard input is closed" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


def test_settings_come_from_a_file_or_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"include_raw_data": True, "only_unified": None}))
    (event,) = events_in(run(f"--config={file}", given=LINE).stdout)
    assert json.loads(event["ocsf"]["raw_data"]) == PIGMENT
    (event,) = events_in(run("--config=ENV", given=LINE, AUDITLOGS_OCSF_INCLUDE_RAW_DATA="true").stdout)
    assert json.loads(event["ocsf"]["raw_data"]) == PIGMENT


def test_a_mistyped_boolean_in_the_environment_is_not_taken_for_false() -> None:
    done = run("--config=ENV", given=LINE, AUDITLOGS_OCSF_HASH_LICENSE_KEYS="enabled")
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"AUDITLOGS_OCSF_HASH_LICENSE_KEYS cannot be read" in done.stderr


@pytest.mark.parametrize(("text", "raw"), [("True ", True), ("ON", True), ("0", False), ("no", False)])
def test_booleans_in_the_environment_have_several_spellings(text: str, raw: bool) -> None:
    (event,) = events_in(run("--config=ENV", given=LINE, AUDITLOGS_OCSF_INCLUDE_RAW_DATA=text).stdout)
    assert ("raw_data" in event["ocsf"]) is raw


def test_a_wrong_setting_is_told_in_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"only_unifed": True}))
    done = run(f"--config={file}", given=LINE)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"only_unifed: there is no such setting; did you mean `only_unified`?" in done.stderr
    assert b"Traceback" not in done.stderr


def test_input_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    file.write_bytes(LINE)
    assert run(f"--input={file}").stdout == run(given=LINE).stdout


def test_about_and_version_need_no_input() -> None:
    about = json.loads(run("--about", "--format=json").stdout)
    assert set(about["settings"]["properties"]) == {
        "only_unified",
        "include_usage_events",
        "hash_license_keys",
        "include_raw_data",
    }
    assert run("--version").stdout.startswith(b"auditlogs-ocsf v")
