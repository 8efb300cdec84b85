"""Rows per second of tap | mapper | target, for each target that works.

    uv run --group stores python -m tests.benchmarks.pipelines [--events 5000] [--only postgres,csv]

Of each target three runs are shown: the whole pipeline, the target alone, fed with the messages that the pipeline gave
it, and the target without messages. What tap and mapper take beyond their start is our cost for the rows. Who uses most
CPU time is the limit.
Pigment's events come from a server without any work of its own; each makes a record and an audit event.
Index Exchange's rows are loaded as BATCH files by the targets that take these.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tests.benchmarks import index_exchange_server, pigment_events
from tests.benchmarks.index_exchange import catalog_of
from tests.support.postgres import postgres_server
from tests.support.tap_process import environment
from tests.targets.databases import DuckDb, Postgres, PostgresCopy, Snowflake
from tests.targets.files import BucketJsonl, Csv, Jsonl
from tests.targets.store import serve_store
from tests.targets.target import Services

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.targets.target import Settings, Target

PROGRAMS: t.Final = Path(sys.executable).parent
TAP: t.Final = str(PROGRAMS / "tap-auditlogs")
MAPPER: t.Final = str(PROGRAMS / "auditlogs-ocsf")
NAMES: t.Final = ("tap", "mapper")


class PostgresUnchecked(Postgres):
    settings: t.ClassVar[Settings] = {"validate_records": False}


class PostgresBulk(PostgresCopy):
    settings: t.ClassVar[Settings] = {"use_copy": True, "validate_records": False, "batch_size_rows": 50_000}


class CsvUnchecked(Csv):
    settings: t.ClassVar[Settings] = {**Csv.settings, "validate_records": False}


TARGETS: t.Final[dict[str, type[Target]]] = {
    "postgres": Postgres,
    "postgres, validate_records: false": PostgresUnchecked,
    "postgres, use_copy: true": PostgresCopy,
    "postgres, both, batch_size_rows: 50000": PostgresBulk,
    "duckdb": DuckDb,
    "csv": Csv,
    "csv, validate_records: false": CsvUnchecked,
    "jsonl": Jsonl,
    "s3": BucketJsonl,
    "snowflake": Snowflake,
}
TAKES_BATCH: t.Final = {"jsonl": ("postgres", "csv", "snowflake"), "parquet": ("postgres",)}


@dataclass(frozen=True)
class Ran:
    """What a pipeline took.

    Attributes:
        wall_seconds: From the first start to the last end.
        cpu_seconds: Of each of its processes.
    """

    wall_seconds: float
    cpu_seconds: list[float]


def run(commands: Sequence[list[str]], source: Path | None, sink: Path, folder: Path) -> Ran:
    """Run a pipeline.

    Args:
        commands: Its processes.
        source: What the first one reads.
        sink: Where to write what the last one writes.
        folder: Where to run it, and to write its logs.

    Raises:
        RuntimeError: If one of them fails.
    """
    started = time.monotonic()
    processes: list[subprocess.Popen[bytes]] = []
    upstream = (source or Path(os.devnull)).open("rb")
    for place, command in enumerate(commands):
        last = place == len(commands) - 1
        with (folder / f"log-{place}").open("wb") as log, sink.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=upstream,
                stdout=output if last else subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=environment(),
            )
        upstream.close()
        processes.append(process)
        if process.stdout:
            upstream = t.cast("t.Any", process.stdout)
    used = []
    for place, process in enumerate(processes):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used.append(usage.ru_utime + usage.ru_stime)
        if process.returncode != 0:
            said = (folder / f"log-{place}").read_text()
            msg = f"{commands[place][0]} ended with {process.returncode}:\n{said[-2000:]}"
            raise RuntimeError(msg)
    return Ran(time.monotonic() - started, used)


class Bench:
    """Measures targets behind one source.

    Attributes:
        commands: What runs in front of the target.
        messages: What that writes, in a file.
        rows: How many rows a target gets.
    """

    def __init__(self, folder: Path, services: Services, commands: list[list[str]], rows: int) -> None:
        self._folder = folder
        self._services = services
        self._places = itertools.count()
        self.commands = commands
        self.rows = rows
        self.messages = folder / "messages.jsonl"
        run(commands, None, self.messages, folder)
        # What a process takes to start; the tap imports the same for its catalog.
        starts = [
            run([[*command, *["--discover"][place:]]], None, Path(os.devnull), folder)
            for place, command in enumerate(commands)
        ]
        self._idle = sum(start.cpu_seconds[0] for start in starts)
        lines = self.messages.read_bytes().splitlines()
        kinds = Counter(line.split(b'"', 4)[3].decode() for line in lines)
        print(f"  {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}")

    def measure(self, name: str, kind: type[Target], renew: Callable[[Path], Path] | None = None) -> None:
        """Run one target both ways, and print a row.

        Args:
            name: For the row.
            kind: The target.
            renew: Makes the messages usable again, if a target uses them up.
        """
        whole = run([*self.commands, self._target(kind).command()], None, Path(os.devnull), self._folder)
        messages = renew(self.messages) if renew else self.messages
        alone = run([self._target(kind).command()], messages, Path(os.devnull), self._folder)
        idle = run([self._target(kind).command()], None, Path(os.devnull), self._folder)
        used = dict(zip([*NAMES[: len(self.commands)], "target"], whole.cpu_seconds, strict=True))
        theirs = used["target"] - idle.cpu_seconds[0]
        ours = sum(whole.cpu_seconds[:-1]) - self._idle
        parts = (
            f"  {name:<40} {self.rows / whole.wall_seconds:>7,.0f} rows/s",
            f"{whole.wall_seconds / alone.wall_seconds:>4.2f}x the target's time alone",
            f"CPU s: {', '.join(f'{process} {seconds:.1f}' for process, seconds in used.items())}",
            f"target alone {alone.cpu_seconds[0]:.1f}, without rows {idle.cpu_seconds[0]:.1f}",
            f"{self.rows / theirs:,.0f} rows per CPU s of the target",
            f"ours {ours / theirs:.0%} of its",
            f"limit: {max(used, key=used.__getitem__)}",
        )
        print("; ".join(parts), flush=True)

    def _target(self, kind: type[Target]) -> Target:
        place = self._folder / f"place-{next(self._places)}"
        place.mkdir()
        return kind(place, self._services)


def main() -> None:
    """Serve, measure."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--events", type=int, default=5_000)
    arguments.add_argument("--rows", type=int, default=20_000)
    arguments.add_argument("--only", default=",".join(TARGETS), help="names or their beginnings")
    given = arguments.parse_args()
    chosen = {name: kind for name, kind in TARGETS.items() if name.startswith(tuple(given.only.split(",")))}
    with (
        tempfile.TemporaryDirectory() as name,
        postgres_server() as postgres,
        serve_store() as store,
    ):
        services = Services(postgres, store)
        measure_events(Path(name), services, chosen, given.events)
        for encoding in (None, "jsonl", "parquet"):
            measure_rows(Path(name), services, chosen, given.rows, encoding)


def measure_events(folder: Path, services: Services, chosen: Mapping[str, type[Target]], events: int) -> None:
    """Measure the path of Pigment's events, through the mapper."""
    with serving(pigment_events.serve, events) as url:
        config = folder / "events.json"
        config.write_text(json.dumps({"pigment": {"api_key": "benchmark-key", "api_url": url}}))
        print(f"Pigment, {events:,} events and as many audit events")
        bench = Bench(_new(folder, "events"), services, [[TAP, f"--config={config}"], [MAPPER]], 2 * events)
        for name, kind in chosen.items():
            bench.measure(name, kind)


def measure_rows(
    folder: Path, services: Services, chosen: Mapping[str, type[Target]], rows: int, encoding: str | None
) -> None:
    """Measure the path of Index Exchange's rows, without the mapper, which lets them pass."""
    form = f"BATCH {encoding}" if encoding else "RECORD"
    place = _new(folder, f"rows-{encoding}")
    file = generate_file(place / "file.gz", rows)
    with serving(index_exchange_server.serve, file) as url:
        settings: dict[str, t.Any] = {
            "index_exchange": {"client_key": "benchmark-key", "auth_url": f"{url}/token", "api_url": url}
        }
        if encoding:
            batches = _new(place, "batches")
            settings["batch_config"] = {
                "encoding": {"format": encoding, "compression": "gzip" if encoding == "jsonl" else "none"},
                "storage": {"root": batches.as_uri()},
            }
        config = place / "config.json"
        config.write_text(json.dumps(settings))
        catalog = place / "catalog.json"
        catalog.write_text(json.dumps(catalog_of("index_exchange_impressions", "index_exchange_files")))
        print(f"Index Exchange, {rows:,} rows as {form}")
        tap = [TAP, f"--config={config}", f"--catalog={catalog}"]
        bench = Bench(place, services, [tap], rows)
        for name, kind in chosen.items():
            if encoding is None or name.partition(",")[0] in TAKES_BATCH[encoding]:
                bench.measure(name, kind, lambda messages: _write_again(tap, messages, place))


def _write_again(tap: list[str], messages: Path, folder: Path) -> Path:
    """BATCH files that a target has removed come again."""
    run([tap], None, messages, folder)
    return messages


def _new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


@contextmanager
def serving(serve: Callable[..., None], content: object) -> Iterator[str]:
    """Serve in another process, and give the URL."""
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(child, content), daemon=True)
    server.start()
    yield f"http://127.0.0.1:{parent.recv()}"
    server.terminate()


if __name__ == "__main__":
    main()
