"""The DAGs of `deploy/airflow` by `airflow dags test`, against imitated accounts and PostgreSQL."""

from __future__ import annotations

import json
import os
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from tap_auditlogs.tap import TapAuditLogs
from tests.airflow.rig import EXAMPLE, Entry, rig

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.airflow.rig import Rig

pytestmark = [
    pytest.mark.skipif("AUDITLOGS_AIRFLOW" not in os.environ, reason=".ci/run airflow makes its environment"),
    pytest.mark.timeout(1800),  # a busy machine takes minutes for each of Airflow's commands
]

PIGMENT = Entry("pigment", "emea")
LATE = Entry("pigment", "apac")
CRYPTOLENS = Entry("cryptolens", "emea")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("airflow"), [PIGMENT, LATE, CRYPTOLENS], size=40) as made:
        migrated = made.run("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield made


def states(prepared: Rig) -> dict[tuple[str, int], str]:
    """The states of the tasks in the latest run, by task and index."""
    rows = prepared.stored(
        "airflow",
        "SELECT task_id, map_index, state FROM task_instance WHERE run_id = "
        "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)",
    )
    return {(task, index): state for task, index, state in rows}


def test_one_account_fails_alone_and_the_next_run_reads_it_and_what_is_new(prepared: Rig) -> None:
    connection = prepared.variables.pop(prepared.connection_variable(LATE))
    assert prepared.run("dags", "test", "auditlogs").returncode != 0
    assert states(prepared) == {
        ("prepare", -1): "success",
        ("pigment", 0): "success",
        ("pigment", 1): "failed",
        ("cryptolens", 0): "success",
    }
    assert prepared.differences([PIGMENT, CRYPTOLENS]) == []

    prepared.variables[prepared.connection_variable(LATE)] = connection
    for sandbox in prepared.sandboxes.values():
        sandbox.advance()
    again = prepared.run("dags", "test", "auditlogs")
    assert again.returncode == 0, again.stdout
    assert set(states(prepared).values()) == {"success"}
    assert prepared.differences([PIGMENT, LATE, CRYPTOLENS]) == []
    kept = {row[0] for row in prepared.stored("states", "SELECT state_id FROM state")}
    assert kept == {f"dev:tap-auditlogs-to-target-postgres:{it.vendor}-{it.account}" for it in prepared.sandboxes}


def test_a_backfill_reads_each_window_of_one_account_and_moves_no_bookmark(prepared: Rig) -> None:
    before = dict(prepared.stored("states", "SELECT state_id, completed_state FROM state"))
    begin = datetime.now(UTC) - timedelta(days=60)
    window = {"from": begin.isoformat(), "to": (begin + timedelta(days=20)).isoformat(), "days": 10, "account": "apac"}
    done = prepared.run("dags", "test", "auditlogs_backfill", f"--conf={json.dumps(window)}")
    assert done.returncode == 0, done.stdout
    assert {it for it in states(prepared) if it[0] == "pigment"} == {("pigment", 0), ("pigment", 1)}
    after = dict(prepared.stored("states", "SELECT state_id, completed_state FROM state"))
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


def test_every_vendor_has_a_pool_and_the_example_names_known_vendors() -> None:
    vendors = {vendor.name for vendor in TapAuditLogs.vendors}
    pools = json.loads((EXAMPLE / "pools.json").read_text(encoding="utf-8"))
    assert pools.keys() == {f"auditlogs_{vendor}" for vendor in vendors}
    accounts = yaml.safe_load((EXAMPLE / "dags" / "accounts.yml").read_text(encoding="utf-8"))
    assert {entry["vendor"] for entry in accounts} <= vendors
