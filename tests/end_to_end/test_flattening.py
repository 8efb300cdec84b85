"""Flattening in target-postgres keeps the free-form objects of the tap and the mapper."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

from auditlogs_demo.database import SCHEMA
from auditlogs_sandbox.server import Sandbox
from tests.support.postgres import load, postgres_server
from tests.support.tap_process import environment
from tests.support.tap_runs import sync

MAPPER: t.Final = str(Path(sys.executable).with_name("auditlogs-ocsf"))


def test_flattening_in_the_target_keeps_the_whole_event(tmp_path: Path) -> None:
    with Sandbox(vendors=["pigment"], size=5) as sandbox, postgres_server() as server:
        run = sync(sandbox.config)
        mapped = subprocess.run([MAPPER], input=run.stdout, capture_output=True, check=True, env=environment())
        done = load(server, mapped.stdout, tmp_path, flattening_enabled=True, flattening_max_depth=3)
        assert done.returncode == 0, done.stderr
        events = server.query(f"SELECT vendor, ocsf FROM {SCHEMA}.audit_events")  # noqa: S608 - no input
        payloads = server.query(f"SELECT payload FROM {SCHEMA}.pigment_audit_events")  # noqa: S608 - no input
    assert len(events) == len(payloads) == 5
    assert all("metadata" in str(ocsf) for _, ocsf in events)
    assert any(payload for (payload,) in payloads)
