"""What each target does with two runs is what docs/targets.yml says; `.ci/run targets` runs this.

To record what is seen now: uv run --group stores pytest tests/targets --record
"""

from __future__ import annotations

import typing as t

import pytest

from tests.targets.observation import TARGETS, observe
from tests.targets.recording import record, recorded

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.source import Source
    from tests.targets.target import Services


def test_every_target_is_in_the_guide() -> None:
    assert recorded().keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of moto
def test_a_target_does_what_is_recorded(
    name: str, source: Source, services: Services, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seen = observe(name, source, services, tmp_path)
    if pytestconfig.getoption("record"):
        record(name, seen.facts)
    assert seen.facts == recorded()[name], "\n".join(seen.differences)
