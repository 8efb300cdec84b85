"""The stream of counts and sums: what `totals` makes of impression files, with names from the mappings."""

from __future__ import annotations

import typing as t
from functools import cached_property

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.vendors.index_exchange.columns import hourly_schema
from tap_auditlogs.vendors.index_exchange.file_reader import FileReader, bulk_is_installed, file_properties
from tap_auditlogs.vendors.index_exchange.files import Files
from tap_auditlogs.vendors.index_exchange.manifest import Work
from tap_auditlogs.vendors.index_exchange.mappings import fetch_names
from tap_auditlogs.vendors.index_exchange.settings import DEFAULT_DIMENSIONS
from tap_auditlogs.vendors.index_exchange.totals import hourly_records, total_rows

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile
    from tap_auditlogs.vendors.index_exchange.totals import Group, Names, Totals


class Hourly(FileReader):
    """Counts and sums of impression files, per hour and dimensions."""

    name = "index_exchange_hourly"
    parent_stream_type = Files
    work = Work.HOURLY
    primary_keys = ("file_id", "group_key")

    @cached_property
    def _dimensions(self) -> Sequence[str]:
        return tuple(self.settings.get("hourly_dimensions") or DEFAULT_DIMENSIONS)

    @cached_property
    def schema(self) -> dict[str, t.Any]:
        """The schema, with a column per configured dimension."""
        return hourly_schema(self._dimensions)

    @property
    def subject(self) -> object:
        """The dimensions, in whatever order."""
        return sorted(self._dimensions)

    def get_ready(self) -> None:
        """Load what reading takes."""
        _ = self._total_rows

    def pages_of(self, file: ListedFile, content: t.BinaryIO) -> Iterator[list[Record]]:
        """Make records of a file.

        Args:
            file: The file.
            content: Its bytes, from the first on.

        Yields:
            All records of the file.
        """
        groups = self._total_rows(content, self._dimensions)
        yield hourly_records(groups, self._dimensions, file_properties(file), self._names)

    @cached_property
    def _total_rows(self) -> Callable[[t.BinaryIO, Sequence[str]], dict[Group, Totals]]:
        if not bulk_is_installed():
            self.logger.warning("tap-auditlogs[bulk] is not installed: files are read row by row, which takes long.")
            return total_rows
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        return bulk.total_rows

    @property
    def _names(self) -> Names:
        if isinstance(self._fetched_names, TapError):
            raise self._fetched_names
        return self._fetched_names

    @cached_property
    def _fetched_names(self) -> Names | TapError:
        """The names, or why there are none: they are asked for once, not for every file."""
        try:
            return fetch_names(t.cast("IndexExchangeClient", self.connection.client), self.logger)
        except TapError as error:
            return error
