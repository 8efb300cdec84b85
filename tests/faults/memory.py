"""Peak memory by hand, of every API stream and a large file: `python -m tests.faults.memory [--only pigment,openx]`.

Each is read to its end by the installed command from a loopback server. Exit code 1 if one takes more than its limit.
A million events of Pigment take five minutes, since the tap keeps to the vendor's limit of requests; a million details
of Xandr take a million requests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tap_auditlogs.tap import TapAuditLogs
from tests.faults.sources import SOURCES, Source, served
from tests.support.tap_process import TapRunner, environment

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_MIB: t.Final = 150
FILE_LIMIT_MIB: t.Final = 500
ROWS_OF_2_GIB: t.Final = 7_000_000
"""A file with so many rows has a little more than 2 GiB of CSV."""

_FILE: t.Final = "index_exchange"

# A process inherits the peak of the one that starts it: here it is that of a bare interpreter.
_LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Taken:
    """What a run took, and how it ended.

    Attributes:
        code: Its exit code.
        log: What it logged.
        peak_mib: Its largest resident set.
        seconds: How long it ran.
    """

    code: int
    log: str
    peak_mib: float
    seconds: float


def run_measured(command: Sequence[str], take: Callable[[bytes], object]) -> Taken:
    """Run the tap to its end.

    Args:
        command: The command.
        take: Given each line of its output.

    Returns:
        What it took.
    """
    began = time.monotonic()
    launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(launched, stdout=subprocess.PIPE, stderr=log, env=environment()) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            take(line)
        code = process.wait()
        log.seek(0)
        *told, peak_kib = log.read().decode(errors="replace").splitlines()
    return Taken(code, "\n".join(told), int(peak_kib) / 1024, time.monotonic() - began)


@dataclass(frozen=True)
class Whole:
    """What a run took that read all there was.

    Attributes:
        peak_mib: Its largest resident set.
        seconds: How long it ran.
        state: Its last STATE.
    """

    peak_mib: float
    seconds: float
    state: t.Any


def read_source(
    source: Source, streams: Sequence[str], folder: Path, *, state: t.Any = None, expected: int | None = None
) -> Whole:
    """Read streams of a source to their end, and nothing else.

    Args:
        source: The source.
        streams: The streams.
        folder: For the files of the command.
        state: To begin with.
        expected: How many records there must be; all of them if it is not given.

    Returns:
        What it took.

    Raises:
        RuntimeError: If the tap fails, or there are more or fewer records.
    """
    records = source.records * len(streams) if expected is None else expected
    with served(source) as url:
        return _read_whole({source.vendor: source.settings(url)}, streams, records, TapRunner(folder), state=state)


def read_file(rows: int, folder: Path, *, before: str | None = None) -> Whole:
    """Read one file of Index Exchange to its end.

    Args:
        rows: How many rows it has.
        folder: For the file, and for those of the command.
        before: Python statements for the process of the tap.

    Returns:
        What it took.

    Raises:
        RuntimeError: If the tap fails, or there are more or fewer records.
    """
    with Sandbox(seed=1, vendors=["index_exchange"], size=1) as sandbox:
        vendor = sandbox.vendor("index_exchange", IndexExchangeSandbox)
        hour = vendor.hours[-1]
        vendor.clear()
        vendor.publish_file(generate_file(folder / "file.gz", rows, hour=hour))
        return _read_whole(sandbox.config, ["index_exchange_impressions"], rows, TapRunner(folder), before=before)


def _read_whole(
    config: dict[str, t.Any], streams: Sequence[str], records: int, runner: TapRunner, **options: t.Any
) -> Whole:
    catalog: dict[str, t.Any] = TapAuditLogs(config=config).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    kinds: Counter[str] = Counter()
    last: dict[str, bytes] = {}

    def take(line: bytes) -> None:
        kind = line.split(b'"', 4)[3].decode()  # {"type":"RECORD",
        kinds[kind] += 1
        last[kind] = line

    taken = run_measured(runner.command(config=config, catalog=catalog, **options), take)
    if (taken.code, kinds["RECORD"]) != (0, records):
        msg = f"exit code {taken.code} after {dict(kinds)}:\n{taken.log[-3000:]}"
        raise RuntimeError(msg)
    return Whole(taken.peak_mib, taken.seconds, json.loads(last["STATE"])["value"])


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=1_000_000, help="of each stream of an API")
    options.add_argument("--rows", type=int, default=ROWS_OF_2_GIB, help="of the file of Index Exchange")
    options.add_argument("--only", default=",".join([*SOURCES, _FILE]), help="some of these, with commas")
    asked = options.parse_args()
    too_large = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in asked.only.split(","):
            if each == _FILE:
                too_large += _tell(
                    "index_exchange_impressions", asked.rows, read_file(asked.rows, folder), FILE_LIMIT_MIB
                )
                continue
            source = SOURCES[each](asked.records)
            for streams in [source.streams] if source.are_read_together else [(stream,) for stream in source.streams]:
                taken = read_source(source, streams, folder)
                too_large += _tell(" + ".join(streams), asked.records * len(streams), taken, LIMIT_MIB)
    return 1 if too_large else 0


def _tell(what: str, count: int, taken: Whole, limit: int) -> bool:
    sys.stdout.write(
        f"{what:<45}{count:>11,} records {taken.seconds:>6.0f} s {taken.peak_mib:>5.0f} MiB, limit {limit}\n"
    )
    sys.stdout.flush()
    return taken.peak_mib > limit


if __name__ == "__main__":
    sys.exit(main())
