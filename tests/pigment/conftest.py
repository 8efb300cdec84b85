from __future__ import annotations

import typing as t

import pytest

from tap_auditlogs.sandbox.server import Sandbox
from tap_auditlogs.vendors.pigment.sandbox import PigmentSandbox
from tests.end_to_end.tap_runs import Clock, record_waits

if t.TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 60
PAGE_SIZE = 10


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries; none of them is really waited."""
    return record_waits(monkeypatch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment"], size=EVENTS, clock=clock) as running:
        running.vendor("pigment", PigmentSandbox).page_size = PAGE_SIZE
        yield running


@pytest.fixture
def pigment(sandbox: Sandbox) -> PigmentSandbox:
    return sandbox.vendor("pigment", PigmentSandbox)
