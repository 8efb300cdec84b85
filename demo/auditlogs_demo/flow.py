"""The demo from start to finish."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from auditlogs_demo import pigment
from auditlogs_demo.audit_trail import COLUMNS, QUESTION, Trail, compare_trail, render_answer
from auditlogs_demo.database import SCHEMA, URL_VARIABLE, open_database
from auditlogs_demo.errors import DemoError
from auditlogs_demo.meltano import COMMAND, LOADER, PAGE, PROJECT_FILE, REPORT, Pipeline, sync_seconds
from auditlogs_demo.report import Comparison, Key, Line, compare, render, source_keys, table_keys
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.world import DEFAULT_SIZE
from tap_auditlogs.ocsf import schema
from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from auditlogs_demo.database import Database

FOLDER: t.Final = ".demo"

_LOCK: t.Final = "lock"


class Tables(t.Protocol):
    """Where the keys of a table can be read."""

    def read_keys(self, table: str, columns: Sequence[str]) -> list[tuple[t.Any, ...]]:
        """Return columns of a table; no rows if there is no such table."""


@dataclass
class Bookkeeper:
    """Compares the tables with the source as it is and was.

    Attributes:
        sandbox: The source.
        tables: What was loaded; a table has the name of its stream.
        keys: The names of each stream's primary key.
    """

    sandbox: Sandbox
    tables: Tables
    keys: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        self._seen: dict[str, frozenset[Key]] = {}
        self.look()

    def look(self) -> dict[str, frozenset[Key]]:
        """Return the keys that the source has now, by stream.

        Raises:
            DemoError: The sandbox and the tap do not know the same streams.
        """
        truth = self.sandbox.truth()
        if odd := sorted(truth.keys() ^ self.keys.keys()):
            msg = f"Not both the sandbox and the tap know {', '.join(odd)}."
            raise DemoError(msg)
        shown = {stream: source_keys(stream, truth[stream], names) for stream, names in self.keys.items()}
        self._seen = {stream: shown[stream] | self._seen.get(stream, frozenset()) for stream in shown}
        return shown

    def compare(self) -> dict[str, Comparison]:
        """Compare the tables with the source, by stream."""
        shown = self.look()
        return {
            stream: compare(
                stream,
                names,
                shown[stream],
                self._seen[stream],
                table_keys(self.tables.read_keys(stream, names)),
            )
            for stream, names in self.keys.items()
        }


def run_demo(folder: Path, *, seed: int, size: int | None, echo: Callable[[str], object]) -> bool:
    """Load the sandbox's logs into PostgreSQL twice; return whether source and tables agree.

    `folder` has the meltano.yml; everything is written to an ignored folder beside it.

    Raises:
        DemoError: The demo cannot run or complete.
    """
    begin = time.monotonic()
    project_file = folder / PROJECT_FILE
    if not project_file.is_file():
        msg = f"There is no {PROJECT_FILE} in {folder}: run the demo in a clone of the repository."
        raise DemoError(msg)
    with ExitStack() as stack:
        work = stack.enter_context(_empty_folder(folder / FOLDER))
        stack.enter_context(_logging_to(work / "sandbox.log"))
        sandbox = stack.enter_context(Sandbox(seed=seed, size=size or DEFAULT_SIZE))
        echo(f"Sandbox: {', '.join(sandbox.config)}, imitated at {sandbox.url}")
        database = stack.enter_context(open_database(os.environ.get(URL_VARIABLE)))
        echo(f"Target:  {database.name}, schema {SCHEMA} ({time.monotonic() - begin:.1f} s to start all)")
        pipeline = Pipeline.create(
            work,
            project_file,
            tap=sandbox.config,
            loaders={
                LOADER: {"sqlalchemy_url": database.url, "default_target_schema": SCHEMA},
                pigment.LOADER: pigment.loader_settings(sandbox),
                REPORT: {"from": database.url, "schema": SCHEMA, "output": str(work / "report.html")},
            },
        )
        books = Bookkeeper(sandbox, database, _primary_keys(sandbox.config))
        logs = [work / "meltano-run-1.log", work / "meltano-run-2.log"]
        results: list[dict[str, Comparison]] = []
        trails: list[Trail] = []
        for number, log in enumerate(logs, start=1):
            if number > 1:
                sandbox.advance()
            plugins = [LOADER] if number == 1 else [LOADER, PAGE]
            news = " after the vendors got new rows" * (number > 1)
            echo(f"Run {number}:   {' '.join((*COMMAND, *plugins))}{news} ...")
            seconds = pipeline.run(log, *plugins)
            results.append(books.compare())
            trails.append(compare_trail(results[-1], database.read_keys(schema.NAME, COLUMNS)))
            rows = _count_rows(results[-1]) + trails[-1].events.total()
            echo(f"         {rows:,} rows in the tables after {seconds:.1f} s")
        echo(f"Run 3:   {' '.join(COMMAND)} {pigment.LOADER} ...")
        seconds = pipeline.run(work / "meltano-run-3.log", pigment.LOADER)
        imported = pigment.imported_keys(sandbox)
        rows = sum(map(len, imported.values()))
        echo(f"         {rows:,} rows imported into the sandbox's Pigment after {seconds:.1f} s")
        tables = {name: [row[0] for row in database.read_keys(name, [key])] for name, key in pigment.KEYS.items()}
        answer = database.ask(QUESTION)
    echo("")
    echo(render([*_lines(results[0], results[1], sync_seconds(logs[0])), _trail_line(*trails)]))
    echo("")
    agree = _tell_differences(results, trails, echo)
    for difference in pigment.differences(imported, tables):
        echo(f"DIFFERENT after run 3: {difference}")
        agree = False
    if agree:
        echo(f"Each record of {', '.join(trails[-1].expected)} has its event in {schema.NAME}.")
        echo(f"Pigment has imported every row of {' and '.join(pigment.KEYS)}.")
    echo("A question from docs/audit-trail.md: failed activations by hour, latest first")
    echo(render_answer(*answer))
    echo("")
    _say_what_is_left(database, time.monotonic() - begin, echo)
    return agree


def _say_what_is_left(database: Database, seconds: float, echo: Callable[[str], object]) -> None:
    where = "went away with the demo" if database.is_embedded else f"are in schema {SCHEMA}"
    echo(f"Took {seconds:.1f} s. rows/s is how fast the tap read in run 1. The tables {where};")
    if database.is_embedded:
        echo(f"to keep them, name your own server in {URL_VARIABLE}.")
    echo(f"A page to look at, made at the end of run 2: {FOLDER}/report.html")
    echo(f"Next: README.md, docs/, {PROJECT_FILE}, the logs in {FOLDER}/, and `tap-auditlogs --about`.")


def _count_rows(result: Mapping[str, Comparison]) -> int:
    return sum(comparison.table for comparison in result.values())


def _lines(
    first: Mapping[str, Comparison], second: Mapping[str, Comparison], seconds: Mapping[str, float]
) -> Iterator[Line]:
    for stream, after in second.items():
        before = first[stream]
        taken = seconds.get(stream)
        yield Line(
            stream=stream,
            source=after.source,
            table=after.table,
            new=after.table - before.table,
            rate=before.table / taken if taken else None,
        )


def _trail_line(first: Trail, second: Trail) -> Line:
    return Line(
        stream=schema.NAME,
        source=sum(second.expected.values()),
        table=second.events.total(),
        new=second.events.total() - first.events.total(),
        rate=None,
    )


def _tell_differences(results: list[dict[str, Comparison]], trails: list[Trail], echo: Callable[[str], object]) -> bool:
    agree = True
    for number, (result, trail) in enumerate(zip(results, trails, strict=True), start=1):
        differences = [difference for comparison in result.values() for difference in comparison.differences()]
        for difference in (*differences, *trail.differences()):
            echo(f"DIFFERENT after run {number}: {difference}")
            agree = False
    if agree:
        echo("Source and tables have the same keys after both runs.")
    return agree


def _primary_keys(config: Mapping[str, t.Any]) -> dict[str, tuple[str, ...]]:
    tap = TapAuditLogs(config=dict(config))
    return {name: tuple(stream.primary_keys) for name, stream in tap.streams.items()}


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    """Empty the demo's folder: with a state of an earlier demo, only new rows would be loaded."""
    folder.mkdir(exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"Another demo is running in {folder}."
            raise DemoError(msg) from error
        for item in folder.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item.name != _LOCK:
                item.unlink()
        (folder / ".gitignore").write_text("*\n")
        yield folder


@contextmanager
def _logging_to(log: Path) -> Iterator[None]:
    """Write the logs of the sandbox and the tap's classes to a file."""
    handler = logging.FileHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
