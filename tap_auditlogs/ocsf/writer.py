"""Standard output of the mapper: lines passed on unchanged and added lines, in order."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from singer_sdk.singerlib.messages import Message


class LineWriter(MessageWriter):
    """Buffers lines until `flush`."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []

    def pass_on(self, lines: bytes) -> None:
        """Buffer whole lines unchanged; only the last line of the input may lack its line feed."""
        if lines:
            self._lines.append(lines)

    def add(self, lines: bytes) -> None:
        """Buffer added lines, each with its line feed."""
        if self._lines and not self._lines[-1].endswith(b"\n"):
            self._lines.append(b"\n")
        self._lines.append(lines)

    @override
    def write_message(self, message: Message) -> None:
        self.add(self.format_message(message))

    def flush(self) -> None:
        """Write the buffered lines; raises OutputError if standard output cannot be written to."""
        if self._lines:
            lines = b"".join(self._lines)
            self._lines.clear()
            self.write_lines(lines)
