"""The questions that settle Index Exchange's assumptions."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import io
import typing as t
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import (
    ApiError,
    CredentialsError,
    ProtocolError,
    RefusedError,
    SkippedStreamError,
    TapError,
)
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.core.times import timestamp_or_none
from tap_auditlogs.doctor.assumptions import Finding, confirmed, contradicted, judged, not_observable
from tap_auditlogs.doctor.checks import Check, Status
from tap_auditlogs.doctor.estimates import Estimate, Load, Pace
from tap_auditlogs.doctor.shapes import json_type, member_names, public_name
from tap_auditlogs.doctor.vendor_doctor import Sample, VendorDoctor, first_failure
from tap_auditlogs.vendors.index_exchange.file_stream import FileStream, file_properties
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.hourly import HourlyStream
from tap_auditlogs.vendors.index_exchange.listing import PATHS, ListedFile, Listing, read_listing
from tap_auditlogs.vendors.index_exchange.log_file import LogFile, UnreadableFileError, read_pages
from tap_auditlogs.vendors.index_exchange.manifest import LATENESS, RETENTION
from tap_auditlogs.vendors.index_exchange.mappings import (
    BuyersStream,
    CampaignsStream,
    DspsStream,
    ExchangeRatesStream,
    ReferenceStream,
    fetch_rows,
)
from tap_auditlogs.vendors.index_exchange.rows import RowStream
from tap_auditlogs.vendors.index_exchange.settings import DEFAULT_DIMENSIONS
from tap_auditlogs.vendors.index_exchange.totals import total_rows
from tap_auditlogs.vendors.index_exchange.transport import UnsafeUrlError, is_own

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient

_MOST_BYTES = 4 << 20
"""Of a file; a larger one is read so far only."""
_MOST_TEXT = 64 << 20
_MOST_LINES_OF_A_CELL = 20
_MOST_SAMPLED_ROWS = 500
_GZIP = 31  # zlib's code for a gzip header and the largest window
_PER_USD, _IN_USD = Decimal("1.15"), Decimal("0.87")
"""The Canadian dollar has been far from par with the US dollar for years."""
_SUNDAY = 7
_NO_FILE = "no file was read"


class _EnoughError(TapError):
    """As much of a file as is wanted has come."""


@dataclass
class FileSample:
    """The beginning of a file.

    Attributes:
        size: How many compressed bytes were read.
        complete: Whether these are all.
        rows: The number of rows in them.
        records: Some of the rows, as the tap reads them.
        fault: Why it cannot be read to its end; empty if it can.
    """

    file: ListedFile
    size: int
    complete: bool
    md5: str
    header: Sequence[str] = ()
    rows: int = 0
    groups: int = 0
    records: list[dict[str, t.Any]] = field(default_factory=list)
    fault: str = ""


@dataclass
class Probes(VendorDoctor):
    """The questions to Index Exchange.

    Attributes:
        lists: The answers of the lists, by event type.
        listings: What they hold; of those that are complete.
        files: The beginning of one file of each event type.
        tables: The rows of the mappings and rates, by stream.
        refusals: Why a mapping could not be read.
        rates: The latest rates of the Canadian dollar.
    """

    reading_posts = ("/token",)

    lists: dict[str, ApiResponse] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    files: dict[str, FileSample] = field(default_factory=dict)
    tables: dict[str, list[t.Any]] = field(default_factory=dict)
    refusals: dict[str, ApiError] = field(default_factory=dict)
    rates: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def api(self) -> IndexExchangeClient:
        """The client."""
        return t.cast("IndexExchangeClient", self.client)

    @property
    @override
    def pace(self) -> Pace:
        return Pace(concurrency=self.settings["max_concurrency"])

    @override
    def permission(self, stream: str) -> str:
        if isinstance(self.streams[stream], ReferenceStream):
            return f"access to {t.cast('ReferenceStream', self.streams[stream]).path}"
        return "the subscription to these files, whose generation Index Exchange has to enable"

    # Samples

    @override
    def sample(self, stream: str) -> Sample:
        instance = self.streams[stream]
        if isinstance(instance, ReferenceStream):
            return self._sample_table(instance)
        event_types = self.settings["event_types"]
        if isinstance(instance, FilesStream):
            self._list_all(event_types)
            return Sample([file.details for listing in self.listings.values() for file in listing.files])
        wanted = sorted(t.cast("FileStream", instance).reads_event_types)
        self._list_all(wanted)
        if not isinstance(instance, RowStream):
            return Sample([])
        for event_type in wanted:
            sample = self._file(event_type, instance)
            if sample is not None:
                return Sample([_as_sent(record) for record in sample.records])
        return Sample([])

    def _sample_table(self, stream: ReferenceStream) -> Sample:
        try:
            self.tables[stream.name] = rows = fetch_rows(self.api, type(stream))
        except RefusedError as error:
            self.refusals[stream.name] = error
            raise SkippedStreamError(str(error)) from error
        except ApiError as error:
            if self.is_refusal(first_failure(error)):
                self.refusals[stream.name] = error
            raise
        return Sample([row for row in rows if isinstance(row, dict)])

    def _list_all(self, event_types: Iterable[str]) -> None:
        """Request the lists; raises for one that cannot be had or is not complete, once all have been requested."""
        first: ApiError | None = None
        for event_type in event_types:
            try:
                if event_type not in self.lists:
                    self.lists[event_type] = self.api.get(PATHS[event_type], what=f"list of {event_type} files")
                if event_type not in self.listings:
                    self.listings[event_type] = read_listing(self.lists[event_type], event_type)
            except CredentialsError:
                raise
            except ApiError as error:
                first = first or error
        if first is not None:
            raise first

    def _file(self, event_type: str, stream: RowStream) -> FileSample | None:
        """Read the beginning of a file of middle size; None if there is none.

        One that has been downloaded before if there is one: the vendor notes that in `downloadStatus`, which others
        may go by.
        """
        listing = self.listings.get(event_type)
        if listing is None or not listing.files:
            return None
        known = [file for file in listing.files if file.details.get("downloadStatus") not in {"new", "updated", None}]
        ordered = sorted(known or listing.files, key=_size)
        file = ordered[len(ordered) // 2]
        content = bytearray()
        complete = self._fetch(file, content)
        md5 = hashlib.md5(bytes(content), usedforsecurity=False).hexdigest()
        sample = self.files[event_type] = FileSample(file, len(content), complete, md5)
        self._read(sample, bytes(content) if complete else _whole_rows(bytes(content)), stream)
        return sample

    def _fetch(self, file: ListedFile, content: bytearray) -> bool:
        def open_sink() -> Callable[[bytes], None]:
            content.clear()
            return take

        def take(data: bytes) -> None:
            content.extend(data)
            if len(content) >= _MOST_BYTES:
                raise _EnoughError

        try:
            self.api.fetch_file(file.url, open_sink, what=f"file {file.key}", tries=1)
        except _EnoughError:
            return False
        return True

    def _read(self, sample: FileSample, content: bytes, stream: RowStream) -> None:
        fixed = {**file_properties(sample.file), "part": sample.file.key.part}
        try:
            log_file = LogFile(io.BytesIO(content))
            sample.header = log_file.header
            for page in read_pages(log_file, stream.columns, fixed):
                sample.rows += len(page)
                sample.records += page[: _MOST_SAMPLED_ROWS - len(sample.records)]
        except UnreadableFileError as error:
            sample.fault = str(error)
        if sample.records and not sample.fault:
            grouped = LogFile(io.BytesIO(content))
            dimensions = self.settings.get("hourly_dimensions") or DEFAULT_DIMENSIONS
            try:
                sample.groups = len(total_rows(grouped.rows(), grouped.header, dimensions))
            except UnreadableFileError:
                sample.groups = sample.rows

    # Checks

    @override
    def checks(self) -> Iterable[Check]:
        for event_type, listing in self.listings.items():
            name = f"generation of {event_type}"
            newest = max((file.key.hour for file in listing.files), default=None)
            late = newest is None or newest < self.client.server_time() - 2 * LATENESS
            yield Check(
                name,
                Status.WARNING if late else Status.OK,
                "no recent file is listed" if late else f"{len(listing.files)} files, the newest of the last days",
                "Ask Index Exchange whether files are generated; that pauses after 35 days without a call"
                if late
                else "",
                facts={"files": len(listing.files)},
            )

    # Probes: each settles the assumption of the same name in the module `doctor`.

    def probe_complete(self) -> Finding:
        if not self.lists:
            return not_observable("no list could be requested")
        incomplete = sum(_is_incomplete(answer, event_type) for event_type, answer in self.lists.items())
        told = f"{incomplete} of {len(self.lists)} lists show that more follows"
        return judged(not incomplete, told)

    def probe_count(self) -> Finding:
        answer = self.lists.get("bids")
        if answer is None:
            return not_observable("bid files are not configured")
        payload = answer.json()
        entries = payload.get("availableDownloads") or []
        parts = sum(len(entry.get("parts") or [entry]) for entry in entries)
        count = payload.get("count")
        if len(entries) == parts or not isinstance(count, int):
            return not_observable("every hour has one part, or nothing is counted")
        if count == len(entries):
            return confirmed(f"it counts {count} hours, of {parts} parts")
        return contradicted(f"it counts {count}, with {len(entries)} hours and {parts} parts")

    def probe_bids_path(self) -> Finding:
        if "bids" in self.lists:
            return confirmed("answered")
        try:
            answer = self.ask(requests.Request("GET", self.settings["api_url"].rstrip("/") + PATHS["bids"]))
        except RefusedError as error:
            return not_observable(f"refused with HTTP {error.status}")
        return confirmed(answer.status) if answer.accepted else contradicted(answer.status)

    def probe_entries(self) -> Finding:
        files = self._listed()
        faults = sum(len(listing.faults) for listing in self.listings.values())
        if not files and not faults:
            return not_observable("no file is listed")
        parts = [part for entry in self._entries() for part in (entry.get("parts") or [])]
        names = f"; parts have {', '.join(member_names(parts))}" if parts else ""
        if faults:
            return contradicted(f"{faults} entries cannot be used{names}")
        return confirmed(f"holds for {len(files)} files{names}")

    def probe_md5(self) -> Finding:
        samples = [sample for sample in self.files.values() if sample.complete]
        if not samples:
            return not_observable(_NO_FILE if not self.files else "the files are too large to be read whole")
        wrong = sum(sample.md5 != sample.file.md5 for sample in samples)
        told = f"{wrong} of {len(samples)} files differ"
        return judged(not wrong, told)

    def probe_hours(self) -> Finding:
        hours = [entry.get("hour") for entry in self._entries()]
        if not hours:
            return not_observable("no file is listed")
        other = sum(not _is_whole_hour(hour) for hour in hours)
        told = f"{other} of {len(hours)} are something else"
        return judged(not other, told)

    def probe_own_host(self) -> Finding:
        files = self._listed()
        if not files:
            return not_observable("no file is listed")
        other = sum(not self._is_own(file.url) for file in files)
        told = f"{other} of {len(files)} are on another host"
        return judged(not other, told)

    def _is_own(self, url: str) -> bool:
        try:
            return is_own(url, self.settings["api_url"])
        except UnsafeUrlError:
            return False

    def probe_status_name(self) -> Finding:
        items = [item for entry in self._entries() for item in [entry, *(entry.get("parts") or [])]]
        names = {name for item in items for name in ("downloadStatus", "downloadStats") if name in item}
        if not names:
            return not_observable("no file has it")
        return contradicted("`downloadStats`") if "downloadStats" in names else confirmed("`downloadStatus`")

    def probe_expiry(self) -> Finding:
        ends = [(timestamp_or_none(file.details.get("expires")), file.key.hour) for file in self._listed()]
        spans = [expires - hour for expires, hour in ends if expires is not None]
        if not spans:
            return not_observable("no file tells when it expires")
        other = sum(span != RETENTION for span in spans)
        told = f"{other} of {len(spans)} expire at another time"
        return judged(not other, told)

    def probe_csv(self) -> Finding:
        if not self.files:
            return not_observable(_NO_FILE)
        faulty = sum(bool(sample.fault) for sample in self.files.values())
        told = f"{faulty} of {len(self.files)} files cannot be read"
        return judged(not faulty, told)

    def probe_impression_columns(self) -> Finding:
        return self._compare_columns("impressions")

    def probe_bid_columns(self) -> Finding:
        return self._compare_columns("bids")

    def _compare_columns(self, event_type: str) -> Finding:
        sample = self.files.get(event_type)
        stream = self.streams.get(f"index_exchange_{event_type}")
        if sample is None or not sample.header or not isinstance(stream, RowStream):
            return not_observable(_NO_FILE)
        unknown = sorted({public_name(name) for name in sample.header if name not in stream.columns})
        missing = sorted(set(stream.columns) - set(sample.header))
        told = f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}"
        return judged(not (unknown or missing), told)

    def probe_times(self) -> Finding:
        moments = [
            (timestamp_or_none(record.get("timestamp")), sample.file.key.hour)
            for sample in self.files.values()
            for record in sample.records
        ]
        if not moments:
            return not_observable("no row was read")
        hour_length = timedelta(hours=1)
        other = sum(moment is None or not hour <= moment < hour + hour_length for moment, hour in moments)
        told = f"{other} of {len(moments)} rows lie outside their file's hour or have no time"
        return judged(not other, told)

    def probe_mapping_keys(self) -> Finding:
        rows = [(self.streams[name].primary_keys, row) for name, table in self.tables.items() for row in table]
        if not rows:
            return not_observable("no mapping has rows")
        without = sum(
            not isinstance(row, dict) or any(row.get(key) is None for key in keys if key != "account")
            for keys, row in rows
        )
        told = f"{without} of {len(rows)} rows lack a key"
        return judged(not without, told)

    def probe_creatives(self) -> Finding:
        rows = [row for row in self.tables.get(CampaignsStream.name, []) if isinstance(row, dict)]
        lists = {public_name(name) for row in rows for name, value in row.items() if isinstance(value, list)}
        if not lists:
            return not_observable("no campaign has a list")
        told = f"lists: {', '.join(sorted(lists))}"
        return judged(lists == {"creatives"}, told)

    def probe_unique_ids(self) -> Finding:
        repeated = seen = 0
        for stream in (DspsStream, BuyersStream):
            rows = [row for row in self.tables.get(stream.name, []) if isinstance(row, dict)]
            keys = Counter(tuple(str(row.get(key)) for key in stream.primary_keys) for row in rows)
            seen += len(rows)
            repeated += len(rows) - len(keys)
        if not seen:
            return not_observable("no mapping has rows")
        told = f"{repeated} of {seen} rows repeat an id"
        return judged(not repeated, told)

    def probe_entitlement(self) -> Finding:
        if not self.refusals:
            return not_observable("nothing was refused")
        others = sum(error.status != HTTPStatus.FORBIDDEN for error in self.refusals.values())
        told = f"{others} of {len(self.refusals)} refusals have another status"
        return judged(not others, told)

    def probe_rates_envelope(self) -> Finding:
        if ExchangeRatesStream.name not in self.tables:
            return not_observable("the exchange rates could not be read")
        answer = self.api.get(f"{ExchangeRatesStream.path}?currency=CAD", what="exchange rates").json()
        self.rates = fetch_rates(answer)
        return confirmed("under `data`") if isinstance(answer, dict) else contradicted(f"an {json_type(answer)}")

    def probe_rate_direction(self) -> Finding:
        rows = self.rates or [row for row in self.tables.get(ExchangeRatesStream.name, []) if isinstance(row, dict)]
        values = [row.get("rate") for row in rows if row.get("currency") == "CAD"]
        numbers = [Decimal(value) for value in values if isinstance(value, int | Decimal)]
        if not numbers:
            return not_observable("there is no rate of the Canadian dollar")
        if all(number > _PER_USD for number in numbers):
            return confirmed("Canadian dollars for a US dollar")
        if all(number < _IN_USD for number in numbers):
            return contradicted("US dollars for a Canadian dollar")
        return not_observable("the rates are too near to one")

    def probe_sunday(self) -> Finding:
        if ExchangeRatesStream.name not in self.tables:
            return not_observable("the exchange rates could not be read")
        today = self.client.server_time().date()
        sunday = today - timedelta(days=_SUNDAY + today.isoweekday() % _SUNDAY)
        path = f"{ExchangeRatesStream.path}?currency=CAD&date={sunday.isoformat()}"
        dates = {row.get("date") for row in fetch_rates(self.api.get(path, what="exchange rates").json())}
        if not dates:
            return not_observable("there is none for a Sunday")
        if sunday.isoformat() in dates:
            return contradicted("the Sunday's own date")
        return confirmed("another date")

    def probe_key(self) -> Finding:
        if "client_key" not in self.settings:
            return not_observable("the settings have client_id and client_secret")
        try:
            decoded = base64.b64decode(self.settings["client_key"].strip(), validate=True)
        except (binascii.Error, ValueError):
            return contradicted("it is not base64")
        return confirmed("an id, a colon and a secret") if b":" in decoded else contradicted("without a colon")

    def probe_throttling(self) -> Finding:
        told = f"{len(self.log.throttled)} of {self.log.sent} requests were throttled"
        return judged(not self.log.throttled, told)

    def probe_parts(self) -> Finding:
        files = [file for file in self._listed() if file.key.event_type == "bids"]
        if not files:
            return not_observable("no bid file is listed")
        without = sum(not file.in_parts for file in files)
        told = f"{without} of {len(files)} are listed without"
        return judged(not without, told)

    def _entries(self) -> list[dict[str, t.Any]]:
        payloads = [answer.json() for answer in self.lists.values()]
        entries = [entry for it in payloads if isinstance(it, dict) for entry in it.get("availableDownloads") or []]
        return [entry for entry in entries if isinstance(entry, dict)]

    def _listed(self) -> list[ListedFile]:
        return [file for listing in self.listings.values() for file in listing.files]

    # Estimate

    @override
    def estimates(self) -> Iterable[Estimate]:
        start = t.cast("FilesStream", self.streams[FilesStream.name]).start_date
        due = [file for file in self._listed() if start is None or file.key.hour >= start]
        per_hour = {
            event_type: len(listing.files) / max(1, len({file.key.hour for file in listing.files}))
            for event_type, listing in self.listings.items()
        }
        lists = 1 + len(self.listings)  # with the token
        an_hour = round(sum(per_hour.values()))
        yield Estimate(FilesStream.name, Load(len(due), lists), Load(an_hour, lists), "as listed")
        for event_type, sample in self.files.items():
            files = [file for file in due if file.key.event_type == event_type]
            every_hour = round(per_hour[event_type])
            per_byte = sample.rows / max(1, sample.size)
            rows = round(sum(map(_size, files)) * per_byte) if _size(sample.file) else sample.rows * len(files)
            hourly = round(rows / max(1, len(files)) * per_hour[event_type])
            how = (
                f"from {sample.rows} rows in {_kilobytes(sample.size)} of one file; all files have "
                f"{_kilobytes(sum(map(_size, files)))}, whose download is not in the minutes"
            )
            yield Estimate(f"index_exchange_{event_type}", Load(rows, len(files)), Load(hourly, every_hour), how)
            if event_type == "impressions":
                share = sample.groups / max(1, sample.rows)
                first, later = Load(round(rows * share), 2), Load(round(hourly * share), 2)
                yield Estimate(HourlyStream.name, first, later, "from the groups in that file; reads the names")
        for name, table in self.tables.items():
            load = Load(len(table), 1)
            yield Estimate(name, load, load, "read whole in each run")


def fetch_rates(answer: t.Any) -> list[dict[str, t.Any]]:
    """Return the rates in an answer, in either form."""
    return [row for row in ExchangeRatesStream.without_envelope(answer) or [] if isinstance(row, dict)]


def _whole_rows(beginning: bytes) -> bytes:
    """Return the rows that are whole in the beginning of a gzip file, as a gzip file."""
    try:
        data = zlib.decompressobj(wbits=_GZIP).decompress(beginning, _MOST_TEXT)
    except zlib.error:
        return beginning
    end = data.rfind(b"\n") + 1
    for _ in range(_MOST_LINES_OF_A_CELL):
        if data.count(b'"', 0, end) % 2 == 0:
            break
        end = data.rfind(b"\n", 0, end - 1) + 1  # a line break within a cell
    return gzip.compress(data[:end], compresslevel=1)


def _as_sent(record: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a record with what did not fit a column in its place."""
    columns = {name: value for name, value in record.items() if name != ADDITIONAL_PROPERTIES}
    return {**columns, **(record[ADDITIONAL_PROPERTIES] or {})}


def _size(file: ListedFile) -> int:
    size = file.details.get("fileSize")
    return size if isinstance(size, int) else 0


def _kilobytes(size: int) -> str:
    return f"{round(size / 1000):,} kB"  # rounded: an exact size is a value of the account


def _is_incomplete(answer: ApiResponse, event_type: str) -> bool:
    try:
        read_listing(answer, event_type)
    except ProtocolError:
        return True
    return False


def _is_whole_hour(text: object) -> bool:
    moment = timestamp_or_none(text)
    return moment is not None and str(text).endswith("Z") and (moment.minute, moment.second) == (0, 0)
