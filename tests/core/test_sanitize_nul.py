"""`sanitize_nul` removes NUL characters from every record, whichever way it is written."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.rows import HEADERS
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.core.rows import without_nul
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from tests.support.tap_runs import Run


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ({"a\0b": ["\0", {"\0c": "d\0"}], "n": 1, "x": None}, {"ab": ["", {"c": "d"}], "n": 1, "x": None}),
        ({"a\0": 1, "a": 2, "\0a": 3}, {"a": 2, "a_": 1, "a__": 3}),
        ("plain", "plain"),
        (1.5, 1.5),
    ],
)
def test_texts_and_keys_lose_their_nul_and_no_value_is_lost(value: t.Any, cleaned: t.Any) -> None:
    assert without_nul(value) == cleaned


def holds_nul(run: Run) -> bool:
    return "\\u0000" in json.dumps([message for message in run.messages if message["type"] == "RECORD"])


def test_nul_in_keys_and_values_of_events() -> None:
    with Sandbox(seed=2, vendors=["pigment"], size=5) as sandbox:
        pigment = sandbox.vendor("pigment", PigmentSandbox)
        changes: dict[str, t.Any] = {"payload": {"user\0Id": "a\0b"}, "ne\0w": [1]}
        pigment.add_event(sandbox.world.now() - timedelta(hours=1), **changes)
        assert holds_nul(sync(sandbox.config))
        run = sync({**sandbox.config, "sanitize_nul": True})
        assert run.exit_code == 0, run.log
        assert not holds_nul(run)
        (record,) = [each for each in run.records("pigment_audit_events") if each["payload"] == {"userId": "ab"}]
        assert record["additional_properties"] == {"new": [1]}


def test_files_never_give_a_nul() -> None:
    """There a NUL is a damaged character, which becomes U+FFFD with a warning, with and without the setting."""
    with Sandbox(seed=2, vendors=["index_exchange"], size=5) as sandbox:
        vendor = sandbox.vendor("index_exchange", IndexExchangeSandbox)
        newest = HourKey(vendor.hours[-1])
        vendor.clear()
        vendor.publish(newest, 4)
        rows = [list(row) for row in vendor.library.rows(newest, 4)]
        rows[0][HEADERS["impressions"].index("country")] = "C\0A"
        vendor.library.replace(newest, 0, rows)
        run = sync({**sandbox.config, "sanitize_nul": True})
        assert run.exit_code == 0, run.log
        assert not holds_nul(run)
        countries = [record["country"] for record in run.records("index_exchange_impressions")]
        assert len(countries) == 4
        assert "C\ufffdA" in countries
