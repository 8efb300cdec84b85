"""Kills the installed command again and again at random places, by hand: `python -m tests.faults.long_run --kills 500`.

Every kill is a SIGKILL of a real process, after a random line or at a random request, while faults come and go and rows
come in; the next run starts from the last STATE the target has, or from any older one. No run repeats more than it may,
and at the end of each round a run without faults must bring all there is.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import typing as t
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.faults import oracles
from tests.faults.machine import FAULTS, Ledger
from tests.faults.proxy import after
from tests.faults.subjects import SUBJECTS
from tests.support.tap_process import TapRunner

if t.TYPE_CHECKING:
    import subprocess

    from tests.faults.machine import Seen

_RUNS_PER_ROUND = 8


class Figures(t.NamedTuple):
    """What a long run came to."""

    kills: int
    ended: int
    old_states: int
    compared: int
    faults: list[str]


def run_killed(ledger: Ledger, runner: TapRunner, start: Seen, chance: Random) -> tuple[int, bytes]:
    """Start the command, kill it somewhere, and give its exit code and what the target took."""
    by_request = chance.random() < 0.8
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        with suppress(IndexError):
            running[0].kill()

    if by_request:
        ledger.proxy.inject(after(kill), skip=chance.randrange(SUBJECTS[ledger.name].pages + 3))
    config = {**ledger.config, "max_retry_wait_seconds": 0}
    with runner.start(config=config, state=start.state) as process:
        running.append(process)
        assert process.stdout is not None
        taken = b""
        if not by_request:
            taken = b"".join(process.stdout.readline() for _ in range(chance.randrange(1, 90)))
            process.kill()
        rest, _ = process.communicate(timeout=60)
    # The target may have died with it, before it took what was still in the pipe.
    return process.returncode, taken + (rest if chance.random() < 0.7 else b"")


def round_of_kills(name: str, seed: int, runner: TapRunner) -> Figures:
    """Kill one vendor's runs a few times, and see that a complete run has all."""
    chance = Random(f"{name}{seed}")  # noqa: S311 - a seed to repeat a failure by
    ledger = Ledger(name, seed)
    kills = ended = old = 0
    faults: list[str] = []
    try:
        at = ledger.seen[0]
        for _ in range(_RUNS_PER_ROUND):
            for _ in range(chance.randrange(3)):
                ledger.happen(chance)
            ledger.wait(chance.choice([1, 60, 600, 4000]))
            if chance.random() < 0.3:
                ledger.proxy.inject(FAULTS[chance.choice(sorted(FAULTS))], skip=chance.randrange(10), times=1)
            if chance.random() < 0.2:
                at = chance.choice(ledger.seen)
                old += 1
            code, stdout = run_killed(ledger, runner, at, chance)
            ledger.proxy.clear_faults()
            kills += code == -signal.SIGKILL
            ended += code in {0, 1}
            if code not in {0, 1, -signal.SIGKILL}:
                faults.append(f"exit code {code}")
            faults += [fault for fault in oracles.singer_faults(stdout) if "is cut" not in fault]
            at = ledger.take(stdout, at)
        faults += ledger.check_complete(at) + ledger.objections
    finally:
        ledger.close()
    return Figures(kills, ended, old, ledger.compared, [f"{name}, seed {seed}: {fault}" for fault in faults])


def main() -> int:
    """Run as long as asked, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=500, help="how many kills over all vendors")
    options.add_argument("--seconds", type=float, default=float("inf"), help="or as many as fit in this time")
    options.add_argument("--seed", type=int, default=1, help="of the first round")
    asked = options.parse_args()
    totals = dict.fromkeys(SUBJECTS, Figures(0, 0, 0, 0, []))
    began = time.monotonic()
    seed = asked.seed
    with tempfile.TemporaryDirectory() as folder:
        runner = TapRunner(Path(folder))
        while sum(total.kills for total in totals.values()) < asked.kills and time.monotonic() - began < asked.seconds:
            for name in SUBJECTS:
                figures = round_of_kills(name, seed, runner)
                totals[name] = Figures(*(a + b for a, b in zip(totals[name], figures, strict=True)))  # type: ignore[operator] # numbers and lists
                for fault in figures.faults:
                    sys.stderr.write(f"{fault}\n")
            seed += 1
    for name, total in totals.items():
        print(
            f"{name:<16}{total.kills:>5} killed {total.ended:>4} ended {total.old_states:>4} from an old STATE "
            f"{total.compared:>4} judged by their repeats "
            f"{len(total.faults):>3} objections"
        )
    kills = sum(total.kills for total in totals.values())
    failed = sum(len(total.faults) for total in totals.values())
    print(f"{kills} kills in {time.monotonic() - began:.0f} s, {failed} objections, seeds {asked.seed} to {seed - 1}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
