"""The stream of lines that are not CSV and were skipped."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_auditlogs.vendors.index_exchange.columns import malformed_rows_schema
from tap_auditlogs.vendors.index_exchange.file_stream import FileStream
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.log_file import LogFile
from tap_auditlogs.vendors.index_exchange.manifest import Work

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Record

    from tap_auditlogs.vendors.index_exchange.listing import ListedFile
    from tap_auditlogs.vendors.index_exchange.log_file import MalformedRow

_PAGE_ROWS = 1_000


class MalformedRowsStream(FileStream):
    """The lines that the other streams skip with `malformed_rows: skip`."""

    name = "index_exchange_malformed_rows"
    parent_stream_type = FilesStream
    event_types = frozenset({"impressions", "bids"})
    work = Work.MALFORMED_ROWS
    primary_keys = ("file_id", "line_number")
    schema = malformed_rows_schema()

    @property
    @override
    def reads_event_types(self) -> frozenset[str]:
        return super().reads_event_types if self.skips_malformed_rows else frozenset()

    @override
    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        fixed = {
            "file_id": file.key.file_id,
            "file_md5": file.md5,
            "file_date_created": file.date_created,
            "additional_properties": None,
        }
        page: list[Record] = []

        def add(row: MalformedRow) -> None:
            page.append({**fixed, "line_number": row.line_number, "text": row.text})
            if len(page) == _PAGE_ROWS:
                self.write(page)
                page.clear()

        for _ in LogFile(content, skip_malformed=True, on_malformed=add).rows():
            pass
        self.write(page)
