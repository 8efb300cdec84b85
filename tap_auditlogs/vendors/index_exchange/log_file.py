"""Reads log files row by row with the standard library. The bulk path gives the same records.

That the files are CSV with commas and usual quotes, in UTF-8, is not documented: index-exchange-10.

| in the file | outcome |
|---|---|
| known column, with spaces around its name or other case | that column |
| column that the schema does not know | in `additional_properties`, unless blank |
| known column missing | null |
| blank cell | null, and nowhere else |
| text in a number or time column | null, the text in `additional_properties` |
| row shorter than the header | the missing cells are null; warning |
| row longer than the header | the further cells in `additional_properties.surplus_cells`; warning |
| blank line | no row; warning |
| header again, as where gzip members are joined | no row; warning |
| bytes that are not UTF-8, or NUL | U+FFFD in their place; warning |
| byte order mark | not part of the first column's name |
| line ends LF, CRLF or CR, also within quotes | as CSV has them |
| two columns with one name, or no known column; no header | the file is not read |
| quote that is not closed, text after a closing quote, cell beyond 16 MiB | the file is unreadable from there on |
| the same with `malformed_rows: skip` | no row, but the line in `index_exchange_malformed_rows`; warning |
| line beyond 16 MiB | the file is unreadable from there on |
| gzip cut short or followed by other bytes, decompression bomb | the file is unreadable from there on |
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import typing as t
import zlib
from collections import Counter, deque
from decimal import Decimal
from itertools import islice

from typing_extensions import override

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.core.times import canonical_timestamp
from tap_auditlogs.vendors.index_exchange.columns import BID_COLUMNS, COLUMNS, SURPLUS_CELLS

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.columns import Kind

Record: t.TypeAlias = "dict[str, t.Any]"

PAGE_ROWS = 2_000
PAGE_CHARACTERS = 8 << 20
"""A page ends here as well, since cells can be large."""
LARGEST_CELL = 16 << 20
LARGEST_RATIO = 200
"""CSV of real events compresses to about a fifth; gzip can reach a thousandth."""
RATIO_FREE_BYTES = 256 << 20
"""Up to this decompressed size, every ratio is accepted."""

_LINES_NAMED = 20

REPLACEMENT = "\ufffd"
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LARGEST_NUMBER = 64  # characters; beyond it is text
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


class UnreadableFileError(TapError):
    """The bytes match their checksum but are not a log file as documented."""


# Bytes


def cap_size(compressed: int) -> int:
    """Return the decompressed size in bytes beyond which a file is treated as a decompression bomb."""
    return RATIO_FREE_BYTES + LARGEST_RATIO * compressed


def size_of(content: t.BinaryIO) -> int:
    """Return the size in bytes, and go back to the start."""
    size = content.seek(0, io.SEEK_END)
    content.seek(0)
    return size


class Decompressed(io.RawIOBase):
    """The decompressed bytes of a gzip file, with a limit on their number."""

    def __init__(
        self, unzipped: t.IO[bytes], largest: int, damage: tuple[type[Exception], ...] = (OSError, zlib.error)
    ) -> None:
        self._unzipped = unzipped
        self._left = largest
        self._damage = damage

    @classmethod
    def of(cls, content: t.BinaryIO) -> Decompressed:
        """Open a gzip file with the standard library."""
        largest = cap_size(size_of(content))
        return cls(t.cast("t.IO[bytes]", gzip.GzipFile(fileobj=content, mode="rb")), largest)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: t.Any) -> int:
        try:
            data = self._unzipped.read(len(buffer))
        except EOFError:
            raise UnreadableFileError("the gzip file is cut short") from None
        except self._damage as error:
            raise UnreadableFileError(f"the gzip file is damaged ({type(error).__name__})") from None
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableFileError("the file decompresses to more than any log file would")
        buffer[: len(data)] = data
        return len(data)


# Rows


class MalformedRow(t.NamedTuple):
    """A line that is not CSV.

    Attributes:
        line_number: Counted from the header, which is line 1.
        text: The line without its end.
    """

    line_number: int
    text: str


class RowReader:
    """Splits decompressed bytes into rows, and counts irregularities.

    Attributes:
        characters: How many have been read.
        odd: Counts of irregularities.
        on_malformed: Called with each malformed row, which is then skipped. None: the file is unreadable.
    """

    def __init__(self, data: io.RawIOBase) -> None:
        self._text = io.TextIOWrapper(io.BufferedReader(data, 1 << 16), encoding="utf-8", errors="replace", newline="")
        self._header: list[str] | None = None
        self._line_number = 0
        self._row_lines: list[str] = []
        self._lines_to_reread: deque[str] = deque()
        self._last_suspect_line = 0
        self.characters = 0
        self.odd: dict[str, int] = {}
        self.on_malformed: Callable[[MalformedRow], None] | None = None

    def rows(self) -> Iterator[list[str]]:
        """Read rows, the header first; blank lines and repeated headers are skipped.

        Raises:
            UnreadableFileError: If the file is not CSV.
        """
        for row in self._parse():
            if not row:
                self.note("blank lines")
            elif self._header is None:
                self._header = [_fold(name) for name in row]
                yield row
            elif _fold(row[0]) == self._header[0] and [_fold(cell) for cell in row] == self._header:
                self.note("repeated header lines")
            elif self._line_number <= self._last_suspect_line and len(row) != len(self._header):
                self._skip_lines(self._row_lines)
            else:
                yield row

    def note(self, irregularity: str) -> None:
        """Count an irregularity."""
        self.odd[irregularity] = self.odd.get(irregularity, 0) + 1

    def _parse(self) -> Iterator[list[str]]:
        csv.field_size_limit(LARGEST_CELL)
        while True:
            start = self._line_number + 1
            try:
                for row in csv.reader(self._lines(), strict=True):
                    yield row
                    self._row_lines = []
                    start = self._line_number + 1
            except csv.Error as error:
                if self.on_malformed is None:
                    raise UnreadableFileError(f"it is not CSV near line {start}: {error}") from None
                self._skip_first_line()
            else:
                return

    def _skip_first_line(self) -> None:
        """Skip the first line of the row that failed; read its other lines again.

        A stray quote makes the parser take the lines behind it for a part of the cell. Of those, only rows with the
        right number of cells are read: the others may be what is left of a cell with line breaks.
        """
        lines = self._row_lines
        self._last_suspect_line = max(self._last_suspect_line, self._line_number)
        self._line_number -= len(lines) - 1
        self._skip_lines(lines[:1])
        self._lines_to_reread.extendleft(reversed(lines[1:]))
        self._row_lines = []

    def _skip_lines(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines, start=self._line_number - len(lines) + 1):
            if self.on_malformed is not None:
                self.on_malformed(MalformedRow(number, line.rstrip("\r\n")))

    def _lines(self) -> Iterator[str]:
        while line := self._lines_to_reread.popleft() if self._lines_to_reread else self._read_line():
            self._line_number += 1
            if self.on_malformed is not None:
                self._row_lines.append(line)
            yield line

    def _read_line(self) -> str:
        line = self._text.readline(LARGEST_CELL + 1)
        if len(line) > LARGEST_CELL:
            raise UnreadableFileError(f"it has a line longer than {LARGEST_CELL >> 20} MiB")
        if self._header is None and not self.characters:
            line = line.removeprefix("\ufeff")
        self.characters += len(line)
        if "\0" in line:
            line = line.replace("\0", REPLACEMENT)
        if REPLACEMENT in line:
            self.note("lines with bytes that are not UTF-8 text")
        return line


class SkippedLines:
    """Makes a reader skip malformed rows, and counts their lines."""

    def __init__(self, reader: RowReader, on_malformed: Callable[[MalformedRow], None] | None = None) -> None:
        self._count = 0
        self._first: list[int] = []
        self._on_malformed = on_malformed
        reader.on_malformed = self._note

    def _note(self, row: MalformedRow) -> None:
        self._count += 1
        if len(self._first) < _LINES_NAMED:
            self._first.append(row.line_number)
        if self._on_malformed is not None:
            self._on_malformed(row)

    def log(self, file_id: str, logger: logging.Logger) -> None:
        """Name the lines, if there are any."""
        if self._count:
            more = f" and {self._count - len(self._first)} more" if self._count > len(self._first) else ""
            named = ", ".join(map(str, self._first)) + more
            logger.warning("File %s: %d malformed lines are skipped: %s.", file_id, self._count, named)


def check_header(header: Sequence[str]) -> list[str]:
    """Return the names of the columns.

    Names of known columns may differ in case or have spaces around them; unknown ones keep their spelling.

    Raises:
        UnreadableFileError: If two columns have one name, or none is known.
    """
    names = [folded if (folded := _fold(name)) in BID_COLUMNS else name for name in header]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise UnreadableFileError(f"its header names a column twice: {twice[0]!a:.60}")
    if not set(names) & set(COLUMNS):
        raise UnreadableFileError("it has no column that is known of log files")
    return names


def _fold(name: str) -> str:
    return name.removeprefix("\ufeff").strip().lower()


# Cells


class CellShaper:
    """Converts the rows under one header to records."""

    def __init__(
        self, header: Sequence[str], columns: Mapping[str, tuple[Kind, str]], fixed: Mapping[str, t.Any]
    ) -> None:
        self._width = len(header)
        self._blank = {**fixed, "row_number": 0, **dict.fromkeys(columns), ADDITIONAL_PROPERTIES: None}
        self._cells = [
            (position, name, convert_cell(columns[name][0]) if name in columns else None)
            for position, name in enumerate(header)
        ]

    def shape(self, row: Sequence[str], row_number: int) -> Record:
        """Convert a row; rows are numbered from 1."""
        record = self._blank.copy()
        record["row_number"] = row_number
        extra: Record = {}
        for position, name, convert in self._cells[: len(row)]:
            text = row[position]
            if not text:
                continue
            value = convert(text) if convert is not None else None
            if value is None:
                extra[name] = text
            else:
                record[name] = value
        if len(row) > self._width:
            extra[SURPLUS_CELLS] = list(row[self._width :])
        if extra:
            record[ADDITIONAL_PROPERTIES] = extra
        return record


def convert_cell(kind: Kind) -> Callable[[str], t.Any]:
    """Return a function that converts a cell, to None if the text is not of this type."""
    return _CONVERTERS[kind]


def _to_integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def to_decimal(text: str) -> Decimal | None:
    """Return the number with all its digits; None if the cell is not a number."""
    return Decimal(text) if len(text) <= _LARGEST_NUMBER and _NUMBER.fullmatch(text) else None


def _to_timestamp(text: str) -> str | None:
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return canonical_timestamp(text)
    except ValueError:
        return None


_CONVERTERS: Mapping[Kind, Callable[[str], t.Any]] = {
    "string": str,
    "integer": _to_integer,
    "number": to_decimal,
    "timestamp": _to_timestamp,
}


# Files


def read_header(rows: Iterator[list[str]]) -> list[str]:
    """Return the names of the columns from the first row.

    Raises:
        UnreadableFileError: If the header is missing or invalid.
    """
    header = next(rows, None)
    if header is None:
        raise UnreadableFileError("it is empty: not even a header")
    return check_header(header)


class LogFile:
    """A gzip file of log rows, read row by row.

    Attributes:
        header: The names of the columns.
    """

    def __init__(
        self,
        content: t.BinaryIO,
        *,
        skip_malformed: bool = False,
        on_malformed: Callable[[MalformedRow], None] | None = None,
    ) -> None:
        """Open it and read its header.

        Raises:
            UnreadableFileError: If it has no valid header.
        """
        self.reader = RowReader(Decompressed.of(content))
        self._rows = self.reader.rows()
        self.header = read_header(self._rows)
        self._skipped = SkippedLines(self.reader, on_malformed) if skip_malformed else None

    def rows(self) -> Iterator[list[str]]:
        """Read the rows after the header.

        Raises:
            UnreadableFileError: If the file cannot be read to its end.
        """
        return self._rows

    def log_findings(self, file_id: str, logger: logging.Logger) -> None:
        """Log irregularities and skipped lines, after the rows have been read."""
        log_irregularities(self.reader, file_id, logger)
        if self._skipped is not None:
            self._skipped.log(file_id, logger)


def log_irregularities(reader: RowReader, file_id: str, logger: logging.Logger) -> None:
    """Log the irregularities of a file that has been read."""
    if reader.odd:
        counts = ", ".join(f"{count} {what}" for what, count in reader.odd.items())
        logger.warning("File %s has %s. No row is left out.", file_id, counts)


def read_pages(
    file: LogFile, columns: Mapping[str, tuple[Kind, str]], fixed: Mapping[str, t.Any], skip: int = 0
) -> Iterator[list[Record]]:
    """Yield the records after the first `skip`: up to 2,000 a page, fewer if they are large.

    Raises:
        UnreadableFileError: If the file cannot be read to its end.
    """
    reader, width = file.reader, len(file.header)
    shaper = CellShaper(file.header, columns, fixed)
    page: list[Record] = []
    page_end = reader.characters + PAGE_CHARACTERS
    for number, row in islice(enumerate(file.rows(), start=1), skip, None):
        if len(row) != width:
            reader.note("rows shorter than the header" if len(row) < width else "rows longer than the header")
        page.append(shaper.shape(row, number))
        if len(page) == PAGE_ROWS or reader.characters >= page_end:
            yield page
            page = []
            page_end = reader.characters + PAGE_CHARACTERS
    if page:
        yield page
