"""Index Exchange rows per second: the tap beside a plain SDK stream and the vendor's pandas script.

    uv run python -m tests.benchmarks.index_exchange [--rows 2000000] [--only records,parquet,jsonl,hourly,ordinary]
    uv run --group stores python -m tests.benchmarks.index_exchange   # with the vendor's script, which needs pandas

All read the same file, as whole processes. The tap lists, downloads and verifies it from a loopback server, and
writes its last STATE; the others get it as a local file. What is printed last is each ratio that matters. The plain
side of `jsonl` and `parquet` is the SDK's own BATCH with batches of as many rows as the tap's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tap_auditlogs.vendors.index_exchange.batch import MOST_ROWS
from tests.benchmarks.index_exchange_server import serve
from tests.benchmarks.processes import Measured, measure

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile

TAP = str(Path(sys.executable).with_name("tap-auditlogs"))
TAP_SIDES: dict[str, tuple[str, str | None]] = {
    "records": ("index_exchange_impressions", None),
    "parquet": ("index_exchange_impressions", "parquet"),
    "jsonl": ("index_exchange_impressions", "jsonl"),
    "hourly": ("index_exchange_hourly", None),
}
SIDES = (*TAP_SIDES, "ordinary")
WITHOUT_BULK = (
    "import sys; sys.modules['polars'] = None; from tap_auditlogs.tap import TapAuditLogs; TapAuditLogs.cli()"
)


@dataclass(frozen=True)
class Bench:
    """Where things are.

    Attributes:
        folder: For files that go away.
        file: The generated file.
        url: Of the server.
    """

    folder: Path
    file: GeneratedFile
    url: str

    def run(self, name: str, command: list[str]) -> Measured:
        measured = measure(command)
        print(measured.row(name, self.file.rows), flush=True)
        return measured

    def warm_up(self, sides: list[str]) -> None:
        """Read a small file, and print how long a first run takes."""
        small = generate_file(self.folder / "small.gz", 1_000)
        served = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(served[1], small), daemon=True)
        server.start()
        bench = Bench(self.folder, small, f"http://127.0.0.1:{served[0].recv()}")
        for side, (stream, batch) in TAP_SIDES.items():
            if side in sides:
                seconds = measure(bench.tap(stream, batch)).cpu_seconds
                print(f"a first run, {side}, 1,000 rows: {seconds:.1f} s CPU")
        server.terminate()

    def tap(self, stream: str, batch: str | None = None) -> list[str]:
        config: dict[str, t.Any] = {
            "index_exchange": {"client_key": "benchmark-key", "auth_url": f"{self.url}/token", "api_url": self.url}
        }
        if batch is not None:
            config["batch_config"] = self._batch_config(batch)
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))
        catalog = self.folder / "catalog.json"
        catalog.write_text(json.dumps(catalog_of(stream, "index_exchange_files")))
        return [TAP, "--config", str(path), "--catalog", str(catalog)]

    def plain(self, batch: str | None = None) -> list[str]:
        config: dict[str, t.Any] = {"path": str(self.file.path)}
        if batch is not None:
            config["batch_config"] = {**self._batch_config(batch), "batch_size": MOST_ROWS}
        path = self.folder / "plain.json"
        path.write_text(json.dumps(config))
        return [sys.executable, "-m", "tests.benchmarks.index_exchange_plain", "--config", str(path)]

    def _batch_config(self, batch: str) -> dict[str, t.Any]:
        root = self.folder / "batches"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return {
            "encoding": {"format": batch, "compression": "gzip" if batch == "jsonl" else "none"},
            "storage": {"root": root.as_uri()},
        }


def main() -> None:
    """Generate, serve, measure, compare."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--only", default=",".join(SIDES))
    arguments.add_argument("--tap-only", action="store_true", help="leave out what the tap is compared with")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = generate_file(Path(folder) / "file.gz", given.rows)
        parent, child = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(child, file), daemon=True)
        server.start()
        bench = Bench(Path(folder), file, f"http://127.0.0.1:{parent.recv()}")
        print(f"{file.rows:,} rows, {file.csv_size / 1e6:,.0f} MB of CSV, {file.size / 1e6:,.0f} MB of gzip")
        bench.warm_up(given.only.split(","))
        ratios = compare(bench, given.only.split(","), tap_only=given.tap_only)
        server.terminate()
    print("\n".join(ratios))


def compare(bench: Bench, sides: list[str], *, tap_only: bool) -> list[str]:
    """Measure the wanted sides.

    Args:
        bench: Where things are.
        sides: What to measure.
        tap_only: Whether to leave out what the tap is compared with.

    Returns:
        The ratios, a line each.
    """
    ratios = []
    bare = bench.run("bare decompression and md5", [sys.executable, "-c", _BARE, str(bench.file.path)])
    plain = None if tap_only else bench.run("plain SDK stream, RECORD", bench.plain())
    for side in sides:
        match side:
            case "records":
                ours = bench.run("tap, RECORD", bench.tap("index_exchange_impressions"))
                ratios += _against("RECORD", "plain SDK stream", plain, ours)
                ratios.append(f"RECORD: {bare.wall_seconds / ours.wall_seconds:.2f} of the rate of bare decompression")
            case "parquet" | "jsonl":
                theirs = (
                    None if tap_only or not _has_pyarrow(side) else bench.run(f"SDK BATCH {side}", bench.plain(side))
                )
                ours = bench.run(f"tap, BATCH {side}", bench.tap("index_exchange_impressions", side))
                ratios += _against(f"BATCH {side}", "plain SDK stream, RECORD", plain, ours)
                ratios += _against(f"BATCH {side}", f"the SDK's own BATCH {side}", theirs, ours)
            case "hourly":
                ours = bench.run("tap, hourly", bench.tap("index_exchange_hourly"))
                if not tap_only and importlib.util.find_spec("pandas"):
                    script = [sys.executable, "-m", "tests.benchmarks.index_exchange_script", str(bench.file.path)]
                    ratios += _against(
                        "hourly", "the vendor's script", bench.run("vendor's script (pandas)", script), ours
                    )
            case "ordinary":
                command = [sys.executable, "-c", WITHOUT_BULK, *bench.tap("index_exchange_impressions")[1:]]
                ours = bench.run("tap without the extra", command)
                ratios += _against("ordinary path", "plain SDK stream", plain, ours)
            case _:
                message = f"unknown side {side}; known are {', '.join(SIDES)}"
                raise SystemExit(message)
    return ratios


def _against(ours_name: str, theirs_name: str, theirs: Measured | None, ours: Measured) -> list[str]:
    if theirs is None:
        return []
    wall = theirs.wall_seconds / ours.wall_seconds
    cpu = theirs.cpu_seconds / ours.cpu_seconds
    return [f"{ours_name}: {wall:.1f}x the rows/s of {theirs_name}, {cpu:.1f}x less CPU"]


def _has_pyarrow(side: str) -> bool:
    return side != "parquet" or importlib.util.find_spec("pyarrow") is not None


def catalog_of(*streams: str) -> dict[str, t.Any]:
    """Return the catalog with these streams selected."""
    found = subprocess.run([TAP, "--discover"], check=True, capture_output=True)
    catalog: dict[str, t.Any] = json.loads(found.stdout)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["stream"] in streams
    return catalog


_BARE = """
import hashlib, sys
from isal import igzip
digest = hashlib.md5()
with open(sys.argv[1], "rb") as file:
    while data := file.read(1 << 20):
        digest.update(data)
with igzip.open(sys.argv[1]) as file:
    while file.read(1 << 20):
        pass
"""


if __name__ == "__main__":
    main()
