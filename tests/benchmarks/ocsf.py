"""The mapper: CPU beside the tap's own for the same records, and rows/s of a large stream that only passes.

    uv run python -m tests.benchmarks.ocsf [--events 100000] [--size 1000] [--rows 1000000] [--runs 5]

Whole processes, output thrown away; they run in turn, and the least CPU of each counts, since other work on the
machine only adds to it. The tap reads all sandboxes on its default path, and then Pigment alone from a
server without any work of its own, which is the cheapest a record can be for the tap. What passes is compared with a
mapper that passes everything through the SDK's default message handling (`tests.benchmarks.ocsf_plain`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from auditlogs_sandbox.server import Sandbox
from tests.benchmarks.pigment_events import serve
from tests.benchmarks.processes import measure

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.processes import Measured

TAP: t.Final = str(Path(sys.executable).with_name("tap-auditlogs"))
MAPPER: t.Final = str(Path(sys.executable).with_name("auditlogs-ocsf"))
ROW: t.Final = (
    '{"type":"RECORD","stream":"index_exchange_impressions","record":{"subscription_id":41,"hour":"2026-11-20T05:00:00'
    '.000000Z","part":0,"row_number":%d,"partner_id":190,"site_id":20391,"supply_source":"web","dsp_id":51,'
    '"trading_desk_id":301,"event_opportunity":"a3f0c8d2-11e5-4b9c-8b51-6f1d7c2e9a01","net_revenue":0.00123,'
    '"gross_revenue":0.00145,"file_md5":"9e107d9d372bb6826bd81d3542a419d6"},'
    '"time_extracted":"2026-11-21T06:00:00.000000Z"}\n'
)


def main() -> None:
    """Measure, compare."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--events", type=int, default=100_000)
    arguments.add_argument("--size", type=int, default=1000)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Sandbox(size=given.size) as sandbox:
            compare_cpu(folder, "all sandboxes", json.loads(json.dumps(sandbox.config)), given.runs)
        parent, child = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(child, given.events), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{parent.recv()}"
        compare_cpu(folder, "Pigment", {"pigment": {"api_key": "benchmark-key", "api_url": url}}, given.runs)
        server.terminate()
        compare_passing(folder, given.rows, given.runs)


def compare_cpu(folder: Path, what: str, config: dict[str, t.Any], runs: int) -> None:
    """Measure tap and mapper on the same records.

    Args:
        folder: For files.
        what: What is read, for the output.
        config: The tap's configuration.
        runs: How often each is run.
    """
    settings, messages = folder / "config.json", folder / "messages.jsonl"
    settings.write_text(json.dumps(config))
    command = [TAP, "--config", str(settings)]
    with messages.open("wb") as file:  # a run of its own: writing the file is no part of the tap's work
        subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)
    records = _count(messages)
    tap, mapper = _measure_in_turn(command, [MAPPER, "--input", str(messages)], runs=runs)
    print(f"{what}: {records:,} records")
    _print(tap, mapper, records, ("tap", "mapper"))
    print(f"  the mapper uses {mapper.cpu_seconds / tap.cpu_seconds:.2f} of the tap's CPU")


def compare_passing(folder: Path, rows: int, runs: int) -> None:
    """Measure a stream that only passes.

    Args:
        folder: For files.
        rows: How many rows it has.
        runs: How often each is run.
    """
    messages = folder / "rows.jsonl"
    with messages.open("w") as file:
        file.write(
            '{"type":"SCHEMA","stream":"index_exchange_impressions","schema":{"properties":{}},"key_properties":[]}\n'
        )
        file.writelines(ROW % number for number in range(rows))
    plain, ours = _measure_in_turn(
        [sys.executable, "-m", "tests.benchmarks.ocsf_plain", "--input", str(messages)],
        [MAPPER, "--input", str(messages)],
        runs=runs,
    )
    print(f"Index Exchange, passing: {rows:,} rows")
    _print(plain, ours, rows, ("SDK's message handling", "mapper"))
    print(f"  {plain.wall_seconds / ours.wall_seconds:.1f}x the rows/s")


def _measure_in_turn(*commands: Sequence[str], runs: int) -> list[Measured]:
    measured = [[measure(command) for command in commands] for _ in range(runs)]
    return [min(each, key=lambda one: one.cpu_seconds) for each in zip(*measured, strict=True)]


def _print(first: Measured, second: Measured, count: int, names: tuple[str, str]) -> None:
    print(first.row(f"  {names[0]}", count))
    print(second.row(f"  {names[1]}", count))


def _count(messages: Path) -> int:
    with messages.open("rb") as file:
        return sum(line.startswith(b'{"type":"RECORD"') for line in file)


if __name__ == "__main__":
    main()
