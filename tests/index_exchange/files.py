"""Makes gzip files and reads them by both paths."""

from __future__ import annotations

import gzip
import io
import json
import typing as t
from decimal import Decimal

from tap_auditlogs.core.writer import MessageWriter
from tap_auditlogs.vendors.index_exchange import bulk
from tap_auditlogs.vendors.index_exchange.columns import COLUMNS, row_schema
from tap_auditlogs.vendors.index_exchange.log_file import LogFile, UnreadableFileError, read_pages

Record: t.TypeAlias = "dict[str, t.Any]"

FIXED: Record = {
    "file_id": "impressions/41/2026-11-20T05/0",
    "subscription_id": 41,
    "hour": "2026-11-20T05:00:00.000000Z",
    "file_md5": "0" * 32,
    "file_date_created": None,
    "part": 0,
}
PROPERTIES = list(row_schema(COLUMNS)["properties"])


class Read(t.NamedTuple):
    """What became of a file.

    Attributes:
        records: Its records.
        fault: Why it was not read to its end.
    """

    records: list[Record]
    fault: str | None


def packed(text: str | bytes) -> io.BytesIO:
    return io.BytesIO(gzip.compress(text if isinstance(text, bytes) else text.encode()))


def read_ordinarily(content: t.BinaryIO, selected: t.Sequence[str] = PROPERTIES) -> Read:
    records: list[Record] = []
    fault = None
    try:
        for page in read_pages(LogFile(content), COLUMNS, FIXED):
            records += page
    except UnreadableFileError as error:
        fault = str(error)
    kept = [{name: record[name] for name in selected} for record in records]
    encoder = MessageWriter()._encoder  # noqa: SLF001 - as it leaves the tap
    return Read([json.loads(encoder.encode(record), parse_float=Decimal) for record in kept], fault)


def read_in_bulk(content: t.BinaryIO, selected: t.Sequence[str] = PROPERTIES) -> list[Record] | None:
    """Read a file by the bulk path; None if it leaves the rest of the file to the other one."""
    records: list[Record] = []
    try:
        file = bulk.RegularFile(content)
        for count, lines in bulk.record_lines(file, bulk.RowFormat(COLUMNS, FIXED, selected), "s"):
            messages = [json.loads(line, parse_float=Decimal) for line in lines.splitlines()]
            assert len(messages) == count
            records += [message["record"] for message in messages]
    except bulk.IrregularFileError:
        content.seek(0)
        assert records == read_ordinarily(content, selected).records[: len(records)]
        return None
    return records
