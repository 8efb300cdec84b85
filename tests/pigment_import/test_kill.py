"""Kills the target at random moments and runs it again, until every row has been imported at least once.

uv run python -m tests.pigment_import.test_kill --seeds 50
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tests.pigment_import.messages import COMMAND, lines, record, schema, state
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from auditlogs_sandbox.vendors.pigment_imports import ImportApi

    Message: t.TypeAlias = dict[str, t.Any]

PAGES = 6
ROWS_PER_PAGE = 200
CHUNK_MEGABYTES = 0.002
_DELAYS = ((0.1, 0.4), (0.4, 1.0), (0.6, 1.6))  # seconds; no run ends within the first


def pages(after: int) -> Iterable[Message]:
    """Act as a tap whose state is the last page that the target has confirmed."""
    yield schema("a", "id", "text")
    for page in range(after + 1, PAGES + 1):
        for number in range(ROWS_PER_PAGE):
            yield record("a", id=f"{page}-{number}", text="x" * 20)
        yield state(page=page)


def run_until_complete(folder: Path, config: Message, imports: ImportApi, seed: int) -> int:
    """Run and kill until a run ends by itself; return how many kills that took."""
    rng = random.Random(seed)  # noqa: S311 - not cryptography
    path = folder / "target.json"
    path.write_text(json.dumps(config))
    confirmed, kills = 0, 0
    while confirmed < PAGES:
        with subprocess.Popen(
            [COMMAND, "--config", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment(TMPDIR=str(folder)),
        ) as process:
            try:
                delay = rng.uniform(*_DELAYS[kills]) if kills < len(_DELAYS) else None
                output, errors = process.communicate(lines(pages(confirmed)), timeout=delay)
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
                kills += 1
            else:
                assert process.returncode == 0, errors.decode()
        for line in output.splitlines():
            confirmed = max(confirmed, json.loads(line)["page"])
            imported = {row["id"] for row in imports.rows(imports.configurations[0])}
            assert {f"{page}-{n}" for page in range(1, confirmed + 1) for n in range(ROWS_PER_PAGE)} <= imported
    return kills


def kill_and_check(seed: int) -> int:
    with Sandbox(seed=3, vendors=["pigment"], size=1) as sandbox, tempfile.TemporaryDirectory() as folder:
        imports = sandbox.vendor("pigment", PigmentSandbox).imports
        imports.polls_in_progress = 0
        config = {
            "api_key": imports.api_key,
            "api_url": f"{sandbox.url}/pigment",
            "import_configurations": {"a": imports.configurations[0]},
            "max_chunk_megabytes": CHUNK_MEGABYTES,
        }
        return run_until_complete(Path(folder), config, imports, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_after_kills_every_row_has_been_imported_and_no_state_claimed_more(seed: int) -> None:
    assert kill_and_check(seed) > 0


def main() -> None:
    """Kill with many seeds and print how often."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seeds", type=int, default=50)
    seeds = arguments.parse_args().seeds
    kills = [kill_and_check(seed) for seed in range(seeds)]
    print(f"{seeds} seeds, {sum(kills)} kills: every row imported, no state ahead of its rows")


if __name__ == "__main__":
    main()
