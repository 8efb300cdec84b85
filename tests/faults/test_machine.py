"""A few steps of the machine for each vendor, the same in each run; `tests.faults.long_run` makes more of them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import TapMachine
from tests.faults.marks import case, every_vendor

FEW = settings(
    max_examples=8,
    stateful_step_count=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@case("A1")
@case("A2")
@every_vendor
def test_a1_a2_no_sequence_of_events_loses_a_row(vendor: str) -> None:
    machine = type(f"Machine_{vendor}", (TapMachine,), {"vendor": vendor})
    run_state_machine_as_test(machine, settings=FEW)
