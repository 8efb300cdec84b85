"""Writes Singer messages: a page of records at a time, each line whole, in order."""

from __future__ import annotations

import sys
import typing as t
from datetime import datetime

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.messages import Message

from tap_auditlogs.core.errors import OutputError
from tap_auditlogs.core.interrupts import Interrupts
from tap_auditlogs.core.record_message import RecordMessage, extraction_time
from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_CHUNK_BYTES = 65_536
"""What a pipe takes at once on Linux; writing no more than this shows whether the target still takes anything."""


def _encode_other(value: object) -> str:
    return format_timestamp(value) if isinstance(value, datetime) else str(value)


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """The tap's standard output.

    Numbers keep their digits: a decimal that a vendor sent as `1.10` leaves as `1.10`.
    """

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")
        self._chunks_taken = 0
        self.interrupts = Interrupts(progress=lambda: self._chunks_taken)

    def serialize_message(self, message: Message) -> bytes:
        """Encode one message.

        Args:
            message: Any Singer message.

        Returns:
            One line of JSON with its line feed.
        """
        return self._encoder.encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Write one message.

        Args:
            message: Any Singer message.

        Raises:
            OutputError: If standard output takes nothing more.
        """
        self._write(self.format_message(message))

    def write_records(self, stream: str, records: Iterable[dict[str, t.Any]]) -> None:
        """Write many records of one stream with one encoding and as few system calls as possible.

        Args:
            stream: The name of the stream.
            records: Records that already have the types of their schema.

        Raises:
            OutputError: If standard output takes nothing more.
        """
        now = extraction_time()
        self._write(self._encoder.encode_lines([RecordMessage(stream, record, now) for record in records]))

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Write messages that have been encoded elsewhere.

        Args:
            *pieces: When put together, whole lines of JSON, each with its line feed.

        Raises:
            OutputError: If standard output takes nothing more.
        """
        with self.interrupts.deferred():
            for piece in pieces:
                self._write(piece)

    def _write(self, lines: bytes | memoryview) -> None:
        view = memoryview(lines)
        with self.interrupts.deferred():
            try:
                stdout = sys.stdout.buffer
                while view:
                    # With PYTHONUNBUFFERED this is the bare file, which a signal may make take a part only.
                    taken = stdout.write(view[:_CHUNK_BYTES])
                    stdout.flush()
                    view = view[taken:]
                    self._chunks_taken += 1
            except (OSError, ValueError, AttributeError) as error:  # the latter two: standard output was closed
                msg = f"Standard output takes no more messages: {error}. The target has ended or the disk is full."
                raise OutputError(msg) from error
