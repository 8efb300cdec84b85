"""Runs the mapper in this process."""

from __future__ import annotations

import json
import typing as t
from io import BytesIO

from tap_auditlogs.ocsf.mapper import OcsfMapper
from tap_auditlogs.ocsf.writer import LineWriter

if t.TYPE_CHECKING:
    from collections.abc import Iterable

Json: t.TypeAlias = "dict[str, t.Any]"

EXTRACTED: t.Final = "2026-11-20T06:00:00.000000Z"


class CollectingWriter(LineWriter):
    """Keeps what would go to standard output."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        self.written += b"".join(pieces)


def run_mapper(given: bytes, **config: bool) -> bytes:
    """Send lines through the mapper."""
    writer = CollectingWriter()
    OcsfMapper(writer=writer, config=dict(config)).listen(t.cast("t.IO[str]", BytesIO(given)))
    return writer.written


def record_line(stream: str, record: object, time_extracted: str | None = EXTRACTED) -> bytes:
    message = {"type": "RECORD", "stream": stream, "record": record}
    if time_extracted is not None:
        message["time_extracted"] = time_extracted
    return json.dumps(message).encode() + b"\n"


def events_in(written: bytes) -> list[Json]:
    """Give the records of `audit_events`."""
    lines = [json.loads(line) for line in written.splitlines(keepends=True) if _is_addition(line)]
    return [it["record"] for it in lines if it["type"] == "RECORD"]


def map_record(stream: str, record: object, time_extracted: str | None = EXTRACTED, **config: bool) -> Json:
    """Make the event of one record."""
    (event,) = events_in(run_mapper(record_line(stream, record, time_extracted), **config))
    return event


def without_additions(written: bytes) -> bytes:
    """Leave out what the mapper has added."""
    return b"".join(line for line in written.splitlines(keepends=True) if not _is_addition(line))


def _is_addition(line: bytes) -> bool:
    try:
        return bool(json.loads(line).get("stream") == "audit_events")
    except (ValueError, AttributeError):
        return False


def texts_in(value: object) -> Iterable[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts_in(item)
        case dict():
            for name, item in value.items():
                yield name
                yield from texts_in(item)
