"""Ends the installed commands by signals at random moments, by hand: `python -m tests.faults.signals --signals 200`.

The moments are spread over the whole life of the process: start-up, imports, login, pages, the end. Until Python has
reached the command's first lines, Python itself decides what a signal does; such trials are counted apart.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from pathlib import Path
from random import Random
from threading import Thread

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tests.faults import oracles
from tests.faults.runs import sync
from tests.faults.subjects import SIZE, SUBJECTS, shrink
from tests.support.tap_process import COMMAND, TapRunner, environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
MAPPER = str(Path(COMMAND).with_name("auditlogs-ocsf"))


class Trial(t.NamedTuple):
    """What one signal led to."""

    command: str
    outcome: str
    objections: list[str]


class Trials:
    """Starts the commands against a small sandbox and ends them."""

    def __init__(self, sandbox: Sandbox, runner: TapRunner) -> None:
        self._sandbox = sandbox
        self._runner = runner
        self._truth = sandbox.truth()
        self._messages = sync(sandbox.config).stdout
        self._seconds: dict[str, float] = {}
        self._slow_down()
        for command, start in self._commands.items():
            began = time.monotonic()
            start().communicate()
            self._seconds[command] = time.monotonic() - began

    def _slow_down(self) -> None:
        """Spread a run over enough time to end it in the middle."""
        self._sandbox.faults.replace([Fault(delay=0.02, times=None)])

    @property
    def _commands(self) -> dict[str, t.Callable[[], subprocess.Popen[bytes]]]:
        return {"tap-auditlogs": self._start_tap, "auditlogs-ocsf": self._start_mapper}

    def __call__(self, chance: Random) -> Trial:
        command = chance.choice([*self._commands])
        signum = chance.choice([*CODES])
        with self._commands[command]() as process:
            time.sleep(chance.uniform(0, self._seconds[command] * 1.05))
            is_reached = _blocks_signals(process.pid)
            process.send_signal(signum)
            stdout, stderr = process.communicate(timeout=60)
        code = process.returncode
        if code in {-signum, 1} and not is_reached and not stdout:
            return Trial(command, "before the command's first line", [])
        objections = list(self._objections(command, stdout, stderr.decode()))
        if code == 0:
            return Trial(command, "after the end", objections)
        if code != CODES[signum]:
            objections.append(f"exit code {code} after {signum.name}")
        return Trial(command, "during the run" if stdout else "before any output", objections)

    def _objections(self, command: str, stdout: bytes, stderr: str) -> Iterator[str]:
        if "Traceback" in stderr or "Error" in stderr:
            yield f"standard error: {stderr}"
        if command == "auditlogs-ocsf":
            if stdout and not stdout.endswith(b"\n"):
                yield "the last line is cut"
            return
        yield from oracles.singer_faults(stdout)
        seen = oracles.read(stdout)
        if any(message["type"] == "RECORD" for message in seen) and seen[-1]["type"] != "STATE":
            yield "the last message is no STATE"
        yield from oracles.premature_states(self._truth, seen)
        states = [message["value"] for message in seen if message["type"] == "STATE"]
        self._sandbox.faults.replace([])
        again = sync(self._sandbox.config, states[-1] if states else None)
        self._slow_down()
        yield from oracles.gaps(self._truth, seen, again.messages)

    def _start_tap(self) -> subprocess.Popen[bytes]:
        return self._runner.start(config=self._sandbox.config)

    def _start_mapper(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [MAPPER], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        stdin, process.stdin = process.stdin, None  # `communicate` would close it
        Thread(target=self._feed, args=(t.cast("t.IO[bytes]", stdin),), daemon=True).start()
        return process

    def _feed(self, stdin: t.IO[bytes]) -> None:
        """Write the tap's messages over about a second."""
        lines = self._messages.splitlines(keepends=True)
        try:
            with stdin:
                for start in range(0, len(lines), len(lines) // 50 + 1):
                    stdin.writelines(lines[start : start + len(lines) // 50 + 1])
                    stdin.flush()
                    time.sleep(0.02)
        except BrokenPipeError:
            pass


def _blocks_signals(pid: int) -> bool:
    """Whether the process has taken over SIGTERM: blocked it for a thread of its own, or caught it."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines())
    masks = int(status.get("SigBlk", "0"), 16) | int(status.get("SigCgt", "0"), 16)
    return bool(masks & 1 << (signal.SIGTERM - 1))


def run_trials(count: int, seed: int) -> Iterator[Trial]:
    """Send so many signals, each to a process of its own."""
    chance = Random(seed)  # noqa: S311 - a seed to repeat a failure by
    with Sandbox(seed=7, size=SIZE) as sandbox, tempfile.TemporaryDirectory() as folder:
        shrink(sandbox, SUBJECTS.values())
        trials = Trials(sandbox, TapRunner(Path(folder)))
        for _ in range(count):
            yield trials(chance)


def main() -> int:
    """Send as many signals as asked, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--signals", type=int, default=200, help="how many")
    options.add_argument("--seed", type=int, default=1, help="of the moments")
    asked = options.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    failed = 0
    for trial in run_trials(asked.signals, asked.seed):
        counts[trial.command, trial.outcome] += 1
        failed += bool(trial.objections)
        for objection in trial.objections:
            sys.stderr.write(f"{trial.command}, {trial.outcome}: {objection}\n")
    for (command, outcome), count in sorted(counts.items()):
        print(f"{command:<16}{outcome:<34}{count:>4}")
    print(f"{sum(counts.values())} signals, {failed} with objections")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
