"""The table of covered cases is what the tests say, and nothing that blocks a release is open unseen."""

from __future__ import annotations

from tests.faults import coverage

OPEN_AND_KNOWN = {
    # A file of 10 GB is too large for a test of each change: see `tests/benchmarks/index_exchange.py`.
    ("F10", "index_exchange"),
}


def test_the_catalogue_names_only_what_is_there() -> None:
    assert coverage.mistakes() == []


def test_the_table_is_up_to_date() -> None:
    """If not: `python -m tests.faults.coverage --write`."""
    assert coverage.TABLE.read_text(encoding="utf-8") == coverage.table()


def test_every_case_that_blocks_a_release_is_covered() -> None:
    assert set(coverage.open_cases(0)) == OPEN_AND_KNOWN
