"""The stream of files, in whose pass all streams made of files are written.

`FilesStream` lists the files, downloads each that is due once, passes it to every stream that needs it, and writes its
own record last, followed by a STATE. The manifest in the state says which streams each file is finished for, so that a
stream that is selected later starts from `start_date`.
"""

from __future__ import annotations

import typing as t
from contextlib import closing
from datetime import date
from functools import cached_property
from itertools import chain

from singer_sdk import typing as th
from typing_extensions import override

from tap_auditlogs.core.child_stream import ReportedError, being_written, selected_children
from tap_auditlogs.core.errors import StateError, TapError
from tap_auditlogs.core.progress import Bar
from tap_auditlogs.core.state import fingerprint
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.times import format_timestamp
from tap_auditlogs.vendors.index_exchange.available_files import AvailableFiles
from tap_auditlogs.vendors.index_exchange.columns import ADDITIONAL_PROPERTIES, FILE_ID
from tap_auditlogs.vendors.index_exchange.file_pass import FileOutcome, FilePass, FileTask
from tap_auditlogs.vendors.index_exchange.file_stream import FileStream
from tap_auditlogs.vendors.index_exchange.manifest import RETENTION, FileKey, Manifest, Work, work_due

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.state import Bookmark
    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile

_MANIFEST = "manifest"
_LISTED_ON = "listed_on"
_FINGERPRINTS = {Work.HOURLY: "hourly", Work.ARCHIVE: "archive"}
_FILES_NAMED = 5

_SOURCE_NAMES = {
    "subscription_name": "subscriptionName",
    "date_created": "dateCreated",
    "file_size": "fileSize",
    "download_status": "downloadStatus",
}


class FilesFailedError(ReportedError):
    """Some files or lists failed; each failure has been logged and noted with its streams."""


def _listed_name(name: str) -> str:
    return _SOURCE_NAMES.get(name, name)


class FilesStream(AuditStream):
    """The available files; in its pass, all streams made of files are written."""

    name = "index_exchange_files"
    primary_keys = ("file_id",)
    replication_key = "md5sum"
    source_name: t.ClassVar[Callable[[str], str]] = staticmethod(_listed_name)
    derived_properties = ("file_id", "event_type", "subscription_id", "hour", "part", "parts", "md5sum")
    schema = th.PropertiesList(
        FILE_ID,
        th.Property("event_type", th.StringType(nullable=False), required=True, description="impressions or bids."),
        th.Property(
            "subscription_id", th.IntegerType(nullable=False), required=True, description="Tells subscriptions apart."
        ),
        th.Property("subscription_name", th.StringType, description="The label of the subscription."),
        th.Property(
            "hour", th.DateTimeType(nullable=False), required=True, description="The hour that the file covers, UTC."
        ),
        th.Property("part", th.IntegerType(nullable=False), required=True, description="Of the hour's files, from 0."),
        th.Property(
            "parts",
            th.IntegerType,
            description="The number of files that the hour has now. A part that is gone gets a last record, in which "
            "`part` is not below it.",
        ),
        th.Property("md5sum", th.StringType, description="Of the current version; null for a part that is gone."),
        th.Property("date_created", th.DateTimeType, description="When it was generated."),
        th.Property("expires", th.DateTimeType, description="When the vendor purges it."),
        th.Property("file_size", th.IntegerType, description="Bytes, compressed."),
        th.Property(
            "download_status", th.StringType, description="Whether the vendor has seen this account download it."
        ),
        ADDITIONAL_PROPERTIES,
    ).to_dict()

    @override
    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:
        with being_written(self._readers):
            yield from self._read_files()

    def _read_files(self) -> Iterator[list[Record]]:
        available = AvailableFiles(self._client, self.settings["event_types"], self.logger)
        file_pass = FilePass(self._client, self.settings, available, self._readers, self._record)
        listing = available.list_all(self._wants_hour)
        failures = [*map(str, listing.failures.values()), *listing.faults]
        for event_type, failure in listing.failures.items():
            self._note_failure(failure, event_type, frozenset(Work))
        if self.ABORT_AT_RECORD_COUNT is not None:
            newest = {file.key.event_type: file for file in listing.files}
            pages = self._pages(map(file_pass.try_out, newest.values()), failures)
            yield list(chain.from_iterable(pages))  # at once, since the limit may end the stream after a page
        else:
            manifest = self._manifest(listing.files)
            yield from self._follow_parts(listing.files, manifest)
            tasks = list(self._tasks(listing.files, manifest))
            with closing(Bar("files", total=len(tasks), unit=" files")) as bar:
                outcomes = bar.counted(file_pass.outcomes(tasks))
                yield from self._pages(outcomes, failures, manifest)
            self.bookmark.advance(None, **{_LISTED_ON: self._read_up_to()})
            self._save(manifest)
        _raise_if_any(failures)

    def _pages(
        self, outcomes: Iterable[FileOutcome], failures: list[str], manifest: Manifest | None = None
    ) -> Iterator[list[Record]]:
        for outcome in outcomes:
            if outcome.record is not None:
                yield [outcome.record]
            if outcome.finished and manifest is not None:
                self._finish(outcome, manifest)
            if outcome.failure is not None:
                failures.append(outcome.failure)
                self.logger.error("%s. It is left for the next run.", outcome.failure.rstrip("."))
                self._note_failure(TapError(outcome.failure), outcome.file.key.event_type, outcome.unfinished)

    def _finish(self, outcome: FileOutcome, manifest: Manifest) -> None:
        finished = set(outcome.finished)
        if self.settings["malformed_rows"] == "fail" and finished & {Work.ROWS, Work.HOURLY}:
            finished.add(Work.MALFORMED_ROWS)  # a file with malformed rows would not have been finished
        manifest.finish(outcome.file.key, outcome.file.md5, finished, parts=outcome.file.parts)
        self._save(manifest)

    def _note_failure(self, failure: TapError, event_type: str, works: Collection[Work]) -> None:
        """Mark the streams that lack rows because of a failure."""
        for stream in self._readers:
            if stream.work in works and event_type in stream.reads_event_types:
                stream.fail(failure)

    def _tasks(self, files: Iterable[ListedFile], manifest: Manifest) -> Iterator[FileTask]:
        for file in files:
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
        """Return the work that the settings and the selection ask for."""
        works = {Work.RECORD} if self.selected else set()
        works |= {stream.work for stream in self._readers if event_type in stream.reads_event_types}
        return works | ({Work.ARCHIVE} if "archive_url" in self.settings else set())

    def _wants_hour(self, hour: datetime) -> bool:
        after_start = self.start_date is None or hour >= self.start_date
        return after_start and (self.end_date is None or hour < self.end_date)

    @property
    def _client(self) -> IndexExchangeClient:
        return t.cast("IndexExchangeClient", self.connection.client)

    @cached_property
    def _readers(self) -> list[FileStream]:
        """The selected streams made of files, if they read any with these settings."""
        readers = selected_children(self, FileStream)  # type: ignore[type-abstract] # only a filter, never called
        return [stream for stream in readers if stream.reads_event_types]

    # The manifest

    def _manifest(self, files: Sequence[ListedFile]) -> Manifest:
        """Load the manifest without expired files, and without work that was done for other settings."""
        self._warn_of_lost_hours()
        manifest = Manifest.load(self.bookmark.note(_MANIFEST))
        manifest.prune((file.key for file in files), self._client.server_time())
        subjects: Mapping[Work, object] = {
            stream.work: stream.subject for stream in self._readers if stream.subject is not None
        }
        if "archive_url" in self.settings:
            subjects = {**subjects, Work.ARCHIVE: self.settings["archive_url"]}
        for work, subject in subjects.items():
            name, present = _FINGERPRINTS[work], fingerprint(subject)
            if self.bookmark.note(name) != present:
                manifest.forget(work)
                self.bookmark.advance(None, **{name: present})
        return manifest

    def _follow_parts(self, files: Iterable[ListedFile], manifest: Manifest) -> Iterator[list[Record]]:
        """Update the numbers of parts; yield a last record for each part that is gone."""
        for file in files:
            key = file.key
            if key.part or (self.end_date is not None and key.hour >= self.end_date):
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

    def _read_up_to(self) -> str:
        """Return the date up to which the files have been read: hours from `end_date` on may expire unread."""
        now = self._client.server_time()
        day = (now if self.end_date is None else min(now, self.end_date)).date().isoformat()
        return max(day, self.bookmark.note(_LISTED_ON) or "")

    def _warn_of_lost_hours(self) -> None:
        listed_on = self.bookmark.note(_LISTED_ON)
        if listed_on is None:
            return
        away = self._client.server_time().date() - date.fromisoformat(listed_on)
        if away >= RETENTION:  # of the day only the date is known
            self.logger.warning(
                "Index Exchange keeps files for %d days and they were read up to %s: those of hours to %s may be lost.",
                RETENTION.days,
                listed_on,
                (self._client.server_time() - RETENTION).date(),
            )

    @override
    def check_bookmark(self, bookmark: Bookmark) -> None:
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
            "file_id": key.file_id,
            "event_type": key.event_type,
            "subscription_id": key.subscription_id,
            "hour": format_timestamp(key.hour),
            "part": key.part,
            "parts": parts,
            "md5sum": md5,
            **record,
        }


def _raise_if_any(failures: Sequence[str]) -> None:
    if failures:
        named = "; ".join(failures[:_FILES_NAMED])
        more = f"; and {len(failures) - _FILES_NAMED} more" if len(failures) > _FILES_NAMED else ""
        msg = f"{len(failures)} files or lists are left for the next run: {named}{more}"
        raise FilesFailedError(msg)
