"""Standard input of the mapper: passes lines on unchanged, and parses only those that the mapper needs."""

from __future__ import annotations

import logging
import re
import sys
import typing as t
from collections import Counter

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader, SingerMessageType
from typing_extensions import override

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.http.response import decode_json

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tap_auditlogs.ocsf.writer import LineWriter

logger = logging.getLogger(__name__)

_BLOCK_BYTES: t.Final = 1 << 15  # a block and its events fit into memory that the allocator reuses; larger ones do not

# The usual start of a message. Messages with an escape in the stream's name or another order of keys are parsed.
# Duplicate keys are not handled: taps do not write them, and targets differ in how they read them.
_HEAD: t.Final = re.compile(
    rb'\{"type": ?"(?:(STATE)"|(RECORD|SCHEMA|BATCH|ACTIVATE_VERSION)", ?"stream": ?"([^"\\]*)")'
)

_ABOUT_A_STREAM: t.Final = frozenset({"RECORD", "SCHEMA", "BATCH", "ACTIVATE_VERSION"})


class _Envelope(msgspec.Struct):
    """The keys needed to route a message; the others are not decoded."""

    type: str
    stream: str | None = None


_envelopes = msgspec.json.Decoder(_Envelope)


class LineReader(GenericSingerReader[bytes]):
    """Passes every line to the writer, in order, followed by the lines that the mapper adds.

    RECORD messages of watched streams are translated many at a time. Their other messages are passed on, then given to
    the SDK's callbacks.

    Args:
        watched: The streams to translate.
        dropped: The streams whose messages are not passed on.
        translate: Called with a watched stream, whole lines (its RECORD messages, unvalidated) and their number;
            returns the lines to add after them.

    Attributes:
        announced: The streams whose SCHEMA message has been read.
        invalid_lines: The number of lines that are not Singer messages; they are passed on for the target to reject.
    """

    def __init__(
        self,
        writer: LineWriter,
        *,
        watched: Collection[str],
        dropped: Collection[str],
        translate: Callable[[str, bytes, int], bytes],
    ) -> None:
        super().__init__()
        self._writer = writer
        self._watched = frozenset(watched)
        self._dropped = frozenset(dropped)
        self._translate = translate
        self.invalid_lines = 0
        self.announced: set[str] = set()
        # The start of the current stream's RECORD messages: most likely that of the next message too.
        self._run = b""

    @property
    @override
    def default_input(self) -> t.IO[bytes]:
        if sys.stdin is None:
            raise TapError("Standard input is closed: pipe the output of the tap into auditlogs-ocsf.")
        return sys.stdin.buffer

    @override
    def deserialize_json(self, line: bytes) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", decode_json(line))

    @override
    def process_lines(
        self,
        file_input: t.IO[bytes] | None,
        callbacks: dict[str, Callable[[dict[str, t.Any]], None]],
    ) -> Counter[str]:
        counts: Counter[str] = Counter()
        for block in _blocks(getattr(file_input, "buffer", file_input) or self.default_input):
            if records := self._count_run(block):
                self._writer.pass_on(block)
                counts[SingerMessageType.RECORD] += records
            else:
                self._process(block, callbacks, counts)
            self._writer.flush()
        return counts

    def _count_run(self, block: bytes) -> int:
        """Return the number of lines if all of them are RECORD messages of the current stream, otherwise 0."""
        if not self._run or not block.startswith(self._run) or not block.endswith(b"\n"):
            return 0
        lines = block.count(b"\n")
        return lines if block.count(b"\n" + self._run) == lines - 1 else 0

    def _process(
        self, block: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]], counts: Counter[str]
    ) -> None:
        passing = position = 0  # start of the lines that are not passed on yet
        records = 0
        while position < len(block):
            if self._run and block.startswith(self._run, position):
                records += 1
                position = _next_line(block, position)
                continue
            begin, position = position, _next_line(block, position)
            head = _HEAD.match(block, begin)
            kind, stream = _read_head(head) if head else self._read_envelope(block[begin:position])
            counts[kind] += 1
            self._note_announced(kind, stream)
            is_watched, is_dropped = stream in self._watched, stream in self._dropped
            if kind == SingerMessageType.RECORD and head and not is_watched and not is_dropped:
                self._run = head[0]
            if not is_watched and not is_dropped:
                continue
            self._writer.pass_on(block[passing:begin])
            is_record = kind == SingerMessageType.RECORD
            count = 1
            if is_watched and is_record and head:  # not `bytes.count`, which is slower here
                while block.startswith(head[0], position):
                    count += 1
                    position = block.find(b"\n", position) + 1 or len(block)
                counts[kind] += count - 1
            lines = block[begin:position]
            if not is_dropped:
                self._writer.pass_on(lines)
            if is_watched and is_record:
                self._writer.add(self._translate(t.cast("str", stream), lines, count))
            elif is_watched:
                self._call_back(kind, lines, callbacks)
            passing = position
        self._writer.pass_on(block[passing:])
        counts[SingerMessageType.RECORD] += records

    def _note_announced(self, kind: str, stream: str | None) -> None:
        if kind == SingerMessageType.SCHEMA and stream is not None:
            self.announced.add(stream)

    def _read_envelope(self, line: bytes) -> tuple[str, str | None]:
        try:
            envelope = _decode_envelope(line)
        except (msgspec.MsgspecError, ValueError):
            if line.strip():
                self.invalid_lines += 1
            return "other", None
        return envelope.type, envelope.stream if envelope.type in _ABOUT_A_STREAM else None

    def _call_back(self, kind: str, line: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]]) -> None:
        try:
            message = self.deserialize_json(line)
        except ValueError:
            return  # left for the target to reject
        callbacks[SingerMessageType(kind)](message)


def _decode_envelope(line: bytes) -> _Envelope:
    try:
        return _envelopes.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # for example NaN, which `decode_json` accepts
        return msgspec.convert(decode_json(line), _Envelope)


def _read_head(head: re.Match[bytes]) -> tuple[str, str | None]:
    if head[1]:
        return "STATE", None
    return head[2].decode(), head[3].decode(errors="replace")


def _next_line(block: bytes, position: int) -> int:
    return block.find(b"\n", position) + 1 or len(block)


def _blocks(source: t.IO[bytes]) -> Iterator[bytes]:
    """Yield blocks of whole lines as they become available; only the last line of the input may lack its line feed."""
    read = getattr(source, "read1", source.read)
    pieces: list[bytes] = []
    while data := read(_BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield b"".join([*pieces, data[:cut]])
            pieces = [data[cut:]]
        else:
            pieces.append(data)
    if rest := b"".join(pieces):
        yield rest
