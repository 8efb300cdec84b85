"""Whatever STATE a target has seen last, a run that starts from it leaves no gap."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from itertools import pairwise

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tests.end_to_end.truth import CRYPTOLENS, PIGMENT, STREAMS, key_of, keys_in, keys_within_look_back, true_keys
from tests.support.states import entry_of
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from tests.support.tap_runs import Run

ORDERS: tuple[t.Literal["descending", "ascending"], ...] = ("descending", "ascending")


def assert_no_gap_from_any_state(
    sandbox: Sandbox, run: Run, config: dict[str, t.Any], before: Callable[[], object] = lambda: None
) -> None:
    """Restart from each STATE of a run; what was written up to it and what the restart writes is everything."""
    everything = true_keys(sandbox)
    repeatable = keys_within_look_back(sandbox)
    positions = [index for index, message in enumerate(run.messages) if message["type"] == "STATE"]
    assert len(positions) > 10
    for position in positions:
        before()
        again = sync(config, run.messages[position]["value"])
        assert again.exit_code == 0
        written, rest = keys_in(run.messages[:position]), keys_in(again.messages)
        assert {stream: written[stream] | rest[stream] for stream in STREAMS} == everything
        assert again.state == run.state
        for stream in CRYPTOLENS:
            assert not written[stream] & rest[stream]
        assert written[PIGMENT] & rest[PIGMENT] <= repeatable


@pytest.mark.case("A2", "pigment", "cryptolens")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.usefixtures("cryptolens")
def test_a_restart_from_any_state_of_a_first_run_leaves_no_gap(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order = order
    run = sync(sandbox.config)
    assert run.exit_code == 0
    assert_no_gap_from_any_state(sandbox, run, sandbox.config)


@pytest.mark.usefixtures("cryptolens", "pigment")
def test_a_restart_from_any_state_of_a_second_run_leaves_no_gap(sandbox: Sandbox) -> None:
    first = sync(sandbox.config)
    sandbox.advance()
    second = sync(sandbox.config, first.state)
    both = type(second)(0, first.stdout + second.stdout, "")
    assert_no_gap_from_any_state(sandbox, both, sandbox.config)


@pytest.mark.usefixtures("cryptolens")
def test_a_restart_from_any_state_with_an_expired_cursor_leaves_no_gap(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    run = sync(sandbox.config)
    for message in run.messages:
        if message["type"] == "STATE":
            pigment.expire_cursors()
            again = sync(sandbox.config, message["value"])
            assert again.exit_code == 0
            if "progress" in entry_of(message["value"], PIGMENT):
                assert keys_in(again.messages)[PIGMENT] == true_keys(sandbox)[PIGMENT]


@pytest.mark.usefixtures("cryptolens", "pigment")
def test_each_key_comes_once_in_a_run_and_the_bookmarks_are_the_last_rows(sandbox: Sandbox) -> None:
    run = sync(sandbox.config)
    for stream in STREAMS:
        counted = Counter(key_of(stream, record) for record in run.records(stream))
        assert set(counted.values()) == {1}
        assert set(counted) == true_keys(sandbox)[stream]
        column = "ingestion_timestamp" if stream == PIGMENT else "id"
        assert run.bookmark(stream)["replication_key"] == column
        assert run.bookmark(stream)["replication_key_value"] == max(record[column] for record in run.records(stream))


@pytest.mark.usefixtures("cryptolens", "pigment")
def test_a_state_follows_every_page(sandbox: Sandbox) -> None:
    largest_page = {PIGMENT: 16, "cryptolens_web_api_log": 25, "cryptolens_events": 3, "cryptolens_object_log": 2}
    since_state = 0
    for message in sync(sandbox.config).messages:
        if message["type"] == "RECORD":
            since_state += 1
            assert since_state <= largest_page[message["stream"]]
        elif message["type"] == "STATE":
            since_state = 0
    assert since_state == 0


@pytest.mark.usefixtures("cryptolens", "pigment")
def test_no_state_comes_twice_in_a_row(sandbox: Sandbox) -> None:
    states = [json.dumps(state, sort_keys=True) for state in sync(sandbox.config).states]
    assert all(earlier != later for earlier, later in pairwise(states))


def test_every_record_fits_the_schema_written_before_it(sandbox: Sandbox) -> None:
    validators = {}
    records = 0
    for message in sync(sandbox.config).messages:
        match message["type"]:
            case "SCHEMA":
                validators[message["stream"]] = DEFAULT_JSONSCHEMA_VALIDATOR(
                    message["schema"], format_checker=DEFAULT_JSONSCHEMA_VALIDATOR.FORMAT_CHECKER
                )
                properties = message["schema"]["properties"]
                assert all("null" in properties[name]["type"] for name in properties.keys() - message["key_properties"])
            case "RECORD":
                validators[message["stream"]].validate(message["record"])
                records += 1
    assert records == sum(len(keys) for keys in true_keys(sandbox).values())
