"""The CSV of one stream, and the chunks in which it is sent."""

from __future__ import annotations

import csv
import typing as t
from dataclasses import dataclass
from operator import itemgetter

from tap_auditlogs.core.errors import TapError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_auditlogs.vendors.pigment.target.columns import Cells
    from tap_auditlogs.vendors.pigment.target.spool import RowSpool

_BUFFER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Chunk:
    """A CSV of its own: the header and some of the file's rows; a request body that can be sent more than once.

    Attributes:
        header: The header line.
        start: Where its first row begins in the file.
        end: Where its last row ends.
        on_sent: Called with how many bytes of the file have been sent, this chunk's included.
    """

    path: Path
    header: bytes
    start: int
    end: int
    on_sent: Callable[[int], None]

    def __len__(self) -> int:
        return len(self.header) + self.end - self.start

    def __iter__(self) -> Iterator[bytes]:
        yield self.header
        with self.path.open("rb") as file:
            position = file.seek(self.start)
            while block := file.read(min(_BLOCK_BYTES, self.end - position)):
                yield block
                position += len(block)
                self.on_sent(position)


class CsvFile:
    """Writes a stream's CSV (UTF-8, CRLF, minimal quoting) and knows where its chunks begin.

    Attributes:
        path: The file.
        size: Its bytes, known once it is written.
    """

    def __init__(self, path: Path, *, max_chunk_bytes: int) -> None:
        self.path = path
        self.size = 0
        self._max_chunk_bytes = max_chunk_bytes
        self._header = b""
        self._starts: list[int] = []

    def write(self, spool: RowSpool, order: list[int]) -> None:
        """Write all rows of a spool.

        Args:
            spool: The rows.
            order: Which of its columns comes first, second and so on.

        Raises:
            TapError: If a row alone is larger than a chunk may be, or the disk takes no more.
        """
        arrange = _arrangement(order)
        names = spool.columns.names
        try:
            with self.path.open("wb", buffering=_BUFFER_BYTES) as file:
                writer = csv.writer(_Utf8Lines(file))
                self.size = writer.writerow(arrange(names))
                header_bytes = self.size
                chunk_bytes = self._max_chunk_bytes  # full, so that the first row begins a chunk
                for number, cells in enumerate(spool, 1):
                    row_bytes = writer.writerow(arrange(cells))
                    if chunk_bytes + row_bytes > self._max_chunk_bytes:
                        self._starts.append(self.size)
                        chunk_bytes = header_bytes
                        if chunk_bytes + row_bytes > self._max_chunk_bytes:
                            raise self._too_large(spool, number, cells, header_bytes + row_bytes)
                    chunk_bytes += row_bytes
                    self.size += row_bytes
            with self.path.open("rb") as file:
                self._header = file.read(header_bytes)
        except OSError as error:
            msg = f"Stream `{spool.stream}`: {self.path} cannot be written ({error.strerror})."
            raise TapError(msg) from error

    def chunks(self, on_sent: Callable[[int], None]) -> Iterator[Chunk]:
        """Yield the chunks in the order of their rows."""
        for start, end in zip(self._starts, [*self._starts[1:], self.size], strict=True):
            yield Chunk(self.path, self._header, start, end, on_sent)

    def _too_large(self, spool: RowSpool, number: int, cells: Cells, needed: int) -> TapError:
        names = spool.columns.names
        key = ", ".join(f"{name}={cells[names.index(name)]}" for name in spool.key_properties if name in names)
        msg = (
            f"Stream `{spool.stream}`: row {number} ({key:.200}) needs {needed:,} bytes with its header, more than "
            f"max_chunk_megabytes allows ({self._max_chunk_bytes:,} bytes). Drop its largest property with stream_maps."
        )
        return TapError(msg)


class _Utf8Lines:
    """What `csv.writer` writes to; `writerow` returns what `write` does, the line's bytes."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.encode())


def _arrangement(order: list[int]) -> Callable[[t.Any], Cells]:
    if len(order) < 2:  # noqa: PLR2004 - with one column `itemgetter` returns the value itself, with none it fails
        return lambda cells: [cells[column] for column in order]
    return itemgetter(*order)
