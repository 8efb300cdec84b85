"""The imitated API: the lists of files, the files, the mappings and the exchange rates."""

from __future__ import annotations

import typing as t
from datetime import date, timedelta
from functools import cached_property
from http import HTTPStatus

from werkzeug.wrappers import Response

from auditlogs_sandbox.vendor import VendorSandbox, encode, json_response
from auditlogs_sandbox.vendors.index_exchange.files import SUBSCRIPTION, HourKey, write_time
from auditlogs_sandbox.vendors.index_exchange.hourly import Names
from auditlogs_sandbox.vendors.index_exchange.identity import TOKEN_PATH, Identity
from auditlogs_sandbox.vendors.index_exchange.library import (
    HOUR,
    RETENTION,
    Library,
    expiry,
    subscription_name,
)
from auditlogs_sandbox.vendors.index_exchange.mappings import Catalog
from auditlogs_sandbox.vendors.index_exchange.truth import hourly_rows, log_rows, manifest_rows

if t.TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.wrappers import Request

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.index_exchange.files import PublishedFile, PublishedHour
    from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile
    from auditlogs_sandbox.vendors.index_exchange.identity import Client
    from auditlogs_sandbox.vendors.index_exchange.rows import EventType
    from auditlogs_sandbox.world import World

API_PATH: t.Final = "/api/cal/v1"
STORAGE_PATH: t.Final = "/storage/"
IDLE_LIMIT: t.Final = timedelta(days=35)  # vendor page: without a call in 35 days generation pauses
STREAM_PREFIX: t.Final = "index_exchange_"

_LISTS: t.Final[dict[str, EventType]] = {"downloads": "impressions", "downloads/bidevents": "bids"}
_MAPPINGS: t.Final = ("dsps", "buyers", "deals", "sites", "partners", "campaigns")
_REPEATABLE: t.Final = {"dsps": "dsp_name", "buyers": "buyer_name"}
_RATES: t.Final = "exchange-rates"
_RATE_PARAMETERS: t.Final = frozenset({"date", "currency"})
_FILES: t.Final = "files/"
_SUNDAY: t.Final = 7


class _RefusedError(Exception):
    """The request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class IndexExchangeSandbox(VendorSandbox):
    """The imitated account.

    Attributes:
        identity: The token endpoint and its levers.
        catalog: The mappings and exchange rates.
        event_types: The kinds of files that the settings ask for.
        forbidden: Paths, such as `mappings/campaigns` or `downloads/bidevents`, that the key is not entitled to.
        refusal_status: How what the key is not entitled to is refused; no page says.
        bids_path_exists: Whether bid files are listed where a third-party client asks for them.
        counts_parts: Whether `count` of the bid list counts parts; no page says.
        lists_bids_without_parts: Bid files come in the old form, one for each hour.
        sunday_rates: The date of the rates that a Sunday gets; None if there are none for it.
        generation_paused: The lists are empty, and no files come.
        expired_status: How the download of an expired file is refused; no page says which.
        has_status_misspelled: The lists say `downloadStats`, as the vendor's table does, not `downloadStatus`.
        parts_are_bare: The parts of bid hours have nothing but URL and MD5.
        list_changes: Keys to set in every list, for example a `next` that no page knows, or a `count` that lies.
        entry_changes: Keys to set in every entry of a list.
        link_query: A query that every download URL has, as signed URLs do, and that must come back byte by byte.
        links_to_storage: The download URLs lead to an object storage, which refuses requests with a bearer token.
        storage_host: The host, with its port, of that storage; by default the one that the list was asked at.
        labels_files_as_encoded: Sends files with `Content-Encoding: gzip` to clients that accept that.
        creatives_key: What the campaigns call their list of creatives.
        repeats_names: The mappings of DSPs and buyers have every id twice, the second time by another name.
        bare_exchange_rates: The exchange rates come as an array, without an envelope.
    """

    name = "index_exchange"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.identity = Identity(world)
        self.catalog = Catalog(world)
        self.event_types: list[EventType] = ["impressions", "bids"]
        self.forbidden: set[str] = set()
        self.refusal_status = 403
        self.bids_path_exists = True
        self.counts_parts = False
        self.lists_bids_without_parts = False
        self.sunday_rates: t.Literal["friday", "sunday"] | None = None
        self.generation_paused = False
        self.expired_status: t.Literal[404, 410] = 404
        self.has_status_misspelled = False
        self.parts_are_bare = False
        self.list_changes: dict[str, t.Any] = {}
        self.entry_changes: dict[str, t.Any] = {}
        self.link_query = ""
        self.links_to_storage = False
        self.storage_host: str | None = None
        self.labels_files_as_encoded = False
        self.creatives_key: t.Literal["creatives", "creative_id"] = "creatives"
        self.repeats_names = False
        self.bare_exchange_rates = False
        self._last_call = world.base
        self._lists_given = 0

    @cached_property
    def library(self) -> Library:
        """The files; made up when first needed, as not every test of the server needs them."""
        return Library(self.world, self.catalog)

    # What the server needs.

    def handle(self, request: Request) -> Response:
        """Respond as the vendor would."""
        with self.lock:
            if request.path == TOKEN_PATH:
                return self._token(request)
            try:
                return self._route(request)
            except _RefusedError as refusal:
                return _refusal(refusal.status, str(refusal))

    def config(self, base_url: str) -> dict[str, t.Any]:
        """Return the tap's settings for this vendor."""
        return {
            "client_key": self.identity.client.key,
            "auth_url": base_url + TOKEN_PATH,
            "api_url": base_url + API_PATH,
            "event_types": list(self.event_types),
        }

    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the API would return now.

        Files that cannot be had, or on whose rows readers of gzip and CSV do not agree, are among the files but
        have no rows here (see `Content.rows`), nor has a file from the disk. The hourly sums go by the default
        dimensions.
        """
        with self.lock:
            listed = {event_type: self._listed(event_type) for event_type in self.event_types}
            mappings = {name: self._true_mapping(name) for name in _MAPPINGS}
            names = Names(mappings["dsps"], mappings["buyers"])
            return {
                STREAM_PREFIX + "files": [row for hours in listed.values() for row in manifest_rows(hours)],
                **{STREAM_PREFIX + event_type: list(log_rows(hours)) for event_type, hours in listed.items()},
                STREAM_PREFIX + "hourly": list(hourly_rows(listed.get("impressions", []), names)),
                STREAM_PREFIX + "malformed_rows": [],  # files that have some are left out of the truth
                **{STREAM_PREFIX + name: rows for name, rows in mappings.items()},
                STREAM_PREFIX + "exchange_rates": [] if self._refuses(_RATES) else list(self.catalog.exchange_rates),
            }

    def advance(self) -> None:
        """Add new rows."""
        with self.lock:
            library = self.library  # made up from the catalog as it was
            self.catalog.grow()
            if not self._is_paused():
                library.advance()

    def secrets(self) -> list[str]:
        """Return all credentials of this vendor."""
        return self.identity.secrets()

    # Levers.

    @property
    def hours(self) -> list[datetime]:
        """The hours that have impressions of the main subscription, oldest first."""
        with self.lock:
            keys = [published.key for published in self.library.visible("impressions")]
            return sorted(key.hour for key in keys if key.subscription_id == SUBSCRIPTION)

    def file(self, key: HourKey, part: int = 0) -> PublishedFile:
        """Return a file, whose attributes tests may change."""
        with self.lock:
            return self.library.hours[key].files[part]

    def publish(self, key: HourKey, rows: int = 10, *, parts: int = 1, shape: str = "plain") -> PublishedHour:
        """Publish an hour, or replace one by other rows."""
        with self.lock:
            shares = [(rows + part) // parts for part in range(parts)]
            return self.library.publish(key, [self.library.rows(key, share) for share in shares], shape)

    def set_parts(self, key: HourKey, count: int, rows: int = 10) -> PublishedHour:
        """Change how many parts an hour has; the parts that stay are not replaced."""
        with self.lock:
            published = self.library.hours[key]
            del published.files[count:]
            while len(published.files) < count:
                self.library.append(key, self.library.rows(key, rows))
            return published

    def republish(self, key: HourKey, rows: int, *, part: int = 0, shape: str = "plain") -> PublishedFile:
        """Replace a file by a version that lost rows or got late ones; the other parts stay."""
        with self.lock:
            cells = self.library.resized(key, self.file(key, part).cells, rows)
            return self.library.replace(key, part, cells, shape)

    def publish_file(self, generated: GeneratedFile, key: HourKey | None = None) -> PublishedFile:
        """Publish a file from the disk, which is sent without being read into memory."""
        with self.lock:
            return self.library.publish_file(key or HourKey(generated.hour), generated).files[0]

    def withdraw(self, key: HourKey) -> None:
        """Withdraw an hour, which leaves a gap in the list."""
        with self.lock:
            del self.library.hours[key]

    def clear(self) -> None:
        """Withdraw all hours."""
        with self.lock:
            self.library.hours.clear()

    def fill_retention(self, *, rows: int = 2, parts: int = 4) -> None:
        """Publish every hour of the 14 days that is not there yet, impressions and bids."""
        with self.lock:
            newest = self.world.now().replace(minute=0, second=0, microsecond=0) - HOUR
            hours = [newest - back * HOUR for back in range(RETENTION // HOUR)]
            for hour in (hour for hour in hours if expiry(hour) > self.world.now()):
                if HourKey(hour) not in self.library.hours:
                    self.publish(HourKey(hour), rows)
                if HourKey(hour, "bids") not in self.library.hours:
                    self.publish(HourKey(hour, "bids"), rows * parts, parts=parts)

    # The answers.

    def _route(self, request: Request) -> Response:
        if request.path.startswith(STORAGE_PATH):
            return self._storage(request)
        base, _, path = request.path.partition(API_PATH + "/")
        known = {*_LISTS, *(f"mappings/{name}" for name in _MAPPINGS), _RATES}
        file_id = path.removeprefix(_FILES)
        is_file = path.startswith(_FILES) and file_id.isdecimal() and file_id.isascii()
        if base or not (path in known or is_file):
            raise _RefusedError(404, "Not Found")
        if request.method != "GET":
            raise _RefusedError(405, "Method Not Allowed")
        client = self.identity.caller(request)
        if client is None:
            raise _RefusedError(401, "Unauthorized")
        if self._refuses(path):
            raise _RefusedError(self.refusal_status, "Forbidden")
        if path == "downloads/bidevents" and not self.bids_path_exists:
            raise _RefusedError(404, "Not Found")
        if is_file:
            self._check_query(request)
            return self._file(request, int(file_id), client)
        return self._document(request, path, client)

    def _token(self, request: Request) -> Response:
        answer = self.identity.answer(request)
        if answer.status_code == HTTPStatus.OK:
            self._last_call = self.world.now()
        return answer

    def _document(self, request: Request, path: str, client: Client) -> Response:
        if path == _RATES:
            return json_response(encode(self._rates(request)))
        if request.query_string:
            raise _RefusedError(400, "unexpected query parameter")
        if path in _LISTS:
            answer = json_response(encode(self._list(request, _LISTS[path], client)))
            self._last_call = self.world.now()
            return answer
        return json_response(encode({"data": self._mapping(path.removeprefix("mappings/"))}))

    def _list(self, request: Request, event_type: EventType, client: Client) -> Row:
        hours = [] if self._is_paused() else self.library.visible(event_type)
        # No page promises an order.
        self.world.rng(self.name, "list", str(self._lists_given)).shuffle(hours)
        self._lists_given += 1
        entries = [self._entry(request, published, client) | self.entry_changes for published in hours]
        parts = sum(len(published.files) for published in hours)
        count = parts if self.counts_parts else len(entries)
        return {"count": count, "availableDownloads": entries, **self.list_changes}

    def _entry(self, request: Request, published: PublishedHour, client: Client) -> Row:
        key = published.key
        entry: Row = {
            "subscriptionID": key.subscription_id,
            "subscriptionName": subscription_name(key.subscription_id),
            "hour": write_time(key.hour),
        }
        files = [self._file_entry(request, published, file, client) for file in published.files]
        if not published.has_parts or (self.lists_bids_without_parts and len(files) == 1):
            return entry | files[0]
        if self.parts_are_bare:
            files = [{name: file[name] for name in ("downloadURL", "md5sum")} for file in files]
        return entry | {"parts": files}

    def _file_entry(self, request: Request, published: PublishedHour, file: PublishedFile, client: Client) -> Row:
        return {
            "dateCreated": write_time(file.date_created),
            "expires": write_time(expiry(published.key.hour)),
            "fileSize": file.content.size,
            "downloadURL": file.download_url or self._link(request, file),
            "md5sum": file.listed_md5sum(),
            "downloadStats" if self.has_status_misspelled else "downloadStatus": file.download_status(client.id),
        }

    def _link(self, request: Request, file: PublishedFile) -> str:
        query = f"?{self.link_query}" if self.link_query else ""
        if self.links_to_storage:
            host = self.storage_host or request.host
            return f"{request.scheme}://{host}{request.root_path}{STORAGE_PATH}{file.id}{query}"
        return f"{request.root_url.rstrip('/')}{API_PATH}/{_FILES}{file.id}{query}"

    def _check_query(self, request: Request) -> None:
        """Refuse a query that is not, byte by byte, that of the links."""
        if request.query_string != self.link_query.encode():
            raise _RefusedError(403, "the signature does not match")

    def _storage(self, request: Request) -> Response:
        """Respond for the object storage: the query is the permission, and a second credential is refused."""
        file_id = request.path.removeprefix(STORAGE_PATH)
        if not self.links_to_storage or not (file_id.isdecimal() and file_id.isascii()):
            raise _RefusedError(404, "Not Found")
        if request.method != "GET":
            raise _RefusedError(405, "Method Not Allowed")
        if "Authorization" in request.headers:
            raise _RefusedError(400, "only one authentication mechanism is allowed")
        self._check_query(request)
        return self._file(request, int(file_id), self.identity.client)

    def _file(self, request: Request, file_id: int, client: Client) -> Response:
        published, file = self.library.find(file_id) or (None, None)
        if published is None or file is None:
            raise _RefusedError(404, "Not Found")
        if expiry(published.key.hour) <= self.world.now():
            raise _RefusedError(self.expired_status, "the file has expired")
        if file.status is not None:
            raise _RefusedError(file.status, "the file is not available")
        if file.redirect is not None:
            return Response(status=302, headers={"Location": file.redirect})
        self._last_call = self.world.now()

        def finished(md5sum: str) -> None:
            with self.lock:
                file.downloaded[client.id] = md5sum

        headers = {"Content-Length": str(file.content.size)}
        if self.labels_files_as_encoded and request.accept_encodings.quality("gzip") > 0:
            headers["Content-Encoding"] = "gzip"
        return Response(file.send(finished), headers=headers, content_type="application/gzip")

    def _mapping(self, name: str) -> list[Row]:
        rows: list[Row] = list(getattr(self.catalog, name))
        if name == "campaigns":
            return [_renamed(row, "creatives", self.creatives_key) for row in rows]
        label = _REPEATABLE.get(name)
        if self.repeats_names and label is not None:
            return rows + [{**row, label: f"{row[label]} (again)"} for row in rows]
        return rows

    def _rates(self, request: Request) -> list[Row] | Row:
        for parameter, values in request.args.lists():
            if parameter not in _RATE_PARAMETERS or len(values) != 1:
                raise _RefusedError(400, f"unexpected query parameter {parameter}")
        rates = self.catalog.exchange_rates
        if "date" in request.args:
            day = _read_day(request.args["date"])
            rates = self._rates_of_sunday(day) or [rate for rate in rates if rate["date"] == day]
        if "currency" in request.args:
            rates = [rate for rate in rates if rate["currency"] == request.args["currency"]]
        return rates if self.bare_exchange_rates else {"data": rates}

    def _rates_of_sunday(self, day: str) -> list[Row]:
        asked = date.fromisoformat(day)
        if self.sunday_rates is None or asked.isoweekday() != _SUNDAY:
            return []
        shown = asked - timedelta(days=2) if self.sunday_rates == "friday" else asked
        return [{**rate, "date": shown.isoformat()} for rate in self.catalog.exchange_rates[:5]]

    def _refuses(self, path: str) -> bool:
        return path in self.forbidden

    def _is_paused(self) -> bool:
        return self.generation_paused or self.world.now() - self._last_call > IDLE_LIMIT

    # The truth.

    def _listed(self, event_type: EventType) -> list[PublishedHour]:
        path = next(path for path, listed in _LISTS.items() if listed == event_type)
        return [] if self._is_paused() or self._refuses(path) else self.library.visible(event_type)

    def _true_mapping(self, name: str) -> list[Row]:
        return [] if self._refuses(f"mappings/{name}") else self._mapping(name)


def _read_day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise _RefusedError(400, "date is not a valid date") from error


def _renamed(row: Row, old: str, new: str) -> Row:
    return {new if name == old else name: value for name, value in row.items()}


def _refusal(status: int, message: str) -> Response:
    """Refuse; that the body is an object with a `message` is what a third-party client expects."""
    return json_response(encode({"message": message}), status)
