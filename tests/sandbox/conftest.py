from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import requests

from auditlogs_sandbox.server import Sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 11, 20, 12, 34, 56, 789_012, UTC)


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def move(self, span: timedelta) -> None:
        self.time += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vendors() -> list[str] | None:
    """The vendors of the sandbox, all by default; a module that needs one only overrides this."""
    return None


@pytest.fixture
def sandbox(clock: Clock, vendors: list[str] | None) -> Iterator[Sandbox]:
    with Sandbox(seed=7, size=2500, vendors=vendors, clock=clock) as running:
        yield running


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the machine has no business on loopback
        yield session
