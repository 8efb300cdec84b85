"""A file as blocks of whole rows, converted side by side."""

from __future__ import annotations

import io
import itertools
import os
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from isal import igzip, isal_zlib

from tap_auditlogs.vendors.index_exchange.bulk.cells import find_rows, find_text_end
from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, as_array
from tap_auditlogs.vendors.index_exchange.reading import (
    Decompressed,
    RowReader,
    UnreadableFileError,
    cap_size,
    check_header,
    read_header,
    size_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

BLOCK_BYTES = 2 << 20
"""Blocks of this size stay in the processor's caches; larger ones are slower and take more memory."""
_PIECE_BYTES = 512 << 10
"""As much is decompressed at once: little enough to be in the caches still when it is put to the other pieces."""
LARGEST_BLOCK = 16 << 20
"""A block grows up to this to hold a whole row with line breaks in quotes; as long as a line may be elsewhere."""

THREADS = min(4, os.cpu_count() or 1)

TResult = t.TypeVar("TResult")


class Memory:
    """Buffers of one size, used again and again: new memory takes time for each of its pages."""

    def __init__(self, size: int) -> None:
        """Begin without any.

        Args:
            size: Of each, in bytes.
        """
        self.size = size
        self._spare: list[Bytes] = []

    def take(self) -> Bytes:
        """Take a buffer, with anything in it.

        Returns:
            The buffer.
        """
        try:
            return self._spare.pop()
        except IndexError:
            return np.empty(self.size, np.uint8)

    def take_back(self, views: Iterable[memoryview]) -> None:
        """Take buffers back.

        Args:
            views: Each of a buffer that nobody uses any more; those of other memory are left alone.
        """
        for view in views:
            if isinstance(view.obj, np.ndarray) and view.obj.size == self.size:
                self._spare.append(view.obj)


@dataclass(frozen=True)
class Block:
    """Some whole rows of a file.

    Attributes:
        data: Their bytes; the last one is a line feed.
        first_row: The number of the first of them, from 1.
        rows: How many they are, if they are regular.
    """

    data: memoryview
    first_row: int
    rows: int

    def text(self) -> Block:
        """Leave out the rows from the first one on that has bytes which are no text."""
        data = as_array(self.data)
        text_end = find_text_end(data)
        if text_end == data.size:
            return self
        end, rows = find_rows(data[:text_end])
        return Block(self.data[:end], self.first_row, rows)


@dataclass(frozen=True)
class Converted(t.Generic[TResult]):
    """What became of a block.

    Attributes:
        value: What its rows were converted to.
        rows: How many rows that are: all of the block, or those before the first that is not regular.
        stop: Where in the block they end.
    """

    value: TResult
    rows: int
    stop: int


@dataclass(frozen=True)
class Rest:
    """What the ordinary path has to do.

    Attributes:
        header: The names of the columns.
        rows_before: How many rows are done.
        reader: Reads the rest.
        rows: Its rows.
    """

    header: Sequence[str]
    rows_before: int
    reader: RowReader
    rows: Iterator[list[str]]


class _Blocks:
    """A file as blocks, and what is left of it when one of them is not regular.

    Attributes:
        header: The names of the columns.
        memory: That of the blocks.
    """

    def __init__(self, content: t.BinaryIO, block_bytes: int) -> None:
        largest = cap_size(size_of(content))
        damage = (OSError, t.cast("type[Exception]", isal_zlib.error))
        self._bytes = Decompressed(t.cast("t.IO[bytes]", igzip.open(content, "rb")), largest, damage)  # type: ignore[no-untyped-call] # it has no types
        self.memory = Memory(block_bytes)
        self._ahead = b""
        self._rows = 0
        self._left: _Chain | None = None
        self._whole: Rest | None = None
        self._header_start = b""
        self.header = self._read_header()

    def __iter__(self) -> Iterator[Block]:
        while self._left is None and self._whole is None:
            buffer, size = self._read_ahead()
            end, rows = find_rows(buffer[:size])
            while not end and size == buffer.size < LARGEST_BLOCK:
                buffer, size = self._read_on(buffer)
                end, rows = find_rows(buffer[:size])
            if not size:
                return
            data = buffer.data[:size]
            self._ahead = bytes(data[end:])
            if not end:
                if size == LARGEST_BLOCK or self._ahead.count(b'"') % 2:  # a row without an end
                    self.leave(b"")
                    return
                data, end, rows = memoryview(self._ahead + b"\n"), size + 1, 1  # the last row, which has no line feed
                self._ahead = b""
            text = bytes(data[:end])
            if text.startswith(self._header_start) or b"\n" + self._header_start in text:  # the header again
                self.leave(text)
                return
            yield Block(data[:end], self._rows + 1, rows)
            self._rows += rows

    def leave(self, data: bytes) -> None:
        """Leave the file to the ordinary path.

        Args:
            data: What has been taken from it but was not used.
        """
        self._left = _Chain(data, self._left or _Chain(self._ahead, self._bytes))

    def rest(self, rows_before: int) -> Rest | None:
        """Return what is left to the ordinary path; None if that is nothing.

        Args:
            rows_before: How many rows are done.
        """
        if self._left is None:
            return self._whole
        reader = RowReader(self._left, first_line=rows_before + 2, header=self.header)
        return Rest(self.header, rows_before, reader, reader.rows())

    def _read_ahead(self) -> tuple[Bytes, int]:
        """Fill a buffer, beginning with what was read but not used; it is not full at the end of the file."""
        begun = len(self._ahead)
        buffer = self.memory.take() if begun < self.memory.size else np.empty(begun + 1, np.uint8)
        buffer[:begun] = as_array(self._ahead)
        return buffer, self._fill(buffer, begun)

    def _read_on(self, buffer: Bytes) -> tuple[Bytes, int]:
        """Put what a buffer holds into a larger one, and fill that."""
        larger = np.empty(min(2 * buffer.size, LARGEST_BLOCK), np.uint8)
        larger[: buffer.size] = buffer
        return larger, self._fill(larger, buffer.size)

    def _fill(self, buffer: Bytes, size: int) -> int:
        view = buffer.data
        while size < buffer.size and (more := self._bytes.readinto(view[size : size + _PIECE_BYTES])):
            size += more
        return size

    def _read_header(self) -> list[str]:
        buffer, size = self._read_ahead()
        while b"\n" not in (data := buffer[:size].tobytes()) and size == buffer.size < LARGEST_BLOCK:
            buffer, size = self._read_on(buffer)
        end = data.find(b"\n") + 1
        with suppress(UnreadableFileError):
            reader = RowReader(_Chain(data[:end], None))
            rows = list(reader.rows())
            if end and len(rows) == 1 and len(rows[0]) > 1 and not reader.odd:
                header = check_header(rows[0])
                self._header_start = data[: data.find(b",") + 1].removeprefix(b"\xef\xbb\xbf")
                self._ahead = data[end:]
                return header
        # It spans lines, or ends with a lone CR, or blank lines come first; or it has one column, so that a blank line
        # would be a row with a blank cell; or it is none, which the ordinary path says best.
        reader = RowReader(_Chain(data, self._bytes))
        further = reader.rows()
        header = read_header(further)
        self._whole = Rest(header, 0, reader, further)
        return header


class _Chain(io.RawIOBase):
    """Some bytes, and then those of a stream."""

    def __init__(self, head: bytes, tail: io.RawIOBase | None) -> None:
        self._head = memoryview(head)
        self._tail = tail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        if not self._head:
            return 0 if self._tail is None else self._tail.readinto(buffer) or 0
        piece = self._head[: len(buffer)]
        buffer[: len(piece)] = piece
        self._head = self._head[len(piece) :]
        return len(piece)


class Conversion(t.Generic[TResult]):
    """Converts a file as far as it is regular.

    Attributes:
        header: The names of the columns.
        rows: How many rows have been converted.
    """

    def __init__(
        self,
        content: t.BinaryIO,
        prepare: Callable[[Sequence[str]], Callable[[Block], Converted[TResult]]],
        *,
        block_bytes: int | None = None,
        threads: int = THREADS,
        after_use: Callable[[TResult], None] = lambda _: None,
    ) -> None:
        """Open a file and read its header.

        Args:
            content: The gzip file.
            prepare: Given the header, returns what converts a block.
            block_bytes: How large blocks are to be.
            threads: How many blocks to convert at once.
            after_use: Given each result when it has been used.

        Raises:
            UnreadableFileError: If it has no header that could be trusted.
        """
        self._blocks = _Blocks(content, block_bytes or BLOCK_BYTES)
        self._convert = prepare(self._blocks.header)
        self._threads = threads
        self._after_use = after_use
        self.header = self._blocks.header
        self.rows = 0

    def results(self) -> Iterator[tuple[int, TResult]]:
        """Convert, up to the first row that is not regular.

        Yields:
            How many rows were converted, and what to, which may be used until the next is asked for.

        Raises:
            UnreadableFileError: If the file is damaged.
        """
        for converted in self._in_threads():
            self.rows += converted.rows
            yield converted.rows, converted.value
            self._after_use(converted.value)

    def rest(self) -> Rest | None:
        """Return what is left when there are no more results; None if that is nothing."""
        return self._blocks.rest(self.rows)

    def _in_threads(self) -> Iterator[Converted[TResult]]:
        with ThreadPoolExecutor(self._threads, thread_name_prefix="index-exchange-bulk") as pool:
            pending: deque[tuple[Block, Future[Converted[TResult]]]] = deque()
            waiting = iter(self._blocks)
            try:
                while True:
                    for block in itertools.islice(waiting, self._threads + 1 - len(pending)):
                        pending.append((block, pool.submit(self._convert, block)))
                    if not pending:
                        return
                    block, future = pending.popleft()
                    converted = future.result()
                    yield converted
                    if converted.stop < len(block.data):
                        later = [unused.data for unused, _ in pending]
                        self._blocks.leave(b"".join([block.data[converted.stop :], *later]))
                        return
                    self._blocks.memory.take_back([block.data])
            finally:
                for _, future in pending:
                    future.cancel()
