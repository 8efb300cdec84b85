"""Runs the tap in the process of the test, which is fast, and parses its output."""

from __future__ import annotations

import copy
import gc
import io
import json
import logging
import sys
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from unittest import mock

from tap_auditlogs.core.run import run
from tap_auditlogs.tap import TapAuditLogs
from tests.support.states import entry_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from tap_auditlogs.core.writer import MessageWriter

Message: t.TypeAlias = "dict[str, t.Any]"
State: t.TypeAlias = "dict[str, t.Any]"


class Clock:
    """The system clock, shifted by a test."""

    def __init__(self, shift: timedelta = timedelta()) -> None:
        self.shift = shift

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


def parse_lines(stdout: bytes) -> list[Message]:
    """Parse the complete lines of an output; a killed tap may leave an incomplete one at its end."""
    whole, _, _ = stdout.rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line]


@dataclass(frozen=True)
class Run:
    """One run of the tap.

    Attributes:
        exit_code: What the process would end with.
        stdout: What it wrote to standard output.
        log: What it logged.
    """

    exit_code: int
    stdout: bytes
    log: str

    @cached_property
    def messages(self) -> list[Message]:
        return parse_lines(self.stdout)

    def records(self, stream: str) -> list[dict[str, t.Any]]:
        return records_of(self.messages, stream)

    def schemas(self, stream: str) -> list[dict[str, t.Any]]:
        return [it["schema"] for it in self.messages if it["type"] == "SCHEMA" and it["stream"] == stream]

    @property
    def states(self) -> list[State]:
        return states_of(self.messages)

    @property
    def state(self) -> State:
        return self.states[-1]

    def bookmark(self, stream: str) -> dict[str, t.Any]:
        return entry_of(self.state, stream)


def records_of(messages: list[Message], stream: str) -> list[dict[str, t.Any]]:
    return [message["record"] for message in messages if message["type"] == "RECORD" and message["stream"] == stream]


def states_of(messages: list[Message]) -> list[State]:
    return [message["value"] for message in messages if message["type"] == "STATE"]


def sync(config: Mapping[str, t.Any], state: State | None = None, catalog: Mapping[str, t.Any] | None = None) -> Run:
    """Run the tap in this process."""

    def make_tap(writer: MessageWriter) -> TapAuditLogs:
        return TapAuditLogs(
            config=copy.deepcopy(dict(config)),
            state=copy.deepcopy(state),
            catalog=None if catalog is None else copy.deepcopy(dict(catalog)),
            message_writer=writer,
        )

    threshold = gc.get_threshold()
    with _captured() as (stdout, log):
        exit_code = run(make_tap)
    gc.unfreeze()  # a run of its own process needs not undo this
    gc.set_threshold(*threshold)
    return Run(exit_code, stdout.getvalue(), log.getvalue())


@contextmanager
def _captured() -> Iterator[tuple[io.BytesIO, io.StringIO]]:
    stdout, log = io.BytesIO(), io.StringIO()
    handler = logging.StreamHandler(log)
    handler.addFilter(lambda record: not record.name.startswith("auditlogs_sandbox"))
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    text = io.TextIOWrapper(stdout, write_through=True)
    try:
        with mock.patch.object(sys, "stdout", text):
            yield stdout, log
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        text.detach()


def record_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip the waits of retries in this process and return the list that records them."""
    waits: list[float] = []
    monkeypatch.setattr("backoff._sync.time", SimpleNamespace(sleep=waits.append))
    return waits
