"""One value of one answer is damaged: no surprise, no record against its schema, nothing lost without a word."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.faults.damaged_answers import BODIES, VALUES, Room, Verdict, damaged

CASES = {"pigment": 150, "cryptolens": 100, "openx": 100, "xandr": 100, "index_exchange": 30}
"""By vendor, as their runs take very different time."""


def judged(vendor: str, seed: int) -> list[Verdict]:
    with Room(vendor, seed) as room:
        return [room.judge(case) for case in islice(room.cases(seed), CASES[vendor])]


@pytest.mark.parametrize("vendor", CASES)
def test_a_damaged_answer_is_told_or_kept(vendor: str) -> None:
    verdicts = judged(vendor, seed=17)
    assert [str(verdict) for verdict in verdicts if verdict.faults] == []
    assert {verdict.outcome for verdict in verdicts} >= {"complete", "failed"}


@pytest.mark.parametrize("damage", [*VALUES, *BODIES])
def test_every_damage_changes_every_body(damage: str) -> None:
    body = b'{"rows": [{"id": 7, "name": "a", "is_on": true, "tags": []}]}'
    assert all(damaged(body, damage, seed)[0] != body for seed in range(50))
