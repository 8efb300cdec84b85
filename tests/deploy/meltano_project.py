"""Runs `meltano` in a project of a temporary folder, without the machine's settings, and reads its log."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: t.Final = Path(__file__).parents[2]

_MELTANO: t.Final = Path(sysconfig.get_path("scripts"), "meltano")
_TIMEOUT_SECONDS: t.Final = 900


@dataclass(frozen=True)
class MeltanoProject:
    """A Meltano project: its folder, and the environment of every command."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be a good one."""
        done = subprocess.run(
            [_MELTANO, *arguments],
            capture_output=True,
            check=False,
            cwd=self.folder,
            encoding="utf-8",
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr[-5000:]}"
        return done


def record_counts(log: str) -> Counter[str]:
    """How many records the tap wrote, by stream, from the metrics in Meltano's JSON log."""
    counts: Counter[str] = Counter()
    for line in log.splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        metric = entry.get("metric_info") or {}
        if metric.get("metric") == "record_count":
            counts[metric["tags"]["stream"]] += metric["value"]
    return counts
