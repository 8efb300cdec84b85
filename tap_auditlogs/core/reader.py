"""Reads Singer messages from standard input; what is no Singer message ends the run with a plain error."""

from __future__ import annotations

import sys
import typing as t

from singer_sdk.singerlib.encoding import GenericSingerReader
from typing_extensions import override

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.http.response import decode_json

if t.TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    Message: t.TypeAlias = dict[str, t.Any]

_KINDS: t.Final[dict[str, tuple[type, str]]] = {
    "type": (str, "a text"),
    "stream": (str, "a text"),
    "schema": (dict, "a JSON object"),
    "record": (dict, "a JSON object"),
}


class MessageReader(GenericSingerReader[bytes]):
    """Decodes each line with every digit of its numbers, and never shows a line in an error."""

    def __init__(self) -> None:
        super().__init__()
        self._line_number = 0

    @property
    @override
    def default_input(self) -> t.IO[bytes]:
        if sys.stdin is None:
            raise TapError("Standard input is closed: pipe the output of a tap into this command.")
        return sys.stdin.buffer

    @override
    def process_lines(
        self, file_input: t.IO[bytes] | None, callbacks: dict[str, Callable[[Message], None]]
    ) -> Counter[str]:
        # click opens --input as text
        return super().process_lines(getattr(file_input, "buffer", file_input), callbacks)

    @override
    def deserialize_json(self, line: bytes) -> Message:
        self._line_number += 1
        try:
            message = decode_json(line)
        except ValueError as error:
            raise self._invalid_line("is not JSON") from error
        if not isinstance(message, dict):
            raise self._invalid_line("is not a JSON object")
        for key, (kind, name) in _KINDS.items():
            if key in message and not isinstance(message[key], kind):
                raise self._invalid_line(f"has a {key} that is not {name}")
        return message

    @staticmethod
    @override
    def assert_line_requires(line_dict: Message, requires: set[str]) -> None:
        if missing := requires - line_dict.keys():
            # the SDK checks the schema in a SCHEMA in the same way
            kind = "schema" if "properties" in requires else line_dict.get("type", "message")
            msg = f"Standard input holds a {kind} that lacks {', '.join(sorted(missing))}: is it from a Singer tap?"
            raise TapError(msg)

    @override
    def _process_unknown_message(self, message_dict: Message) -> None:
        raise self._invalid_line(f"has the unknown type {message_dict['type']!r:.40}")

    def _invalid_line(self, fault: str) -> TapError:
        return TapError(f"Line {self._line_number} of standard input {fault}: is it from a Singer tap?")
