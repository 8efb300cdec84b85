"""`tap-auditlogs | target-pigment` beside the vendor community's script, on the same sandbox.

The script is retyped in `tests.benchmarks.pigment_events` without its progress bars.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tests.benchmarks.pigment_events import script_events, write_script_csv
from tests.pigment.feed import expected_time
from tests.pigment_import.messages import COMMAND, load
from tests.support.tap_process import COMMAND as TAP
from tests.support.tap_process import environment
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.pigment_imports import ImportApi
    from tests.support.tap_runs import Clock

    Rows: t.TypeAlias = list[dict[str, str]]

STREAM = "pigment_audit_events"
TOP_LEVEL = {
    "eventId": "event_id",
    "eventType": "event_type",
    "eventTimestamp": "event_timestamp",
    "ingestionTimestamp": "ingestion_timestamp",
}


def script_rows(sandbox: Sandbox, start: str, end_exclusive: str) -> Rows:
    vendor = sandbox.vendor("pigment", PigmentSandbox)
    output = io.StringIO(newline="")
    events = script_events(f"{sandbox.url}/pigment", vendor.api_key, start, end_exclusive)
    write_script_csv(events, output)
    return list(csv.DictReader(io.StringIO(output.getvalue(), newline="")))


def our_rows(folder: Path, sandbox: Sandbox, **dates: str) -> Rows:
    run = sync({**sandbox.config, **dates})
    assert run.exit_code == 0, run.log
    load({"csv_folder": str(folder)}, run.stdout)
    with (folder / f"{STREAM}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_ours(row: dict[str, str]) -> dict[str, str]:
    """Spell a row of the script as the tap does: its own column names, canonical times, unknown fields kept apart."""
    ours = {}
    for name, value in row.items():
        if name.endswith("Timestamp"):
            ours[TOP_LEVEL[name]] = expected_time(value)
        elif name.partition("_")[0] in {"actor", "context", "payload"}:
            ours[name] = value
        else:
            ours[TOP_LEVEL.get(name) or f"additional_properties_{name}"] = value
    return filled(ours)


def filled(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value}


def test_for_a_range_up_to_now_both_give_the_same_cells(tmp_path: Path, sandbox: Sandbox, clock: Clock) -> None:
    start = (clock() - timedelta(days=30)).date().isoformat()
    theirs = script_rows(sandbox, start, "2999-01-01")
    ours = our_rows(tmp_path, sandbox, start_date=f"{start}T00:00:00Z")
    assert len(ours) == len(theirs) > 5
    expected = {row["eventId"]: as_ours(row) for row in theirs}
    assert {row["event_id"]: filled(row) for row in ours} == expected


def test_the_fullest_column_comes_first_in_both(tmp_path: Path, sandbox: Sandbox) -> None:
    ours = our_rows(tmp_path, sandbox)
    counts = [sum(1 for row in ours if row[name]) for name in ours[0]]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == len(ours)
    assert counts[-1] < len(ours)


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_what_the_script_loses_of_a_range_that_has_ended_is_there(
    tmp_path: Path, sandbox: Sandbox, clock: Clock, order: t.Literal["descending", "ascending"]
) -> None:
    # The script stops at the first event that happened past the end date. Pigment's page says newest first: then that
    # is the very first one. In ascending order an event that was stored late hides all that follow it.
    vendor = sandbox.vendor("pigment", PigmentSandbox)
    vendor.order = order
    start, end = clock() - timedelta(days=40), clock() - timedelta(days=5)
    vendor.add_event(start + timedelta(days=1), occurred=start + timedelta(days=1))
    vendor.add_event(start + timedelta(days=2), occurred=end + timedelta(days=1), eventId="misdated")
    vendor.add_event(end - timedelta(days=1), occurred=start - timedelta(days=2), eventId="late")
    theirs = script_rows(sandbox, start.date().isoformat(), end.date().isoformat())
    dates = {"start_date": f"{start.date()}T00:00:00Z", "end_date": f"{end.date()}T00:00:00Z"}
    ours = {row["event_id"] for row in our_rows(tmp_path, sandbox, **dates)}
    assert "late" in ours
    assert "late" not in {row["eventId"] for row in theirs}
    assert {row["eventId"] for row in theirs} < ours


def test_one_line_extracts_and_uploads_the_same_rows(
    tmp_path: Path, sandbox: Sandbox, config: dict[str, t.Any], imports: ImportApi
) -> None:
    tap_config, target_config = tmp_path / "c.json", tmp_path / "t.json"
    tap_config.write_text(json.dumps(sandbox.config))
    configuration = imports.configurations[0]
    target_config.write_text(
        json.dumps(
            {**config, "import_configurations": {STREAM: configuration}, "csv_folder": str(tmp_path / "csv")}
        )
    )  # fmt: skip
    with subprocess.Popen([TAP, "--config", tap_config], stdout=subprocess.PIPE, env=environment()) as tap:
        target = subprocess.run(
            [COMMAND, "--config", target_config], stdin=tap.stdout, capture_output=True, check=False, env=environment()
        )
    assert (tap.returncode, target.returncode) == (0, 0), target.stderr.decode()
    with (tmp_path / "csv" / f"{STREAM}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert imports.rows(configuration) == rows
    assert {row["event_id"] for row in rows} == {event["eventId"] for event in sandbox.truth()[STREAM]}
    (state,) = target.stdout.splitlines()
    assert STREAM in json.loads(state)["bookmarks"]
