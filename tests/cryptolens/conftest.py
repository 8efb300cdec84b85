from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Clock

ROWS = 100
PAGE_SIZE = 7


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["cryptolens"], size=ROWS, clock=clock) as running:
        vendor = running.vendor("cryptolens", CryptolensSandbox)
        for log in (vendor.web_api_log, vendor.events, vendor.object_log):
            log.most_rows = PAGE_SIZE
        yield running


@pytest.fixture
def cryptolens(sandbox: Sandbox) -> CryptolensSandbox:
    return sandbox.vendor("cryptolens", CryptolensSandbox)
