"""Whenever a run is cut off, and from whichever STATE the next one starts, nothing is lost."""

from __future__ import annotations

import hashlib
import signal
import typing as t
from contextlib import suppress
from functools import partial

import pytest

from tests.faults import oracles
from tests.faults.marks import case, every_vendor
from tests.faults.proxy import after, status
from tests.faults.runs import sync
from tests.support.states import has_begun_part

if t.TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendor import VendorSandbox
    from tests.faults.proxy import FaultProxy
    from tests.faults.subjects import Subject
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Run

Config: t.TypeAlias = "dict[str, t.Any]"


def two_runs(sandbox: Sandbox, subject: Subject, account: VendorSandbox) -> tuple[Run, Run]:
    """A first run, and a second one after there were news."""
    first = sync(sandbox.config)
    assert first.exit_code == 0, first.log
    assert oracles.gaps(sandbox.truth(), first.messages) == []
    subject.add(account)
    second = sync(sandbox.config, first.state)
    assert second.exit_code == 0, second.log
    return first, second


@case("G12")
@case("A1")
@case("A2")
@case("I6")
@every_vendor
def test_a1_cut_off_after_any_line_of_a_first_run(sandbox: Sandbox) -> None:
    """SIGKILL after line k leaves the target the first k lines: restart from the last STATE in them, for every k."""
    truth = sandbox.truth()
    run = sync(sandbox.config)
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.premature_states(truth, run.messages) == []
    assert oracles.unknown_records(truth, run.messages) == []
    assert len(run.states) >= 4
    restarted: dict[int, list[oracles.Message]] = {}
    for cut in range(len(run.messages) + 1):
        prefix = run.messages[:cut]
        states = [message["value"] for message in prefix if message["type"] == "STATE"]
        if len(states) not in restarted:
            again = sync(sandbox.config, states[-1] if states else None)
            assert again.exit_code == 0, again.log
            restarted[len(states)] = again.messages
        assert oracles.gaps(truth, prefix, restarted[len(states)]) == [], f"after line {cut}"


@case("A7")
@case("A2")
@every_vendor
def test_a2_restart_from_any_state_of_two_runs(sandbox: Sandbox, subject: Subject, account: VendorSandbox) -> None:
    """A sweep goes on where it was left: what changed meanwhile in an object it has passed comes with the next one."""
    first, second = two_runs(sandbox, subject, account)
    seen = first.messages + second.messages
    truth = sandbox.truth()
    for position, message in enumerate(seen):
        if message["type"] == "STATE":
            again = sync(sandbox.config, message["value"])
            assert again.exit_code == 0, again.log
            written = [seen[: position + 1], again.messages]
            if subject.sweeps and has_begun_part(message["value"]):
                written.append(sync(sandbox.config, again.state).messages)
            assert oracles.gaps(truth, *written) == []


@case("A1")
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
@every_vendor
def test_a1_killed_at_a_line(sandbox: Sandbox, tap_runner: TapRunner, share: float) -> None:
    lines = int(len(sync(sandbox.config).messages) * share)
    with tap_runner.start(config=sandbox.config) as process:
        assert process.stdout is not None
        target = b"".join(process.stdout.readline() for _ in range(lines))
        process.kill()
        rest = process.stdout.read()
    for seen in (oracles.read(target), oracles.read(target + rest)):
        states = [message["value"] for message in seen if message["type"] == "STATE"]
        again = sync(sandbox.config, states[-1] if states else None)
        assert again.exit_code == 0, again.log
        assert oracles.gaps(sandbox.truth(), seen, again.messages) == []


@case("A1")
@case("A6")
@every_vendor
def test_a1_killed_at_a_request(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, tap_runner: TapRunner, subject: Subject
) -> None:
    """Also while a token is fetched and while a file is downloaded."""
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        with suppress(IndexError):
            running[-1].kill()

    places = [(subject.page, subject.pages - 2)]
    places += [(subject.login, 0)] if subject.login else []
    places += [("/files/", 2)] if subject.name == "index_exchange" else []
    for path, skip in places:
        proxy.clear_faults()
        proxy.inject(after(kill), path, skip=skip)
        with tap_runner.start(config=config) as process:
            running.append(process)
            stdout, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        seen = oracles.read(stdout)
        assert oracles.premature_states(sandbox.truth(), seen) == []
        proxy.clear_faults()
        states = [message["value"] for message in seen if message["type"] == "STATE"]
        again = sync(config, states[-1] if states else None)
        assert again.exit_code == 0, again.log
        assert oracles.gaps(sandbox.truth(), seen, again.messages) == []


@case("A3")
@case("D5")
@every_vendor
def test_a3_an_outage_half_way_fails_and_is_gone_on_from(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject
) -> None:
    proxy.inject(status(503), subject.page, skip=subject.pages // 2)
    run = sync(config)
    truth = sandbox.truth()
    assert run.exit_code == 1
    assert oracles.wrong_exit(truth, run.exit_code, run.messages, run.log) == []
    assert oracles.premature_states(truth, run.messages) == []
    assert oracles.gaps(truth, run.messages)
    proxy.clear_faults()
    again = sync(config, run.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(truth, run.messages, again.messages) == []


@case("A8")
@every_vendor
def test_a8_two_runs_at_once_from_one_state_are_each_whole(
    sandbox: Sandbox, subject: Subject, account: VendorSandbox, tap_runner: TapRunner, tmp_path: Path
) -> None:
    config = sandbox.config
    if subject.name == "index_exchange":
        config = {subject.name: {**config[subject.name], "archive_url": str(tmp_path / "archive")}}
    first = sync(config)
    subject.add(account)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    start = partial(tap_runner.start, config=config, state=first.state, env={"TMPDIR": str(temporary)})
    with start() as one, start() as other:
        ended = [(process.communicate(timeout=60), process.wait()) for process in (one, other)]
    for (stdout, stderr), code in ended:
        assert code == 0, stderr.decode()
        assert oracles.singer_faults(stdout) == []
        seen = oracles.read(stdout)
        assert oracles.gaps(sandbox.truth(), first.messages, seen) == []
        (*_, state) = [message["value"] for message in seen if message["type"] == "STATE"]
        assert sync(config, state).exit_code == 0
    assert list(temporary.iterdir()) == []
    for kept in (tmp_path / "archive").rglob("*.gz"):
        md5 = hashlib.md5(kept.read_bytes(), usedforsecurity=False).hexdigest()
        assert kept.with_name(f"{kept.name}.md5").read_text() == f"{md5}\n"


@case("A9")
@every_vendor
def test_a9_without_news_the_state_stays_and_little_is_repeated(sandbox: Sandbox) -> None:
    first = sync(sandbox.config)
    second = sync(sandbox.config, first.state)
    assert second.exit_code == 0
    assert second.state == first.state
    repeated = [message for message in second.messages if message["type"] == "RECORD"]
    reference_data = {"dsps", "buyers", "deals", "sites", "partners", "campaigns", "exchange_rates"}
    assert not [
        record for record in repeated if record["stream"].removeprefix("index_exchange_") not in reference_data
    ] or sandbox.config.keys() == {"pigment"}


@case("A10")
def test_a10_discovery_needs_no_credentials_and_a_test_run_no_state(
    tap_runner: TapRunner,
) -> None:
    found = tap_runner.run("--discover")
    assert found.code == 0
    assert b'"tap_stream_id"' in found.stdout


@case("A10")
@every_vendor
def test_a10_a_test_run_moves_no_bookmark_past_rows_it_left_out(
    sandbox: Sandbox, config: Config, tap_runner: TapRunner
) -> None:
    tried = tap_runner.run("--test", config=config)
    assert tried.code == 0, tried.stderr
    assert oracles.premature_states(sandbox.truth(), tried.messages) == []
