"""The imitation of Pigment's Audit Logs API.

Written from the vendor's pages and the community script, not from what the tap sends. Where the pages say
nothing, it takes the reading that forgives least.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import hmac
import json
import math
import re
import time
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as time_of_day

from werkzeug.http import http_date

from auditlogs_sandbox.vendor import VendorSandbox, encode, json_response
from auditlogs_sandbox.vendors.pigment_imports import ImportApi
from auditlogs_sandbox.world import NANOSECONDS, happens, made_up_uuid, to_nanoseconds

if t.TYPE_CHECKING:
    from random import Random

    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

STREAM: t.Final = "pigment_audit_events"
PATH: t.Final = "/api/audit/v1/events"
LOOK_BACK: t.Final = timedelta(days=180)  # vendor page: at most 180 days before the request
FIXED_BATCH: t.Final = 1000  # vendor page: fixed batch of 1000 events
SLICE: t.Final = 60  # how many events one advance brings

_HISTORY_DAYS: t.Final = 150
_OLD_EVENTS: t.Final = 5  # near the end of the look-back, to fall out of it when a test moves the clock
_TIE_REACH: t.Final = 6
_REMEMBERED_WALKS: t.Final = 4
_CURSOR_MARK: t.Final = "v1+/"  # makes every cursor need URL encoding
_MAC_LENGTH: t.Final = 16
_DATE: t.Final = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME: t.Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)")
_STYLES: t.Final = (("Z", 0), ("Z", 3), ("Z", 6), ("Z", 7), ("Z", 9), ("+02:00", 6))
_EXACT: t.Final = ("Z", 9)


class _Event(t.NamedTuple):
    """An event in the order of the feed: by ingestion, and as they came within one instant."""

    ingested: int
    sequence: int
    body: bytes


def _by_ingestion(event: _Event) -> int:
    return event.ingested


@dataclass
class RateLimit:
    """A window per IP address (vendor page: 500 requests in 5 minutes, then 429 until the window resets).

    Attributes:
        limit: How many requests a window has.
        window_seconds: How long a window is.
        retry_after: How a refusal tells the time to wait; the vendor's pages promise nothing.
    """

    limit: int = 500
    window_seconds: float = 300.0
    retry_after: t.Literal["seconds", "http_date"] | None = None
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict, init=False)

    def wait_for(self, address: str) -> float:
        """Count a request; return the seconds to wait if it exceeds the limit, else 0."""
        now = time.monotonic()
        begin, count = self._windows.get(address, (now, 0))
        if now - begin >= self.window_seconds:
            begin, count = now, 0
        self._windows[address] = (begin, count + 1)
        return 0.0 if count < self.limit else begin + self.window_seconds - now


@dataclass(frozen=True)
class _Cursor:
    """Where a walk over the feed stands; opaque to clients, and of use only with the same `ingestedSince`."""

    since: str
    newest_sequence: int
    offset: int
    page: int
    generation: int
    issued: float | None
    order: str
    serial: int


class _BadRequestError(Exception):
    """The request is refused with 400."""


class _BadCursorError(Exception):
    """The cursor is not valid."""


class PigmentSandbox(VendorSandbox):
    """The imitated feed of audit events.

    Attributes:
        api_key: The one key that is let in.
        imports: The import API, with a key of its own.
        forbidden: Refuses the key with 403.
        order: The order of the feed; the vendor's page says descending, the community script works as if
            it were ascending.
        page_size: How many events a page has.
        dates_only: Refuses an `ingestedSince` with a time of day, which no page of the vendor shows.
        zone: The zone in which a date begins.
        since_is_exclusive: Leaves out the events of the very time in `ingestedSince`.
        keeps_older: Accepts a start before the look-back.
        since_is_optional: Answers without `ingestedSince` too, with everything.
        foreign_cursors: Accepts a cursor with another `ingestedSince`, which then counts.
        single_use_cursors: Refuses a cursor that has been used.
        bad_cursor: How a cursor that is not valid is answered: refused with an HTTP status, or with an empty last page.
        snapshot: Pages over the events as they were at the first page; otherwise events that come in
            while paging shift the pages.
        cursor_lifetime: How long a cursor is good for; None is for ever.
        rate_limit: The limit on requests.
        empty_pages: Pages, counted from 1, that are empty though more follow.
        page_without_cursor: A page, counted from 1, that says more events follow but has no cursor.
        cursor_loop: The cursors repeat after this many pages.
        endless: After the last event come empty pages with fresh cursors for ever.
        more_as: How `hasMoreEvents` is sent; None leaves it out.
        event_ids: Whether events have an `eventId`; the community script knows none.
        times_as: How times are sent.
        actors_as: How actors are sent.
        status_without_key: The HTTP status without a valid key.
        needs_content_type: Refuses requests without `Content-Type`, which the community script sends.
    """

    name = "pigment"
    posts_change_nothing = False  # imports

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.api_key = world.secret(self.name, "api_key")
        self.imports = ImportApi.create(world, self.api_key)
        self.forbidden = False
        self.order: t.Literal["descending", "ascending"] = "descending"
        self.page_size = FIXED_BATCH
        self.dates_only = False
        self.zone: tzinfo = UTC
        self.since_is_exclusive = False
        self.keeps_older = False
        self.since_is_optional = False
        self.foreign_cursors = False
        self.single_use_cursors = False
        self.bad_cursor: int | t.Literal["empty"] = 400
        self.snapshot = True
        self.cursor_lifetime: timedelta | None = None
        self.rate_limit = RateLimit()
        self.empty_pages: set[int] = set()
        self.page_without_cursor: int | None = None
        self.cursor_loop: int | None = None
        self.endless = False
        self.more_as: t.Literal["boolean", "text"] | None = "boolean"
        self.event_ids = True
        self.times_as: t.Literal["iso", "without_zone", "unix"] = "iso"
        self.actors_as: t.Literal["object", "text"] = "object"
        self.status_without_key = 401
        self.needs_content_type = False
        self._used_cursors: set[str] = set()
        self._next_serial = 0
        self._generation = 0
        self._mac_key = world.secret(self.name, "cursor").encode()
        self._factory = _EventFactory(world)
        self._events: list[_Event] = []
        self._next_sequence = 0
        self._walks: dict[tuple[object, ...], list[bytes]] = {}
        self._add_history()

    # What the server needs.

    def handle(self, request: Request) -> Response:
        """Respond as the vendor would."""
        with self.lock:
            wait = self.rate_limit.wait_for(request.remote_addr or "")
            if wait > 0:
                return self._too_many_requests(wait)
            if self.imports.serves(request.path):
                return self.imports.handle(request)
            try:
                return self._refuse_caller(request) or self._page(request.args)
            except _BadRequestError as error:
                return _refusal(400, str(error))

    def config(self, base_url: str) -> dict[str, t.Any]:
        """Return the tap's settings for this vendor."""
        return {"api_key": self.api_key, "api_url": base_url}

    def target_config(self, base_url: str) -> dict[str, t.Any]:
        """Return the settings of an import client: the key, the URL and a configuration for each stream."""
        first, second = self.imports.configurations
        configurations = {STREAM: first, "audit_events": second}
        return {"api_key": self.imports.api_key, "api_url": base_url, "import_configurations": configurations}

    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the API would return now."""
        with self.lock:
            oldest = to_nanoseconds(self.world.now() - LOOK_BACK)
            start = bisect.bisect_left(self._events, oldest, key=_by_ingestion)
            return {STREAM: [json.loads(event.body) for event in self._events[start:]]}

    def advance(self) -> None:
        """Add new rows."""
        with self.lock:
            # An event that a test dated in the future says nothing about when the next ones come.
            past = bisect.bisect_right(self._events, to_nanoseconds(self.world.now()), key=_by_ingestion)
            newest = self._events[past - 1].ingested
            moments = self.world.following(self._factory.rng, newest, SLICE)
            # Some share the instant of the newest known event, and some share one instant among themselves.
            moments[:2] = [newest] * 2
            moments[20:30] = [moments[20]] * 10
            for number, moment in enumerate(moments):
                # Whatever the chances, a slice has events that happened days before.
                late = timedelta(hours=30 + number) if number % 20 == 1 else None
                self._add(self._factory.make(moment, exact=True, late=late))

    def secrets(self) -> list[str]:
        """Return all credentials of this vendor."""
        return [self.api_key, self.imports.api_key]

    # Levers.

    def expire_cursors(self) -> None:
        """Make every cursor handed out so far invalid."""
        with self.lock:
            self._generation += 1

    def add_event(self, ingested: datetime, *, occurred: datetime | None = None, **changes: object) -> Row:
        """Add an event to the feed."""
        with self.lock:
            moment = to_nanoseconds(ingested)
            late = None if occurred is None else ingested - occurred
            _, event = self._factory.make(moment, exact=True, late=late)
            event.update(changes)
            self._add((moment, event))
            return event

    def add_tie(self, ingested: datetime, count: int) -> list[Row]:
        """Add events that all come in at one instant; more than a page of them if asked."""
        return [self.add_event(ingested) for _ in range(count)]

    def replace_event(self, place: int, body: bytes) -> bytes:
        """Show other JSON in place of the event at a place counted from the newest; returns the former JSON."""
        with self.lock:
            event = self._events[-place]
            self._events[-place] = event._replace(body=body)
            self._walks.clear()
            return event.body

    # The data.

    def _add_history(self) -> None:
        rng = self._factory.rng
        size = self.world.size
        old = min(_OLD_EVENTS, size // 2)
        moments = self.world.history(rng, days=_HISTORY_DAYS, count=size - old)
        moments += [
            to_nanoseconds(self.world.base - timedelta(days=rng.uniform(165, 179))) // 100 * 100 for _ in range(old)
        ]
        moments.sort()
        for boundary in range(FIXED_BATCH, size - _TIE_REACH, FIXED_BATCH):
            for middle in (boundary, size - boundary):
                first = middle - _TIE_REACH
                moments[first : middle + _TIE_REACH] = [moments[first]] * (2 * _TIE_REACH)
        for position in range(1, size):
            if happens(rng, 0.05):  # shares the instant of its neighbour
                moments[position] = moments[position - 1]
        for moment in moments:
            # Events of one instant keep it exactly, whatever way each of them is written.
            self._add(self._factory.make(moment, exact=happens(rng, 0.5)))

    def _add(self, made: tuple[int, Row]) -> None:
        ingested, event = made
        # Half of the events come with escapes, as a server may write them either way.
        body = encode(event, escaped=bool(self._next_sequence % 2))
        bisect.insort(self._events, _Event(ingested, self._next_sequence, body))
        self._next_sequence += 1
        self._walks.clear()

    # The answers.

    def _refuse_caller(self, request: Request) -> Response | None:
        if request.path != PATH:
            return _refusal(404, "Not Found")
        if request.method != "GET":
            return _refusal(405, "Method Not Allowed", {"Allow": "GET"})
        sent, expected = request.headers.get("Authorization", ""), f"Bearer {self.api_key}"
        if not hmac.compare_digest(sent.encode(), expected.encode()):
            return _refusal(self.status_without_key, "Unauthorized", {"WWW-Authenticate": "Bearer"})
        if self.needs_content_type and "Content-Type" not in request.headers:
            return _refusal(415, "Unsupported Media Type")
        return _refusal(403, "Forbidden") if self.forbidden else None

    def _page(self, parameters: MultiDict[str, str]) -> Response:
        try:
            since_text, cursor = self._read_parameters(parameters)
        except _BadCursorError:
            return self._refuse_cursor()
        since = self._read_since(since_text)
        snapshot = cursor.newest_sequence if cursor and self.snapshot else self._next_sequence
        order = cursor.order if cursor else self.order
        walk = self._walk(since, snapshot, order)
        page = cursor.page if cursor else 1
        begin = cursor.offset if cursor else 0
        end = begin if page in self.empty_pages else min(begin + self.page_size, len(walk))
        more = end < len(walk) or self.endless
        parts = [b'{"events":[', b",".join(map(self._show, walk[begin:end])), b"]"]
        if self.more_as is not None:
            value = more if self.more_as == "boolean" else str(more)
            parts += [b',"hasMoreEvents":', encode(value)]
        if more and page != self.page_without_cursor:
            parts += [b',"nextEventsCursor":', encode(self._next_cursor(since_text, snapshot, page, end, order))]
        parts.append(b"}")
        return json_response(b"".join(parts))

    def _refuse_cursor(self) -> Response:
        if self.bad_cursor == "empty":
            return json_response(b'{"events":[],"hasMoreEvents":false}')
        return _refusal(self.bad_cursor, "cursor is not valid")

    def _show(self, body: bytes) -> bytes:
        """Return an event as this account's API sends it."""
        if self.event_ids and self.times_as == "iso" and self.actors_as == "object":
            return body
        event = json.loads(body)
        if not self.event_ids:
            del event["eventId"]
        if self.actors_as == "text":
            event["actor"] = json.dumps(event["actor"])
        for name in ("eventTimestamp", "ingestionTimestamp"):
            moment = datetime.fromisoformat(event[name]).astimezone(UTC)
            if self.times_as == "without_zone":
                event[name] = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
            elif self.times_as == "unix":
                event[name] = int(moment.timestamp())
        return encode(event)

    def _walk(self, since: int, snapshot: int, order: str) -> list[bytes]:
        """Return the events of a walk, in order. Remembered, because each of its pages asks for them."""
        key = (since, snapshot, order)
        if key not in self._walks:
            start = bisect.bisect_left(self._events, since, key=_by_ingestion)
            walk = [event.body for event in self._events[start:] if event.sequence < snapshot]
            if order == "descending":
                walk.reverse()
            while len(self._walks) >= _REMEMBERED_WALKS:
                del self._walks[next(iter(self._walks))]
            self._walks[key] = walk
        return self._walks[key]

    def _read_parameters(self, parameters: MultiDict[str, str]) -> tuple[str, _Cursor | None]:
        for name, values in parameters.lists():
            if name not in {"ingestedSince", "cursor"} or len(values) != 1:
                message = f"unexpected query parameter {name}"
                raise _BadRequestError(message)
        since = parameters.get("ingestedSince")
        if since is None and self.since_is_optional:
            since = (self.world.now() - LOOK_BACK + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if since is None:
            message = "ingestedSince is required"
            raise _BadRequestError(message)
        if "cursor" not in parameters:
            return since, None
        return since, self._read_cursor(parameters["cursor"], since)

    def _read_since(self, text: str) -> int:
        try:
            moment = self._parse_since(text)
        except ValueError:  # the form is right, but there is no such day or hour
            moment = None
        if moment is None:
            message = "ingestedSince is not a valid date"
            raise _BadRequestError(message)
        if moment < self.world.now() - LOOK_BACK and not self.keeps_older:
            message = "ingestedSince is more than 180 days ago"
            raise _BadRequestError(message)
        return to_nanoseconds(moment) + int(self.since_is_exclusive)

    def _parse_since(self, text: str) -> datetime | None:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time_of_day(), self.zone)
        if _DATETIME.fullmatch(text) and not self.dates_only:
            return datetime.fromisoformat(text)
        return None

    def _next_cursor(self, since: str, snapshot: int, page: int, offset: int, order: str) -> str:
        if self.cursor_loop is not None and page > self.cursor_loop:
            page, offset = 1, self.page_size
        issued = None if self.cursor_lifetime is None else self.world.now().timestamp()
        cursor = _Cursor(since, snapshot, offset, page + 1, self._generation, issued, order, self._take_serial())
        content = json.dumps(vars(cursor)).encode()
        return _CURSOR_MARK + base64.b64encode(self._mac(content) + content).decode()

    def _take_serial(self) -> int:
        if self.single_use_cursors:
            self._next_serial += 1
        return self._next_serial

    def _read_cursor(self, text: str, since: str) -> _Cursor:
        try:
            sealed = base64.b64decode(text.removeprefix(_CURSOR_MARK), validate=True)
        except ValueError:
            sealed = b""
        mac, content = sealed[:_MAC_LENGTH], sealed[_MAC_LENGTH:]
        genuine = text.startswith(_CURSOR_MARK) and hmac.compare_digest(mac, self._mac(content))
        cursor = _Cursor(**json.loads(content)) if genuine else None
        if cursor is None or self._is_expired(cursor) or text in self._used_cursors:
            raise _BadCursorError
        if cursor.since != since and not self.foreign_cursors:
            raise _BadCursorError
        if self.single_use_cursors:
            self._used_cursors.add(text)
        return cursor

    def _is_expired(self, cursor: _Cursor) -> bool:
        if cursor.generation != self._generation:
            return True
        if self.cursor_lifetime is None or cursor.issued is None:
            return False
        return self.world.now().timestamp() > cursor.issued + self.cursor_lifetime.total_seconds()

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._mac_key, content, hashlib.sha256)[:_MAC_LENGTH]

    def _too_many_requests(self, wait: float) -> Response:
        headers = {}
        if self.rate_limit.retry_after == "seconds":
            headers["Retry-After"] = str(math.ceil(wait))
        elif self.rate_limit.retry_after == "http_date":
            headers["Retry-After"] = http_date(self.world.now() + timedelta(seconds=math.ceil(wait)))
        return _refusal(429, "Too Many Requests", headers)


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Refuse; how the bodies of refusals look is not on any page of the vendor."""
    return json_response(encode({"status": status, "title": message}), status, headers)


class _EventFactory:
    """Makes up events with the payloads that the vendor's pages show, and some that no page explains."""

    _UNDOCUMENTED_SHARE = 0.04

    def __init__(self, world: World) -> None:
        self.rng = world.rng(PigmentSandbox.name, "events")
        self._people = world.people(PigmentSandbox.name)
        self._applications = [
            {"id": made_up_uuid(self.rng), "name": name} for name in ("Workforce", "Revenue 収益", "Cash \U0001f4b6")
        ]
        self._organization = {"id": made_up_uuid(self.rng), "name": "Example Corp"}
        self._payloads = (
            self._member,
            self._account_type,
            self._application_role,
            self._snapshot,
            self._block,
            self._access,
        )

    def make(self, ingested: int, *, exact: bool, late: timedelta | None = None) -> tuple[int, Row]:
        """Generate an event."""
        rng = self.rng
        if late is None:
            late = self._some_delay()
        event_type, payload = rng.choice(self._payloads)()
        actor: Row | None = {"user": {"id": rng.choice(self._people).id}}
        context: Row | None = {"organization": self._organization}
        chance = rng.random()
        if chance < self._UNDOCUMENTED_SHARE:
            actor, context = None, None
        elif chance < 2 * self._UNDOCUMENTED_SHARE:
            actor, context = {"service": {"id": made_up_uuid(rng), "name": "SCIM"}}, {}
        occurred = ingested - (late // timedelta(microseconds=1)) * 1000
        _, occurred_text = _write(occurred, rng.choice(_STYLES))
        ingested, ingested_text = _write(ingested, _exact_style(rng, ingested) if exact else rng.choice(_STYLES))
        event: Row = {
            "eventId": made_up_uuid(rng),
            "eventType": event_type,
            "eventTimestamp": occurred_text,
            "ingestionTimestamp": ingested_text,
            "actor": actor,
            "context": context,
            "payload": payload,
        }
        if happens(rng, self._UNDOCUMENTED_SHARE):
            event["traceId"] = f"{rng.getrandbits(128):032x}"
            event["schemaVersion"] = rng.choice((2, "2.1", None, {"major": 3}))
        if event["context"] is None and happens(rng, 0.5):  # absent as often as null
            del event["context"]
        return ingested, event

    def _some_delay(self) -> timedelta:
        if happens(self.rng, 0.02):  # comes in days or weeks late
            return timedelta(hours=self.rng.uniform(30, 60 * 24))
        return timedelta(seconds=round(self.rng.uniform(0, 90), 6))

    def _member(self) -> tuple[str, Row]:
        person = self.rng.choice(self._people)
        event_type = self.rng.choice(("UserInvited", "UserDeactivated", "UserReactivated", "UserPasswordChanged"))
        if event_type == "UserPasswordChanged":
            return event_type, {}
        return event_type, {"id": person.id, "name": person.name, "email": person.email}

    def _account_type(self) -> tuple[str, Row]:
        person = self.rng.choice(self._people)
        previous, new = self.rng.sample(("Member", "WorkspaceAdmin", "SecurityAdmin", "Guest"), 2)
        return "UserAccountTypeUpdated", {
            "userId": person.id,
            "userName": person.name,
            "userEmail": person.email,
            "newAccountType": new,
            "previousAccountType": previous,
        }

    def _application_role(self) -> tuple[str, Row]:
        """A group in an application role; the vendor's page shows the payload but hides the type's name."""
        payload: Row = {
            "group": {"id": made_up_uuid(self.rng), "name": self.rng.choice(("Finance", "المالية", "FP&A"))},
            "application": self.rng.choice(self._applications),
        }
        event_type = self.rng.choice(("GroupRoleAssigned", "GroupRoleRemoved", "GroupRoleUpdated"))
        if event_type != "GroupRoleRemoved":
            payload["role"] = {"id": made_up_uuid(self.rng), "name": "Modeler"}
        if event_type == "GroupRoleUpdated":
            payload["previousRole"] = None
        return event_type, payload

    def _snapshot(self) -> tuple[str, Row]:
        return "SnapshotTaken", {
            "snapshotGroup": {"id": made_up_uuid(self.rng), "name": "Month end\u200f \u202etxt"},
            "applications": [
                {
                    "seedApplication": seed,
                    "snapshotApplication": {"id": made_up_uuid(self.rng), "name": seed["name"]},
                }
                for seed in self._applications[: self.rng.randint(0, 3)]
            ],
        }

    def _block(self) -> tuple[str, Row]:
        kind = self.rng.choice(("Metric", "Dimension", "Board", "View", "Table"))
        payload: Row = {
            "entity": {
                "id": made_up_uuid(self.rng),
                "name": self.rng.choice(("Headcount", "Kosten €", "", "売上高")),
                "entityType": kind,
                "application": self.rng.choice(self._applications),
            },
            "type": self.rng.choice((kind, 7, None)),
        }
        if kind == "Metric":
            payload["settings"] = {
                "dataType": "Number",
                "isSecurityBlock": self.rng.choice((True, False, "true")),
            }
        return f"{kind}{self.rng.choice(('Created', 'Updated', 'Deleted'))}", payload

    def _access(self) -> tuple[str, Row]:
        event_type = self.rng.choice(("ApplicationAccessed", "UserLogin", "DataExported", "QuantumLedgerRotated"))
        if event_type == "QuantumLedgerRotated":
            # No page knows this type: one that the vendor adds some day.
            return event_type, {
                "ledger": [[1, 2.5, None], {"deep": {"er": [True]}}],
                "amount": 12345678901234567890,
            }
        return event_type, {
            "application": self.rng.choice(self._applications),
            "rows": self.rng.randrange(10**6),
        }


def _exact_style(rng: Random, moment: int) -> tuple[str, int]:
    """Choose among the ways to write a moment that keep all of it."""
    fitting = [style for style in _STYLES if moment % 10 ** (9 - style[1]) == 0]
    return rng.choice(fitting or [_EXACT])


def _write(moment: int, style: tuple[str, int]) -> tuple[int, str]:
    """Write a moment with so many fraction digits; what does not fit is cut off the moment as well."""
    zone, digits = style
    moment -= moment % 10 ** (9 - digits)
    seconds, fraction = divmod(moment, NANOSECONDS)
    offset = UTC if zone == "Z" else timezone(timedelta(hours=2))
    whole = datetime.fromtimestamp(seconds, offset).strftime("%Y-%m-%dT%H:%M:%S")
    return moment, whole + (f".{fraction:09d}"[: digits + 1] if digits else "") + zone


def create(world: World) -> PigmentSandbox:
    """Generate the vendor's data."""
    return PigmentSandbox(world)
