from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Clock

EVENTS = 60
PAGE_SIZE = 10


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment"], size=EVENTS, clock=clock) as running:
        running.vendor("pigment", PigmentSandbox).page_size = PAGE_SIZE
        yield running


@pytest.fixture
def pigment(sandbox: Sandbox) -> PigmentSandbox:
    return sandbox.vendor("pigment", PigmentSandbox)
