from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.doctor import command
from tap_auditlogs.doctor.command import main
from tap_auditlogs.vendors.cryptolens.probes import Probes
from tests.support.secret_scan import leaks
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

COMMAND = str(Path(sys.executable).with_name("tap-auditlogs-doctor"))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment", "cryptolens"], size=60) as running:
        running.vendor("pigment", PigmentSandbox).page_size = 10
        yield running


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    return written(tmp_path, sandbox.config)


def written(folder: Path, config: object) -> Path:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return path


def doctor(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)


def test_a_well_account_exits_with_0_and_shows_tables_for_each_vendor(config: Path) -> None:
    result = doctor("--config", config)
    assert result.exit_code == 0, result.output
    for title in ("Pigment", "Cryptolens"):
        for table in ("checks", "assumptions", "estimate"):
            assert f"{title}: {table}" in result.stdout
    assert "All is well" in result.stdout
    assert "\x1b[" not in result.stdout


def test_a_contradiction_exits_with_1_and_says_what_the_tap_does(sandbox: Sandbox, config: Path) -> None:
    sandbox.vendor("pigment", PigmentSandbox).order = "ascending"
    result = doctor("--config", config)
    assert result.exit_code == 1
    assert "Not well: Pigment." in result.stdout
    assert "moves the bookmark only when all pages are read" in result.stdout
    assert "attach the report to an issue" in result.stdout


def test_one_vendor_that_cannot_be_asked_does_not_stop_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = sandbox.config
    settings["pigment"] = {**settings["pigment"], "api_key": "wrong-key-of-this-test"}
    result = doctor("--config", written(tmp_path, settings))
    assert result.exit_code == 1
    assert "Not well: Pigment." in result.stdout
    assert "cryptolens-01   confirmed" in result.stdout


def test_a_missing_permission_exits_with_1(sandbox: Sandbox, config: Path) -> None:
    sandbox.vendor("cryptolens", CryptolensSandbox).permissions.remove("GetEvents")
    result = doctor("--config", config)
    assert result.exit_code == 1
    assert "the permission Get Events" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "No vendor is configured"),
        ({"pigment": {"api_ky": "x"}}, "did you mean `api_key`?"),
        ({"pigment": {"api_key": "k", "api_url": "http://pigment.app"}}, "plain http is for loopback only"),
    ],
)
def test_wrong_settings_are_told_and_nothing_is_sent(
    settings: object, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert doctor("--config", written(tmp_path, settings)).exit_code == 1
    assert message in caplog.text


def test_a_file_that_is_not_json_is_told(tmp_path: Path) -> None:
    result = doctor("--config", written(tmp_path, "{"))
    assert result.exit_code == 2
    assert "not JSON" in result.output


def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(
    sandbox: Sandbox, config: Path, tmp_path: Path
) -> None:
    result = doctor("--config", config, "--report", tmp_path / "missing" / "report.json")
    assert result.exit_code == 2
    assert "missing" in result.output
    assert len(sandbox.requests) == 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_in_one_line(config: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, f"--config={config}"],
            check=False,
            env=environment(),
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            stdout=full,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert "Standard output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_is_read_as_the_tap_reads_it(sandbox: Sandbox) -> None:
    variables = {f"TAP_AUDITLOGS_{name.upper()}": json.dumps(value) for name, value in sandbox.config.items()}
    result = doctor("--config=ENV", env=variables)
    assert result.exit_code == 0
    assert "Cryptolens: checks" in result.stdout


def test_neither_output_nor_report_shows_a_secret(sandbox: Sandbox, config: Path, tmp_path: Path) -> None:
    sandbox.faults.add(Fault(vendor="pigment", skip=3, times=None, echo_credentials=True))
    sandbox.faults.add(Fault(vendor="cryptolens", times=None, echo_credentials=True))
    report = tmp_path / "report.json"
    result = doctor("--config", config, "--report", report)
    assert result.exit_code == 1
    assert leaks(result.output, sandbox.secrets()) == []
    assert leaks(report.read_bytes(), sandbox.secrets()) == []


def test_a_secret_in_a_next_step_is_not_shown(sandbox: Sandbox, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.vendor("cryptolens", CryptolensSandbox).permissions.remove("GetEvents")
    token = sandbox.config["cryptolens"]["access_token"]
    monkeypatch.setattr(Probes, "permission", lambda _doctor, _stream: token)
    result = doctor("--config", config)
    assert "Ask the vendor's administrator for" in result.output
    assert leaks(result.output, sandbox.secrets()) == []


def test_the_report_is_written_without_secrets_whatever_a_probe_tells(
    sandbox: Sandbox, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "to_report", lambda _examinations: {"reason": sandbox.config["pigment"]["api_key"]})
    report = tmp_path / "report.json"
    doctor("--config", config, "--report", report)
    assert leaks(report.read_bytes(), sandbox.secrets()) == []


@pytest.mark.slow
def test_only_the_report_is_written_and_no_singer_message(config: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, f"--config={config}", "--report=report.json"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "report.json"]
    assert '"type"' not in done.stdout
    assert done.stderr.splitlines() == [
        "Asking Pigment ...",
        "Asking Cryptolens ...",
        "The report is in report.json; it holds nothing of the account.",
    ]


@pytest.mark.slow
def test_colours_only_on_a_terminal(config: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [COMMAND, f"--config={config}"],
        env=environment(TERM="xterm", COLUMNS="100"),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while data := os.read(leader, 65_536):
                shown += data
        except OSError:  # how Linux ends a terminal
            pass
        process.wait(timeout=60)
    os.close(leader)
    assert b"\x1b[32mconfirmed" in shown


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_it_cleanly(sandbox: Sandbox, config: Path, tmp_path: Path, signum: int, code: int) -> None:
    sandbox.faults.add(Fault(skip=3, times=None, delay=60))
    with subprocess.Popen(
        [COMMAND, f"--config={config}", "--report=report.json"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while len(sandbox.requests) < 4 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signum)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "The examination was ended by SIG" in errors
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
