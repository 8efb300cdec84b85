"""Sweeps of the installed command, killed with SIGKILL at random points and gone on from the last STATE."""

from __future__ import annotations

import typing as t
from collections import Counter
from random import Random

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox
from auditlogs_sandbox.vendors.xandr import XandrSandbox
from tests.support.marks import first_of
from tests.support.states import has_begun_part
from tests.support.tap_runs import parse_lines, states_of, sync

if t.TYPE_CHECKING:
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Message

SEEDS = first_of(range(8))  # each number of workers once
OBJECTS = 60

Key: t.TypeAlias = tuple[t.Any, ...]


def key_of(message: Message) -> Key:
    record, stream = message["record"], message["stream"]
    if stream == "openx_audit_trail":
        return stream, record["obj_type"], int(record["obj_id"]), record["revision"]
    return stream, record["service"], record["resource_id"], record["transaction_id"]


def keys_of(messages: list[Message]) -> list[Key]:
    return [key_of(message) for message in messages if message["type"] == "RECORD"]


def kill_after(lines: int, tap_runner: TapRunner, config: dict[str, t.Any]) -> list[Message]:
    """Start the tap, kill it once it has written so many lines, and give the whole lines that a target would see."""
    with tap_runner.start(config=config, bufsize=0) as process:
        assert process.stdout is not None
        seen = bytearray()
        while seen.count(b"\n") < lines and (data := process.stdout.read(200)):
            seen += data
        process.kill()
        seen += process.stdout.read()
    return parse_lines(bytes(seen))


def assert_no_gap_and_one_object_repeated(
    config: dict[str, t.Any], truth: set[Key], seed: int, tap_runner: TapRunner
) -> None:
    rng = Random(seed)  # noqa: S311 - it chooses where to kill
    killed = kill_after(rng.randrange(1, 3 * len(truth) // 2), tap_runner, config)
    states = states_of(killed)
    state = states[-1] if states else None
    again = sync(config, state)
    assert again.exit_code == 0, again.log
    written = Counter([*keys_of(killed), *keys_of(again.messages)])
    assert set(written) == truth
    repeated = {key[1:3] for key, times in written.items() if times > 1}
    assert len(repeated) <= 1
    assert not has_begun_part(again.state)


@pytest.mark.parametrize("seed", SEEDS)
def test_xandr(seed: int, tap_runner: TapRunner) -> None:
    with Sandbox(seed=seed, vendors=["xandr"], size=60) as sandbox:
        xandr = sandbox.vendor("xandr", XandrSandbox)
        xandr.fill({"line-item": OBJECTS, "creative": OBJECTS // 3}, changes=3)
        config = {"xandr": {**sandbox.config["xandr"], "max_concurrency": 1 + seed % 8}}
        truth = {
            (stream, *key) for key in xandr.truth_keys() for stream in ("xandr_change_log", "xandr_change_log_detail")
        }
        assert_no_gap_and_one_object_repeated(config, truth, seed, tap_runner)


@pytest.mark.parametrize("seed", SEEDS)
def test_openx(seed: int, tap_runner: TapRunner) -> None:
    with Sandbox(seed=seed, vendors=["openx"], size=60) as sandbox:
        openx = sandbox.vendor("openx", OpenxSandbox)
        openx.fill({"order": OBJECTS, "lineitem": OBJECTS // 3}, changes=4)
        config = {"openx": {**sandbox.config["openx"], "max_concurrency": 1 + seed % 8}}
        truth = {("openx_audit_trail", kind, int(each), revision) for kind, each, revision in openx.truth_keys()}
        assert_no_gap_and_one_object_repeated(config, truth, seed, tap_runner)
