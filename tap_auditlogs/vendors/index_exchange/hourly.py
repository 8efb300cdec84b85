"""The stream of hourly counts and sums, with names from the mappings."""

from __future__ import annotations

import typing as t
from functools import cached_property

from typing_extensions import override

from tap_auditlogs.core.errors import TapError, unit_failure
from tap_auditlogs.vendors.index_exchange.columns import hourly_schema
from tap_auditlogs.vendors.index_exchange.file_stream import FileStream, bulk_is_installed, file_properties
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.log_file import LogFile
from tap_auditlogs.vendors.index_exchange.manifest import Work
from tap_auditlogs.vendors.index_exchange.mappings import fetch_names
from tap_auditlogs.vendors.index_exchange.settings import DEFAULT_DIMENSIONS
from tap_auditlogs.vendors.index_exchange.totals import MEASURES, hourly_records, long_sums, total_rows

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile
    from tap_auditlogs.vendors.index_exchange.totals import Group, Names, Totals


class HourlyStream(FileStream):
    """Counts and sums of impression files, per hour and dimensions."""

    name = "index_exchange_hourly"
    parent_stream_type = FilesStream
    work = Work.HOURLY
    primary_keys = ("file_id", "group_key")

    @cached_property
    def _dimensions(self) -> Sequence[str]:
        return tuple(self.settings.get("hourly_dimensions") or DEFAULT_DIMENSIONS)

    @cached_property
    @override
    def schema(self) -> dict[str, t.Any]:
        return hourly_schema(self._dimensions)

    @property
    @override
    def subject(self) -> object:
        return sorted(self._dimensions)

    @override
    def get_ready(self) -> None:
        _ = self._has_bulk

    @override
    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        header = LogFile(content).header
        content.seek(0)
        missing = [name for name in MEASURES if name not in header]
        if missing:
            self.logger.warning("File %s has no column %s: the sums are null.", file.key, " and ".join(missing))
        groups = self._total(file, content)
        records = hourly_records(groups, self._dimensions, file_properties(file), self._names, missing=missing)
        if too_long := long_sums(records):
            self.logger.warning(
                "File %s: sums of %s are too long for a number. They are text in `additional_properties`.",
                file.key,
                " and ".join(too_long),
            )
        self.write(records)

    def _total(self, file: ListedFile, content: t.BinaryIO) -> Mapping[Group, Totals]:
        if self._has_bulk:
            from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

            try:
                return bulk.total_rows(bulk.RegularFile(content), self._dimensions)
            except bulk.IrregularFileError:
                content.seek(0)
        log_file = LogFile(content, skip_malformed=self.skips_malformed_rows)
        groups = total_rows(log_file.rows(), log_file.header, self._dimensions)
        log_file.log_findings(file.key.file_id, self.logger)
        return groups

    @cached_property
    def _has_bulk(self) -> bool:
        if not bulk_is_installed():
            self.logger.warning("tap-auditlogs[bulk] is not installed: files are read row by row, which is slow.")
            return False
        return True

    @property
    def _names(self) -> Names:
        if isinstance(self._fetched_names, TapError):
            raise self._fetched_names
        return self._fetched_names

    @cached_property
    def _fetched_names(self) -> Names | TapError:
        """The names, or why there are none; requested once, not for every file."""
        try:
            return fetch_names(t.cast("IndexExchangeClient", self.connection.client), self.logger)
        except Exception as error:  # noqa: BLE001 - kept for each file, as the names themselves would be
            return unit_failure(error)
