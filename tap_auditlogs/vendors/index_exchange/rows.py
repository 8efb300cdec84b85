"""The streams of the rows of files."""

from __future__ import annotations

import abc
import typing as t
from functools import cached_property

import msgspec
from typing_extensions import override

from tap_auditlogs.core.rows import ACCOUNT, ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.batch import BatchFiles
from tap_auditlogs.vendors.index_exchange.columns import BID_COLUMNS, COLUMNS, row_schema
from tap_auditlogs.vendors.index_exchange.file_stream import FileStream, bulk_is_installed, file_properties
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.log_file import LogFile, read_pages
from tap_auditlogs.vendors.index_exchange.manifest import Work

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.connection import Connection
    from tap_auditlogs.vendors.index_exchange import bulk
    from tap_auditlogs.vendors.index_exchange.columns import Kind
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile


class RowStream(FileStream, abc.ABC):
    """A stream of the rows of files with these known columns."""

    parent_stream_type = FilesStream
    columns: t.ClassVar[Mapping[str, tuple[Kind, str]]]
    work = Work.ROWS
    primary_keys = ("file_id", "row_number")

    @override
    def __init__(self, tap: Tap, connection: Connection) -> None:
        batch_settings = tap.config.get("batch_config")
        self._batch_files = BatchFiles(batch_settings) if batch_settings else None  # first: the schema depends on it
        super().__init__(tap, connection)

    @cached_property
    @override
    def schema(self) -> dict[str, t.Any]:
        return row_schema(self.columns, extra_is_text=self._writes_parquet)

    @property
    def _writes_parquet(self) -> bool:
        return bool(self._batch_files and self._batch_files.is_parquet)

    @override
    def get_ready(self) -> None:
        _ = self._can_go_in_bulk

    @override
    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        if not self._can_go_in_bulk or self.ABORT_AT_RECORD_COUNT is not None:
            self._write_row_by_row(file, content)
            return
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        written = 0
        try:
            for rows in self._write_in_bulk(file, bulk.RegularFile(content)):
                written += rows
        except bulk.IrregularFileError:
            self.logger.info("File %s is not regular CSV: it is read row by row.", file.key)
            content.seek(0)
            self._write_row_by_row(file, content, written)

    def _write_in_bulk(self, file: ListedFile, regular: bulk.RegularFile) -> Iterator[int]:
        """Write the rows; yields how many have been written with each piece."""
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        form = bulk.RowFormat(self.columns, self._fixed(file), self.selected_properties())
        if self._batch_files is None:
            self._report_unknown_columns(file, regular.header)
            for rows, lines in bulk.record_lines(regular, form, self.name):
                self.write_lines(lines)
                self.count(rows)
                yield rows
        else:
            urls, rows = self._batch_files.write(regular, form, f"{self.name}-{file.name}")
            self._report_unknown_columns(file, regular.header)
            if urls:
                self.write_batch(self._batch_files.encoding, urls)
            self.count(rows)
            yield rows

    @cached_property
    def _can_go_in_bulk(self) -> bool:
        """Whether the bulk path is installed and neither stream maps nor flattening change records."""
        if self.is_mapped():
            if self.config.get("batch_config"):
                self.logger.warning(
                    "batch_config: stream maps or flattening are configured too, so that the rows of this stream are "
                    "written as RECORD messages, not as BATCH files."
                )
            else:
                self.logger.info("Stream maps or flattening are configured: records are written one by one.")
            return False
        if bulk_is_installed():
            return True
        self.logger.warning(
            "tap-auditlogs[bulk] is not installed: files are read record by record, which takes many times longer%s.",
            ", and no BATCH files are written" if self.config.get("batch_config") else "",
        )
        return False

    def _fixed(self, file: ListedFile) -> Record:
        account = {} if self.account is None else {ACCOUNT: self.account}
        return {**account, **file_properties(file), "part": file.key.part}

    def _write_row_by_row(self, file: ListedFile, content: t.BinaryIO, written: int = 0) -> None:
        """Write the rows after those that the bulk path has written, whose records are the same on both paths."""
        log_file = LogFile(content, skip_malformed=self.skips_malformed_rows)
        self._report_unknown_columns(file, log_file.header)
        pages = read_pages(log_file, self.columns, self._fixed(file), written)
        self.write_pages(map(_with_extra_as_text, pages) if self._writes_parquet else pages)
        log_file.log_findings(file.key.file_id, self.logger)

    def _report_unknown_columns(self, file: ListedFile, header: Sequence[str]) -> None:
        """Log each column that the schema does not know once, with the first file that has it."""
        unknown = [name for name in header if name not in self.columns and name not in self._reported_columns]
        if unknown:
            self._reported_columns.update(unknown)
            self.logger.warning(
                "File %s has columns that the schema does not know: %a. They are kept in `additional_properties`.",
                file.key,
                unknown,
            )

    @cached_property
    def _reported_columns(self) -> set[str]:
        return set()


def _with_extra_as_text(page: list[Record]) -> list[Record]:
    """Encode `additional_properties`, whose type is text where rows go to Parquet files."""
    for record in page:
        if extra := record[ADDITIONAL_PROPERTIES]:
            record[ADDITIONAL_PROPERTIES] = msgspec.json.encode(extra).decode()
    return page


class ImpressionsStream(RowStream):
    """The rows of impression files."""

    name = "index_exchange_impressions"
    columns = COLUMNS


class BidsStream(RowStream):
    """The rows of bid files."""

    name = "index_exchange_bids"
    event_types = frozenset({"bids"})
    columns = BID_COLUMNS
