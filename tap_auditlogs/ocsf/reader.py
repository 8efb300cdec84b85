"""Standard input of the mapper: passes lines as they are, and parses only those that it must understand."""

from __future__ import annotations

import logging
import re
import sys
import typing as t
from collections import Counter

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader, SingerMessageType

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.http.response import decode_json

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tap_auditlogs.ocsf.writer import LineWriter

logger = logging.getLogger(__name__)

_BLOCK_BYTES: t.Final = 1 << 15  # with its events it fits into memory that is used again; twice as much does not

# How nearly every tap begins its messages. With an escape in the stream's name, or the keys in another order, the
# message has to be parsed. (A key that comes twice is nothing a tap writes, nor two targets agree on.)
_HEAD: t.Final = re.compile(
    rb'\{"type": ?"(?:(STATE)"|(RECORD|SCHEMA|BATCH|ACTIVATE_VERSION)", ?"stream": ?"([^"\\]*)")'
)

_ABOUT_A_STREAM: t.Final = frozenset({"RECORD", "SCHEMA", "BATCH", "ACTIVATE_VERSION"})


class _Envelope(msgspec.Struct):
    """The two keys that decide where a message goes; the rest is skipped."""

    type: str
    stream: str | None = None


_envelopes = msgspec.json.Decoder(_Envelope)


class LineReader(GenericSingerReader[bytes]):
    """Sends every line to the writer in the order in which it came, and what is added behind it.

    RECORDs of a watched stream are translated many at a time. Its other messages go to the SDK's callbacks, when they
    have been passed on.

    Attributes:
        announced: The streams whose SCHEMA has been read.
        foreign: How many lines were no Singer messages. They pass, too: to refuse them is the target's business.
    """

    def __init__(
        self,
        writer: LineWriter,
        *,
        watched: Collection[str],
        dropped: Collection[str],
        translate: Callable[[str, bytes, int], bytes],
    ) -> None:
        """Prepare.

        Args:
            writer: Takes what passes.
            watched: The streams whose messages the callbacks want.
            dropped: The streams whose messages do not pass.
            translate: Called with a watched stream, some of its RECORDs as they came, whole lines that may be no JSON,
                and how many they are; returns the lines to add behind them.
        """
        super().__init__()
        self._writer = writer
        self._watched = frozenset(watched)
        self._dropped = frozenset(dropped)
        self._translate = translate
        self.foreign = 0
        self.announced: set[str] = set()
        # How the messages of the stream begin that just passes: most likely the next one as well.
        self._run = b""

    @property
    def default_input(self) -> t.IO[bytes]:
        """Standard input.

        Raises:
            TapError: If the process was started without.
        """
        if sys.stdin is None:
            raise TapError("Standard input is closed: pipe the output of the tap into auditlogs-ocsf.")
        return sys.stdin.buffer

    def deserialize_json(self, line: bytes) -> dict[str, t.Any]:
        """Parse a message, every digit kept.

        Args:
            line: The message.

        Returns:
            The message.

        Raises:
            ValueError: If it is no JSON.
        """
        return t.cast("dict[str, t.Any]", decode_json(line))

    def process_lines(
        self,
        file_input: t.IO[bytes] | None,
        callbacks: dict[str, Callable[[dict[str, t.Any]], None]],
    ) -> Counter[str]:
        """Read to the end.

        Args:
            file_input: A file of text or of bytes; standard input if there is none.
            callbacks: What to call for the messages of watched streams, by their type.

        Returns:
            How many messages there were of each type.
        """
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
        """Count the lines of a block if all of them are of the stream that just passes; a line feed only ends lines."""
        if not self._run or not block.startswith(self._run) or not block.endswith(b"\n"):
            return 0
        lines = block.count(b"\n")
        return lines if block.count(b"\n" + self._run) == lines - 1 else 0

    def _process(
        self, block: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]], counts: Counter[str]
    ) -> None:
        passing = position = 0  # where the lines begin that pass and have not been passed on yet
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
            if is_watched and is_record and head:  # not counted by `bytes.count`, which takes longer for single bytes
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
                self.foreign += 1
            return "other", None
        return envelope.type, envelope.stream if envelope.type in _ABOUT_A_STREAM else None

    def _call_back(self, kind: str, line: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]]) -> None:
        try:
            message = self.deserialize_json(line)
        except ValueError:
            return  # to refuse it is the target's business
        callbacks[SingerMessageType(kind)](message)


def _decode_envelope(line: bytes) -> _Envelope:
    try:
        return _envelopes.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # it may hold NaN, which the tolerant one takes
        return msgspec.convert(decode_json(line), _Envelope)


def _read_head(head: re.Match[bytes]) -> tuple[str, str | None]:
    if head[1]:
        return "STATE", None
    return head[2].decode(), head[3].decode(errors="replace")


def _next_line(block: bytes, position: int) -> int:
    return block.find(b"\n", position) + 1 or len(block)


def _blocks(source: t.IO[bytes]) -> Iterator[bytes]:
    """Read what there is, in whole lines; the last line of all may lack its line feed."""
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
