"""The installed tap is killed with SIGKILL, and what it wrote together with the next run leaves no gap."""

from __future__ import annotations

import signal
import typing as t
from collections import Counter

import pytest

from auditlogs_sandbox.faults import Fault
from tests.end_to_end.truth import CRYPTOLENS, PIGMENT, key_of, keys_in, keys_within_look_back, true_keys
from tests.support.tap_runs import parse_lines, states_of, sync

if t.TYPE_CHECKING:
    import subprocess

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Message, State

MOST_RUNS = 25


class Killer:
    """Kills the tap after a number of requests of one kind, so that each run gets a little further."""

    def __init__(self, sandbox: Sandbox, paths: list[str], skip: int) -> None:
        self._sandbox = sandbox
        self._paths = paths
        self._skip = skip
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, tap_runner: TapRunner, config: dict[str, t.Any], state: State | None) -> tuple[int, list[Message]]:
        """Run the tap until it is killed or ends; gives its exit code and what it wrote."""
        self._sandbox.faults.replace(
            Fault(path=path, skip=self._skip, times=None, callback=lambda _request: self._kill())
            for path in self._paths
        )
        with tap_runner.start(config=config, state=state) as self._process:
            stdout, _ = self._process.communicate(timeout=60)
        return self._process.returncode, parse_lines(stdout)

    def _kill(self) -> None:
        assert self._process is not None
        self._process.kill()


def run_until_complete(
    sandbox: Sandbox, tap_runner: TapRunner, config: dict[str, t.Any], paths: list[str], skip: int = 1
) -> tuple[int, list[Message]]:
    """Run and kill until a run completes, each from the last STATE; returns the number of kills and the output."""
    killer = Killer(sandbox, paths, skip)
    state, seen = None, []
    for kills in range(MOST_RUNS):
        exit_code, messages = killer.run(tap_runner, config, state)
        seen += messages
        state = states_of(seen)[-1]
        if exit_code != -signal.SIGKILL:
            assert exit_code == 0
            return kills, seen
    pytest.fail("the killed runs do not get further")


def test_pigment_killed_after_every_page(sandbox: Sandbox, pigment: PigmentSandbox, tap_runner: TapRunner) -> None:
    pigment.page_size = 20
    config = {"pigment": sandbox.config["pigment"]}
    kills, seen = run_until_complete(sandbox, tap_runner, config, ["/events"])
    assert kills >= 2
    assert keys_in(seen)[PIGMENT] == true_keys(sandbox)[PIGMENT]
    counted = Counter(key_of(PIGMENT, message["record"]) for message in seen if message["type"] == "RECORD")
    assert {key for key, times in counted.items() if times > 1} <= keys_within_look_back(sandbox)
    assert states_of(seen)[-1] == sync(config).state


@pytest.mark.usefixtures("cryptolens")
def test_cryptolens_killed_after_every_page_of_every_log(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    config = {"cryptolens": sandbox.config["cryptolens"]}
    paths = ["GetWebAPILog", "GetEvents", "GetObjectLog"]
    # A log without news is asked twice: for what follows its bookmark, and for the bookmark's own row.
    kills, seen = run_until_complete(sandbox, tap_runner, config, paths, skip=2)
    assert kills >= 3
    assert keys_in(seen, CRYPTOLENS) == true_keys(sandbox, CRYPTOLENS)
    assert sum(message["type"] == "RECORD" for message in seen) == sum(
        len(keys) for keys in true_keys(sandbox, CRYPTOLENS).values()
    )
    assert states_of(seen)[-1] == sync(config).state


@pytest.mark.parametrize("lines", [2, 60, 180, 430])
def test_killed_within_a_page(
    sandbox: Sandbox, pigment: PigmentSandbox, cryptolens: CryptolensSandbox, tap_runner: TapRunner, lines: int
) -> None:
    """The tap is killed while it writes a page: the pipe takes no more than 64 kB that nobody reads."""
    pigment.page_size = 150
    pigment.add_tie(sandbox.world.now(), 700)
    cryptolens.web_api_log.most_rows = cryptolens.events.most_rows = cryptolens.object_log.most_rows = 150
    with tap_runner.start(config=sandbox.config) as process:
        assert process.stdout is not None
        target = b"".join(process.stdout.readline() for _ in range(lines))
        process.kill()
        rest = process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    for seen in (parse_lines(target), parse_lines(target + rest)):
        states = states_of(seen)
        again = sync(sandbox.config, states[-1] if states else None)
        assert again.exit_code == 0
        written, rewritten = keys_in(seen), keys_in(again.messages)
        assert {stream: written[stream] | rewritten[stream] for stream in written} == true_keys(sandbox)
