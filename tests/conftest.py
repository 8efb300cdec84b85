"""Fixtures for all tests; those of one vendor stand in its folder."""

from __future__ import annotations

import os
import signal
import typing as t
from pathlib import Path

import pytest

from tap_auditlogs.core.http import client
from tap_auditlogs.core.redaction import redact
from tests.support.tap_process import TapRunner
from tests.support.tap_runs import Clock, record_waits

TESTS: t.Final = Path(__file__).parent
SLOW_FOLDERS: t.Final = {"demo", "deploy", "end_to_end", "faults", "report"}


def pytest_configure() -> None:
    """Let SIGINT end what tests start: a job in the background ignores it, and so would all that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Start one more worker than there are processors, since many tests wait for processes and timeouts."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts databases, browsers or commands, and what runs the tap against a sandbox."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        fixtures = set(getattr(item, "fixturenames", ()))
        runs_tap = "tap_runner" in fixtures or ("sandbox" in fixtures and folder != "sandbox")
        if runs_tap or folder in SLOW_FOLDERS or item.get_closest_marker("exhaustive"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxies and certificates out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    # Looked up once per process, which is one test here.
    client._proxies.cache_clear()  # noqa: SLF001 - there is no other way to forget them
    client._ca_bundle.cache_clear()  # noqa: SLF001 - likewise


@pytest.fixture(autouse=True)
def _no_old_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mask the secrets of this test only: looking for those of all tests before costs a tenth of a run's CPU time."""
    monkeypatch.setattr(redact, "_forms", set())
    monkeypatch.setattr(redact, "_pattern", None)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries in this process; none of them is really waited."""
    return record_waits(monkeypatch)


@pytest.fixture
def clock() -> Clock:
    """The clock of a sandbox; a test may move it."""
    return Clock()


@pytest.fixture
def tap_runner(tmp_path: Path) -> TapRunner:
    """Starts the installed command."""
    return TapRunner(tmp_path)
