"""Encodes rows as lines of JSON."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import polars as pl

from tap_auditlogs.core.record_message import record_envelope
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.bulk.cells import MemberColumn, join_extras, join_members
from tap_auditlogs.vendors.index_exchange.bulk.regular import in_order

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.bulk.regular import RegularFile
    from tap_auditlogs.vendors.index_exchange.columns import Kind


_MOST_ROWS = 1 << 11
"""Larger pieces would not stay in the processor's caches."""


@dataclass(frozen=True)
class RowFormat:
    """What to make of the rows of a file.

    Attributes:
        columns: The columns of the schema.
        fixed: The properties that all rows of the file have in common.
        selected: The properties to write; `row_number` and at least one of `fixed` are always among them.
    """

    columns: Mapping[str, tuple[Kind, str]]
    fixed: Mapping[str, t.Any]
    selected: Sequence[str]


def record_lines(file: RegularFile, form: RowFormat, stream: str) -> Iterator[tuple[int, bytes]]:
    """Make RECORD messages of a file; yields numbers of rows and their lines."""
    before, after = (text.decode() for text in record_envelope(stream))
    return _lines(file, _Encoder(file.header, form, before, after))


def json_lines(file: RegularFile, form: RowFormat, most_rows: int) -> Iterator[tuple[int, bytes]]:
    """Make JSON lines of a file; yields numbers of rows, up to a limit, and their lines."""
    return _lines(file, _Encoder(file.header, form, "", "", most_rows))


def _lines(file: RegularFile, encoder: _Encoder) -> Iterator[tuple[int, bytes]]:
    for table in in_order(encoder.encode, file.frames(encoder.schema)):
        for rows in table.iter_slices(encoder.rows_per_piece):
            yield len(rows), _write(rows)


class _Encoder:
    """Encodes the rows under one header: polars' CSV writer joins members of JSON objects with commas."""

    def __init__(
        self, header: Sequence[str], form: RowFormat, before: str, after: str, most_rows: int = _MOST_ROWS
    ) -> None:
        fixed = {name: value for name, value in form.fixed.items() if name in form.selected}
        fixed |= {name: None for name in form.columns if name in form.selected and name not in header}
        self._columns = [MemberColumn(name, form.columns[name][0] if name in form.columns else None) for name in header]
        self._wanted = {name for name in header if name in form.columns and name in form.selected}
        self.rows_per_piece = min(most_rows, _MOST_ROWS)
        self._has_extra = ADDITIONAL_PROPERTIES in form.selected
        self._head = pl.lit(before + json.dumps(fixed, ensure_ascii=False, separators=(",", ":"))[:-1])
        self._tail = pl.lit("}" + after)

    def schema(self) -> Mapping[str, pl.DataType]:
        """Return how to parse a block."""
        return {column.name: column.new_type() for column in self._columns}

    def encode(self, frame: tuple[int, pl.DataFrame]) -> pl.DataFrame:
        """Return the parts of the rows' lines."""
        first, cells = frame
        members = {column.name: column.encode(cells[column.name]) for column in self._columns}
        extras = [column.extra for column in members.values() if column.extra is not None]
        pieces = [self._head]
        pieces += join_members(column for name, column in members.items() if name in self._wanted)
        if self._has_extra:
            extra = join_extras(extras).fill_null("null")
            pieces.append(pl.concat_str(pl.lit(f'"{ADDITIONAL_PROPERTIES}":'), extra))
        row_numbers = pl.int_range(first, first + len(cells)).cast(pl.String)
        pieces.append(pl.concat_str(pl.lit('"row_number":'), row_numbers, self._tail))
        return pl.select(piece.alias(str(number)) for number, piece in enumerate(pieces))


def _write(rows: pl.DataFrame) -> bytes:
    lines = _Written()
    rows.write_csv(t.cast("t.IO[bytes]", lines), include_header=False, quote_style="never", batch_size=len(rows))
    return b"".join(lines.pieces)


class _Written:
    """Collects what polars writes, without the copies that `BytesIO` makes while it grows."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing; polars calls it."""
