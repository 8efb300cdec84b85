"""However a run is ended from outside: whole lines, a true STATE, an exit code that says so."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
import typing as t
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from random import Random
from threading import Event, Timer

import pytest

from tests.core.test_run import SHORT_STALL, wait_until_full
from tests.faults import oracles
from tests.faults.marks import case, every_vendor, vendors
from tests.faults.proxy import after
from tests.faults.runs import sync
from tests.faults.signals import run_trials
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import FaultProxy
    from tests.faults.subjects import Subject
    from tests.support.tap_process import TapRunner

Config: t.TypeAlias = "dict[str, t.Any]"
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


def check_resumed(sandbox: Sandbox, stdout: bytes) -> None:
    """What was written is true, and a run from its last STATE brings the rest."""
    truth = sandbox.truth()
    seen = oracles.read(stdout)
    assert oracles.premature_states(truth, seen) == []
    states = [message["value"] for message in seen if message["type"] == "STATE"]
    again = sync(sandbox.config, states[-1] if states else None)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(truth, seen, again.messages) == []


@case("I1")
@case("I2")
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGINT, signal.SIGTERM]])
@every_vendor
def test_i1_a_signal_ends_a_run_with_a_true_state(
    sandbox: Sandbox,
    proxy: FaultProxy,
    config: Config,
    subject: Subject,
    tap_runner: TapRunner,
    signals: list[signal.Signals],
) -> None:
    running: list[subprocess.Popen[bytes]] = []

    def send() -> None:
        for each in signals:
            with suppress(IndexError, ProcessLookupError):
                running[0].send_signal(each)

    proxy.inject(after(send), subject.page, skip=subject.pages // 2)
    with tap_runner.start(config=config) as process:
        running.append(process)
        stdout, stderr = process.communicate(timeout=60)
    # Of two at once, the system may deliver either one first.
    assert process.returncode in {CODES[each] for each in signals}, stderr.decode()
    assert b"Traceback" not in stderr
    assert oracles.singer_faults(stdout) == []
    check_resumed(sandbox, stdout)


@case("I1")
@pytest.mark.parametrize("seed", range(3))
@vendors("openx", "xandr", "index_exchange")
def test_i1_a_signal_at_any_moment_ends_a_run_with_a_true_state(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner, seed: int
) -> None:
    """At a random time after a random request: while an answer is awaited, read, or written."""
    sync(config)
    requests = len(proxy.requests)
    chance = Random(f"{subject}{seed}")  # noqa: S311 - moments, not secrets
    signum = chance.choice(list(CODES))
    delay = chance.uniform(0, 0.08)
    running: list[subprocess.Popen[bytes]] = []

    def send_soon() -> None:
        Timer(delay, lambda: running[0].send_signal(signum)).start()

    proxy.inject(after(send_soon), skip=chance.randrange(requests // 2), times=1)
    proxy.inject(after(lambda: time.sleep(0.05)))  # so that the run goes on for longer than the delay
    with tap_runner.start(config=config) as process:
        running.append(process)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == CODES[signum], stderr.decode()
    assert b"Traceback" not in stderr
    assert oracles.singer_faults(stdout) == []
    check_resumed(sandbox, stdout)


@pytest.mark.exhaustive
def test_signals_at_random_moments_of_either_command() -> None:
    assert [trial for trial in run_trials(8, seed=1) if trial.objections] == []


@case("I3")
@every_vendor
def test_i3_a_target_that_takes_nothing_does_not_keep_the_run_alive(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner
) -> None:
    asked = Event()
    # The reference data that Index Exchange is asked for first fills the pipe already.
    proxy.inject(after(asked.set), "/mappings/" if subject.name == "index_exchange" else subject.page)
    process = tap_runner.start(config=config, before=SHORT_STALL)
    assert process.stdout is not None
    fcntl(process.stdout, F_SETPIPE_SZ, 4096)  # a small account does not fill a larger one
    assert asked.wait(30)  # before, there is little to write
    wait_until_full(process)
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == CODES[signal.SIGTERM], stderr.decode()
    assert b"took nothing" in stderr.splitlines()[-1]
    assert b"Traceback" not in stderr
    check_resumed(sandbox, stdout)


@case("I4")
@every_vendor
def test_i4_a_target_that_ends_ends_the_run(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner
) -> None:
    running: list[subprocess.Popen[bytes]] = []

    def close() -> None:
        with suppress(IndexError, AttributeError):
            t.cast("t.IO[bytes]", running[0].stdout).close()

    proxy.inject(after(close), subject.page, skip=1, times=1)
    process = tap_runner.start(config=config)
    running.append(process)
    assert process.stderr is not None
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 1, stderr
    assert "Traceback" not in stderr
    # Not always in the last line: a thread that was still asking may have its say after it.
    assert "Standard output is closed or full" in stderr
    assert "left for the next run" not in stderr
    assert sandbox.truth()


@case("I5")
@every_vendor
def test_i5_a_full_disk_behind_standard_output_ends_the_run(
    sandbox: Sandbox, tap_runner: TapRunner, tmp_path: Path
) -> None:
    # The temporary files of downloads are as small as the account.
    limit = f"import resource, os, sys; resource.setrlimit({resource.RLIMIT_FSIZE}, (9_000, 9_000)); "
    command = tap_runner.command(config=sandbox.config)
    output = tmp_path / "output"
    with output.open("wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", limit + "os.execv(sys.argv[1], sys.argv[1:])", *command],
            env=environment(),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    stderr = done.stderr.decode()
    assert done.returncode == 1, stderr
    assert "Traceback" not in stderr
    # Not always in the last line: a thread that was still asking may have its say after it.
    assert "Standard output is closed or full" in stderr
    assert "left for the next run" not in stderr
    check_resumed(sandbox, output.read_bytes())


@case("I7")
@case("I8")
@every_vendor
def test_i7_i8_the_surroundings_change_nothing(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    poor = {
        "LANG": "C",
        "PYTHONIOENCODING": "latin1",
        "HOME": "/nowhere",
        "PYTHONWARNINGS": "error",
        "TZ": "Asia/Tokyo",
    }
    done = tap_runner.run(config=sandbox.config, env=poor)
    assert done.code == 0, done.stderr
    assert oracles.singer_faults(done.stdout) == []
    assert oracles.gaps(sandbox.truth(), done.messages) == []
