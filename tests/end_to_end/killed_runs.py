"""Kills parts of the whole pipeline at random moments, by hand: `python -m tests.end_to_end.killed_runs --runs 500`.

Each run is `meltano run --force tap-auditlogs auditlogs-ocsf target-postgres` against the sandbox and a real
PostgreSQL. One process, all of them, a PostgreSQL backend or the whole server gets SIGKILL, and the sandbox has new
rows before the next run. At the end one run is left alone; then every row that the sources have must be in its table
with the values that an undisturbed pipeline loads into empty tables.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import tempfile
import time
import typing as t
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psutil

from auditlogs_demo.audit_trail import COLUMNS, compare_trail
from auditlogs_demo.database import SCHEMA
from auditlogs_demo.flow import Bookkeeper
from auditlogs_demo.meltano import EXTRACTOR, LOADER, Pipeline
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.ocsf.schema import KEY
from tap_auditlogs.ocsf.schema import NAME as AUDIT_EVENTS
from tap_auditlogs.tap import TapAuditLogs
from tests.support.postgres import PostgresServer, postgres_server

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

ROOT: t.Final = Path(__file__).parents[2]
REFERENCE_SCHEMA: t.Final = "undisturbed"
VICTIMS: t.Final = ("tap", "mapper", "target", "meltano", "all", "backend", "server")

_COMMANDS: t.Final = {"tap": EXTRACTOR, "mapper": "auditlogs-ocsf", "target": LOADER}
_ROWS: t.Final = 20
# The clock's way to the present. Pigment's oldest event, of 179 days, must not exceed 180 days by the tap's own clock.
_HISTORY: t.Final = timedelta(hours=20)
# Cryptolens' youngest rows, of `settle_seconds`, are left for the next run: the last run comes later than that.
_LAST_WAIT: t.Final = timedelta(minutes=10)
# When a row was loaded or mapped, and what Index Exchange knows of earlier downloads.
_IGNORED_COLUMNS: t.Final = (
    "download_status",
    "ingested_at",
    "_sdc_batched_at",
    "_sdc_deleted_at",
    "_sdc_extracted_at",
    "_sdc_received_at",
    "_sdc_sequence",
    "_sdc_sync_started_at",
    "_sdc_table_version",
)
_LONGEST_DELAY: t.Final = 2.0
_POLL_SECONDS: t.Final = 0.02
_RUN_SECONDS: t.Final = 600
_SHOWN: t.Final = 20


class Plan(t.NamedTuple):
    """What is killed in a run, and when."""

    victim: str
    progress: float  # how many of a whole run's requests the vendors have had, as a share
    delay: float  # seconds after that


class Figures(t.NamedTuple):
    """How often each victim was killed, how many runs ended before that, and what differs at the end."""

    kills: Counter[str]
    too_late: int
    differences: list[str]


class SteppedClock:
    """Arrives at the present after so many steps, as the tap goes by the real time."""

    def __init__(self, steps: int) -> None:
        self._step = min(timedelta(hours=1), _HISTORY / steps)
        self._behind = self._step * steps + _LAST_WAIT

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self._behind

    def step(self) -> None:
        self._behind -= self._step

    def arrive(self) -> None:
        """Pass what is left on the way to the present."""
        self._behind = timedelta()


def draw_plans(seed: int, runs: int) -> Iterator[Plan]:
    """Each victim comes equally often."""
    chance = Random(seed)  # noqa: S311 - no secrets
    for number in range(runs):
        if number % len(VICTIMS) == 0:
            order = chance.sample(VICTIMS, len(VICTIMS))
        yield Plan(order[number % len(VICTIMS)], chance.random(), _LONGEST_DELAY * chance.random() ** 2)


class KilledPipeline:
    """The pipeline, its sources and its tables."""

    def __init__(self, folder: Path, sandbox: Sandbox, server: PostgresServer) -> None:
        self._folder = folder
        self._sandbox = sandbox
        self._server = server
        self._config = {**sandbox.config, "pigment": {**sandbox.config["pigment"], "lookback_hours": 2}}
        self._main = self._pipeline("main", SCHEMA)
        self._keys = {name: tuple(it.primary_keys) for name, it in TapAuditLogs(config=self._config).streams.items()}
        self._books = Bookkeeper(sandbox, server.database, self._keys)
        self._requests = 0

    def _pipeline(self, name: str, schema: str) -> Pipeline:
        folder = self._folder / name
        folder.mkdir()
        loader = {"sqlalchemy_url": self._server.database.url, "default_target_schema": schema}
        return Pipeline.create(folder, ROOT / "meltano.yml", tap=self._config, loaders={LOADER: loader})

    def run_whole(self) -> None:
        """Run once without a kill."""
        self._sandbox.requests.clear()
        self._run(self._main)
        self._requests = len(self._sandbox.requests)

    def run_killed(self, plan: Plan) -> bool:
        """Run once; returns whether the victim was killed before the run ended."""
        self._sandbox.requests.clear()
        process = self._main.start(self._folder / "killed.log", "--force")
        with _everything_ends(process):
            begin = round(plan.progress * self._requests)
            if not _wait_for(lambda: len(self._sandbox.requests) >= begin, process):
                return False
            time.sleep(plan.delay)
            killed = _wait_for(lambda: self._kill(plan.victim, process), process)
            with suppress(psutil.TimeoutExpired):
                process.wait(_RUN_SECONDS)
        if killed and plan.victim == "server":
            self._server.start()
        return killed

    def grow(self) -> None:
        """Let the sources have new rows, and remember what they have."""
        self._sandbox.advance()
        self._books.look()

    def differences(self) -> list[str]:
        """Compare the tables with the sources, and with what an undisturbed pipeline loads into empty tables."""
        self._run(self._pipeline("undisturbed", REFERENCE_SCHEMA))
        results = self._books.compare()
        trail = compare_trail(results, self._server.database.read_keys(AUDIT_EVENTS, COLUMNS))
        return [
            *(difference for result in results.values() for difference in result.differences()),
            *trail.differences(),
            *(difference for stream in (*results, AUDIT_EVENTS) for difference in self._changed_rows(stream)),
        ]

    def _run(self, pipeline: Pipeline) -> None:
        process = pipeline.start(self._folder / "whole.log", "--force")
        with _everything_ends(process):
            exit_code = process.wait(_RUN_SECONDS)
        assert exit_code == 0, (self._folder / "whole.log").read_text(errors="replace")[-5000:]

    def _kill(self, victim: str, process: subprocess.Popen[bytes]) -> bool:
        """Kill the victim if it is there."""
        if victim == "server":
            self._server.kill()
        elif victim == "all":
            os.killpg(process.pid, signal.SIGKILL)
        elif victim == "meltano":
            process.kill()
        else:
            processes = self._server.backends() if victim == "backend" else _plugins(process, _COMMANDS[victim])
            if not processes:
                return False
            processes[0].kill()
        return True

    def _changed_rows(self, stream: str) -> Iterator[str]:
        """Compare each row of the undisturbed load with the row of the same key, value by value."""
        found = self._rows(SCHEMA, stream)
        for key, expected in self._rows(REFERENCE_SCHEMA, stream).items():
            row = found.get(key, {})
            if changed := [name for name, value in expected.items() if name not in row or row[name] != value]:
                yield f"{stream} {key}: " + "; ".join(f"{it}: {row.get(it)!r}, not {expected[it]!r}" for it in changed)

    def _rows(self, schema: str, stream: str) -> dict[tuple[t.Any, ...], dict[str, t.Any]]:
        names = (KEY,) if stream == AUDIT_EVENTS else self._keys[stream]
        if self._server.query(f"SELECT to_regclass('{schema}.{stream}')") == [(None,)]:
            return {}  # a stream without rows has no table
        ignored = list(_IGNORED_COLUMNS)
        rows = self._server.query(f"SELECT to_jsonb(t) - ARRAY{ignored} FROM {schema}.{stream} AS t")  # noqa: S608 - no input
        return {tuple(row[name] for name in names): row for (row,) in rows}


def _plugins(process: subprocess.Popen[bytes], command: str) -> list[psutil.Process]:
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(Path(argument).name == command for argument in child.cmdline()[:2]):
                    found.append(child)
    return found


def _wait_for(happens: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait for something to happen before a process ends."""
    while not happens():
        if process.poll() is not None:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@contextmanager
def _everything_ends(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the plugins of a killed Meltano end by themselves, as the closed pipes tell them to."""
    try:
        yield
    finally:
        deadline = time.monotonic() + 30
        while _group(process.pid) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _group(number: int) -> list[int]:
    """The running processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def kill_runs(runs: int, seed: int, echo: Callable[[str], object], seconds: float = math.inf) -> Figures:
    """Kill one run after the other, for so many seconds at most, then compare the tables with the sources."""
    deadline = time.monotonic() + seconds
    clock = SteppedClock(runs + 1)
    kills: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="killed-runs-") as folder,
        Sandbox(seed=seed, size=_ROWS, clock=clock) as sandbox,
        postgres_server() as server,
    ):
        server.execute("ALTER SYSTEM SET timezone = 'America/New_York'", "SELECT pg_reload_conf()")
        pipeline = KilledPipeline(Path(folder), sandbox, server)
        pipeline.run_whole()
        too_late = 0
        for number, plan in enumerate(draw_plans(seed, runs), start=1):
            if time.monotonic() > deadline:
                break
            clock.step()
            pipeline.grow()
            killed = pipeline.run_killed(plan)
            kills[plan.victim] += killed
            too_late += not killed
            echo(f"run {number}: {plan} {'killed' if killed else 'ended before'}; kills so far: {dict(kills)}")
        clock.step()
        pipeline.grow()
        clock.arrive()
        pipeline.run_whole()
        return Figures(kills, too_late, pipeline.differences())


def main() -> None:
    """Print the figures; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further run after so many")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begin = time.monotonic()
    figures = kill_runs(arguments.runs, arguments.seed, lambda text: print(text, flush=True), 60 * arguments.minutes)
    runs = figures.kills.total() + figures.too_late
    print(f"{runs} runs with seed {arguments.seed} in {time.monotonic() - begin:.0f} s")
    print(f"kills by victim: {dict(figures.kills)}; {figures.too_late} runs ended before their kill")
    print("\n".join(figures.differences[:_SHOWN]) or "Every table equals its source.")
    sys.exit(bool(figures.differences))


if __name__ == "__main__":
    main()
