"""The bulk path: whole files to RECORD lines, BATCH files or sums with polars.

Polars parses CSV leniently: it fills short rows, makes a row of a blank line and reads `""1""` as 1. So the bytes of
every block of rows are matched against the grammar of a regular file before they are parsed. Where a block does not
match, the row-by-row parser takes the file from its start; RECORD messages of the blocks before are not written again.
Cells that are not plainly of their column's type are converted by the functions of that parser, so both give the same
records.

This package needs the extra `bulk`. Import it where it is used: polars must not slow down `--version` or `--about`.
"""

from __future__ import annotations

from tap_auditlogs.vendors.index_exchange.bulk.lines import RowFormat, json_lines, record_lines
from tap_auditlogs.vendors.index_exchange.bulk.regular import IrregularFileError, RegularFile, in_order
from tap_auditlogs.vendors.index_exchange.bulk.tables import tables, to_parquet
from tap_auditlogs.vendors.index_exchange.bulk.totals import total_rows

__all__ = [
    "IrregularFileError",
    "RegularFile",
    "RowFormat",
    "in_order",
    "json_lines",
    "record_lines",
    "tables",
    "to_parquet",
    "total_rows",
]
