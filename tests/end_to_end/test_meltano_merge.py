"""A STATE merged onto an older one, as Meltano merges them, is read as the newer."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meltano.core.utils import merge

from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.faults.runs import sync
from tests.faults.subjects import SIZE, SUBJECTS, shrink
from tests.support import tap_runs
from tests.support.states import entry_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Run, State

Config: t.TypeAlias = "dict[str, t.Any]"

FILTERED: dict[str, Config] = {
    "cryptolens": {"product_id": 3646},
    "openx": {"user": "ada@example.com", "object_types": ["order"]},
    "xandr": {"modified_by_admin": True},
    "index_exchange": {"hourly_dimensions": ["site_id"]},
    "pigment": {},
}


def merged(*states: State) -> State:
    """Merge states, the oldest first, as Meltano does after `--full-refresh` and with `--state-strategy merge`."""
    untyped_merge: t.Any = merge  # Meltano gives it no types
    result: State = reduce(lambda older, newer: untyped_merge(newer, older), copy.deepcopy(states))
    return result


def with_filters(config: Config) -> Config:
    return {name: {**values, **FILTERED.get(name, {})} for name, values in config.items()}


@dataclass
class History:
    """One account over several runs.

    Attributes:
        config: The settings.
        states: Every STATE in the order in which the target saw them.
    """

    config: Config
    states: list[State]

    def run(self, state: State | None, config: Config | None = None, share: float = 1) -> State:
        """Run, remember the STATEs of the first share of the run, and return the last of these."""
        states = sync(config or self.config, state).states
        self.states += states[: max(1, int(len(states) * share))]
        return self.states[-1]

    @cached_property
    def tap(self) -> TapAuditLogs:
        return TapAuditLogs(config=self.config)

    def loaded(self, state: State) -> State:
        """Load a state, and return it as the tap would write it."""
        self.tap.load_state(copy.deepcopy(state))
        return self.tap.state_to_write()


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    with Sandbox(seed=6, size=SIZE) as sandbox:
        shrink(sandbox, SUBJECTS.values())
        history = History(dict(sandbox.config), [])
        filtered = with_filters(history.config)
        killed = history.run(None, share=0.4)
        complete = history.run(killed)
        sandbox.advance()
        complete = history.run(history.run(complete, filtered, share=0.5), filtered)
        complete = history.run(complete)
        history.run(None, share=0.3)  # a full refresh, killed
        history.run(None)  # and a whole one
        yield history


def test_no_entry_holds_an_object_and_each_holds_the_same_keys(history: History) -> None:
    """Where an object meets null, Meltano's merge fails; where a key is absent, the older one stays."""
    entries = [entry for state in history.states for entry in state["bookmarks"].values()]
    assert len({tuple(sorted(entry)) for entry in entries}) == 1
    assert not any(isinstance(value, dict) for entry in entries for value in entry.values())
    assert len({tuple(sorted(state["bookmarks"])) for state in history.states}) == 1
    kinds = {name for entry in entries for name, value in entry.items() if value is not None}
    assert kinds == set(entries[0])  # each was seen with a value, and with null:
    assert {name for entry in entries for name, value in entry.items() if value is None} == set(entries[0])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_chain_of_merged_states_is_loaded_as_the_newest(history: History, data: st.DataObject) -> None:
    positions = st.lists(st.integers(0, len(history.states) - 1), min_size=2, max_size=4)
    chain = [history.states[position] for position in sorted(data.draw(positions))]
    assert history.loaded(merged(*chain)) == history.loaded(chain[-1])


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(3))
def test_a_run_from_a_merged_state_gives_the_records_of_one_from_the_newer(history: History, seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - it chooses states
    older, newer = sorted(rng.sample(range(len(history.states)), 2))
    config = rng.choice([history.config, with_filters(history.config)])
    from_newer = sync(config, history.states[newer])
    from_merged = sync(config, merged(history.states[older], history.states[newer]))
    assert from_merged.exit_code == from_newer.exit_code == 0, from_merged.log
    assert records_by_stream(from_merged) == records_by_stream(from_newer)


def records_by_stream(run: Run) -> dict[str, list[dict[str, t.Any]]]:
    streams = {message["stream"] for message in run.messages if message["type"] == "RECORD"}
    return {stream: run.records(stream) for stream in streams}


def test_a_state_merged_onto_one_of_version_1_is_read_as_the_newer(history: History) -> None:
    for older, newer in pairwise(history.states):
        entries = {stream: entry_of(older, stream) for stream in older["bookmarks"]}
        version_1 = {"bookmarks": {stream: entry for stream, entry in entries.items() if entry}, "version": 1}
        assert history.loaded(version_1) == older
        assert history.loaded(merged(version_1, newer)) == history.loaded(newer)


def test_a_full_refresh_takes_nothing_over_for_the_streams_it_reads_and_leaves_the_others_alone(
    history: History,
) -> None:
    newest = history.states[-1]
    catalog = TapAuditLogs(config=history.config).catalog_dict
    for stream in catalog["streams"]:
        if stream["tap_stream_id"] == "cryptolens_events":
            stream["metadata"][-1]["metadata"]["selected"] = False
    refreshed = tap_runs.sync(history.config, None, catalog)
    first = merged(newest, refreshed.states[0])
    assert entry_of(first, "cryptolens_events") == entry_of(newest, "cryptolens_events")
    assert entry_of(first, "xandr_change_log") == {} != entry_of(newest, "xandr_change_log")
