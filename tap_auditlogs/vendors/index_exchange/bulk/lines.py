"""Rows into lines of JSON."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import numpy as np
from isal import igzip

from tap_auditlogs.core.record_message import record_envelope
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.bulk.blocks import Block, Conversion, Converted, Memory
from tap_auditlogs.vendors.index_exchange.bulk.cells import (
    IRREGULAR,
    LARGEST_ESCAPE,
    MISFIT,
    TYPED_SIZE,
    has_to_escape,
    split_row,
    write_integer,
    write_number,
    write_row_number,
    write_text,
    write_time,
)
from tap_auditlogs.vendors.index_exchange.bulk.intrinsics import borrowed, copy
from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, Flags, Integers, as_array, compiled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.columns import Kind

BUFFER_BYTES = 4 << 20
_COMPRESSION_LEVEL = 1

_DONE, _FULL, _IRREGULAR = range(3)
_NULL = as_array(b"null,")
_COMMA, _CLOSING = b",}"

_UNKNOWN, _STRING, _INTEGER, _NUMBER, _TIMESTAMP = range(5)
_KINDS: Mapping[Kind, int] = {
    "string": _STRING,
    "integer": _INTEGER,
    "number": _NUMBER,
    "timestamp": _TIMESTAMP,
}


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


class _Plan(t.NamedTuple):
    """How to write rows; a member of the record is written with its comma.

    Attributes:
        before: Stands before each row number, or before what else is first.
        after: Stands behind each record.
        has_row_number: Whether the row number leaves.
        has_extra: Whether `additional_properties` leaves.
        extra_key: Its name, as JSON, and a colon.
        kinds: The type of each column of the file.
        leaves: Whether it is a member of the record.
        keys: The names of the columns, as JSON, each with a colon.
        key_ends: Where they end, with a 0 in front.
        fixed_size: Bytes that a row takes at most, apart from the text of its cells.
    """

    before: Bytes
    after: Bytes
    has_row_number: bool
    has_extra: bool
    extra_key: Bytes
    kinds: Integers
    leaves: Flags
    keys: Bytes
    key_ends: Integers
    fixed_size: int


@compiled
def _write_rows(  # what happens, where, with how many rows, and how much was written
    plan: _Plan, data: Bytes, at: int, row: int, plain: bool, out: Bytes, places: Integers, misfits: Flags
) -> tuple[int, int, int, int]:
    """Write rows until they end, there is no more room, or one is not regular.

    Returns which of these; where the rows that were written end; the number of the next row; how much was written.
    """
    before, after, extra_key = borrowed(plan.before), borrowed(plan.after), borrowed(plan.extra_key)
    kinds, leaves = borrowed(plan.kinds), borrowed(plan.leaves)
    keys, key_ends = borrowed(plan.keys), borrowed(plan.key_ends)
    has_row_number, has_extra, fixed_size = plan.has_row_number, plan.has_extra, plan.fixed_size
    starts, stops, misfits = borrowed(places[0]), borrowed(places[1]), borrowed(misfits)
    data, out = borrowed(data), borrowed(out)
    written = 0
    while at < data.size:
        row_end = split_row(data, at, starts, stops)
        if row_end == IRREGULAR:
            return _IRREGULAR, at, row, written
        if written + fixed_size + LARGEST_ESCAPE * (row_end - at) > out.size:
            return _FULL, at, row, written
        place = copy(before, 0, before.size, out, written)
        if has_row_number:
            place = write_row_number(row, out, place)
            out[place] = _COMMA
            place += 1
        has_misfits = False
        for column in range(kinds.size):
            kind = kinds[column]
            end = MISFIT
            misfits[column] = False
            if leaves[column]:
                place = copy(keys, key_ends[column], key_ends[column + 1], out, place)
            if starts[column] < stops[column] and (leaves[column] or kind != _STRING):
                end = _write_cell(kind, data, starts[column], stops[column], plain, out, place)
                if end == IRREGULAR:
                    return _IRREGULAR, at, row, written
                misfits[column] = end == MISFIT
                has_misfits |= end == MISFIT
            if not leaves[column]:
                continue
            if end == MISFIT:
                place = copy(_NULL, 0, _NULL.size, out, place)
            else:
                out[end] = _COMMA
                place = end + 1
        if has_extra:
            place = copy(extra_key, 0, extra_key.size, out, place)
            if has_misfits:
                place = _write_extra(keys, key_ends, data, starts, stops, misfits, plain, out, place)
            else:
                place = copy(_NULL, 0, _NULL.size, out, place)
        out[place - 1] = _CLOSING
        written = copy(after, 0, after.size, out, place)
        at = row_end
        row += 1
    return _DONE, at, row, written


@compiled
def _write_cell(kind: int, data: Bytes, start: int, stop: int, plain: bool, out: Bytes, at: int) -> int:
    if kind == _STRING:
        return write_text(data, start, stop, out, at, plain)
    if kind == _INTEGER:
        return write_integer(data, start, stop, out, at)
    if kind == _NUMBER:
        return write_number(data, start, stop, out, at)
    if kind == _TIMESTAMP:
        return write_time(data, start, stop, out, at)
    return MISFIT


@compiled
def _write_extra(
    keys: Bytes,
    key_ends: Integers,
    data: Bytes,
    starts: Integers,
    stops: Integers,
    misfits: Flags,
    plain: bool,
    out: Bytes,
    at: int,
) -> int:
    out[at] = 123  # an opening brace
    at += 1
    for column in range(misfits.size):
        if misfits[column]:
            at = copy(keys, key_ends[column], key_ends[column + 1], out, at)
            at = write_text(data, starts[column], stops[column], out, at, plain)
            out[at] = _COMMA
            at += 1
    out[at - 1] = _CLOSING
    out[at] = _COMMA
    return at + 1


class _Liner:
    """Makes a line of JSON of each row under one header."""

    def __init__(
        self, header: Sequence[str], form: RowFormat, memory: Memory, *, before: str = "", after: str = ""
    ) -> None:
        constant = {name: value for name, value in form.fixed.items() if name in form.selected}
        constant |= {name: None for name in form.columns if name in form.selected and name not in header}
        members = "".join(f"{_encode(name)}:{_encode(value)}," for name, value in constant.items())
        if "row_number" in form.selected:
            members += '"row_number":'
        keys = [f"{_encode(name)}:".encode() for name in header]
        kinds = [_KINDS[form.columns[name][0]] if name in form.columns else _UNKNOWN for name in header]
        self._memory = memory
        head = as_array(f"{before}{{{members}".encode())
        tail = as_array(f"{after}\n".encode())
        self._plan = _Plan(
            head,
            tail,
            "row_number" in form.selected,
            ADDITIONAL_PROPERTIES in form.selected,
            as_array(f'"{ADDITIONAL_PROPERTIES}":'.encode()),
            np.array(kinds, np.int64),
            np.array([name in form.columns and name in form.selected for name in header], np.bool_),
            as_array(b"".join(keys)),
            np.cumsum([0, *map(len, keys)]).astype(np.int64),
            # A key may stand twice: as a member, and in `additional_properties`.
            head.size + tail.size + 2 * sum(map(len, keys)) + TYPED_SIZE * (len(keys) + 2),
        )

    def convert(self, block: Block) -> Converted[list[memoryview]]:
        """Make lines, in pieces."""
        data = as_array(block.text().data)
        plain = not has_to_escape(data)
        pieces: list[memoryview] = []
        at, row, size = 0, block.first_row, self._memory.size
        places = np.empty((2, self._plan.kinds.size), np.int64)
        misfits = np.empty(self._plan.kinds.size, np.bool_)
        while True:
            out = self._memory.take() if size == self._memory.size else np.empty(size, np.uint8)
            outcome, at, row, written = _write_rows(self._plan, data, at, row, plain, out, places, misfits)
            if written:
                pieces.append(out.data[:written])
            elif outcome == _FULL:
                size *= 2
            if outcome != _FULL:
                return Converted(pieces, row - block.first_row, at)


def _encode(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def record_lines(content: t.BinaryIO, form: RowFormat, stream: str) -> Conversion[list[memoryview]]:
    """Make RECORD messages of a file.

    Args:
        content: The gzip file.
        form: What to make of its rows.
        stream: The name of the stream.

    Returns:
        The conversion, whose results are whole lines in pieces.
    """
    before, after = (text.decode() for text in record_envelope(stream))
    memory = Memory(BUFFER_BYTES)
    return Conversion(
        content,
        lambda header: _Liner(header, form, memory, before=before, after=after).convert,
        after_use=memory.take_back,
    )


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
    memory = Memory(BUFFER_BYTES)

    def prepare(header: Sequence[str]) -> Callable[[Block], Converted[list[tuple[int, bytes]]]]:
        liner = _Liner(header, form, memory)

        def convert(block: Block) -> Converted[list[tuple[int, bytes]]]:
            lines = liner.convert(block)
            text = b"".join(lines.value)
            memory.take_back(lines.value)
            pieces = [(lines.rows, text)] if 0 < lines.rows <= most_rows else list(_cut(text, most_rows))
            if compress:
                pieces = [(rows, igzip.compress(piece, _COMPRESSION_LEVEL)) for rows, piece in pieces]
            return Converted(pieces, lines.rows, lines.stop)

        return convert

    return Conversion(content, prepare)


def _cut(lines: bytes, most_rows: int) -> Iterator[tuple[int, bytes]]:
    every = lines.splitlines(keepends=True)
    for start in range(0, len(every), most_rows):
        some = every[start : start + most_rows]
        yield len(some), b"".join(some)
