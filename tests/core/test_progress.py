from __future__ import annotations

import io
import logging
import sys

import pytest
from singer_sdk import metrics

from tap_auditlogs.core.progress import Bar, RecordCounter, logs_above_bars
from tap_auditlogs.core.redaction import RedactionFilter, redact


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Console:
    """Replaces standard error, which pytest itself replaces between set-up and test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def use(self, stream: io.StringIO) -> io.StringIO:
        self._monkeypatch.setattr(sys, "stderr", stream)
        return stream

    def log_to(self, stream: io.StringIO) -> logging.Logger:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("log: %(message)s"))
        handler.addFilter(RedactionFilter())
        self._monkeypatch.setattr(logging.root, "handlers", [handler])
        self._monkeypatch.setattr(logging.root, "level", logging.INFO)
        return logging.getLogger("test")


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    return Console(monkeypatch)


def count(records: int) -> None:
    with RecordCounter(metrics.record_counter("events"), "events") as counter:
        counter.increment(records)
        assert counter.value == records


def test_a_terminal_shows_how_many_records_and_bytes(console: Console) -> None:
    terminal = console.use(Terminal())
    count(1234)
    bar = Bar("upload", total=2_000_000)
    bar.advance_to(2_000_000)
    bar.close()
    shown = terminal.getvalue()
    assert "events: 1234 records" in shown
    assert "2.00M/2.00M" in shown
    assert "100%" in shown


def test_elsewhere_nothing_is_shown_and_no_control_character_is_written(console: Console) -> None:
    pipe = console.use(io.StringIO())
    logger = console.log_to(pipe)
    with logs_above_bars():
        count(1234)
        bar = Bar("upload", total=10)
        bar.advance(10)
        bar.close()
        logger.info("a line")
    assert pipe.getvalue().startswith("log: ")  # the SDK's metric and this line
    assert pipe.getvalue().endswith("log: a line\n")
    assert "\r" not in pipe.getvalue()
    assert "\x1b" not in pipe.getvalue()


def test_log_lines_stay_whole_and_masked_beside_a_bar(console: Console) -> None:
    redact.add("s3cret-value")
    terminal = console.use(Terminal())
    logger = console.log_to(terminal)
    with logs_above_bars():
        bar = Bar("events", unit=" records")
        bar.advance(3)
        logger.warning("key %s of %s", "s3cret-value", "someone")
        bar.close()
    assert "s3cret-value" not in terminal.getvalue()
    (line,) = [line for line in terminal.getvalue().split("\n") if "someone" in line]
    assert line.rpartition("\r")[2].startswith("log: key ")


def test_logging_that_goes_elsewhere_stays_there(console: Console) -> None:
    terminal, file = console.use(Terminal()), io.StringIO()
    logger = console.log_to(file)
    with logs_above_bars():
        logger.warning("a line")
    assert file.getvalue() == "log: a line\n"
    assert terminal.getvalue() == ""
