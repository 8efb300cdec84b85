"""Loads 30 accounts on three workers, one of which is killed, then on one worker, by hand.

    AUDITLOGS_AIRFLOW=.cache/airflow uv run python -m tests.airflow.scale_out

Airflow runs with the CeleryExecutor, Redis and PostgreSQL, each component and worker in processes of its own. Each
answer of the imitated vendors takes a while, as over a network, so that a task mostly waits. At the end the tables are
compared with the accounts, key by key, and the wall times with each other.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tests.airflow.rig import EXAMPLE, Entry, Rig, rig

if t.TYPE_CHECKING:
    from collections.abc import Sequence

DAG: t.Final = "auditlogs"
CONCURRENCY: t.Final = 2
PAGE: t.Final = 8
SIZE: t.Final = 160
COUNTS: t.Final = {"pigment": 12, "cryptolens": 12, "xandr": 6}

_RUN: t.Final = f"FROM dag_run WHERE dag_id = '{DAG}' AND id = (SELECT min(id) FROM dag_run)"  # noqa: S608 - no input
_TASKS: t.Final = f"FROM task_instance WHERE map_index >= 0 AND run_id = (SELECT run_id {_RUN})"


class Outcome(t.NamedTuple):
    """A run of the DAG: its wall time, its tasks by state, and how many of them were tried again."""

    seconds: float
    states: dict[str, int]
    repeated: int
    most_at_once: dict[str, int]
    differences: list[str]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(1)
    raise TimeoutError(port)


def tree(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def kill_all(number: int) -> None:
    """Kill a process with all that it started, as the loss of its machine would."""
    with suppress(psutil.NoSuchProcess):
        for process in tree(psutil.Process(number)):
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Cluster:
    """Airflow's components and workers."""

    def __init__(self, prepared: Rig, stack: ExitStack, workers: int) -> None:
        self._rig = prepared
        self._stack = stack
        redis, api = free_port(), free_port()
        slots = str(workers * CONCURRENCY)
        metadata = prepared.url("airflow", "psycopg2")
        prepared.variables |= {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": slots,
            # No more than the workers can take: what waits in Redis for a lost worker is only found by a timeout.
            "AIRFLOW__CORE__PARALLELISM": slots,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "120",
        }
        self._start("redis", ["redis-server", "--port", str(redis), "--save", "", "--bind", "127.0.0.1"])
        self._check("db", "migrate")
        self._check("pools", "import", str(EXAMPLE / "pools.json"))
        self._start("api-server", prepared.airflow("api-server"))
        wait_for_port(api)
        for component in ("scheduler", "dag-processor"):
            self._start(component, prepared.airflow(component))
        self.workers = [
            self._start(name, prepared.airflow("celery", "worker", "--skip-serve-logs", f"--celery-hostname={name}"))
            for name in (f"worker-{number}" for number in range(1, workers + 1))
        ]

    def _check(self, *arguments: str) -> None:
        done = self._rig.run(*arguments)
        assert done.returncode == 0, done.stderr

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self._rig.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self._rig.folder,
                env=self._rig.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stack.callback(kill_all, process.pid)
        return process

    def wait(self, statement: str, minutes: float) -> list[tuple[t.Any, ...]]:
        """Wait for a query to give a row."""
        deadline = time.monotonic() + 60 * minutes
        while not (rows := self._stored(statement)):
            assert time.monotonic() < deadline, statement
            time.sleep(1)
        return rows

    def run(self, *, kill: bool, minutes: float) -> tuple[float, dict[str, int], int]:
        """Wait for the first scheduled run; if asked to, kill a worker when a third of its tasks are done."""
        if kill:
            third = sum(COUNTS.values()) // 3
            self.wait(f"SELECT 1 {_TASKS} AND state = 'success' OFFSET {third - 1}", minutes)
            kill_all(self.workers[-1].pid)
            print(f"killed worker {len(self.workers)} of {len(self.workers)} after {third} tasks", flush=True)
        ((begin, end),) = self.wait(f"SELECT start_date, end_date {_RUN} AND end_date IS NOT NULL", minutes)
        states = self._stored(f"SELECT state, count(*) {_TASKS} GROUP BY state")
        ((repeated,),) = self._stored(f"SELECT count(*) {_TASKS} AND try_number > 1")
        return (end - begin).total_seconds(), {str(state): count for state, count in states}, repeated

    def most_at_once(self) -> dict[str, int]:
        """How many tasks of each pool ran at once at most; each task's last try counts."""
        rows = self._stored(f"SELECT pool, start_date, end_date {_TASKS}")
        return {
            pool: max(sum(name == pool and begin <= start < end for name, begin, end in rows) for _, start, _ in rows)
            for pool in sorted({name for name, _, _ in rows})
        }

    def _stored(self, statement: str) -> list[tuple[t.Any, ...]]:
        return self._rig.stored("airflow", statement)


def slow_down(prepared: Rig, latency: float) -> None:
    """Let each answer take a while, and let there be many."""
    for entry, sandbox in prepared.sandboxes.items():
        # OpenX and Xandr are asked for several objects at once.
        delay = latency / 4 if entry.vendor == "xandr" else latency
        sandbox.faults.replace([Fault(vendor=entry.vendor, times=None, delay=delay)])
        if entry.vendor == "pigment":
            sandbox.vendor("pigment", PigmentSandbox).page_size = PAGE
        elif entry.vendor == "cryptolens":
            sandbox.vendor("cryptolens", CryptolensSandbox).web_api_log.most_rows = PAGE


def load(workers: int, *, kill: bool, latency: float, minutes: float) -> Outcome:
    """Load all accounts into empty tables."""
    entries = [Entry(vendor, f"seat{number}") for vendor, count in COUNTS.items() for number in range(count)]
    with (
        tempfile.TemporaryDirectory(prefix="scale-out-", ignore_cleanup_errors=True) as folder,
        rig(Path(folder), entries, size=SIZE) as prepared,
        ExitStack() as stack,
    ):
        slow_down(prepared, latency)
        cluster = Cluster(prepared, stack, workers)
        seconds, states, repeated = cluster.run(kill=kill, minutes=minutes)
        return Outcome(seconds, states, repeated, cluster.most_at_once(), prepared.differences(entries))


def main() -> None:
    """Print the figures; exit code 1 if a task failed or a table differs from its sources."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=2.5, help="seconds that an answer takes")
    parser.add_argument("--minutes", type=float, default=60, help="give a run up after so many")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    outcomes = {}
    for workers, kill in ((3, True), (1, False)):
        outcome = load(workers, kill=kill, latency=arguments.latency, minutes=arguments.minutes)
        outcomes[workers] = outcome
        print(
            f"{workers} workers, {CONCURRENCY} tasks each: {outcome.seconds:.0f} s, tasks {outcome.states}", flush=True
        )
        print(f"  tried again: {outcome.repeated}; most at once by pool: {outcome.most_at_once}")
        print("  " + ("; ".join(outcome.differences) or "every table equals its sources"), flush=True)
    print(f"one worker takes {outcomes[1].seconds / outcomes[3].seconds:.2f} times as long")
    total = sum(COUNTS.values())
    sys.exit(any(it.differences or it.states != {"success": total} for it in outcomes.values()))


if __name__ == "__main__":
    main()
