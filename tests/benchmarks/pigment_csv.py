"""Events to CSV per second: `target-pigment` beside the two passes of the vendor community's script.

    uv run python -m tests.benchmarks.pigment_csv [--events 200000] [--memory-events 2000000]

Both read the same events from a file, as whole processes: the target as Singer messages, the script's functions
(flatten, count, cache, write) as one JSON event per line. With `--memory-events`, a second and longer run of the target
shows its peak memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.pigment_events import make_event, write_script_csv
from tests.benchmarks.processes import Measured, measure

STREAM = "pigment_audit_events"


def main() -> None:
    """Measure both sides, print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--memory-events", type=int, default=0)
    arguments.add_argument("--as-script", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.as_script:
        output = given.as_script.with_suffix(".csv")
        with given.as_script.open("rb") as lines, output.open("w", newline="", encoding="utf-8") as csv_file:
            write_script_csv((json.loads(line) for line in lines), csv_file)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_inputs(folder, given.events)
        ours = _run_target(folder)
        theirs = measure([sys.executable, "-m", __spec__.name, "--as-script", str(folder / "events.jsonl")])
        print(theirs.row("script's two passes", given.events))
        print(ours.row("target-pigment", given.events))
        print(
            f"ratio: {theirs.wall_seconds / ours.wall_seconds:.2f}x in wall time, "
            f"{theirs.cpu_seconds / ours.cpu_seconds:.2f}x in CPU"
        )
        if given.memory_events:
            _write_inputs(folder, given.memory_events)
            print(_run_target(folder).row(f"target, {given.memory_events:,} rows", given.memory_events))


def _run_target(folder: Path) -> Measured:
    config = folder / "config.json"
    config.write_text(json.dumps({"csv_folder": str(folder / "csv")}))
    command = t.cast("str", shutil.which("target-pigment"))
    return measure([command, "--config", str(config), "--input", str(folder / "messages.jsonl")])


def _write_inputs(folder: Path, events: int) -> None:
    newest = datetime(2026, 11, 1, tzinfo=UTC)
    schema: dict[str, dict[str, t.Any]] = {"properties": {name: {} for name in make_event(0, newest)}}
    with (folder / "messages.jsonl").open("w") as messages, (folder / "events.jsonl").open("w") as lines:
        print(
            json.dumps({"type": "SCHEMA", "stream": STREAM, "schema": schema, "key_properties": ["eventId"]}),
            file=messages,
        )
        for number in range(events):
            event = json.dumps(make_event(number, newest))
            print(event, file=lines)
            print(f'{{"type": "RECORD", "stream": "{STREAM}", "record": {event}}}', file=messages)


if __name__ == "__main__":
    main()
