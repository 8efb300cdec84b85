"""The catalogue of faults agrees with the tests, and every case that blocks a release is covered."""

from __future__ import annotations

from scripts import fault_coverage


def test_the_catalogue_names_only_what_is_there() -> None:
    assert fault_coverage.mistakes() == []


def test_every_case_that_blocks_a_release_is_covered() -> None:
    assert fault_coverage.open_cases(0) == []
