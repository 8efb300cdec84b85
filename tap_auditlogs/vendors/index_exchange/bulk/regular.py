"""Parses a regular CSV file in blocks of whole rows."""

from __future__ import annotations

import io
import re
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import polars as pl
from isal import igzip, isal_zlib
from polars.selectors import by_name

from tap_auditlogs.vendors.index_exchange.log_file import (
    Decompressed,
    RowReader,
    UnreadableFileError,
    cap_size,
    check_header,
    size_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

BLOCK_BYTES = 5 << 20
LARGEST_BLOCK = 10 << 20
"""A block grows up to this until it holds a whole row; longer ones, which no log has, take too much memory here."""
_PIECE_BYTES = 256 << 10
_WORKERS = 2

_CELL = r'(?:"[^"\x00]*(?:""[^"\x00]*)*"|[^",\r\n\x00]*)'

TInput = t.TypeVar("TInput")
TResult = t.TypeVar("TResult")


class IrregularFileError(Exception):
    """The file needs the row-by-row parser, which also says what is wrong with it."""


@contextmanager
def _irregular_if_unreadable() -> Iterator[None]:
    try:
        yield
    except UnreadableFileError:
        raise IrregularFileError from None


class RegularFile:
    """A file in which every row has one cell per column, quoted as in RFC 4180.

    Its methods raise `IrregularFileError` where it turns out not to be one, or is damaged.

    Attributes:
        header: The names of the columns.
    """

    def __init__(self, content: t.BinaryIO) -> None:
        """Read the header of a gzip file."""
        self._content = content
        with _irregular_if_unreadable():
            line, _ = self._read()
            header = _parse_header(line)
            self.header = check_header(header)
        self._check = _checker(header)

    def frames(self, schema: Callable[[], Mapping[str, pl.DataType]]) -> Iterator[tuple[int, pl.DataFrame]]:
        """Check and parse the file block by block.

        `schema` is called for each block; it gives the polars types of the wanted columns, either text or categories.
        Yields the number of a block's first row, and its cells; blank ones are null.
        """

        def parse(block: bytes) -> pl.DataFrame:
            self._check(block)
            wanted = schema()
            types = {name: wanted.get(name, pl.String()) for name in self.header}
            rows = pl.scan_csv(block, has_header=False, schema=types, null_values="")  # quoted blanks too
            return rows.select(by_name(*wanted)).collect()  # not `pl.col`, which expands `*` and patterns

        with _irregular_if_unreadable():
            _, blocks = self._read()
            first = 1
            for cells in in_order(parse, blocks):
                yield first, cells
                first += len(cells)

    def _read(self) -> tuple[bytes, Iterator[bytes]]:
        """Begin to decompress; returns the header line and the blocks of rows."""
        self._content.seek(0)
        largest = cap_size(size_of(self._content))
        damage = (OSError, t.cast("type[Exception]", isal_zlib.error))
        unzipped = t.cast("t.IO[bytes]", igzip.open(self._content, "rb"))  # type: ignore[no-untyped-call] # it has no types
        data = _Reader(Decompressed(unzipped, largest, damage))
        return data.read_line(), data.read_blocks()


class _Reader:
    """Cuts decompressed bytes into the header line and blocks of whole rows."""

    def __init__(self, data: io.RawIOBase) -> None:
        self._data = data
        self._buffer = bytearray(BLOCK_BYTES)
        self._size = 0

    def read_line(self) -> bytes:
        while True:
            has_more = self._fill()
            if end := self._buffer.find(b"\n", 0, self._size) + 1:
                return self._take(end)
            if not has_more:
                return self._take(self._size)

    def read_blocks(self) -> Iterator[bytes]:
        while True:
            has_more = self._fill()
            if end := _end_of_last_row(self._buffer, self._size):
                yield self._take(end)
            elif not has_more:
                if self._size:
                    yield self._take(self._size) + b"\n"  # the last row has no line feed, or is not regular
                return

    def _fill(self) -> bool:
        """Read until the buffer is full; returns whether there may be more."""
        if self._size == len(self._buffer):
            if self._size >= LARGEST_BLOCK:
                raise IrregularFileError
            self._buffer.extend(bytes(BLOCK_BYTES))
        with memoryview(self._buffer) as view:
            while self._size < len(view):
                with view[self._size : self._size + _PIECE_BYTES] as piece:
                    count = self._data.readinto(piece)
                if not count:
                    return False
                self._size += count
        return True

    def _take(self, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:end])
            view[: self._size - end] = view[end : self._size]
        self._size -= end
        return taken


def _end_of_last_row(buffer: bytearray, size: int) -> int:
    """Return where the last row ends whose line feed is outside quotes; 0 if none does."""
    quotes = buffer.count(b'"', 0, size)
    end = size
    while feed := buffer.rfind(b"\n", 0, end) + 1:
        quotes -= buffer.count(b'"', feed, end)
        if quotes % 2 == 0:
            return feed
        end = feed - 1
    return 0


def _parse_header(line: bytes) -> Sequence[str]:
    """Return the cells of the header line."""
    reader = RowReader(Decompressed(io.BytesIO(line), len(line)))
    rows = list(reader.rows())
    # In a file with one column, a blank line could be a row with a blank cell.
    if len(rows) != 1 or len(rows[0]) == 1 or reader.odd:
        raise IrregularFileError
    return rows[0]


def _checker(header: Sequence[str]) -> Callable[[bytes], None]:
    """Return a function that raises unless a block consists of regular rows, none of them the header again."""
    regular_rows = rf"\A(?:{_CELL}(?:,{_CELL}){{{len(header) - 1}}}\r?\n)*\z"
    if not header[0].isascii():  # whose other case may be longer
        raise IrregularFileError
    first_name = re.escape(header[0].strip()).replace('"', '"{1,2}')
    spaces = r"[\s\x1c-\x1f]*"
    repeated_header = rf'(?i)(?:\A|\n)"?\x{{feff}}?{spaces}{first_name}{spaces}"?,'

    def check(block: bytes) -> None:
        try:
            text = pl.Series([block], dtype=pl.Binary).cast(pl.String)
            is_regular = text.str.contains(regular_rows).item()
            # The first pattern is quick, and mostly there is nothing left for the second.
            has_header = text.str.contains(f"(?i){first_name}").item() and text.str.contains(repeated_header).item()
        except pl.exceptions.ComputeError:  # not UTF-8, or too many columns for the pattern
            raise IrregularFileError from None
        if has_header or not is_regular:
            raise IrregularFileError

    return check


def in_order(
    convert: Callable[[TInput], TResult], inputs: Iterable[TInput], workers: int = _WORKERS
) -> Iterator[TResult]:
    """Convert inputs side by side, with few of them in memory; results come in order."""
    with ThreadPoolExecutor(workers, thread_name_prefix="index-exchange-bulk") as pool:
        pending: deque[Future[TResult]] = deque()
        try:
            for value in inputs:
                pending.append(pool.submit(convert, value))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
