"""The run as a process: exit codes, whole lines, a true STATE, whatever ends it."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import termios
import time
import typing as t
from contextlib import suppress

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tests.support.marks import first_of
from tests.support.states import entry_of
from tests.support.tap_process import TapRunner, environment, last_state, messages
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_process import Message

KEYS = {
    "pigment_audit_events": ("event_id", "eventId"),
    "cryptolens_web_api_log": ("id", "id"),
    "cryptolens_events": ("id", "id"),
    "cryptolens_object_log": ("id", "id"),
}
SHORT_STALL = "import tap_auditlogs.core.interrupts as i; i.STALL_SECONDS = 0.3"
ENDED_BY = {signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, size=3000) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.replace([])


def slow(sandbox: Sandbox, seconds: float = 0.03) -> None:
    sandbox.faults.replace([Fault(delay=seconds, times=None)])


def keys_in(read: list[Message]) -> dict[str, set[t.Any]]:
    found: dict[str, set[t.Any]] = {stream: set() for stream in KEYS}
    for message in read:
        if message["type"] == "RECORD":
            found[message["stream"]].add(message["record"][KEYS[message["stream"]][0]])
    return found


def missing(sandbox: Sandbox, *runs: list[Message]) -> dict[str, int]:
    """Count, for each stream, the rows of the truth that none of the runs wrote."""
    written = [keys_in(read) for read in runs]
    return {
        stream: len(
            {row[KEYS[stream][1]] for row in rows if row.get(KEYS[stream][1])}.difference(
                *(run[stream] for run in written)
            )
        )
        for stream, rows in sandbox.truth().items()
        if stream in KEYS
    }


def config_of(sandbox: Sandbox) -> dict[str, t.Any]:
    return {name: sandbox.config[name] for name in ("pigment", "cryptolens")}


def finish(process: subprocess.Popen[bytes]) -> tuple[bytes, str]:
    """Read the rest of both outputs, which are not buffered on this side, until the process ends."""
    stdout, stderr = process.communicate(timeout=60)
    return stdout, stderr.decode()


def unbuffered(wanted: bool) -> dict[str, str]:
    """Set what containers often set, and what gives Python another kind of standard output."""
    return {"PYTHONUNBUFFERED": "1" if wanted else ""}


def wait_for_log(process: subprocess.Popen[bytes], text: bytes) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the process ended before it said {text!r}")


def test_a_complete_run_ends_with_0_and_a_last_state(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    done = tap_runner.run(config=config_of(sandbox))
    assert done.code == 0, done.stderr
    assert done.messages[-1]["type"] == "STATE"
    assert not any(missing(sandbox, done.messages).values())
    assert "All 4 streams are complete" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("start", "told"), [("2099-01-01", True), ("2020-01-01", False)])
def test_a_start_date_in_the_future_is_told(sandbox: Sandbox, tap_runner: TapRunner, start: str, told: bool) -> None:
    done = tap_runner.run(config={**config_of(sandbox), "start_date": start})
    assert done.code == 0, done.stderr
    assert (f"start_date {start} lies in the future" in done.stderr) == told
    assert bool(done.records("pigment_audit_events")) != told


# Signals.


@pytest.mark.case("I1", "pigment", "cryptolens")
@pytest.mark.parametrize("signum", ENDED_BY)
@pytest.mark.parametrize("moment", first_of(range(6)))
def test_a_signal_at_any_moment_leaves_whole_lines_and_a_true_state(
    sandbox: Sandbox, tap_runner: TapRunner, signum: signal.Signals, moment: int
) -> None:
    slow(sandbox)
    chance = random.Random(f"{signum}{moment}")  # noqa: S311 - moments, not secrets
    process = tap_runner.start(config=config_of(sandbox), env=unbuffered(moment % 2 == 0))
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(chance.choice([1, 2, 400, 1200, 3500]))]
    time.sleep(chance.uniform(0, 0.04))
    process.send_signal(signum)
    rest, stderr = finish(process)
    read = messages(b"".join(lines) + rest)
    assert process.returncode == ENDED_BY[signum], stderr
    assert "Traceback" not in stderr
    assert f"ended by {signum.name}" in stderr.splitlines()[-1]
    sandbox.faults.replace([])
    again = sync(config_of(sandbox), last_state(read))
    assert again.exit_code == 0, again.log
    assert not any(missing(sandbox, read, again.messages).values())


@pytest.mark.parametrize("signum", ENDED_BY)
def test_a_signal_while_the_settings_are_read_ends_the_run_alike(
    sandbox: Sandbox, tap_runner: TapRunner, signum: signal.Signals
) -> None:
    slow(sandbox)
    process = tap_runner.start(config=config_of(sandbox))
    wait_for_log(process, b"env var settings")
    process.send_signal(signum)
    stdout, stderr = finish(process)
    messages(stdout)
    assert process.returncode == ENDED_BY[signum], stderr
    assert "Traceback" not in stderr


@pytest.mark.case("I2")
@pytest.mark.parametrize("pause", [0.0, 0.001, 0.05])
def test_further_signals_change_nothing(sandbox: Sandbox, tap_runner: TapRunner, pause: float) -> None:
    slow(sandbox)
    process = tap_runner.start(config=config_of(sandbox))
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(500)]
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        with suppress(ProcessLookupError):
            process.send_signal(signum)
        time.sleep(pause)
    rest, stderr = finish(process)
    assert messages(b"".join(lines) + rest)
    assert process.returncode in {130, 143}, stderr  # of two at once, the system may deliver either one first
    assert "Traceback" not in stderr


def test_a_signal_ends_a_wait_at_once(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    sandbox.faults.replace([Fault(vendor="pigment", status=429, headers={"Retry-After": "600"}, times=None)])
    process = tap_runner.start(config={"pigment": sandbox.config["pigment"]})
    wait_for_log(process, b"Trying again in 60")
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, stderr = finish(process)
    assert process.returncode == 143, stderr
    assert time.monotonic() - started < 5


def test_a_signal_ends_the_wait_for_an_answer_at_once(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    sandbox.faults.replace([Fault(vendor="pigment", delay=20.0)])
    process = tap_runner.start(config={"pigment": sandbox.config["pigment"]})
    wait_for_log(process, b"Beginning sync")
    time.sleep(0.2)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, stderr = finish(process)
    assert process.returncode == 143, stderr
    assert time.monotonic() - started < 5


# Standard output.


def wait_until_full(process: subprocess.Popen[bytes]) -> None:
    """Return when the pipe takes nothing more."""
    assert process.stdout is not None
    deadline, before = time.monotonic() + 20, 0
    while time.monotonic() < deadline:
        (waiting,) = struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4))
        if 0 < waiting == before:
            return
        before = waiting
        time.sleep(0.3)
    pytest.fail("the pipe did not fill")


@pytest.mark.parametrize("signum", ENDED_BY)
def test_a_target_that_takes_nothing_does_not_keep_the_run_alive(
    sandbox: Sandbox, tap_runner: TapRunner, signum: signal.Signals
) -> None:
    process = tap_runner.start(config=config_of(sandbox), before=SHORT_STALL)
    wait_until_full(process)
    process.send_signal(signum)
    process.wait(10)
    _, stderr = finish(process)
    assert process.returncode == ENDED_BY[signum]
    assert "took nothing" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("bare", [True, False])
def test_a_slow_target_gets_every_line_begun(sandbox: Sandbox, tap_runner: TapRunner, bare: bool) -> None:
    process = tap_runner.start(config=config_of(sandbox), env=unbuffered(bare))
    wait_until_full(process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    stdout, stderr = finish(process)
    assert process.returncode == 143, stderr
    read = messages(stdout)
    assert last_state(read)
    again = sync(config_of(sandbox), last_state(read))
    assert not any(missing(sandbox, read, again.messages).values())


def test_a_stuck_standard_error_does_not_keep_the_run_alive(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 65_536)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    process = tap_runner.start(config=config_of(sandbox), before=SHORT_STALL, stdout=subprocess.DEVNULL, stderr=writing)
    time.sleep(2.0)  # until it blocks in its first log line, of which there is no sign
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(10) in {143, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)


def test_a_target_that_ends_early_ends_the_run(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    process = tap_runner.start(config=config_of(sandbox))
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 1
    assert "Traceback" not in stderr
    assert "Standard output is closed or full" in stderr.splitlines()[-1]


def test_a_target_that_ends_together_with_a_signal_ends_the_run_by_the_signal(
    sandbox: Sandbox, tap_runner: TapRunner
) -> None:
    sandbox.faults.replace([Fault(vendor="cryptolens", delay=20.0)])
    process = tap_runner.start(config=config_of(sandbox))
    wait_for_log(process, b"Beginning sync of 'cryptolens")
    time.sleep(0.2)
    assert process.stdout is not None
    process.stdout.close()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 143, stderr
    assert "Traceback" not in stderr


@pytest.mark.case("I5")
@pytest.mark.parametrize("redirection", [">&-", "> /dev/full"])
def test_a_standard_output_that_takes_nothing_is_reported_in_one_line(
    sandbox: Sandbox, tap_runner: TapRunner, redirection: str
) -> None:
    command = tap_runner.command(config=config_of(sandbox))
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        check=False,
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=60,
    )
    stderr = done.stderr.decode()
    assert done.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert "Standard output is closed or full" in stderr.splitlines()[-1]


# Failures of single streams.


def test_one_failing_stream_leaves_the_others_complete(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    sandbox.faults.replace([Fault(path="GetEvents", status=403, body=b"denied", times=None)])
    done = tap_runner.run(config=config_of(sandbox))
    assert done.failed_plainly, done.stderr
    lacking = missing(sandbox, done.messages)
    assert lacking.pop("cryptolens_events") > 0
    assert not any(lacking.values())
    last = done.stderr.splitlines()[-1]
    assert "3 of 4 streams are complete. Failed: `cryptolens_events`" in last
    assert "HTTP 403" in last
    assert done.messages[-1]["type"] == "STATE"
    assert done.state is not None
    assert "replication_key_value" not in entry_of(done.state, "cryptolens_events")
    assert "replication_key_value" in entry_of(done.state, "cryptolens_web_api_log")


def test_a_stream_that_fails_half_way_goes_on_from_there(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    sandbox.faults.replace([Fault(path="GetWebAPILog", status=400, body=b"no", skip=1, times=None)])
    done = tap_runner.run(config=config_of(sandbox))
    assert done.failed_plainly, done.stderr
    sandbox.faults.replace([])
    again = sync(config_of(sandbox), done.state)
    assert again.exit_code == 0, again.log
    assert 0 < len(again.records("cryptolens_web_api_log")) < len(sandbox.truth()["cryptolens_web_api_log"])
    assert not any(missing(sandbox, done.messages, again.messages).values())


BROKEN = "from tap_auditlogs.vendors.pigment import streams as s; s.EventPaginator = None"


def test_an_unexpected_error_ends_its_stream_only(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    done = tap_runner.run(config=config_of(sandbox), before=BROKEN)
    assert done.failed_plainly
    assert "3 of 4 streams are complete" in done.stderr.splitlines()[-1]
    assert "`pigment_audit_events`: unexpected TypeError at streams.py:" in done.stderr.splitlines()[-1]
    assert "unhandled" not in done.stderr
    lacking = missing(sandbox, done.messages)
    assert lacking.pop("pigment_audit_events") > 0
    assert not any(lacking.values())


def test_the_traceback_of_an_unexpected_error_is_logged_at_debug_level(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    config = {"pigment": sandbox.config["pigment"]}
    done = tap_runner.run(config=config, before=BROKEN, env={"LOGLEVEL": "debug"})
    assert done.code == 1
    assert "Traceback" in done.stderr


def test_an_unexpected_error_of_the_run_itself_is_reported_in_one_line(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    broken = "from tap_auditlogs.core import run; run._sync_streams = None"
    done = tap_runner.run(config=config_of(sandbox), before=broken)
    assert done.failed_plainly
    assert "unexpected TypeError at run.py:" in done.stderr.splitlines()[-1]


def test_a_catalog_that_selects_nothing_is_an_error(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    catalog = {
        "streams": [
            {
                "tap_stream_id": stream,
                "stream": stream,
                "schema": {"properties": {}},
                "metadata": [{"breadcrumb": [], "metadata": {"selected": False}}],
            }
            for stream in KEYS
        ]
    }
    done = tap_runner.run(config=config_of(sandbox), catalog=catalog)
    assert done.failed_plainly
    assert "No stream is selected" in done.stderr.splitlines()[-1]
    assert b"RECORD" not in done.stdout
