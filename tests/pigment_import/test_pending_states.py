from __future__ import annotations

from tap_auditlogs.vendors.pigment.target.pending_states import PendingStates


def test_a_state_goes_out_when_all_streams_before_it_are_imported() -> None:
    states = PendingStates()
    states.add({"n": 1}, [])
    states.add({"n": 2}, ["a"])
    states.add({"n": 3}, ["a"])
    states.add({"n": 4}, ["a", "b"])
    assert states.take_covered(set()) == {"n": 1}
    assert states.take_covered(set()) is None
    assert states.take_covered({"b"}) is None
    assert states.take_covered({"a"}) == {"n": 3}
    assert states.take_covered({"a", "b"}) == {"n": 4}


def test_only_the_latest_of_what_is_covered_goes_out() -> None:
    states = PendingStates()
    for number, streams in enumerate((["a"], ["a", "b"], ["a", "b", "c"])):
        states.add({"n": number}, streams)
    assert states.take_covered({"a", "b"}) == {"n": 1}
