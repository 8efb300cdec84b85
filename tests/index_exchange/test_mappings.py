"""The tables that the API returns whole."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.faults import Fault
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

Settings: t.TypeAlias = "dict[str, t.Any]"


@pytest.mark.parametrize(("path", "stream"), [("mappings/sites", "sites"), ("exchange-rates", "exchange_rates")])
def test_an_empty_array_is_no_empty_table(sandbox: Sandbox, config: Settings, path: str, stream: str) -> None:
    sandbox.faults.replace([Fault(vendor="index_exchange", path=path, times=None, status=200, body=b"[]")])
    run = sync(config)
    assert run.exit_code == 1
    assert f"`index_exchange_{stream}`: index_exchange: /{path}: the answer holds no list of rows" in run.log
    assert run.records("index_exchange_partners")


def test_exchange_rates_may_come_without_an_envelope(vendor: IndexExchangeSandbox, config: Settings) -> None:
    rates = sync(config).records("index_exchange_exchange_rates")
    vendor.bare_exchange_rates = True
    assert rates
    assert sync(config).records("index_exchange_exchange_rates") == rates
