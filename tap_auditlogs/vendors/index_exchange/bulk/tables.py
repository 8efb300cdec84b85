"""Makes tables of rows, for Parquet files.

All files of a stream have the same columns and types. `additional_properties` is JSON text: a struct would have other
fields in each file, and readers of many files drop those that the first one lacks.
"""

from __future__ import annotations

import io
import typing as t

import polars as pl

from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.bulk.cells import TYPES, MemberColumn, convert, join_extras
from tap_auditlogs.vendors.index_exchange.bulk.regular import in_order

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_auditlogs.vendors.index_exchange.bulk.lines import RowFormat
    from tap_auditlogs.vendors.index_exchange.bulk.regular import RegularFile


def tables(file: RegularFile, form: RowFormat, most_rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Make tables of a file; yields numbers of rows, up to a limit, and tables of them.

    Raises:
        IrregularFileError: If a number does not fit the decimals of the tables.
    """
    schema = dict.fromkeys(file.header, pl.String())
    kinds = {name: form.columns[name][0] if name in form.columns else None for name in file.header}
    members = {name: MemberColumn(name, kind) for name, kind in kinds.items()}

    def make_table(frame: tuple[int, pl.DataFrame]) -> pl.DataFrame:
        first, cells = frame
        columns = {name: _constant(value) for name, value in form.fixed.items()}
        columns |= {name: pl.lit(None, TYPES[kind]) for name, (kind, _) in form.columns.items()}
        extras = []
        for name, kind in kinds.items():
            values = None if kind is None else convert(cells[name], kind)
            if values is not None:
                columns[name] = pl.lit(values)
            if values is None:
                extras.append(members[name].encode(cells[name]).extra)
            elif values.null_count() > cells[name].null_count():
                misfits = cells.select(pl.when(values.is_null()).then(cells[name])).to_series()
                extras.append(members[name].encode(misfits).extra)
        columns["row_number"] = pl.int_range(first, first + len(cells), dtype=pl.Int64)
        columns[ADDITIONAL_PROPERTIES] = join_extras([some for some in extras if some is not None])
        return cells.select(columns[name].alias(name) for name in form.selected)

    for table in in_order(make_table, file.frames(lambda: schema)):
        for rows in table.iter_slices(most_rows):
            yield len(rows), rows


def _constant(value: int | str | None) -> pl.Expr:
    return pl.lit(value, pl.Int64() if isinstance(value, int) else pl.String())


def to_parquet(some: Sequence[pl.DataFrame], *, gzip: bool) -> bytes:
    """Make a Parquet file of tables; pages are compressed with gzip or else Snappy."""
    target = io.BytesIO()
    pl.concat(some).write_parquet(target, compression="gzip" if gzip else "snappy")
    return target.getvalue()
