"""Runs a target twice and describes what it holds."""

from __future__ import annotations

import json
import typing as t

from tests.targets.comparison import compare
from tests.targets.databases import DuckDb, DuckDb2, Postgres, PostgresCopy, Snowflake
from tests.targets.files import (
    BucketJsonl,
    BucketParquet,
    BucketParquetAsInstalled,
    Csv,
    CsvAsInstalled,
    CsvSinger,
    Jsonl,
    UniversalFile,
)
from tests.targets.source import BATCHED, Source, last_state
from tests.targets.target import Services, Target, last_error

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.source import Stream

TARGETS: t.Final[dict[str, type[Target]]] = {
    "postgres": Postgres,
    "postgres-copy": PostgresCopy,
    "duckdb": DuckDb,
    "duckdb-2": DuckDb2,
    "snowflake": Snowflake,
    "csv": Csv,
    "csv-as-installed": CsvAsInstalled,
    "csv-singer": CsvSinger,
    "jsonl": Jsonl,
    "s3-jsonl": BucketJsonl,
    "s3-parquet": BucketParquet,
    "s3-parquet-as-installed": BucketParquetAsInstalled,
    "universal-file": UniversalFile,
}

Facts: t.TypeAlias = "dict[str, t.Any]"


class Observed(t.NamedTuple):
    """What was seen of a target.

    Attributes:
        facts: What is recorded.
        differences: Examples of what is wrong, for people.
    """

    facts: Facts
    differences: list[str]


def observe(name: str, source: Source, services: Services, folder: Path) -> Observed:
    """Load RECORDs, and BATCH files of each format, and compare."""
    target = TARGETS[name]
    facts: Facts = {"version": target.version()}
    differences: list[str] = []
    for form in ("record", "jsonl", "parquet"):
        place = folder / form
        place.mkdir()
        messages = source.records if form == "record" else source.copy_batches(form, place)
        streams = source.streams.values() if form == "record" else [source.streams[each] for each in BATCHED]
        seen = _load(target(place, services), messages, list(streams))
        facts["record" if form == "record" else f"batch {form}"] = seen.facts
        differences += [f"{form}: {line}" for line in seen.differences]
    return Observed(facts, differences)


def _load(target: Target, runs: list[Path], streams: list[Stream]) -> Observed:
    for number, messages in enumerate(runs, start=1):
        done = target.load(messages)
        if done.returncode != 0:
            return Observed({"fails": last_error(done.stderr)}, [f"run {number}:\n{done.stderr[-3000:]}"])
        states = [json.loads(line) for line in done.stdout.splitlines()]
        if not states or states[-1] != last_state([messages]):
            return Observed({"fails": "its last STATE is not the tap's"}, [done.stdout[-1000:]])
    rows, values, differences = compare(streams, target.read())
    return Observed({"rows": rows, **values}, differences)
