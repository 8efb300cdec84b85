from __future__ import annotations

import pytest

from tests.end_to_end.killed_runs import VICTIMS, draw_plans, kill_runs

RUNS = 12


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_nothing_is_lost_when_parts_of_the_pipeline_are_killed() -> None:
    figures = kill_runs(RUNS, seed=3, echo=print)
    assert figures.differences == []
    assert figures.kills.total() > RUNS // 2


def test_the_same_seed_gives_the_same_plans_and_each_victim_its_turn() -> None:
    plans = list(draw_plans(3, RUNS))
    assert plans == list(draw_plans(3, RUNS))
    assert plans != list(draw_plans(4, RUNS))
    assert {plan.victim for plan in plans} == set(VICTIMS)
