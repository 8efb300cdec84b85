"""The table of covered cases is what the tests say, and nothing that blocks a release is open."""

from __future__ import annotations

from tests.faults import coverage


def test_the_catalogue_names_only_what_is_there() -> None:
    assert coverage.mistakes() == []


def test_the_table_is_up_to_date() -> None:
    """If not: `python -m tests.faults.coverage --write`."""
    assert coverage.TABLE.read_text(encoding="utf-8") == coverage.table()


def test_every_case_that_blocks_a_release_is_covered() -> None:
    assert coverage.open_cases(0) == []
