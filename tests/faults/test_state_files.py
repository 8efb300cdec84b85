"""A state that cannot be understood is refused in one line; never a silent full read, never a silent skip."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.faults import oracles
from tests.faults.marks import case, every_vendor
from tests.faults.runs import sync
from tests.faults.subjects import SUBJECTS, Subject

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import FaultProxy
    from tests.support.tap_process import TapRunner

Config: t.TypeAlias = "dict[str, t.Any]"

WRONG_FILES = {
    "H1-empty": "",
    "H1-no-json": "{",
    "H2-array": "[]",
    "H2-message": '{"type": "STATE", "value": {"bookmarks": {}}}',
    "H3-null": '{"bookmarks": null}',
    "H5-newer": '{"bookmarks": {}, "version": 99}',
}
GARBAGE: dict[str, t.Any] = {
    "list": [],
    "text": "x",
    "unknown": {"whatever": 1},
    "garbage": {"replication_key_value": "garbage", "parts": {"order": {"replication_key_value": "garbage"}}},
    "future": {"replication_key_value": "9999-01-01T00:00:00.000000Z"},
    "other key": {"replication_key": "another", "replication_key_value": "2026-01-01T00:00:00Z"},
    "progress": {"progress": [1]},
    "notes": {"notes": "x"},
}


@case("H1", *SUBJECTS)
@case("H2", *SUBJECTS)
@case("H3", *SUBJECTS)
@case("H5", *SUBJECTS)
@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_h1_to_h5_a_file_that_is_no_state_is_refused_before_anything_is_asked(
    all_vendors: Sandbox, tap_runner: TapRunner, wrong: str
) -> None:
    all_vendors.requests.clear()
    outcome = tap_runner.run(config=all_vendors.config, state=WRONG_FILES[wrong])
    assert outcome.failed_plainly, outcome.stderr
    assert "state" in outcome.stderr.splitlines()[-1]
    assert outcome.stdout == b""
    assert not all_vendors.requests


@case("H4")
@case("H3")
@case("H7")
@pytest.mark.parametrize("garbage", GARBAGE)
@every_vendor
def test_h4_a_bookmark_that_is_garbage_is_refused_and_named(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, garbage: str
) -> None:
    good = sync(sandbox.config).state
    stream = next(iter(good["bookmarks"]))
    run = sync(config, {**good, "bookmarks": {**good["bookmarks"], stream: GARBAGE[garbage]}})
    assert run.exit_code == 1
    assert run.stdout == b""
    assert proxy.requests == []
    assert f"`{stream}`" in run.log.splitlines()[-1]


@case("H5")
@case("H6")
@every_vendor
def test_h6_what_the_state_says_of_others_is_kept(sandbox: Sandbox, config: Config) -> None:
    others = {"a_removed_stream": {"replication_key_value": 5}, "another": {"partitions": [{"x": 1}]}}
    state = {"bookmarks": others, "a_key_of_somebody": [1]}
    run = sync(config, state)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert others.items() <= run.state["bookmarks"].items()
    assert run.state["a_key_of_somebody"] == [1]


@case("H8")
@every_vendor
def test_h8_what_the_sdk_left_is_dropped(sandbox: Sandbox, config: Config, subject: Subject) -> None:
    good = sync(sandbox.config).state
    stream = next(iter(good["bookmarks"]))
    good["bookmarks"][stream] |= {"progress_markers": {"replication_key": "x"}, "replication_key_signpost": "y"}
    run = sync(config, good)
    assert run.exit_code == 0, run.log
    assert "progress_markers" not in json.dumps(run.state)
    assert subject.name in stream


@case("H4", "cryptolens")
def test_h4_an_id_beyond_every_row_is_refused_and_named(sandbox: Sandbox, config: Config) -> None:
    """Whether an id is too high, only the log itself can tell: nothing is written of this stream."""
    good = sync(sandbox.config).state
    stream = "cryptolens_web_api_log"
    good["bookmarks"][stream]["replication_key_value"] = 10**15
    run = sync(config, good)
    assert run.exit_code == 1
    assert run.records(stream) == []
    assert f"`{stream}`" in run.log.splitlines()[-1]
    assert "beyond the log" in run.log
