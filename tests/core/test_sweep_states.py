"""Whatever STATE of a sweep a target has seen last, a run that starts from it leaves no gap."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox
from auditlogs_sandbox.vendors.xandr import XandrSandbox
from tests.core.test_sweep_kill import Key, keys_of
from tests.support.tap_runs import Run, sync

pytestmark = pytest.mark.slow


def assert_no_gap_from_any_state(run: Run, config: dict[str, t.Any], truth: set[Key]) -> None:
    positions = [index for index, message in enumerate(run.messages) if message["type"] == "STATE"]
    assert len(positions) > 10
    for position in positions:
        written = set(keys_of(run.messages[:position]))
        again = sync(config, run.messages[position]["value"])
        assert again.exit_code == 0
        assert written | set(keys_of(again.messages)) == truth
        assert not written & set(keys_of(again.messages))


def test_xandr() -> None:
    with Sandbox(seed=3, vendors=["xandr"], size=60) as sandbox:
        xandr = sandbox.vendor("xandr", XandrSandbox)
        xandr.login.limit = 1000
        xandr.fill({"line-item": 5, "publisher": 1, "placement": 3}, changes=2)
        config = {"xandr": dict(sandbox.config["xandr"])}
        truth: set[Key] = {
            (stream, *key) for key in xandr.truth_keys() for stream in ("xandr_change_log", "xandr_change_log_detail")
        }
        assert_no_gap_from_any_state(sync(config), config, truth)


def test_openx() -> None:
    with Sandbox(seed=3, vendors=["openx"], size=60) as sandbox:
        openx = sandbox.vendor("openx", OpenxSandbox)
        openx.fill({"order": 6, "user": 3}, changes=2)
        config = {"openx": dict(sandbox.config["openx"])}
        truth: set[Key] = {
            ("openx_audit_trail", kind, int(each), revision) for kind, each, revision in openx.truth_keys()
        }
        assert_no_gap_from_any_state(sync(config), config, truth)
