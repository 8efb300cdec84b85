from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["index_exchange"], size=40, clock=clock) as running:
        yield running


@pytest.fixture
def vendor(sandbox: Sandbox) -> IndexExchangeSandbox:
    return sandbox.vendor("index_exchange", IndexExchangeSandbox)


@pytest.fixture
def config(sandbox: Sandbox) -> dict[str, t.Any]:
    """Settings that a test may change."""
    return {"index_exchange": dict(sandbox.config["index_exchange"])}
