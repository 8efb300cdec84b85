"""NUL characters, which PostgreSQL cannot store, are removed from keys and values on request."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from auditlogs_demo.database import SCHEMA
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tests.support.postgres import load, postgres_server
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from pathlib import Path


def test_nul_in_an_object_is_loaded_without_it(tmp_path: Path) -> None:
    with Sandbox(vendors=["pigment"], size=3) as sandbox, postgres_server() as server:
        vendor = sandbox.vendor("pigment", PigmentSandbox)
        payload = {"a\0b": "c\0d", "list": ["\0", {"e\0": "f"}]}
        event = vendor.add_event(sandbox.world.now() - timedelta(minutes=1), payload=payload)
        run = sync({**sandbox.config, "sanitize_nul": True})
        assert run.exit_code == 0
        done = load(server, run.stdout, tmp_path, sanitize_null_text_characters=True)
        assert done.returncode == 0, done.stderr
        rows = server.query(f"SELECT event_id, payload FROM {SCHEMA}.pigment_audit_events")  # noqa: S608 - no input
        loaded = dict(rows)
        assert loaded[event["eventId"]] == {"ab": "cd", "list": ["", {"e": "f"}]}
