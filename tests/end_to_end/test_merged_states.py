"""Meltano merges states; whatever it merges, the next run reads all that is new."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from auditlogs_demo.database import SCHEMA
from auditlogs_demo.flow import Bookkeeper
from auditlogs_demo.meltano import LOADER, Pipeline
from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.support.postgres import postgres_server

if t.TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
MERGE = "--state-strategy=merge"

# Each vendor fails in the middle of its log, so that the state of the first run says how far it came.
FAULTS = [
    Fault(vendor="pigment", path="/events", skip=1, times=None, status=503),
    Fault(vendor="cryptolens", path="GetWebAPILog", skip=1, times=None, status=503),
    Fault(vendor="openx", path="/audittrail", skip=4, times=None, status=503),
    Fault(vendor="xandr", path="/change-log", skip=4, times=None, status=503),
    Fault(vendor="index_exchange", path="/files/", skip=4, times=None, status=503),
]


@pytest.mark.exhaustive
def test_nothing_is_missing_after_merged_states(tmp_path: Path) -> None:
    with Sandbox(seed=5, size=40) as sandbox, postgres_server() as server:
        config = {**sandbox.config, "max_retry_wait_seconds": 0}
        loader = {"sqlalchemy_url": server.database.url, "default_target_schema": SCHEMA}
        pipeline = Pipeline.create(tmp_path, ROOT / "meltano.yml", tap=config, loaders={LOADER: loader})
        keys = {name: tuple(stream.primary_keys) for name, stream in TapAuditLogs(config=config).streams.items()}
        books = Bookkeeper(sandbox, server.database, keys)

        def run(options: Sequence[str]) -> int:
            return pipeline.start(tmp_path / "log", *options).wait(200)

        sandbox.faults.replace(FAULTS)
        assert run([]) == 1
        sandbox.faults.replace([])
        for options in ([MERGE, "--full-refresh"], [MERGE, "--full-refresh"], [MERGE]):
            assert run(options) == 0
            assert [text for result in books.compare().values() for text in result.differences()] == []
            sandbox.advance()
        assert run([MERGE]) == 0
        assert [text for result in books.compare().values() for text in result.differences()] == []
