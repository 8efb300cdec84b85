"""The pass over the files: each is downloaded once, ahead of its turn, and passed to every stream that needs it."""

from __future__ import annotations

import logging
import typing as t
from dataclasses import dataclass
from functools import cached_property, partial

from tap_auditlogs.core.errors import ApiError, CredentialsError, TapError, TransientError, unit_failure
from tap_auditlogs.vendors.index_exchange.archive import Archive
from tap_auditlogs.vendors.index_exchange.download import Downloader, Prefetcher
from tap_auditlogs.vendors.index_exchange.manifest import Work

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from concurrent.futures import Future

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.vendor import Settings
    from tap_auditlogs.vendors.index_exchange.available_files import AvailableFiles
    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.file_stream import FileStream
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile

logger = logging.getLogger(__name__)

_FAILURES_IN_A_ROW = 3
"""After so many failed downloads in a row, the server may be down: each further file gets one attempt only. Giving up
on them would let good files expire behind a few that stay bad."""


@dataclass(frozen=True)
class FileTask:
    """A file and the work that is due for it."""

    file: ListedFile
    works: frozenset[Work]

    @property
    def download(self) -> ListedFile | None:
        """The file to download; None if its bytes are not needed."""
        return self.file if self.works - {Work.RECORD} else None


@dataclass(frozen=True)
class FileOutcome:
    """What became of a task.

    Attributes:
        file: The file, possibly as listed again during the pass.
        failure: Names the file.
        record: The record of `index_exchange_files`, if it is to be written.
    """

    file: ListedFile
    finished: AbstractSet[Work]
    unfinished: AbstractSet[Work]
    failure: str | None = None
    record: Record | None = None

    @classmethod
    def failed(cls, file: ListedFile, works: AbstractSet[Work], error: Exception) -> FileOutcome:
        """Return the outcome of a file that could not be downloaded."""
        return cls(file, frozenset(), works, _describe(file, unit_failure(error)))


class FilePass:
    """Processes the files of one run."""

    def __init__(
        self,
        client: IndexExchangeClient,
        settings: Settings,
        available: AvailableFiles,
        readers: Sequence[FileStream],
        make_record: Callable[[ListedFile], Record],
    ) -> None:
        self._settings = settings
        self._available = available
        self._readers = readers
        self._make_record = make_record
        self._downloader = Downloader(client)

    def outcomes(self, tasks: Iterable[FileTask]) -> Iterator[FileOutcome]:
        """Process files in order; one that fails does not stop the others.

        Raises:
            ApiError: If the vendor allows no more requests, or rejects the credentials.
        """
        given_up_in_a_row = 0
        with Prefetcher[FileTask](self._downloader, self._settings["max_concurrency"]) as prefetcher:
            for task, download in prefetcher.results(tasks):
                try:
                    file, content = self._content(task, download)
                except CredentialsError:
                    raise
                except Exception as error:
                    if _concerns_all_files(error):
                        raise
                    given_up_in_a_row += isinstance(error.__cause__, TransientError)
                    outcome = FileOutcome.failed(task.file, task.works, error)
                else:
                    if content is not None:
                        given_up_in_a_row = 0
                    outcome = self._work_on(FileTask(file, task.works), content)
                self._downloader.is_hurried = given_up_in_a_row >= _FAILURES_IN_A_ROW
                yield outcome

    def try_out(self, file: ListedFile) -> FileOutcome:
        """Pass a file to its streams for `--test`, without archiving it."""
        works = frozenset(Work) - {Work.ARCHIVE}
        try:
            content = self._downloader.download(file)
        except CredentialsError:
            raise
        except Exception as error:  # noqa: BLE001 - the files of the other event types go on
            return FileOutcome.failed(file, works, error)
        return self._work_on(FileTask(file, works), content)

    def _content(self, task: FileTask, download: Future[t.BinaryIO] | None) -> tuple[ListedFile, t.BinaryIO | None]:
        """Wait for a file; if its download fails, list again: it may have been replaced, or its URL have expired."""
        if download is None:
            return task.file, None
        for reader in self._readers_of(task):
            reader.get_ready()
        try:
            return task.file, download.result()
        except CredentialsError:
            raise
        except ApiError as error:
            if _concerns_all_files(error) or self._downloader.is_hurried:
                raise
            logger.warning("%s. Listing the files again.", _describe(task.file, error).rstrip("."))
            file = self._available.list_again(task.file)
            if file is None:
                raise
            return file, self._downloader.download(file)

    def _work_on(self, task: FileTask, content: t.BinaryIO | None) -> FileOutcome:
        """Process a file; a step that fails does not stop the others."""
        finished: set[Work] = set()
        failures: list[TapError] = []
        record: Record | None = None
        try:
            for work, step in self._steps(task, content):
                if work is Work.RECORD and Work.ROWS in task.works - finished:
                    continue  # the record says that the rows have been written
                try:
                    record = step() or record
                except Exception as error:  # noqa: BLE001 - the other steps and files go on
                    # The frames of a traceback hold the page that was being read.
                    failures.append(unit_failure(error).with_traceback(None))
                else:
                    finished.add(work)
        finally:
            if content is not None:
                content.close()
        failure = _describe(task.file, failures[0]) if failures else None
        return FileOutcome(task.file, finished, task.works - finished, failure, record)

    def _steps(self, task: FileTask, content: t.BinaryIO | None) -> Iterator[tuple[Work, Callable[[], Record | None]]]:
        """Yield the steps of a task in order; the step of `index_exchange_files` returns its record."""
        if content is not None:
            for reader in self._readers_of(task):
                yield reader.work, partial(self._write, reader, task.file, content)
        if Work.RECORD in task.works:
            yield Work.RECORD, partial(self._make_record, task.file)
        if Work.ARCHIVE in task.works and content is not None:
            yield Work.ARCHIVE, partial(self._keep, task.file, content)

    @staticmethod
    def _write(reader: FileStream, file: ListedFile, content: t.BinaryIO) -> None:
        content.seek(0)
        reader.write_file(file, content)

    def _keep(self, file: ListedFile, content: t.BinaryIO) -> None:
        if not self._archive.holds(file):
            content.seek(0)
            self._archive.keep(file, content)

    def _readers_of(self, task: FileTask) -> list[FileStream]:
        return [
            reader
            for reader in self._readers
            if reader.work in task.works and task.file.key.event_type in reader.reads_event_types
        ]

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self._settings["archive_url"], self._settings.get("archive_options") or {})


def _describe(file: ListedFile, failure: TapError) -> str:
    return str(failure) if file.key.file_id in str(failure) else f"file {file.key.file_id}: {failure}"


def _concerns_all_files(error: Exception) -> bool:
    """Return whether the error concerns every file: the vendor allows no more requests now."""
    return isinstance(error, ApiError) and error.status == 429  # noqa: PLR2004 - Too Many Requests
