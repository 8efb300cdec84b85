"""The catalogue of faults agrees with the tests, and every case that blocks a release is covered."""

from __future__ import annotations

from scripts import fault_coverage
from tests.faults.catalogue import CASES


def test_the_catalogue_names_only_what_is_there() -> None:
    assert fault_coverage.mistakes() == []


def test_every_case_that_blocks_a_release_is_covered() -> None:
    assert fault_coverage.open_cases(0) == []


def test_every_case_that_blocks_a_release_is_tried_in_the_usual_run_too() -> None:
    tried = {number for number, _ in fault_coverage.covered(usual=True)}
    possible = {number for number, _ in fault_coverage.covered()}
    assert {number for number in possible if CASES[number].priority == 0} <= tried
