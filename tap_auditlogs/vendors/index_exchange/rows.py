"""The streams of rows: each row of a file as it is."""

from __future__ import annotations

import abc
import typing as t
from functools import cached_property

from typing_extensions import override

from tap_auditlogs.core.rows import ACCOUNT
from tap_auditlogs.vendors.index_exchange.batch import BatchFiles
from tap_auditlogs.vendors.index_exchange.columns import BID_COLUMNS, COLUMNS, row_schema
from tap_auditlogs.vendors.index_exchange.file_reader import FileReader, bulk_is_installed, file_properties
from tap_auditlogs.vendors.index_exchange.files import Files
from tap_auditlogs.vendors.index_exchange.manifest import Work
from tap_auditlogs.vendors.index_exchange.reading import (
    LogFile,
    SkippedLines,
    log_irregularities,
    read_pages,
    shape_rows,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.vendors.index_exchange import bulk
    from tap_auditlogs.vendors.index_exchange.columns import Kind
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile


class RowReaderStream(FileReader, abc.ABC):
    """The rows of files, as they are.

    Attributes:
        columns: The known columns.
    """

    parent_stream_type = Files
    columns: t.ClassVar[Mapping[str, tuple[Kind, str]]]
    work = Work.ROWS
    primary_keys = ("file_id", "row_number")

    @override
    def get_ready(self) -> None:
        _ = self._can_go_in_bulk

    @override
    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        if not self._can_go_in_bulk or self.ABORT_AT_RECORD_COUNT is not None:
            self._write_row_by_row(file, content)
            return
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        fixed = self._fixed(file)
        form = bulk.RowFormat(self.columns, fixed, self.selected_properties())
        if self._batch_files is None:
            rest = self._write_lines(bulk.record_lines(content, form, self.name))
        else:
            rest = self._write_batch_files(self._batch_files, file, content, form)
        if rest is not None:
            self.logger.info("The file of %s is not regular from row %d on.", file.key, rest.rows_before + 1)
            if self.skips_malformed_rows:
                skipped = SkippedLines(rest.reader)
            for page in shape_rows(
                rest.reader, rest.rows, rest.header, self.columns, fixed, rows_before=rest.rows_before
            ):
                self.write(page)
            log_irregularities(rest.reader, file.key.file_id, self.logger)
            if self.skips_malformed_rows:
                skipped.log(file.key.file_id, self.logger)

    def _write_lines(self, conversion: bulk.Conversion[list[memoryview]]) -> bulk.Rest | None:
        self._note_header(conversion.header)
        for rows, lines in conversion.results():
            self.write_lines(*lines)
            self.count(rows)
        return conversion.rest()

    def _write_batch_files(
        self, files: BatchFiles, file: ListedFile, content: t.BinaryIO, form: bulk.RowFormat
    ) -> bulk.Rest | None:
        conversion = files.convert(content, form)
        self._note_header(conversion.header)
        urls, rows = files.write(conversion, f"{self.name}-{file.name}")
        if urls:
            self.write_batch(files.encoding, urls)
        self.count(rows)
        return conversion.rest()

    @cached_property
    def _can_go_in_bulk(self) -> bool:
        """Whether the bulk path is installed and records leave as they are."""
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

    @cached_property
    def _batch_files(self) -> BatchFiles | None:
        settings = self.config.get("batch_config")
        return BatchFiles(settings) if settings else None

    def _fixed(self, file: ListedFile) -> Record:
        account = {} if self.account is None else {ACCOUNT: self.account}
        return {**account, **file_properties(file), "part": file.key.part}

    def _write_row_by_row(self, file: ListedFile, content: t.BinaryIO) -> None:
        log_file = LogFile(content, skip_malformed=self.skips_malformed_rows)
        self._note_header(log_file.header)
        self.write_pages(read_pages(log_file, self.columns, self._fixed(file)))
        log_file.log_findings(file.key.file_id, self.logger)

    @cached_property
    def _note_header(self) -> Callable[[Sequence[str]], None]:
        reported: set[str] = set()

        def note_header(header: Sequence[str]) -> None:
            unknown = [name for name in header if name not in self.columns and name not in reported]
            if unknown:
                reported.update(unknown)
                self.logger.warning(
                    "The files have columns that the schema does not know: %a. They are kept in "
                    "`additional_properties`.",
                    unknown,
                )

        return note_header


class Impressions(RowReaderStream):
    """The rows of impression files."""

    name = "index_exchange_impressions"
    columns = COLUMNS
    schema = row_schema(COLUMNS)


class Bids(RowReaderStream):
    """The rows of bid files."""

    name = "index_exchange_bids"
    event_types = frozenset({"bids"})
    columns = BID_COLUMNS
    schema = row_schema(BID_COLUMNS)
