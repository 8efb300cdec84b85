"""Nothing is left in the temporary folder when a signal ends a command."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.core.interrupts import Interrupts
from tap_auditlogs.core.scratch import ScratchFolder
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    Command: t.TypeAlias = subprocess.Popen[bytes]

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
EVENT = {"type": "RECORD", "stream": "pigment_audit_events", "record": {"event_id": "1"}}
SCHEMA = {
    "type": "SCHEMA",
    "stream": "pigment_audit_events",
    "schema": {"properties": {"event_id": {"type": "string"}}},
    "key_properties": ["event_id"],
}


def start(arguments: Sequence[str], temporary: Path) -> Command:
    command, *options = arguments
    temporary.mkdir()
    return subprocess.Popen(
        [Path(sys.executable).with_name(command), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(temporary)),
    )


def write(process: Command, *messages: object) -> None:
    assert process.stdin is not None
    process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    process.stdin.flush()


def wait_for_line(process: Command, text: bytes) -> None:
    assert process.stderr is not None
    assert any(text in line for line in process.stderr)


def end(process: Command, signum: signal.Signals) -> None:
    process.send_signal(signum)
    process.communicate(timeout=60)
    assert process.returncode == CODES[signum]


@pytest.mark.slow
@pytest.mark.parametrize("signum", CODES)
def test_a_signal_removes_the_messages_that_the_report_has_read(tmp_path: Path, signum: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    page = tmp_path / "page.html"
    with start(["auditlogs-report", "--from", "-", "--output", str(page)], temporary) as process:
        write(process, EVENT)
        while not list(temporary.glob("*/pigment_audit_events.jsonl")):
            assert process.poll() is None
        end(process, signum)
    assert list(temporary.iterdir()) == []
    assert not page.exists()


@pytest.mark.slow
@pytest.mark.parametrize("signum", CODES)
def test_a_signal_during_an_import_removes_the_csv(tmp_path: Path, signum: signal.Signals) -> None:
    with Sandbox(seed=3, vendors=["pigment"], size=1) as sandbox:
        imports = sandbox.vendor("pigment", PigmentSandbox).imports
        imports.polls_in_progress = 1_000_000
        settings = tmp_path / "target.json"
        settings.write_text(
            json.dumps(
                {
                    "api_key": imports.api_key,
                    "api_url": f"{sandbox.url}/pigment",
                    "import_configurations": {"pigment_audit_events": imports.configurations[0]},
                }
            )
        )
        temporary = tmp_path / "temporary"
        with start(["target-pigment", "--config", str(settings)], temporary) as process:
            write(process, SCHEMA, EVENT)
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
            wait_for_line(process, b"import 1 has")
            assert list(temporary.glob("*/pigment_audit_events.csv"))
            end(process, signum)
    assert list(temporary.iterdir()) == []


def test_a_scratch_folder_is_removed_unless_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ScratchFolder("a") as removed, ScratchFolder("b") as kept:
        (removed.path / "file").touch()
        kept.keep()
    assert list(tmp_path.iterdir()) == [kept.path]


def test_a_folder_that_another_thread_still_writes_to_is_removed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    remove = shutil.rmtree
    removals: list[Path] = []

    def remove_before_a_last_write(path: Path, *, ignore_errors: bool) -> None:
        removals.append(path)
        if len(removals) > 1:
            remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", remove_before_a_last_write)
    interrupts = Interrupts()
    interrupts.scratch.add(folder)
    interrupts.remove_scratch()
    assert not folder.exists()
