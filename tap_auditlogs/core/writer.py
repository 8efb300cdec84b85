"""Writes Singer messages to standard output: a page of records at a time, whole lines only."""

from __future__ import annotations

import sys
import threading
import typing as t
from contextlib import suppress
from datetime import datetime

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.messages import Message, StateMessage
from typing_extensions import override

from tap_auditlogs.core.errors import OutputError
from tap_auditlogs.core.record_message import RecordMessage, extraction_time
from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHUNK_BYTES = 65_536
"""The capacity of a pipe on Linux: after each write of this size, `progress` shows that the target still reads."""


def _encode_other(value: object) -> str:
    return format_timestamp(value) if isinstance(value, datetime) else str(value)


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """The tap's standard output: whole lines only, whichever thread writes them.

    Numbers keep their digits: a decimal that a vendor sent as `1.10` is written as `1.10`. Whatever writes raises
    `OutputError` when standard output is closed or full.

    Attributes:
        progress: How many chunks standard output has taken.
    """

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")
        self._lock = threading.Lock()
        self._last_state = b""
        self._ends_with_state = False
        self.progress = 0

    @override
    def serialize_message(self, message: Message) -> bytes:
        return self._encoder.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        with self._lock:
            self._write(line)
            if isinstance(message, StateMessage):
                self._last_state, self._ends_with_state = line, True

    def write_records(self, stream: str, records: Iterable[dict[str, t.Any]]) -> None:
        """Write many records of one stream; they have the types of their schema already."""
        now = extraction_time()
        self.write_lines(self._encoder.encode_lines([RecordMessage(stream, record, now) for record in records]))

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Write encoded messages; together the pieces are whole lines, each with its line feed."""
        with self._lock:
            for piece in pieces:
                self._write(piece)

    # What is still true when a signal ends the run: see `tap_auditlogs.core.interrupts`.

    def start_from(self, state: Mapping[str, t.Any]) -> None:
        """Set the state that is true until the first STATE is written."""
        self._last_state = self.format_message(StateMessage(dict(state)))

    def finish(self) -> None:
        """Repeat the last STATE behind what was written since; nothing can be written afterwards."""
        self._lock.acquire()  # for good: the process is about to end
        if self._last_state and not self._ends_with_state:
            with suppress(OutputError):
                self._write(self._last_state)

    def conclude(self) -> None:
        """Leave nothing for `finish` to write: the run has ended by itself."""
        with self._lock:
            self._last_state = b""

    def _write(self, lines: bytes | memoryview) -> None:
        view = memoryview(lines)
        try:
            stdout = sys.stdout.buffer
            while view:
                # With PYTHONUNBUFFERED this is the raw file, which may write only a part.
                self._ends_with_state = False
                taken = stdout.write(view[:_CHUNK_BYTES])
                stdout.flush()
                view = view[taken:]
                self.progress += 1
        except (OSError, ValueError, AttributeError) as error:  # the latter two if it was closed before
            msg = f"Standard output is closed or full: the target has ended, or the disk is full ({error})."
            raise OutputError(msg) from error
