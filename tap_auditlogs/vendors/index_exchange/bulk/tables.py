"""Rows into tables, and tables into Parquet files."""

from __future__ import annotations

import io
import typing as t

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.bulk.blocks import Block, Conversion, Converted
from tap_auditlogs.vendors.index_exchange.bulk.cells import (
    IRREGULAR,
    MISFIT,
    SCALE,
    copy_text,
    parse_decimal,
    parse_integer,
    split_row,
    write_time,
)
from tap_auditlogs.vendors.index_exchange.bulk.intrinsics import borrowed, copy
from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, Flags, Integers, as_array, compiled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.bulk.lines import RowFormat
    from tap_auditlogs.vendors.index_exchange.columns import Kind

Places: t.TypeAlias = npt.NDArray[np.int32]
"""Positions in a block or a buffer; half as large as they could be, for the processor's caches."""
Ends: t.TypeAlias = npt.NDArray[np.int32]
"""Where texts end in a buffer, with a 0 in front; a text that ends where it starts is null."""

_TIME_SIZE = len("2026-11-20T05:00:00.000000Z")
_BILLION = 10**9
_LIMB_BITS = 32
_LIMB = 2**_LIMB_BITS - 1

_TYPES: Mapping[Kind, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.decimal128(38, SCALE),
    "timestamp": pa.string(),
}
"""Times are text in the fixed-width form, as they are in records."""


_DISTINCT = frozenset({"auction_id", "row_number", "gross_revenue", "net_revenue"})
"""New in nearly every row: a dictionary of their values would only take time and room."""


# Compiled: each goes through the cells of one column.


@compiled
def _split_rows(data: Bytes, starts: Places, stops: Places, places: Integers) -> tuple[int, int]:
    """Find the cells of rows, up to the first that is not regular; returns how many rows, and where they end."""
    width, most_rows = starts.shape
    data, starts, stops = borrowed(data), borrowed(starts), borrowed(stops)
    row_starts, row_stops = borrowed(places[0]), borrowed(places[1])
    at = 0
    row = 0
    while row < most_rows and at < data.size:
        row_end = split_row(data, at, row_starts, row_stops)
        if row_end == IRREGULAR:
            break
        for column in range(width):
            starts[column, row] = row_starts[column]
            stops[column, row] = row_stops[column]
        at = row_end
        row += 1
    return row, at


@compiled
def _read_texts(data: Bytes, starts: Places, stops: Places, wanted: Flags, ends: Ends, texts: Bytes) -> None:
    data, texts, starts, stops = borrowed(data), borrowed(texts), borrowed(starts), borrowed(stops)
    at = 0
    ends[0] = 0
    for row in range(starts.size):
        if wanted[row]:
            at = copy_text(data, starts[row], stops[row], texts, at)
        ends[row + 1] = at


@compiled
def _read_times(data: Bytes, starts: Places, stops: Places, ends: Ends, texts: Bytes, quoted: Bytes) -> int:
    """Return the first row that is not regular, or the number of rows."""
    data, texts, quoted = borrowed(data), borrowed(texts), borrowed(quoted)
    at = 0
    ends[0] = 0
    for row in range(starts.size):
        if starts[row] < stops[row]:
            outcome = write_time(data, starts[row], stops[row], quoted, 0)
            if outcome == IRREGULAR:
                return row
            if outcome != MISFIT:
                at = copy(quoted, 1, 1 + _TIME_SIZE, texts, at)
        ends[row + 1] = at
    return starts.size


@compiled
def _read_integers(data: Bytes, starts: Places, stops: Places, values: Integers, fits: Flags) -> None:
    data = borrowed(data)
    for row in range(starts.size):
        fits[row], values[row] = False, 0
        if starts[row] < stops[row]:
            fits[row], values[row] = parse_integer(data, starts[row], stops[row])


@compiled
def _read_decimals(data: Bytes, starts: Places, stops: Places, values: Integers, fits: Flags) -> int:
    """Read units of 1e-18, in 128 bits; returns the first row that is not regular, or the number of rows."""
    data = borrowed(data)
    for row in range(starts.size):
        outcome, units, parts = MISFIT, 0, 0
        if starts[row] < stops[row]:
            outcome, units, parts = parse_decimal(data, starts[row], stops[row])
            if outcome == IRREGULAR:
                return row
        fits[row] = outcome != MISFIT
        values[2 * row], values[2 * row + 1] = _join(units, parts)
    return starts.size


@compiled
def _join(units: int, parts: int) -> tuple[int, int]:
    """Return units * 10**18 + parts, which have the same sign, as 128 bits: the lower half first."""
    size = abs(units)
    limbs = _times_billion(_times_billion((size & _LIMB, size >> _LIMB_BITS, 0, 0)))
    size = abs(parts)
    first = limbs[0] + (size & _LIMB)
    second = limbs[1] + (size >> _LIMB_BITS) + (first >> _LIMB_BITS)
    third = limbs[2] + (second >> _LIMB_BITS)
    low = (first & _LIMB) | (second << _LIMB_BITS)
    high = (third & _LIMB) | ((limbs[3] + (third >> _LIMB_BITS)) << _LIMB_BITS)
    if units < 0 or parts < 0:
        low = -low
        high = ~high + (low == 0)
    return low, high


@compiled
def _times_billion(limbs: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    first = limbs[0] * _BILLION
    second = limbs[1] * _BILLION + (first >> _LIMB_BITS)
    third = limbs[2] * _BILLION + (second >> _LIMB_BITS)
    fourth = limbs[3] * _BILLION + (third >> _LIMB_BITS)
    return first & _LIMB, second & _LIMB, third & _LIMB, fourth & _LIMB


# Columns


class _Cells:
    """The cells of a block, and the columns made of them.

    Attributes:
        rows: How many rows are regular.
        stop: Where they end.
    """

    def __init__(self, block: Block, width: int) -> None:
        self._data = as_array(block.data)
        most_rows = min(block.rows, self._data.size // width)  # even a row of blanks has a byte per cell
        self._starts = np.empty((width, most_rows), np.int32)
        self._stops = np.empty((width, most_rows), np.int32)
        self._row_places = np.empty((2, width), np.int64)
        self.rows, self.stop = self._split(most_rows)

    def cut(self, rows: int) -> None:
        """Leave out all rows but the first."""
        if rows < self.rows:
            self.rows, self.stop = self._split(rows)

    def _split(self, rows: int) -> tuple[int, int]:
        return _split_rows(self._data, self._starts[:, :rows], self._stops[:, :rows], self._row_places)

    def filled(self, column: int) -> Flags:
        """Tell which cells of a column are not blank."""
        starts, stops = self._places(column)
        return starts < stops

    def texts(self, column: int, wanted: Flags) -> pa.Array:
        """Make text of the wanted cells of a column; the others are null."""
        starts, stops = self._places(column)
        ends = np.empty(self.rows + 1, np.int32)
        texts = np.empty(int((stops - starts)[wanted].sum()), np.uint8)
        _read_texts(self._data, starts, stops, wanted, ends, texts)
        return _text_array(ends, texts)

    def times(self, column: int) -> tuple[pa.Array, int]:
        """Make times of a column; also returns how many rows are regular, likewise below."""
        starts, stops = self._places(column)
        ends = np.empty(self.rows + 1, np.int32)
        texts = np.empty(self.rows * _TIME_SIZE, np.uint8)
        rows = _read_times(self._data, starts, stops, ends, texts, np.empty(_TIME_SIZE + 2, np.uint8))
        return _text_array(ends[: rows + 1], texts), rows

    def integers(self, column: int) -> tuple[pa.Array, int]:
        """Make integers of a column."""
        values, fits = np.empty(self.rows, np.int64), np.empty(self.rows, np.bool_)
        _read_integers(self._data, *self._places(column), values, fits)
        return _array(_TYPES["integer"], fits, values), self.rows

    def decimals(self, column: int) -> tuple[pa.Array, int]:
        """Make decimals of a column."""
        values, fits = np.empty(2 * self.rows, np.int64), np.empty(self.rows, np.bool_)
        rows = _read_decimals(self._data, *self._places(column), values, fits)
        return _array(_TYPES["number"], fits[:rows], values), rows

    def _places(self, column: int) -> tuple[Places, Places]:
        return self._starts[column, : self.rows], self._stops[column, : self.rows]


def _text_array(ends: Ends, texts: Bytes) -> pa.Array:
    return _array(pa.string(), ends[1:] > ends[:-1], ends, texts)


def _array(kind: pa.DataType, valid: Flags, *parts: npt.NDArray[t.Any]) -> pa.Array:
    nulls = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, valid.size, [nulls, *map(pa.py_buffer, parts)])


# Tables


class _Tabler:
    """Makes a table of the rows under one header.

    `additional_properties` is a struct with a field per column that may get there, the same for all blocks of a file.
    """

    def __init__(self, header: Sequence[str], form: RowFormat) -> None:
        self._header = header
        self._form = form
        self._kinds = {name: form.columns[name][0] for name in header if name in form.columns}
        has_extra = ADDITIONAL_PROPERTIES in form.selected
        self._unknown = [name for name in header if name not in form.columns and has_extra]
        # Text in a number column leaves in `additional_properties`, even where the column itself does not.
        self._may_misfit = [name for name, kind in self._kinds.items() if kind != "string" and has_extra]
        self._typed = [
            name
            for name, kind in self._kinds.items()
            if kind != "string" and (name in form.selected or name in self._may_misfit)
        ]

    def convert(self, block: Block) -> Converted[pa.Table]:
        """Make a table of the selected properties."""
        cells = _Cells(block.text(), len(self._header))
        converted = self._convert_typed(cells)
        shortest = min((rows for _, rows in converted.values()), default=cells.rows)
        if shortest < cells.rows:
            cells.cut(shortest)
            converted = self._convert_typed(cells)
        columns = {name: array for name, (array, _) in converted.items()}
        arrays = [self._column(name, block, cells, columns) for name in self._form.selected]
        return Converted(pa.table(arrays, names=list(self._form.selected)), cells.rows, cells.stop)

    def _convert_typed(self, cells: _Cells) -> dict[str, tuple[pa.Array, int]]:
        convert = {"integer": cells.integers, "number": cells.decimals, "timestamp": cells.times}
        return {name: convert[self._kinds[name]](self._header.index(name)) for name in self._typed}

    def _column(self, name: str, block: Block, cells: _Cells, typed: Mapping[str, pa.Array]) -> pa.Array:
        if name == "row_number":
            return pa.array(np.arange(block.first_row, block.first_row + cells.rows, dtype=np.int64))
        if name == ADDITIONAL_PROPERTIES:
            return self._extra(cells, typed)
        if name in self._form.fixed:
            value = self._form.fixed[name]
            return pa.repeat(pa.scalar(value, pa.int64() if isinstance(value, int) else pa.string()), cells.rows)
        if name in typed:
            return typed[name]
        if name not in self._kinds:
            return pa.nulls(cells.rows, _TYPES[self._form.columns[name][0]])
        column = self._header.index(name)
        return cells.texts(column, cells.filled(column))

    def _extra(self, cells: _Cells, typed: Mapping[str, pa.Array]) -> pa.Array:
        fields: dict[str, pa.Array] = {}
        filled = np.zeros(cells.rows, np.bool_)
        for name in [*self._may_misfit, *self._unknown]:
            column = self._header.index(name)
            wanted = cells.filled(column)
            if name in typed:
                wanted &= typed[name].is_null().to_numpy(zero_copy_only=False)
            fields[name] = cells.texts(column, wanted) if wanted.any() else pa.nulls(cells.rows, pa.string())
            filled |= wanted
        if not fields:
            return pa.nulls(cells.rows, pa.string())
        return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=pa.array(~filled))


def table_pieces(content: t.BinaryIO, form: RowFormat, *, most_rows: int) -> Conversion[list[tuple[int, pa.Table]]]:
    """Make tables of a file, in pieces that can be put together to files.

    Args:
        content: The gzip file.
        form: What to make of its rows.
        most_rows: How many rows a piece may have.

    Returns:
        The conversion, whose results are the pieces with their numbers of rows.
    """

    def prepare(header: Sequence[str]) -> Callable[[Block], Converted[list[tuple[int, pa.Table]]]]:
        tabler = _Tabler(header, form)

        def convert(block: Block) -> Converted[list[tuple[int, pa.Table]]]:
            table = tabler.convert(block)
            pieces = [table.value.slice(start, most_rows) for start in range(0, table.rows, most_rows)]
            return Converted([(piece.num_rows, piece) for piece in pieces], table.rows, table.stop)

        return convert

    return Conversion(content, prepare)


def to_parquet(tables: Sequence[pa.Table], *, gzip: bool) -> bytes:
    """Make a Parquet file of tables.

    Args:
        tables: Tables with the same columns.
        gzip: Whether pages are compressed with gzip rather than Snappy.

    Returns:
        The file.
    """
    table = _without_empty_fields(pa.concat_tables(tables))
    target = io.BytesIO()
    pq.write_table(
        table,
        target,
        compression="gzip" if gzip else "snappy",
        use_dictionary=[name for name in table.column_names if name not in {*_DISTINCT, ADDITIONAL_PROPERTIES}],
        # The least and the largest text of a file are of little use, and finding them takes a sixth of the time.
        write_statistics=[field.name for field in table.schema if field.type != pa.string()],
    )
    return target.getvalue()


def _without_empty_fields(table: pa.Table) -> pa.Table:
    """Keep those fields of `additional_properties` that are used: of all that may get there mostly one or none is."""
    if ADDITIONAL_PROPERTIES not in table.column_names or table[ADDITIONAL_PROPERTIES].type == pa.string():
        return table
    chunks = table[ADDITIONAL_PROPERTIES].chunks
    names = [field.name for field in chunks[0].type]
    used = [name for name in names if any(chunk.field(name).null_count < len(chunk) for chunk in chunks)]
    column = pa.nulls(table.num_rows, pa.string())
    if used:
        column = pa.chunked_array(
            pa.StructArray.from_arrays([chunk.field(name) for name in used], names=used, mask=chunk.is_null())
            for chunk in chunks
        )
    return table.set_column(table.column_names.index(ADDITIONAL_PROPERTIES), ADDITIONAL_PROPERTIES, column)
