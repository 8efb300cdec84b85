"""What the log says of how much was read."""

from __future__ import annotations

import json
import typing as t
from collections import Counter

import pytest

from auditlogs_sandbox.server import Sandbox
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=4, size=40) as running:
        yield running


def logged_record_counts(log: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in log.splitlines():
        _, is_metric, text = line.partition("METRIC: ")
        if is_metric and (metric := json.loads(text))["metric"] == "record_count":
            counts[metric["tags"]["stream"]] += metric["value"]
    return counts


def test_every_stream_has_a_record_count_of_what_it_wrote(sandbox: Sandbox) -> None:
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    written = Counter(message["stream"] for message in run.messages if message["type"] == "RECORD")
    assert {"xandr_change_log_detail", "index_exchange_hourly", "openx_audit_trail"} <= written.keys()
    assert logged_record_counts(run.log) == written
