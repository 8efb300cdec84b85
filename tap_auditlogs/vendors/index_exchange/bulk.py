"""The bulk path: rows to lines, files or totals without a Python object per cell.

A file is decompressed in a thread of its own, cut into blocks of whole rows, and each block is converted in one of
a few threads, as columns of text. Every block is first proven to be regular CSV; from the first one that is not, the
rest of the file is left to the ordinary path, which then says what is odd about it. What leaves is the same.

This is the only module that needs polars and isal; import it when it is needed, not before.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from isal import igzip, igzip_threaded, isal_zlib

from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.core.times import format_timestamp
from tap_auditlogs.vendors.index_exchange.hourly import MEASURES, Totals, total_further_rows
from tap_auditlogs.vendors.index_exchange.reading import (
    Decompressed,
    RowReader,
    cap_size,
    convert_cell,
    read_header,
    size_of,
    to_decimal,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.columns import Kind
    from tap_auditlogs.vendors.index_exchange.hourly import Group

BLOCK_BYTES = 2 << 20
"""Blocks of this size stay in the processor's caches; larger ones are slower and take more memory."""
LARGEST_BLOCK = 32 << 20
"""A block grows up to this to hold a whole row with line breaks in quotes."""

THREADS = min(4, os.cpu_count() or 1)

_PLAIN_NAME = re.compile(r"[\w .:/()-]+", re.ASCII)
# A quoted cell with what has to stand around it.
_QUOTED_CELL = re.compile(rb'"(?<![^,\n]")[^"]*(?:""[^"]*)*"(?=[,\n])')
_LINE_FEED, _COMMA, _QUOTE = b'\n,"'

_ESCAPED = r'["\\\x00-\x1f]'
_JSON_NUMBER = r"^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?$"
"""Numbers that stand in JSON as they do in the file; any other is converted as the ordinary path does it."""

_SCALE = 18
_DECIMAL = pl.Decimal(38, _SCALE)
_FITS_DECIMAL = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"

TResult = t.TypeVar("TResult")


class IrregularError(Exception):
    """A block that only the ordinary path can be trusted with."""


# Blocks


@dataclass(frozen=True)
class Block:
    """Some whole rows of a file, proven to be regular.

    Attributes:
        data: Their bytes; every line ends with a line feed.
        first_row: The number of the first of them, from 1.
        rows: How many they are.
        has_quotes: Whether there are quotes among them.
        has_quoted_blanks: Whether there are blanks in quotes.
    """

    data: bytes
    first_row: int
    rows: int
    has_quotes: bool
    has_quoted_blanks: bool

    def row_numbers(self) -> pl.Expr:
        """Give the numbers of the rows."""
        return pl.int_range(self.first_row, self.first_row + self.rows, dtype=pl.Int64)

    def frame(self, header: Sequence[str], wanted: Sequence[str]) -> pl.DataFrame:
        """Split into columns of text; a blank is null.

        Args:
            header: The names of the columns in the file.
            wanted: Those that are needed.

        Returns:
            The columns.

        Raises:
            IrregularError: If the rows do not come out as counted.
        """
        positions = [header.index(name) for name in wanted]
        try:
            frame = pl.read_csv(
                self.data,
                has_header=False,
                columns=None if len(positions) == len(header) else positions or [0],  # a choice costs time
                infer_schema=False,
                quote_char='"' if self.has_quotes else None,
            )
        except pl.exceptions.PolarsError as error:
            raise IrregularError from error
        if frame.height != self.rows:
            raise IrregularError
        # `columns` gives them in the order of the file.
        frame.columns = [header[position] for position in sorted(positions or [0])]
        if self.has_quoted_blanks:
            frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
        return frame


class Blocks:
    """A file as blocks, and what is left of it where they end.

    Attributes:
        header: The names of the columns.
        rest: From the first irregular row on, for the ordinary path; None while all is regular.
        rows: How many rows the blocks had so far.
    """

    def __init__(self, content: t.BinaryIO, block_bytes: int = BLOCK_BYTES) -> None:
        """Open a file and read its header.

        Args:
            content: The gzip file.
            block_bytes: How large blocks are to be.

        Raises:
            UnreadableFileError: If it has no header that could be trusted.
        """
        largest = cap_size(size_of(content))
        damage = (OSError, t.cast("type[Exception]", isal_zlib.error))
        self._file = igzip_threaded.open(content, "rb", threads=1, block_size=1 << 20)  # type: ignore[no-untyped-call] # it has no types
        self._bytes = Decompressed(t.cast("t.IO[bytes]", self._file), largest, damage)
        self._block_bytes = block_bytes
        self._ahead = b""
        self.rest: _Chain | None = None
        self.rows = 0
        self.header = self._read_header()

    def close(self) -> None:
        """Stop reading."""
        self._file.close()

    def __iter__(self) -> Iterator[Block]:
        """Go through the regular blocks.

        Yields:
            A block.
        """
        while self.rest is None and (data := self._next_rows()):
            block = _inspect(data, len(self.header), self.rows + 1)
            if block is None:
                self.leave(data)
                return
            yield block
            self.rows += block.rows

    def leave(self, data: bytes) -> None:
        """Leave the file to the ordinary path.

        Args:
            data: What has been taken from it but was not used.
        """
        self.rest = _Chain(data, self.rest or _Chain(self._ahead, self._bytes))

    def _read_header(self) -> list[str]:
        line = self._next_rows(only_first=True)
        header = read_header(RowReader(io.BytesIO(line)).rows())  # type: ignore[arg-type] # reads like a raw stream
        if not all(_PLAIN_NAME.fullmatch(name) for name in header) or len(header) < 2:  # noqa: PLR2004 - no comma to count
            self.leave(b"")
        return header

    def _next_rows(self, *, only_first: bool = False) -> bytes:
        """Take whole rows: up to the last line feed that is not within quotes."""
        data = self._ahead
        while True:
            more = self._bytes.take(max(self._block_bytes - len(data), 1 << 16))
            data += more
            cut = _row_end(data, first=only_first)
            if cut or not more:
                break
            if len(data) > LARGEST_BLOCK:  # a row without an end, or a quote that is not closed
                self.leave(data)
                return b""
        cut = cut or len(data)  # the last line of a file may have no line feed
        self._ahead = data[cut:]
        return data[:cut]


class _Chain(io.RawIOBase):
    """Some bytes, and then those of a stream."""

    def __init__(self, head: bytes, tail: Decompressed | _Chain) -> None:
        self._head = memoryview(head)
        self._tail = tail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        if not self._head:
            return self._tail.readinto(buffer)
        piece = self._head[: len(buffer)]
        buffer[: len(piece)] = piece
        self._head = self._head[len(piece) :]
        return len(piece)


def _row_end(data: bytes, *, first: bool) -> int:
    """Find where a row ends: behind the first or the last line feed with an even number of quotes before it."""
    if first:
        position = data.find(b"\n")
        while position >= 0 and data.count(b'"', 0, position) % 2:
            position = data.find(b"\n", position + 1)
        return position + 1
    position = data.rfind(b"\n")
    odd = data.count(b'"', 0, position) % 2 if position >= 0 and b'"' in data else 0
    while position >= 0 and odd:
        earlier = data.rfind(b"\n", 0, position)
        odd ^= data.count(b'"', max(earlier, 0), position) % 2
        position = earlier
    return position + 1


def _inspect(data: bytes, width: int, first_row: int) -> Block | None:
    """Prove that rows are regular: quotes only around whole cells, every row as wide as the header, no NUL.

    That the text is UTF-8 is found out when it is split into cells.
    """
    if not data.endswith(b"\n"):
        data += b"\n"
    has_quotes = b'"' in data
    if b"\r" in data:
        data = data if has_quotes else data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            return None
    if b"\0" in data:
        return None
    values = _values(data)
    rows = _count(values == _LINE_FEED)
    commas = _count(values == _COMMA)
    has_quoted_blanks = False
    if has_quotes:
        cells = _QUOTED_CELL.findall(data)
        has_quoted_blanks = b'""' in cells
        quoted = b"".join(cells)
        if quoted.count(b'"') != _count(values == _QUOTE):
            return None
        rows -= quoted.count(b"\n")
        commas -= quoted.count(b",")
    if commas != rows * (width - 1):
        return None
    return Block(data, first_row, rows, has_quotes, has_quoted_blanks)


def _values(data: bytes) -> pl.Series:
    """Give bytes as numbers; counting among these is many times faster than `bytes.count` of what is frequent."""
    return pl.Series([data]).bin.reinterpret(dtype=pl.Array(pl.UInt8, len(data))).explode()


def _count(found: pl.Series) -> int:
    return int(found.sum())


def in_threads(
    blocks: Blocks, convert: Callable[[Block], TResult], *, threads: int = THREADS
) -> Iterator[tuple[Block, TResult]]:
    """Convert blocks side by side.

    Args:
        blocks: The file; ends with its `rest` set if a block could not be converted.
        convert: Converts a block; may raise `IrregularError`.
        threads: How many.

    Yields:
        Each block and what it was converted to, in order.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="index-exchange-bulk") as pool:
        pending: deque[tuple[Block, Future[TResult]]] = deque()
        waiting = iter(blocks)
        try:
            while True:
                for block in itertools.islice(waiting, threads + 1 - len(pending)):
                    pending.append((block, pool.submit(convert, block)))
                if not pending:
                    return
                block, result = pending.popleft()
                try:
                    yield block, result.result()
                except IrregularError:
                    blocks.leave(b"".join(unused.data for unused in [block, *(later for later, _ in pending)]))
                    return
        finally:
            for _, result in pending:
                result.cancel()


# Lines


@dataclass(frozen=True)
class RowFormat:
    """What to make of the rows of a file.

    Attributes:
        columns: The columns of the schema.
        fixed: The properties that all rows of the file have alike.
        selected: The properties that leave.
    """

    columns: Mapping[str, tuple[Kind, str]]
    fixed: Mapping[str, t.Any]
    selected: Sequence[str]


class Liner:
    """Makes a line of JSON of each row."""

    def __init__(self, header: Sequence[str], form: RowFormat, *, before: str = "", after: str = "") -> None:
        """Prepare for a file.

        Args:
            header: The names of the columns in the file.
            form: What to make of them.
            before: Stands before each record.
            after: Stands behind it and a comma.
        """
        self._cells = CellConverter(header, form)
        constant = {name: value for name, value in form.fixed.items() if name in form.selected}
        constant |= {name: None for name in form.columns if name in form.selected and name not in header}
        self._before = before + "{" + json.dumps(constant, ensure_ascii=False, separators=(",", ":"))[1:-1]
        self._separator = "," if constant else ""
        self._after = after

    def convert(self, block: Block) -> list[bytes]:
        """Make lines.

        Args:
            block: Some rows.

        Returns:
            Whole lines, when put together.

        Raises:
            IrregularError: If only the ordinary path can be trusted with them.
        """
        cells = self._cells
        frame, misfits = cells.convert(block)
        head: list[pl.Expr] = []
        text = self._before + self._separator
        if cells.has_row_number:
            head += [pl.lit(f'{text}"row_number":'), block.row_numbers().cast(pl.String)]
            text = ","
        for name in cells.leaving:
            if cells.kind(name) == "number":  # as text, so that it keeps its digits
                head += [pl.lit(f'{text}"{name}":'), pl.col(name).fill_null("null")]
                text = ","
        if cells.has_extra:
            head += [pl.lit(f'{text}"{ADDITIONAL_PROPERTIES}":'), _extra_json(frame, [*cells.unknown, *misfits])]
        others = [pl.col(name) for name in cells.leaving if cells.kind(name) != "number"]
        if others:
            # The writer of CSV joins the parts of a line, with commas, without making a column of whole lines.
            tail = pl.struct(others).struct.json_encode().str.slice(1)
            parts = [pl.concat_str(head), tail, *([pl.lit(self._after)] if self._after else [])]
        else:
            parts = [pl.concat_str(*head, pl.lit("}" + ("," + self._after if self._after else "")))]
        sink = _Sink()
        frame.select(part.alias(f"part {number}") for number, part in enumerate(parts)).write_csv(
            t.cast("t.IO[bytes]", sink), include_header=False, quote_style="never"
        )
        return sink.pieces


class _Sink:
    """Takes what is written without copying it together: growing one buffer would take longer than all else."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Have nothing to do."""


def _extra_json(frame: pl.DataFrame, sources: Sequence[str]) -> pl.Expr:
    """Make one JSON object of the columns that are not null, or null if all are."""
    if not sources:
        return pl.lit("null")
    places = frame.select(pl.any_horizontal(pl.col(sources).is_not_null()).arg_true()).to_series()
    if not len(places):
        return pl.lit("null")
    some = frame.select(pl.col(sources).gather(places))  # mostly a few rows
    to_escape = some.select(pl.col(sources).str.contains(_ESCAPED).any()).row(0, named=True)
    members = [_member(source, escape=bool(to_escape[source])) for source in sources]
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    objects = some.select(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).to_series()
    if len(places) == frame.height:
        return pl.lit(objects)
    return pl.lit(pl.repeat("null", frame.height, dtype=pl.String, eager=True).scatter(places, objects))


def _member(source: str, *, escape: bool) -> pl.Expr:
    """Make a member of an object of the cells of a column; null where they are."""
    name = _plain_name(source)
    if not escape:
        return pl.concat_str(pl.lit(f'"{name}":"'), pl.col(source), pl.lit('"'))
    encoded = pl.struct(pl.col(source).alias(name)).struct.json_encode()
    return pl.when(pl.col(source).is_not_null()).then(encoded.str.strip_prefix("{").str.strip_suffix("}"))


# Cells

_MISFIT = "misfit: "
_MANY = 20_000


def _plain_name(source: str) -> str:
    return source.removeprefix(_MISFIT)


class CellConverter:
    """Converts the cells of blocks as the ordinary path does, the usual ones all at once.

    Attributes:
        unknown: The columns of the file that the schema does not know, if they leave.
        leaving: The known columns of the file that leave.
        may_misfit: The columns whose text may leave in `additional_properties`.
        has_row_number: Whether the row number leaves.
        has_extra: Whether `additional_properties` leaves.
    """

    def __init__(self, header: Sequence[str], form: RowFormat) -> None:
        """Prepare for a file.

        Args:
            header: The names of the columns in the file.
            form: What to make of them.
        """
        self._header = header
        self._columns = form.columns
        self.has_row_number = "row_number" in form.selected
        self.has_extra = ADDITIONAL_PROPERTIES in form.selected
        known = [name for name in header if name in form.columns]
        self.leaving = [name for name in known if name in form.selected]
        self.unknown = [name for name in header if name not in form.columns] if self.has_extra else []
        # Text in a number column leaves in `additional_properties`, even where the column itself does not.
        self.may_misfit = [name for name in known if self.kind(name) != "string"] if self.has_extra else []
        self._needed = [name for name in header if name in {*self.leaving, *self.unknown, *self.may_misfit}]
        self._typed = [name for name in self._needed if name in form.columns and self.kind(name) != "string"]
        self._timestamps: dict[str, str | None] = {}

    def kind(self, name: str) -> Kind:
        """Tell the type of a known column.

        Args:
            name: The column.

        Returns:
            Its type.
        """
        return self._columns[name][0]

    def convert(self, block: Block) -> tuple[pl.DataFrame, list[str]]:
        """Convert a block.

        Args:
            block: Some rows.

        Returns:
            The columns: integers as such, other numbers as text that is JSON, times as text in the fixed-width form,
            null where a cell is blank or does not fit; and the names of further columns, with the text of the cells
            that do not fit.

        Raises:
            IrregularError: If there is too much that is unusual.
        """
        frame = block.frame(self._header, self._needed)
        typed = frame.select(self._converted(frame, name) for name in self._typed)
        misfits = [
            name for name in self._typed if self.has_extra and typed[name].null_count() > frame[name].null_count()
        ]
        texts = [frame[name].set(typed[name].is_not_null(), None).alias(_MISFIT + name) for name in misfits]
        return frame.with_columns(*typed.get_columns(), *texts), [_MISFIT + name for name in misfits]

    def _converted(self, frame: pl.DataFrame, name: str) -> pl.Expr:
        kind = self.kind(name)
        if kind == "integer":  # takes what the ordinary path takes: a sign and digits, within 64 bits
            return pl.col(name).cast(pl.Int64, strict=False)
        unusual = frame[name]
        if kind == "number":
            unusual = unusual.filter(~unusual.str.contains(_JSON_NUMBER))
        texts = unusual.unique().drop_nulls().to_list()
        return pl.col(name).replace(texts, self._one_by_one(kind, texts)) if texts else pl.col(name)

    def _one_by_one(self, kind: Kind, texts: list[str]) -> list[str | None]:
        """Convert texts as the ordinary path does."""
        if kind == "timestamp":
            if len(self._timestamps) > _MANY:
                self._timestamps = {}
            known = self._timestamps
            for text in texts:
                if text not in known:
                    known[text] = convert_cell("timestamp")(text)
            return [known[text] for text in texts]
        if len(texts) > _MANY:
            raise IrregularError
        values = [convert_cell(kind)(text) for text in texts]
        return [None if value is None else str(value) for value in values]


# Tables


class Tabler:
    """Makes a table of rows, with types."""

    def __init__(self, header: Sequence[str], form: RowFormat) -> None:
        """Prepare for a file.

        Args:
            header: The names of the columns in the file.
            form: What to make of them.
        """
        self._cells = CellConverter(header, form)
        self._form = form

    def convert(self, block: Block) -> pl.DataFrame:
        """Make a table.

        Args:
            block: Some rows.

        Returns:
            The selected properties. `additional_properties` is a struct with a field per column that may get there,
            the same for all blocks of a file.

        Raises:
            IrregularError: If only the ordinary path can be trusted with them, or a number has more digits than
                a decimal column holds.
        """
        frame, misfits = self._cells.convert(block)
        for name in self._cells.leaving:
            if self._cells.kind(name) == "number" and not frame[name].str.contains(_FITS_DECIMAL).all(
                ignore_nulls=True
            ):
                raise IrregularError
        return frame.select(self._column(name, block, misfits).alias(name) for name in self._form.selected)

    def _column(self, name: str, block: Block, misfits: Sequence[str]) -> pl.Expr:
        if name == "row_number":
            return block.row_numbers()
        if name == ADDITIONAL_PROPERTIES:
            return self._extra(misfits)
        if name in self._form.fixed:
            value = self._form.fixed[name]
            return pl.lit(value, dtype=pl.Int64 if isinstance(value, int) else pl.String)
        kind = self._form.columns[name][0]
        if name not in self._cells.leaving:
            return pl.lit(None, dtype=_TABLE_TYPES[kind])
        if kind == "number":
            return pl.col(name).str.to_decimal(scale=_SCALE).cast(_DECIMAL)
        return pl.col(name).cast(_TABLE_TYPES[kind])

    def _extra(self, misfits: Sequence[str]) -> pl.Expr:
        unfit = {_plain_name(source): source for source in misfits}
        fields = [
            (pl.col(unfit[name]) if name in unfit else pl.lit(None, dtype=pl.String)).alias(name)
            for name in self._cells.may_misfit
        ]
        fields += [pl.col(name) for name in self._cells.unknown]
        if not fields:
            return pl.lit(None, dtype=pl.String)
        sources = [*misfits, *self._cells.unknown]
        if not sources:
            return pl.when(pl.lit(False)).then(pl.struct(fields))
        return pl.when(pl.any_horizontal(pl.col(sources).is_not_null())).then(pl.struct(fields))


_TABLE_TYPES: Mapping[Kind, t.Any] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": _DECIMAL,
    "timestamp": pl.String,
}
"""Times are text in the fixed-width form, as they are in records."""


# Whole files


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


class Conversion(t.Generic[TResult]):
    """Converts a file as far as it is regular.

    Attributes:
        header: The names of the columns.
        rows: How many rows have been converted.
    """

    def __init__(
        self,
        content: t.BinaryIO,
        prepare: Callable[[Sequence[str]], Callable[[Block], TResult]],
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Open a file and read its header.

        Args:
            content: The gzip file.
            prepare: Given the header, returns what converts a block.
            block_bytes: How large blocks are to be.

        Raises:
            UnreadableFileError: If it has no header that could be trusted.
        """
        self._blocks = Blocks(content, block_bytes)
        self.header = self._blocks.header
        self._convert = prepare(self.header)
        self.rows = 0

    def results(self) -> Iterator[tuple[int, TResult]]:
        """Convert.

        Yields:
            For each block, how many rows it has, and what it was converted to.

        Raises:
            UnreadableFileError: If the file is damaged.
        """
        try:
            for block, result in in_threads(self._blocks, self._convert):
                self.rows += block.rows
                yield block.rows, result
        except BaseException:
            self._blocks.close()
            raise
        if self._blocks.rest is None:
            self._blocks.close()

    def rest(self) -> Rest | None:
        """Return what is left when there are no more results; None if that is nothing."""
        if self._blocks.rest is None:
            return None
        reader = RowReader(self._blocks.rest, first_line=self.rows + 2)
        return Rest(self.header, self.rows, reader, reader.rows())


def record_lines(content: t.BinaryIO, form: RowFormat, stream: str) -> Conversion[list[bytes]]:
    """Make RECORD messages of a file.

    Args:
        content: The gzip file.
        form: What to make of its rows.
        stream: The name of the stream.

    Returns:
        The conversion, whose results are whole lines, when put together.
    """
    before = f'{{"type":"RECORD","stream":{json.dumps(stream)},"record":'
    after = f'"time_extracted":"{format_timestamp(datetime.now(UTC))}"}}'
    return Conversion(content, lambda header: Liner(header, form, before=before, after=after).convert)


def json_pieces(
    content: t.BinaryIO, form: RowFormat, *, most_rows: int, compress: bool
) -> Conversion[list[tuple[int, bytes]]]:
    """Make JSON lines of a file, in pieces that can be put together to files.

    Args:
        content: The gzip file.
        form: What to make of its rows.
        most_rows: How many rows a piece may have.
        compress: Whether each piece is to be a gzip member.

    Returns:
        The conversion, whose results are the pieces with their numbers of rows.
    """

    def prepare(header: Sequence[str]) -> Callable[[Block], list[tuple[int, bytes]]]:
        liner = Liner(header, form)

        def convert(block: Block) -> list[tuple[int, bytes]]:
            lines = b"".join(liner.convert(block))
            pieces = [(block.rows, lines)] if block.rows <= most_rows else list(_cut(lines, most_rows))
            return [(rows, igzip.compress(data, 1) if compress else data) for rows, data in pieces]

        return convert

    return Conversion(content, prepare)


def _cut(lines: bytes, most_rows: int) -> Iterator[tuple[int, bytes]]:
    every = lines.splitlines(keepends=True)
    for start in range(0, len(every), most_rows):
        some = every[start : start + most_rows]
        yield len(some), b"".join(some)


def table_pieces(content: t.BinaryIO, form: RowFormat, *, most_rows: int) -> Conversion[list[tuple[int, pl.DataFrame]]]:
    """Make tables of a file, in pieces that can be put together to files.

    Args:
        content: The gzip file.
        form: What to make of its rows.
        most_rows: How many rows a piece may have.

    Returns:
        The conversion, whose results are the pieces with their numbers of rows.
    """

    def prepare(header: Sequence[str]) -> Callable[[Block], list[tuple[int, pl.DataFrame]]]:
        tabler = Tabler(header, form)

        def convert(block: Block) -> list[tuple[int, pl.DataFrame]]:
            table = tabler.convert(block)
            return [(piece.height, piece) for piece in table.iter_slices(most_rows)]

        return convert

    return Conversion(content, prepare)


def write_parquet(tables: Sequence[pl.DataFrame], target: t.IO[bytes], *, gzip: bool) -> None:
    """Write tables into one Parquet file.

    Args:
        tables: Tables with the same columns.
        target: Takes the bytes.
        gzip: Whether pages are compressed with gzip rather than Snappy.
    """
    pl.concat(tables, rechunk=False).write_parquet(target, compression="gzip" if gzip else "snappy")


# Totals

_TOTALS_BLOCK_BYTES = 8 << 20
_REGROUP_ROWS = 200_000


def total_rows(content: t.BinaryIO, dimensions: Sequence[str]) -> dict[Group, Totals]:
    """Group the rows of a file, as the function of this name in `hourly` does.

    Args:
        content: The gzip file.
        dimensions: The columns to group by.

    Returns:
        The groups by their cells.

    Raises:
        UnreadableFileError: If the file cannot be read to its end.
    """
    conversion = Conversion(content, lambda header: _Grouper(header, dimensions).convert, _TOTALS_BLOCK_BYTES)
    grouped: list[pl.DataFrame] = []
    for _, table in conversion.results():
        grouped.append(table)
        if sum(table.height for table in grouped) > _REGROUP_ROWS:
            grouped = [_regroup(grouped)]
    groups: dict[Group, Totals] = {}
    if grouped:
        for *cells, rows, net, gross in _regroup(grouped).iter_rows():
            groups[tuple(cells)] = Totals(rows, net, gross)
    if (rest := conversion.rest()) is not None:
        for group, totals in total_further_rows(rest.rows, rest.header, dimensions).items():
            groups.setdefault(group, Totals()).add(totals)
    return groups


class _Grouper:
    """Groups the rows of a block."""

    def __init__(self, header: Sequence[str], dimensions: Sequence[str]) -> None:
        self._header = header
        self._dimensions = dimensions
        self._needed = [name for name in header if name in {*dimensions, *MEASURES}]

    def convert(self, block: Block) -> pl.DataFrame:
        frame = block.frame(self._header, self._needed)
        sums = [self._amount(frame, name) for name in MEASURES]
        keys = [
            (pl.col(name) if name in self._needed else pl.lit(None, dtype=pl.String)).alias(f"dimension {number}")
            for number, name in enumerate(self._dimensions)
        ]
        columns = frame.select(*keys, *sums)
        grouped = columns.group_by(columns.columns[: len(keys)])
        return grouped.agg(pl.len().cast(pl.Int64).alias("rows"), pl.col(MEASURES).sum())

    def _amount(self, frame: pl.DataFrame, name: str) -> pl.Series:
        """Read an amount; text counts nothing."""
        if name not in self._needed:
            return pl.Series(name, [None], dtype=_DECIMAL).new_from_index(0, frame.height)
        series = frame[name]
        unusual = series.filter(~series.str.contains(_FITS_DECIMAL))
        if len(unusual):
            texts = unusual.unique().to_list()
            if len(texts) > _MANY or any(to_decimal(text) is not None for text in texts):
                raise IrregularError
            series = series.replace(texts, [None] * len(texts))
        return series.str.to_decimal(scale=_SCALE).cast(_DECIMAL).alias(name)


def _regroup(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = pl.concat(tables)
    keys = [name for name in table.columns if name.startswith("dimension ")]
    return table.group_by(keys).agg(pl.col("rows").sum(), pl.col(MEASURES).sum())
