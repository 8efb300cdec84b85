"""Runs a command to its end and measures the whole process: wall time, CPU time, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Sequence

# A process inherits the peak memory of the one that starts it: here it is that of a bare interpreter.
_LAUNCHER = """
import json, resource, subprocess, sys, time
started = time.monotonic()
code = subprocess.call(sys.argv[1:])
wall = time.monotonic() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print("", json.dumps([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]), sep="\\n", file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Measured:
    """What one process took.

    Attributes:
        wall_seconds: From start to end.
        cpu_seconds: User and system time.
        peak_mib: Largest resident set.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float

    def row(self, name: str, count: int) -> str:
        """Format a line of a table.

        Args:
            name: What was run.
            count: How many rows it handled.

        Returns:
            The line.
        """
        return (
            f"{name:<28} {count / self.wall_seconds:>12,.0f} rows/s {self.wall_seconds:>8.2f} s wall "
            f"{self.cpu_seconds:>8.2f} s CPU {self.peak_mib:>8.0f} MiB"
        )


def measure(command: Sequence[str], *, env: dict[str, str] | None = None) -> Measured:
    """Run a command with its output thrown away.

    Args:
        command: The command.
        env: Variables on top of the present environment.

    Returns:
        What it took.

    Raises:
        RuntimeError: If it fails.
    """
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    ) as process:
        _, errors = process.communicate()
    log, _, usage = errors.decode(errors="replace").rstrip().rpartition("\n")
    if process.returncode != 0:
        msg = f"{command[0]} ended with {process.returncode}:\n{log[-3000:]}"
        raise RuntimeError(msg)
    wall_seconds, cpu_seconds, peak_kib = json.loads(usage)
    return Measured(wall_seconds, cpu_seconds, peak_kib / 1024)
