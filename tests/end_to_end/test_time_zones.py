"""A database whose time zone is not UTC loses nothing in the hour that its clocks repeat."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from auditlogs_demo.database import SCHEMA
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.support.postgres import load, postgres_server
from tests.support.tap_runs import Clock, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import PostgresServer

# Both are 01:00 in New York: first in summer time, then in winter time.
HOURS = tuple(HourKey(datetime(2026, 11, 1, hour, tzinfo=UTC)) for hour in (5, 6))
FILES = [f"impressions/41/2026-11-01T{hour}/0" for hour in ("05", "06")]
NEXT_DAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        running.execute("ALTER SYSTEM SET timezone = 'America/New_York'", "SELECT pg_reload_conf()")
        yield running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    clock = Clock(NEXT_DAY - datetime.now(UTC) + timedelta(hours=9))
    with Sandbox(vendors=["index_exchange"], size=1, clock=clock) as running:
        running.vendor("index_exchange", IndexExchangeSandbox).library.hours.clear()
        yield running


@pytest.mark.exhaustive
@pytest.mark.parametrize("runs", [[HOURS], [HOURS[:1], HOURS[1:]]], ids=["in-one-run", "in-two-runs"])
def test_hours_that_the_clock_repeats_stay_apart(
    sandbox: Sandbox, server: PostgresServer, tmp_path: Path, runs: list[tuple[HourKey, ...]]
) -> None:
    library = sandbox.vendor("index_exchange", IndexExchangeSandbox).library
    state = None
    for hours in runs:
        for key in hours:
            library.publish(key, [library.rows(key, 2)])
        run = sync(sandbox.config, state)
        assert run.exit_code == 0
        done = load(server, run.stdout, tmp_path)
        assert done.returncode == 0, done.stderr
        state = run.state
    assert server.query(
        f"SELECT file_id, row_number FROM {SCHEMA}.index_exchange_impressions ORDER BY 1, 2"  # noqa: S608 - no input
    ) == [(file, row) for file in FILES for row in (1, 2)]
    assert server.query(f"SELECT file_id FROM {SCHEMA}.index_exchange_files ORDER BY 1") == [  # noqa: S608 - no input
        (file,) for file in FILES
    ]
    assert server.query(
        f"SELECT file_id, sum(impressions) FROM {SCHEMA}.index_exchange_hourly GROUP BY 1 ORDER BY 1"  # noqa: S608 - no input
    ) == [(file, 2) for file in FILES]
