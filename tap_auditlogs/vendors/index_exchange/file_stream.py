"""The base of the streams that are made of files, and what their records have in common."""

from __future__ import annotations

import abc
import typing as t
from importlib import import_module

from tap_auditlogs.core.child_stream import ChildStream
from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.vendors.index_exchange.listing import ListedFile
    from tap_auditlogs.vendors.index_exchange.manifest import Work


class FileStream(ChildStream, abc.ABC):
    """A stream made of the rows of files. Its `parent_stream_type` is `FilesStream`, in whose pass it is written.

    Attributes:
        event_types: Of the files that it reads.
        work: What is finished in the manifest when a file was written.
    """

    source_name = staticmethod(str)  # the columns of files are in snake_case
    replication_key = "file_md5"
    has_bookmark = False  # the manifest is in that of `FilesStream`
    event_types: t.ClassVar[frozenset[str]] = frozenset({"impressions"})
    work: t.ClassVar[Work]

    @property
    def reads_event_types(self) -> frozenset[str]:
        """The event types whose files it reads with the present settings."""
        return self.event_types & frozenset(self.settings["event_types"])

    @property
    def subject(self) -> object:
        """What the finished work depends on besides the file; None if on nothing."""
        return None

    @property
    def skips_malformed_rows(self) -> bool:
        """Whether a row that is not CSV is skipped, instead of making its file unreadable."""
        return self.settings.get("malformed_rows") == "skip"

    def get_ready(self) -> None:
        """Load what reading takes, while the first file is being downloaded."""

    @abc.abstractmethod
    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        """Write what this stream makes of a file.

        Args:
            file: The file.
            content: Its checksum-verified bytes, from the first on.

        Raises:
            UnreadableFileError: If it cannot be read to its end.
        """

    def write_pages(self, pages: Iterable[list[Record]]) -> None:
        """Write records; no more pages are made than the limit of a `--test` run allows."""
        for page in pages:
            self.write(page)
            if self.records_left == 0:
                return


def file_properties(file: ListedFile) -> Record:
    """Return the properties that all records of a file have in common."""
    return {
        "file_id": file.key.file_id,
        "subscription_id": file.key.subscription_id,
        "hour": format_timestamp(file.key.hour),
        "file_md5": file.md5,
        "file_date_created": file.date_created,
    }


def bulk_is_installed() -> bool:
    """Return whether the packages of the bulk path are installed."""
    try:
        import_module("tap_auditlogs.vendors.index_exchange.bulk")
    except ImportError:
        return False
    return True
