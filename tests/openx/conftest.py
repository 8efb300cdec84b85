from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["openx"], size=900, clock=clock) as running:
        yield running


@pytest.fixture
def openx(sandbox: Sandbox) -> OpenxSandbox:
    return sandbox.vendor("openx", OpenxSandbox)
