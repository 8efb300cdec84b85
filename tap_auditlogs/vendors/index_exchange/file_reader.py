"""What the streams made of files have in common: they are written in the pass of their parent, file by file."""

from __future__ import annotations

import abc
import typing as t
from contextlib import contextmanager
from importlib import import_module

from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.times import format_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.errors import TapError
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile
    from tap_auditlogs.vendors.index_exchange.manifest import Work


class FileReader(AuditStream, abc.ABC):
    """A stream made of the rows of files. Its `parent_stream_type` is `Files`, in whose pass it is written.

    Attributes:
        event_type: Of the files.
        work: What is finished in the manifest when a file was written.
        failure: Why it lacks the rows of a file; None if it lacks none.
    """

    replication_key = "file_md5"
    event_type: t.ClassVar[str] = "impressions"
    work: t.ClassVar[Work]
    failure: TapError | None = None

    def get_pages(self, context: Context | None) -> Iterable[list[Record]]:  # noqa: ARG002 - the base's signature
        """Read nothing: `Files` has `write_file` called.

        Args:
            context: None.

        Returns:
            No pages.
        """
        return ()

    @contextmanager
    def being_written(self) -> Iterator[None]:
        """Count records from the SCHEMA message, which is written here, to the end of the pass.

        Yields:
            Nothing.
        """
        self.write_schema()
        with self.get_record_counter() as counter:
            self._counter = counter
            yield

    def count(self, records: int) -> None:
        """Count records that have been written.

        Args:
            records: How many.
        """
        self._counter.increment(records)

    @property
    def subject(self) -> object:
        """What the finished work depends on besides the file; None if on nothing."""
        return None

    @abc.abstractmethod
    def get_ready(self) -> None:
        """Load what reading takes. There is time for it while the first file is being downloaded."""

    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        """Write what this stream makes of a file.

        Args:
            file: The file.
            content: Its bytes, proven.

        Raises:
            UnreadableFileError: If it cannot be read to its end.
        """
        for page in self.pages_of(file, content):
            records = page[: self.ABORT_AT_RECORD_COUNT]
            self.write_page(records)
            self.count(len(records))
            if self.ABORT_AT_RECORD_COUNT is not None:
                return

    @abc.abstractmethod
    def pages_of(self, file: ListedFile, content: t.BinaryIO) -> Iterator[list[Record]]:
        """Make records of a file.

        Args:
            file: The file.
            content: Its bytes, from the first on.

        Yields:
            Records.
        """


def file_properties(file: ListedFile) -> Record:
    """Make the properties that all records of a file have alike.

    Args:
        file: The file.

    Returns:
        Their values.
    """
    return {
        "file_id": file.key.file_id,
        "subscription_id": file.key.subscription_id,
        "hour": format_timestamp(file.key.hour),
        "file_md5": file.md5,
        "file_date_created": file.date_created,
    }


def bulk_is_installed() -> bool:
    """Tell whether files can be read by the bulk path.

    Returns:
        Whether its packages are installed.
    """
    try:
        import_module("tap_auditlogs.vendors.index_exchange.bulk")
    except ImportError:
        return False
    return True
