"""The files, and what is made of their rows.

All of it is one pass: `Files` lists the files, downloads each that is due once, hands it to every stream that needs
it, writes its own record last, and then a STATE. What was finished is in the manifest, file by file and stream by
stream, so that a stream selected later starts where it has to.
"""

from __future__ import annotations

import abc
import hashlib
import json
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from importlib import import_module

from singer_sdk import typing as th

from tap_auditlogs.core.errors import ApiError, CredentialsError, StateError, TapError, TransientError
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.times import format_timestamp
from tap_auditlogs.vendors.index_exchange.archive import Archive
from tap_auditlogs.vendors.index_exchange.batch import BatchFiles
from tap_auditlogs.vendors.index_exchange.columns import (
    ADDITIONAL_PROPERTIES,
    BID_COLUMNS,
    COLUMNS,
    hourly_schema,
    row_schema,
)
from tap_auditlogs.vendors.index_exchange.download import Downloader, Prefetcher
from tap_auditlogs.vendors.index_exchange.hourly import hourly_records, total_rows
from tap_auditlogs.vendors.index_exchange.listing import PATHS, ListedFile, read_listing
from tap_auditlogs.vendors.index_exchange.manifest import (
    LATENESS,
    RETENTION,
    FileKey,
    Manifest,
    Work,
    missing_hours,
    work_due,
)
from tap_auditlogs.vendors.index_exchange.mappings import fetch_names
from tap_auditlogs.vendors.index_exchange.reading import read_pages, shape_rows
from tap_auditlogs.vendors.index_exchange.settings import DEFAULT_DIMENSIONS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.state import Bookmark
    from tap_auditlogs.vendors.index_exchange import bulk
    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.columns import Kind
    from tap_auditlogs.vendors.index_exchange.hourly import Group, Names, Totals

# Vendor page: file generation pauses after 35 days without a call, and is not made up for.
PAUSE_AFTER = timedelta(days=35)

_MANIFEST = "manifest"
_LISTED_ON = "listed_on"
_FINGERPRINTS = {Work.HOURLY: "hourly", Work.ARCHIVE: "archive"}
_HOURS_NAMED = 5
_FILES_NAMED = 5
_FAILURES_IN_A_ROW = 3
"""So many files in a row that a server does not give, after all tries, mean that it gives none."""

_SOURCE_NAMES = {
    "subscription_name": "subscriptionName",
    "date_created": "dateCreated",
    "file_size": "fileSize",
    "download_status": "downloadStatus",
}


class FilesFailedError(TapError):
    """Some files are left for the next run."""


def _listed_name(name: str) -> str:
    return _SOURCE_NAMES.get(name, name)


@dataclass(frozen=True)
class FileTask:
    """What there is to do with a file.

    Attributes:
        file: The file.
        works: What to do.
    """

    file: ListedFile
    works: frozenset[Work]

    @property
    def download(self) -> ListedFile | None:
        """The file, if its bytes are needed."""
        return self.file if self.works - {Work.RECORD} else None


class Files(AuditStream):
    """The available files, and the pass over them that serves all streams made of files."""

    name = "index_exchange_files"
    primary_keys = ("event_type", "subscription_id", "hour", "part")
    replication_key = "md5sum"
    source_name: t.ClassVar[Callable[[str], str]] = staticmethod(_listed_name)
    derived_properties = ("event_type", "subscription_id", "hour", "part", "parts", "md5sum")
    schema = th.PropertiesList(
        th.Property("event_type", th.StringType(nullable=False), required=True, description="impressions or bids."),
        th.Property(
            "subscription_id", th.IntegerType(nullable=False), required=True, description="Tells subscriptions apart."
        ),
        th.Property("subscription_name", th.StringType, description="Its label."),
        th.Property("hour", th.DateTimeType(nullable=False), required=True, description="The hour that it covers."),
        th.Property("part", th.IntegerType(nullable=False), required=True, description="Of the hour's files, from 0."),
        th.Property(
            "parts",
            th.IntegerType,
            description="How many files the hour has now. A part that is gone gets a last record, whose part is not "
            "below it.",
        ),
        th.Property("md5sum", th.StringType, description="Of the current version; null for a part that is gone."),
        th.Property("date_created", th.DateTimeType, description="When it was generated."),
        th.Property("expires", th.DateTimeType, description="When the vendor purges it."),
        th.Property("file_size", th.IntegerType, description="Bytes, compressed."),
        th.Property("download_status", th.StringType, description="What the vendor thinks this account has read."),
        ADDITIONAL_PROPERTIES,
    ).to_dict()

    # The pass

    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:  # noqa: ARG002 - not partitioned
        """Work through the files that are due, oldest hour first.

        Args:
            context: None.

        Yields:
            The record of each finished file.

        Raises:
            FilesFailedError: At the end, if files are left for the next run.
        """
        with ExitStack() as stack:
            for stream in self._readers:
                stack.enter_context(stream.being_written())
            yield from self._read_files()

    def _read_files(self) -> Iterator[list[Record]]:
        files, failures = self._list_files()
        if self.ABORT_AT_RECORD_COUNT is not None:
            yield self._try_newest(files)
            return
        manifest = self._manifest(files)
        yield from self._follow_parts(files, manifest)
        for file, finished, failure in self._work_through(files, manifest):
            if Work.RECORD in finished:
                yield [self._record(file)]
            if finished:
                manifest.finish(file.key, file.md5, finished, parts=file.parts)
                self._save(manifest)
            if failure is not None:
                self.logger.error("%s. It is left for the next run.", failure)
                failures.append(f"{file.key}: {failure}")
        self.bookmark.advance(None, **{_LISTED_ON: self._client.server_time().date().isoformat()})
        self._save(manifest)
        if failures:
            named = "; ".join(failures[:_FILES_NAMED])
            more = f"; and {len(failures) - _FILES_NAMED} more" if len(failures) > _FILES_NAMED else ""
            msg = f"{len(failures)} files are left for the next run: {named}{more}"
            raise FilesFailedError(msg)

    def _work_through(
        self, files: Sequence[ListedFile], manifest: Manifest
    ) -> Iterator[tuple[ListedFile, set[Work], TapError | None]]:
        """Do what is due; a file that fails does not keep the others from being read."""
        given_up_in_a_row = 0
        downloader = Downloader(self._client)
        with Prefetcher[FileTask](downloader, self.settings["max_concurrency"]) as prefetcher:
            for task, download in prefetcher.results(self._tasks(files, manifest)):
                finished: set[Work] = set()
                failure: TapError | None = None
                file = task.file
                try:
                    file, content = self._content(task, download, downloader)
                    given_up_in_a_row = 0
                except CredentialsError:
                    raise
                except TapError as error:
                    failure = error
                    given_up_in_a_row += isinstance(error.__cause__, TransientError)
                    if _is_about_all_files(error) or given_up_in_a_row >= _FAILURES_IN_A_ROW:
                        raise
                else:
                    try:
                        for work in self._do(FileTask(file, task.works), content):
                            finished.add(work)
                    except TapError as error:
                        failure = error
                    finally:
                        if content is not None:
                            content.close()
                yield file, finished, failure

    def _tasks(self, files: Iterable[ListedFile], manifest: Manifest) -> Iterator[FileTask]:
        for file in sorted(files, key=lambda file: file.key):
            works = work_due(
                file.key,
                file.md5,
                manifest,
                self._works(file.key.event_type),
                start=self.start_date,
                end=self.end_date,
            )
            if works:
                yield FileTask(file, works)

    def _works(self, event_type: str) -> set[Work]:
        """Tell what the settings and the selection want of the files of an event type."""
        works = {Work.RECORD} if self.selected else set()
        works |= {stream.work for stream in self._readers if stream.event_type == event_type}
        return works | ({Work.ARCHIVE} if "archive_url" in self.settings else set())

    def _content(
        self, task: FileTask, download: Future[t.BinaryIO] | None, downloader: Downloader
    ) -> tuple[ListedFile, t.BinaryIO | None]:
        """Wait for a file; if it cannot be had as listed, list again: it may have been replaced, or its URL be old."""
        if download is None:
            return task.file, None
        try:
            return task.file, download.result()
        except CredentialsError:
            raise
        except ApiError as error:
            if _is_about_all_files(error):
                raise
            self.logger.warning("%s. Listing the files again.", error)
            file = self._listed_again(task.file)
            if file is None:
                raise
            return file, downloader.download(file)

    def _listed_again(self, file: ListedFile) -> ListedFile | None:
        """Return what the list says of a file now, if that is something else than before."""
        listing = read_listing(self._ask_for_list(file.key.event_type), file.key.event_type)
        current = next((listed for listed in listing.files if listed.key == file.key), None)
        if current is None or (current.md5, current.url) == (file.md5, file.url) or current.parts != file.parts:
            return None
        return current

    def _do(self, task: FileTask, content: t.BinaryIO | None) -> Iterator[Work]:
        """Do the work on a file; its own record comes when the rows that it stands for are there."""
        for stream in self._readers:
            if stream.work in task.works and content is not None and stream.event_type == task.file.key.event_type:
                content.seek(0)
                stream.write_file(task.file, content)
                yield stream.work
        if Work.RECORD in task.works:
            yield Work.RECORD
        if Work.ARCHIVE in task.works and content is not None:
            if not self._archive.holds(task.file):
                content.seek(0)
                self._archive.keep(task.file, content)
            yield Work.ARCHIVE

    def _try_newest(self, files: Sequence[ListedFile]) -> list[Record]:
        """For `--test`: read the beginning of one file of each event type; nothing is archived or remembered."""
        newest = {file.key.event_type: file for file in sorted(files, key=lambda file: file.key)}
        for file in newest.values():
            works = frozenset(stream.work for stream in self._readers)
            with Downloader(self._client).download(file) as content:
                for _ in self._do(FileTask(file, works - {Work.ARCHIVE}), content):
                    pass
        return [self._record(file) for file in newest.values()]

    @cached_property
    def _readers(self) -> list[FileReader]:
        """The selected streams that are made of files."""
        children = [stream for stream in self.child_streams if isinstance(stream, FileReader) and stream.selected]
        return [stream for stream in children if stream.event_type in self.settings["event_types"]]

    @property
    def _client(self) -> IndexExchangeClient:
        return t.cast("IndexExchangeClient", self.connection.client)

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self.settings["archive_url"], self.settings.get("archive_options") or {})

    # The lists

    def _list_files(self) -> tuple[list[ListedFile], list[str]]:
        files: list[ListedFile] = []
        faults: list[str] = []
        for event_type in dict.fromkeys(self.settings["event_types"]):
            listing = read_listing(self._ask_for_list(event_type), event_type)
            files += listing.files
            faults += listing.faults
            self._warn_of_pause(event_type, listing.files)
        for fault in faults:
            self.logger.error("index_exchange: %s. It is left for the next run.", fault)
        self._warn_of_holes(files)
        return files, faults

    def _ask_for_list(self, event_type: str) -> t.Any:
        return self._client.get(PATHS[event_type], what=f"list of {event_type} files")

    def _warn_of_pause(self, event_type: str, files: Sequence[ListedFile]) -> None:
        newest = max((file.key.hour for file in files), default=None)
        if newest is None or newest < self._client.server_time() - 2 * LATENESS:
            self.logger.warning(
                "The newest listed file of %s is of %s. Index Exchange generates files only where that is enabled, and "
                "pauses after %d days without a call; hours in between are not made up for.",
                event_type,
                "no hour at all" if newest is None else f"{newest:%Y-%m-%d %H:00}",
                PAUSE_AFTER.days,
            )

    def _warn_of_holes(self, files: Sequence[ListedFile]) -> None:
        hours: dict[str, set[datetime]] = {}
        for file in files:
            hours.setdefault(file.key.group, set()).add(file.key.hour)
        settled = self._client.server_time() - LATENESS
        for group, there in hours.items():
            holes = [hour for hour in missing_hours(there) if hour < settled and self._wants_hour(hour)]
            if holes:
                self.logger.warning(
                    "No file of %s is listed for %d hours between others, older than they should be to appear: %s%s.",
                    group,
                    len(holes),
                    ", ".join(f"{hour:%Y-%m-%dT%H}" for hour in holes[:_HOURS_NAMED]),
                    ", ..." if len(holes) > _HOURS_NAMED else "",
                )

    def _wants_hour(self, hour: datetime) -> bool:
        after_start = self.start_date is None or hour >= self.start_date
        return after_start and (self.end_date is None or hour < self.end_date)

    # The manifest

    def _manifest(self, files: Sequence[ListedFile]) -> Manifest:
        """Load the manifest, and drop from it what no longer holds."""
        self._warn_of_lost_hours()
        manifest = Manifest.load(self.bookmark.note(_MANIFEST))
        manifest.prune((file.key for file in files), self._client.server_time())
        subjects: Mapping[Work, object] = {
            stream.work: stream.subject for stream in self._readers if stream.subject is not None
        }
        if "archive_url" in self.settings:
            subjects = {**subjects, Work.ARCHIVE: self.settings["archive_url"]}
        for work, subject in subjects.items():
            name, fingerprint = _FINGERPRINTS[work], _fingerprint(subject)
            if self.bookmark.note(name) != fingerprint:
                manifest.forget(work)
                self.bookmark.advance(None, **{name: fingerprint})
        return manifest

    def _follow_parts(self, files: Iterable[ListedFile], manifest: Manifest) -> Iterator[list[Record]]:
        """Where an hour has another number of parts than before, tell so of the parts that are gone."""
        for file in sorted(files, key=lambda file: file.key):
            key = file.key
            if key.part or not self._wants_hour(key.hour):
                continue
            vanished = manifest.vanished_parts(key.group, key.hour, file.parts) if self.selected else []
            if vanished:
                yield [self._tombstone(file, part) for part in vanished]
            manifest.set_parts(key.group, key.hour, file.parts)
            if vanished:
                self._save(manifest)

    def _save(self, manifest: Manifest) -> None:
        self.bookmark.advance(None, **{_MANIFEST: manifest.dump()})
        self.checkpoint()

    def _warn_of_lost_hours(self) -> None:
        listed_on = self.bookmark.note(_LISTED_ON)
        if listed_on is None:
            return
        away = self._client.server_time().date() - date.fromisoformat(listed_on)
        if away > RETENTION:
            self.logger.warning(
                "Index Exchange keeps files for %d days and was last asked on %s: those of hours until %s may be lost.",
                RETENTION.days,
                listed_on,
                (self._client.server_time() - RETENTION).date(),
            )

    def check_bookmark(self, bookmark: Bookmark) -> None:
        """Refuse a manifest that cannot be understood.

        Args:
            bookmark: The bookmark as loaded.

        Raises:
            StateError: If it cannot be understood.
        """
        if bookmark.value is not None:
            msg = f"it holds a value, {bookmark.value!r:.60}, where this tap keeps a `{_MANIFEST}`"
            raise StateError(msg)
        try:
            Manifest.load(bookmark.note(_MANIFEST))
        except ValueError as error:
            msg = f"its `{_MANIFEST}` cannot be read near {str(error)!a:.60}"
            raise StateError(msg) from error
        self.check_time(bookmark.note(_LISTED_ON))

    # Records

    def _record(self, file: ListedFile) -> Record:
        record = self.shaper.shape(file.details)
        return self._identified(record, file.key, file.parts, file.md5)

    def _tombstone(self, file: ListedFile, part: int) -> Record:
        key = FileKey(file.key.hour, file.key.event_type, file.key.subscription_id, part)
        return self._identified(self.shaper.shape({}), key, file.parts, None)

    @staticmethod
    def _identified(record: Record, key: FileKey, parts: int, md5: str | None) -> Record:
        return {
            "event_type": key.event_type,
            "subscription_id": key.subscription_id,
            "hour": format_timestamp(key.hour),
            "part": key.part,
            "parts": parts,
            "md5sum": md5,
            **record,
        }


def _is_about_all_files(error: TapError) -> bool:
    """Tell whether an error says more about the vendor's mood than about a file."""
    return isinstance(error, ApiError) and error.status == 429  # noqa: PLR2004 - Too Many Requests


def _fingerprint(subject: object) -> str:
    return hashlib.sha256(json.dumps(subject).encode()).hexdigest()[:16]


class FileReader(AuditStream, abc.ABC):
    """A stream made of the rows of files, written in the pass of `Files`.

    Attributes:
        event_type: Of the files.
        work: What is finished in the manifest when a file was written.
    """

    parent_stream_type = Files
    replication_key = "file_md5"
    event_type: t.ClassVar[str] = "impressions"
    work: t.ClassVar[Work]

    def get_pages(self, context: Context | None) -> Iterable[list[Record]]:  # noqa: ARG002 - the base's signature
        """Read nothing: `Files` calls `write_file`.

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


def _bulk_is_installed() -> bool:
    try:
        import_module("tap_auditlogs.vendors.index_exchange.bulk")
    except ImportError:
        return False
    return True


def _file_properties(file: ListedFile) -> Record:
    return {
        "subscription_id": file.key.subscription_id,
        "hour": format_timestamp(file.key.hour),
        "file_md5": file.md5,
        "file_date_created": file.date_created,
    }


class RowReaderStream(FileReader, abc.ABC):
    """The rows of files, as they are.

    Attributes:
        columns: The known columns.
    """

    columns: t.ClassVar[Mapping[str, tuple[Kind, str]]]
    work = Work.ROWS
    primary_keys = ("subscription_id", "hour", "part", "row_number")

    def write_file(self, file: ListedFile, content: t.BinaryIO) -> None:
        """Write the rows of a file: by the bulk path as far as that goes, else record by record.

        Args:
            file: The file.
            content: Its bytes, proven.

        Raises:
            UnreadableFileError: If it cannot be read to its end.
            BatchError: If a BATCH file cannot be written.
        """
        if not self._can_go_in_bulk or self.ABORT_AT_RECORD_COUNT is not None:
            super().write_file(file, content)
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
            for page in shape_rows(
                rest.reader, rest.rows, rest.header, self.columns, fixed, self.logger, rows_before=rest.rows_before
            ):
                self.write_page(page)
                self.count(len(page))

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
            self.logger.info("Stream maps or flattening are configured: records are written one by one.")
            return False
        if _bulk_is_installed():
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
        return {**_file_properties(file), "part": file.key.part}

    def pages_of(self, file: ListedFile, content: t.BinaryIO) -> Iterator[list[Record]]:
        """Make records of a file.

        Args:
            file: The file.
            content: Its bytes, from the first on.

        Yields:
            Records.
        """
        yield from read_pages(content, self.columns, self._fixed(file), self.logger, self._note_header)

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
    event_type = "bids"
    columns = BID_COLUMNS
    schema = row_schema(BID_COLUMNS)


class Hourly(FileReader):
    """Counts and sums of impression files, per hour and dimensions."""

    name = "index_exchange_hourly"
    work = Work.HOURLY
    primary_keys = ("subscription_id", "hour", "group_key")

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

    def pages_of(self, file: ListedFile, content: t.BinaryIO) -> Iterator[list[Record]]:
        """Make records of a file.

        Args:
            file: The file.
            content: Its bytes, from the first on.

        Yields:
            All records of the file.
        """
        groups = self._total_rows(content, self._dimensions)
        yield hourly_records(groups, self._dimensions, _file_properties(file), self._names)

    @cached_property
    def _total_rows(self) -> Callable[[t.BinaryIO, Sequence[str]], dict[Group, Totals]]:
        if not _bulk_is_installed():
            self.logger.warning("tap-auditlogs[bulk] is not installed: files are read row by row, which takes long.")
            return total_rows
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        return bulk.total_rows

    @cached_property
    def _names(self) -> Names:
        return fetch_names(t.cast("IndexExchangeClient", self.connection.client))
