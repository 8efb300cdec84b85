"""The bulk path: rows to lines, tables or totals without a Python object per cell.

A file is decompressed in a thread of its own, cut into blocks of whole rows, and each block is converted in one of a
few threads by compiled code that goes through its bytes once or twice. From the first row on that is not regular, or
that has a value which only the ordinary path can be trusted with, the file is left to that path, which then says
what is odd about it. What leaves is the same.

This package needs what `tap-auditlogs[bulk]` installs; import it when it is needed, not before.
"""

from __future__ import annotations

from tap_auditlogs.vendors.index_exchange.bulk.blocks import Conversion, Rest
from tap_auditlogs.vendors.index_exchange.bulk.lines import RowFormat, json_pieces, record_lines
from tap_auditlogs.vendors.index_exchange.bulk.totals import total_rows

__all__ = ["Conversion", "Rest", "RowFormat", "json_pieces", "record_lines", "total_rows"]
