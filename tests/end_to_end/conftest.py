from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=11, vendors=["pigment", "cryptolens"], size=60, clock=clock) as running:
        yield running


@pytest.fixture
def pigment(sandbox: Sandbox) -> PigmentSandbox:
    vendor = sandbox.vendor("pigment", PigmentSandbox)
    vendor.page_size = 16
    return vendor


@pytest.fixture
def cryptolens(sandbox: Sandbox) -> CryptolensSandbox:
    vendor = sandbox.vendor("cryptolens", CryptolensSandbox)
    vendor.web_api_log.most_rows = 25
    vendor.events.most_rows = 3
    vendor.object_log.most_rows = 2
    return vendor
