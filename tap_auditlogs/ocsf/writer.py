"""Standard output of the mapper: what passes, and what is added to it, in one order."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from singer_sdk.singerlib.messages import Message


class LineWriter(MessageWriter):
    """Collects lines and writes many of them at once."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []

    def pass_on(self, lines: bytes) -> None:
        """Collect lines as they came.

        Args:
            lines: Whole lines; the last one of all may lack its line feed.
        """
        if lines:
            self._lines.append(lines)

    def add(self, lines: bytes) -> None:
        """Collect lines that are added behind those that passed.

        Args:
            lines: Whole lines, each with its line feed.
        """
        if self._lines and not self._lines[-1].endswith(b"\n"):
            self._lines.append(b"\n")
        self._lines.append(lines)

    def write_message(self, message: Message) -> None:
        """Collect a message.

        Args:
            message: Any Singer message.
        """
        self.add(self.format_message(message))

    def flush(self) -> None:
        """Write what was collected.

        Raises:
            OutputError: If standard output takes nothing more.
        """
        if self._lines:
            lines = b"".join(self._lines)
            self._lines.clear()
            self.write_lines(lines)
