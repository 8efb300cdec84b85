"""Two runs of tap and mapper against the sandbox, and what a target must hold after them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from auditlogs_demo.flow import Bookkeeper
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.rows import HEADERS, EventType
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.support.tap_process import environment
from tests.support.tap_runs import sync

Record: t.TypeAlias = "dict[str, t.Any]"
Key: t.TypeAlias = "tuple[t.Any, ...]"

BATCHED: t.Final = ("index_exchange_impressions", "index_exchange_bids")
MAPPER: t.Final = str(Path(sys.executable).with_name("auditlogs-ocsf"))
SIZE: t.Final = 40

AWKWARD: t.Final = {
    "text": 'O\'Hara said "no";\tcafé 🚀\r\nsecond line\\ %s {x} $1 -- ?',
    "nested": {"list": [1, [2, {"a": None}], True], "empty": {}, "": "no name", 'with "quotes"': "\u2028"},
    "empty_list": [],
    "large": 9_007_199_254_740_993,
    "decimal": 0.1,
    "": None,
}
# More digits than a double has.
AWKWARD_CELLS: t.Final = {"gross_revenue": "12345678901.123456789", "creative_id": "9007199254740993"}


class Stream:
    """What the RECORDs of one stream leave behind: of each key the last one.

    Attributes:
        schema: The properties of its last SCHEMA.
        key: The names of its primary key.
        rows: The records by key.
        written: How many RECORDs there were.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema: dict[str, Record] = {}
        self.key: tuple[str, ...] = ()
        self.rows: dict[Key, Record] = {}
        self.written = 0

    def add(self, record: Record) -> None:
        self.rows[tuple(record[name] for name in self.key)] = record
        self.written += 1


def streams_of(files: t.Iterable[Path]) -> dict[str, Stream]:
    """Read Singer messages; decimals keep all their digits."""
    streams: dict[str, Stream] = {}
    for file in files:
        for line in file.read_bytes().splitlines():
            message = json.loads(line, parse_float=Decimal)
            if "stream" not in message:
                continue
            stream = streams.setdefault(message["stream"], Stream(message["stream"]))
            if message["type"] == "SCHEMA":
                stream.schema = message["schema"]["properties"]
                stream.key = tuple(message["key_properties"])
            elif message["type"] == "RECORD":
                stream.add(message["record"])
    return streams


class Source:
    """Files of Singer messages, two runs each.

    Attributes:
        records: RECORDs of all streams, those of the mapper included.
        batches: Of Index Exchange, with BATCH files of each format.
        streams: What a target must hold after both runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.batches: dict[str, list[Path]] = {"jsonl": [], "parquet": []}
        self.records: list[Path] = []
        with Sandbox(seed=3, size=SIZE) as sandbox:
            make_awkward(sandbox)
            tap = TapAuditLogs(config=dict(sandbox.config))
            keys = {name: tuple(stream.primary_keys) for name, stream in tap.streams.items()}
            books = Bookkeeper(sandbox, Records({}), keys)
            self._write_run(sandbox)
            sandbox.advance()
            self._write_run(sandbox)
            self.streams = streams_of(self.records)
            books.tables = Records(self.streams)
            assert not [line for each in books.compare().values() for line in each.differences()]

    def copy_batches(self, encoding: str, folder: Path) -> list[Path]:
        """Copy the BATCH files, since some targets remove them, and return messages that name the copies."""
        original, copied = self._batch_folder(encoding), folder / "batches"
        shutil.copytree(original, copied)
        files = [folder / file.name for file in self.batches[encoding]]
        for file, copy in zip(self.batches[encoding], files, strict=True):
            copy.write_bytes(file.read_bytes().replace(original.as_uri().encode(), copied.as_uri().encode()))
        return files

    def _write_run(self, sandbox: Sandbox) -> None:
        run = sync(sandbox.config, last_state(self.records))
        assert run.exit_code == 0, run.log
        mapped = subprocess.run([MAPPER], input=run.stdout, capture_output=True, check=True, env=environment())
        self.records.append(self._store("records", mapped.stdout))
        for encoding, files in self.batches.items():
            settings = {
                "index_exchange": sandbox.config["index_exchange"],
                "batch_config": {
                    "encoding": {"format": encoding, "compression": "gzip" if encoding == "jsonl" else "none"},
                    "storage": {"root": self._batch_folder(encoding).as_uri()},
                },
            }
            batched = sync(settings, last_state(files))
            assert batched.exit_code == 0, batched.log
            assert b'"type":"BATCH"' in batched.stdout
            files.append(self._store(encoding, batched.stdout))

    def _batch_folder(self, encoding: str) -> Path:
        folder = self._folder / f"batches-{encoding}"
        folder.mkdir(exist_ok=True)
        return folder

    def _store(self, name: str, messages: bytes) -> Path:
        file = self._folder / f"{name}-{len(self.records)}.jsonl"
        file.write_bytes(messages)
        return file


class Records:
    """The records as tables, for the demo's comparison of keys."""

    def __init__(self, streams: dict[str, Stream]) -> None:
        self._streams = streams

    def read_keys(self, table: str, columns: t.Sequence[str]) -> list[Key]:
        rows = self._streams[table].rows.values() if table in self._streams else ()
        return [tuple(row[name] for name in columns) for row in rows]


def make_awkward(sandbox: Sandbox) -> None:
    """Add values that are easily damaged on their way."""
    pigment = sandbox.vendor("pigment", PigmentSandbox)
    pigment.add_event(datetime.now(UTC) - timedelta(hours=2), payload=AWKWARD)
    exchange = sandbox.vendor("index_exchange", IndexExchangeSandbox)
    library = exchange.library
    event_types: tuple[EventType, ...] = ("impressions", "bids")
    for event_type in event_types:
        key = HourKey(exchange.hours[-1], event_type)
        cells = library.rows(key, 3)
        for name, text in AWKWARD_CELLS.items():
            cells[1][HEADERS[event_type].index(name)] = text
        library.publish(key, [cells])


def last_state(files: list[Path]) -> Record | None:
    """The last STATE of the last file."""
    if not files:
        return None
    messages = [json.loads(line) for line in files[-1].read_bytes().splitlines() if b'"type":"STATE"' in line]
    state: Record = messages[-1]["value"]
    return state
