"""Counts and sums rows by group."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import polars as pl

from tap_auditlogs.vendors.index_exchange.bulk.cells import to_decimals
from tap_auditlogs.vendors.index_exchange.bulk.regular import in_order
from tap_auditlogs.vendors.index_exchange.totals import MEASURES, Totals

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_auditlogs.vendors.index_exchange.bulk.regular import RegularFile
    from tap_auditlogs.vendors.index_exchange.totals import Group

_LARGEST_AMOUNT = 10**9
"""Up to this, the 38 digits of a polars decimal hold the sum of 10**11 rows."""
_MOST_PARTS = 64
_ROWS = "rows"


def total_rows(file: RegularFile, dimensions: Sequence[str]) -> dict[Group, Totals]:
    """Group the rows of a file by their cells in columns; one that the file lacks is blank in all rows.

    Raises:
        IrregularFileError: If the file needs the row-by-row parser.
    """
    measures = [name for name in MEASURES if name in file.header]
    keys = {f"key {place}": name for place, name in enumerate(dimensions) if name in file.header}
    schema = dict.fromkeys([*keys.values(), *measures, file.header[0]], pl.String())

    def group(frame: tuple[int, pl.DataFrame]) -> pl.DataFrame:
        _, cells = frame
        amounts = [to_decimals(cells[name], largest=_LARGEST_AMOUNT) for name in measures]
        columns = [cells[name].alias(key) for key, name in keys.items()]
        rows = pl.repeat(1, len(cells), eager=True).alias(_ROWS)
        return _add_up([pl.DataFrame([rows, *columns, *amounts])], list(keys))

    parts: list[pl.DataFrame] = []
    for part in in_order(group, file.frames(lambda: schema)):
        parts.append(part)
        if len(parts) == _MOST_PARTS:
            parts = [_add_up(parts, list(keys))]
    groups = {}
    for row in _add_up(parts, list(keys)).iter_rows(named=True):
        group_cells = tuple(row.get(f"key {place}") or None for place in range(len(dimensions)))
        net, gross = (row.get(name, Decimal(0)) for name in MEASURES)
        groups[group_cells] = Totals(row[_ROWS], net, gross)
    return groups


def _add_up(parts: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame()
    rows = pl.concat(parts)
    return rows.group_by(keys).sum() if keys else rows.sum()
