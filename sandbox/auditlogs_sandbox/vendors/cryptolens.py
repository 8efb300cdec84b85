"""Imitation of Cryptolens' Web API Log, events and object log.

Written from the vendor's documentation and SDKs; where they say nothing, it behaves in the strictest way.
"""

from __future__ import annotations

import bisect
import itertools
import json
import operator
import string
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from typing_extensions import override
from werkzeug.wrappers import Response

from auditlogs_sandbox.vendor import VendorSandbox, encode, json_response
from auditlogs_sandbox.world import NANOSECONDS, happens, made_up_uuid, to_nanoseconds

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Request

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

BASE_PATH: t.Final = "/api/ai/"
DEFAULT_LIMIT: t.Final = 10  # Cryptolens docs
RETENTION: t.Final = timedelta(days=30)  # Cryptolens docs: events and object log
PRODUCTS: t.Final = (3646, 4012, 5693)

# Cryptolens docs: error messages.
UNABLE_TO_AUTHENTICATE: t.Final = "Unable to authenticate"
ACCESS_DENIED: t.Final = "Access denied"
KEY_NOT_FOUND: t.Final = "Not enough permission and/or key not found"
INCORRECT_INPUT: t.Final = "The input parameters were incorrect"

_COMMON_PARAMETERS: t.Final = frozenset({"token", "v", "modelversion", "limit", "startingafter"})
_KNOWN_STATES: t.Final = (
    *(1010, 1010, 1010, 1020, 2010, 2011, 2012, 2013, 2014, 2015, 2020, 2024, 3010, 3020, 4010, 4020),
    *(5010, 6010, 6011, 6020, 7010, 7020, 8010, 8020),
)
_UNKNOWN_STATES: t.Final = (9010, 1230, 0, 99999)
_COMPARISONS: t.Final[dict[str, Callable[[int, int], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_TOKEN_ALPHABET: t.Final = string.ascii_letters + string.digits + "+/"


class _RefusedError(Exception):
    """The request is rejected with this message."""


class _Entry(t.NamedTuple):
    """A row, encoded except for its id, which `ids_as_strings` encodes differently."""

    id: int
    time: int
    rest: bytes

    def encode(self, *, id_as_string: bool = False) -> bytes:
        return b'{"id":%b,%b' % (
            f'"{self.id}"'.encode() if id_as_string else str(self.id).encode(),
            self.rest,
        )

    def decode(self) -> Row:
        row: Row = json.loads(self.encode())
        return row


@dataclass
class Log:
    """One of the logs, with its limits and the options for tests.

    Attributes:
        stream: The name of the tap's stream.
        rows_key: The key of the rows in a response.
        time_key: The key of a row's time.
        max_limit: The largest `Limit`.
        retention: How long rows are shown; None for no limit.
        parameters: The parameters besides the common ones, in lower case.
        make_row: Creates a row without id and time.
        success_message: The `message` of a successful response.
        order: The order of rows after a cursor. Descending and shuffled (within each page) are errors that clients must
            detect.
        most_rows: The most rows in a response, whatever the `Limit`.
        over_limit: How a `Limit` above the largest one is answered; the documentation does not tell.
        refuses_expired: Rejects a `StartingAfter` before the oldest row that is kept.
        backward: How `EndingBefore` is answered.
        show_row: Changes each row before it is sent; keys and values as another account's API has them.
    """

    method: str
    stream: str
    rows_key: str
    time_key: str
    max_limit: int
    retention: timedelta | None
    parameters: frozenset[str]
    make_row: Callable[[], Row]
    success_message: str | None
    next_id: int
    order: t.Literal["ascending", "descending", "shuffled"] = "ascending"
    most_rows: int | None = None
    over_limit: t.Literal["refuse", "clamp", "allow"] = "refuse"
    refuses_expired: bool = False
    backward: t.Literal["descending", "ascending", "refused"] = "descending"
    show_row: Callable[[Row], Row] | None = None
    entries: list[_Entry] = field(default_factory=list)
    uncommitted: list[_Entry] = field(default_factory=list)

    def visible(self, entry: _Entry, now: int) -> bool:
        """Return whether a row is still shown at `now`, in Unix seconds."""
        return self.retention is None or entry.time >= now - self.retention.total_seconds()

    def take_id(self, rng: Random) -> int:
        """Return the next id; ids have gaps."""
        taken = self.next_id
        self.next_id += rng.choice((1, 1, 1, 2, 3, 17))
        return taken

    def commit(self, entry: _Entry) -> None:
        """Make a row visible, in order of id."""
        bisect.insort(self.entries, entry)


_FIRST_WIDE_ID: t.Final = 2**31


class CryptolensSandbox(VendorSandbox):
    """The imitated API.

    Attributes:
        permissions: The methods that the token may call.
        error_style: Errors have status 200 or 400, or only a `message`.
        null_when_empty: Respond with null instead of an empty list of rows.
        ids_as_strings: Encode the ids of rows as strings.
        narrow_cursors: Reject a `StartingAfter` beyond 32 bits, as declared in the vendor's .NET client.
    """

    name = "cryptolens"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.access_token = world.secret(self.name, "access_token", length=62, alphabet=_TOKEN_ALPHABET) + "+="
        self.error_style: t.Literal["status_200", "status_400", "message_only"] = "status_200"
        self.null_when_empty = False
        self.ids_as_strings = False
        self.narrow_cursors = False
        self._rng = world.rng(self.name, "rows")
        rows = _RowFactory(world, self._rng)
        self.web_api_log = Log(
            method="GetWebAPILog",
            stream="cryptolens_web_api_log",
            rows_key="logs",
            time_key="time",
            max_limit=1000,
            retention=None,
            parameters=frozenset(
                {
                    "endingbefore",
                    "orderby",
                    "productid",
                    "key",
                    "machinecode",
                    "friendlyname",
                    "states",
                    "time",
                }
            ),
            make_row=rows.web_api_log,
            success_message="",
            next_id=2_280_434_406,  # a public sample; does not fit 32 bits
        )
        self.events = Log(
            method="GetEvents",
            stream="cryptolens_events",
            rows_key="events",
            time_key="time",
            max_limit=100,
            retention=RETENTION,
            parameters=frozenset({"endingbefore", "productid", "key", "time"}),
            make_row=rows.event,
            success_message=None,
            next_id=41_207,
        )
        self.object_log = Log(
            method="GetObjectLog",
            stream="cryptolens_object_log",
            rows_key="events",
            time_key="created",
            max_limit=100,
            retention=RETENTION,
            parameters=frozenset(),
            make_row=rows.object_log,
            success_message=None,
            next_id=7_001,
        )
        self._logs = {log.method.lower(): log for log in (self.web_api_log, self.events, self.object_log)}
        self.permissions = {log.method for log in self._logs.values()}
        self._license_keys = rows.license_keys
        self._add_history(self.web_api_log, days=400, count=world.size)
        self._add_history(self.events, days=60, count=max(1, world.size // 5))
        self._add_history(self.object_log, days=60, count=max(1, world.size // 8))

    # Interface of the server.

    @override
    def handle(self, request: Request) -> Response:
        path = request.path.lower()
        log = self._logs.get(path.removeprefix(BASE_PATH)) if path.startswith(BASE_PATH) else None
        if log is None:
            return Response(status=404)
        if request.method not in {"GET", "POST"}:
            return Response(status=405, headers={"Allow": "GET, POST"})
        with self.lock:
            try:
                return self._answer(log, _Parameters(request.form if request.method == "POST" else request.args))
            except _RefusedError as refusal:
                return self._error(str(refusal))

    @override
    def config(self, base_url: str) -> dict[str, t.Any]:
        return {"access_token": self.access_token, "api_url": f"{base_url}/api"}

    @override
    def truth(self) -> dict[str, list[Row]]:
        with self.lock:
            now = self._now()
            return {
                log.stream: [entry.decode() for entry in log.entries if log.visible(entry, now)]
                for log in self._logs.values()
            }

    @override
    def advance(self) -> None:
        with self.lock:
            now = self._now()
            for log, count in ((self.web_api_log, 60), (self.events, 12), (self.object_log, 8)):
                # Ignore rows that a test dated in the future.
                newest = max((entry.time for entry in log.entries if entry.time <= now), default=0) * NANOSECONDS
                times = [moment // NANOSECONDS for moment in self.world.following(self._rng, newest, count)]
                # The new rows start in the second of the newest one, and include several in one second.
                times[0] = newest // NANOSECONDS
                times[3:7] = [times[3]] * 4
                for moment in times:
                    self._add(log, moment)

    @override
    def secrets(self) -> list[str]:
        return [self.access_token]

    # Options for tests.

    def add_row(self, log: Log, *, age: timedelta = timedelta(), **changes: object) -> Row:
        """Add a row with the next id; a negative `age` dates it in the future, `changes` set its keys."""
        with self.lock:
            return self._add(log, self._now() - int(age.total_seconds()), **changes).decode()

    def begin_row(self, log: Log, *, age: timedelta = timedelta()) -> int:
        """Create a row with an id and a time that is not visible before `commit_rows`; return its id."""
        with self.lock:
            entry = self._make(log, self._now() - int(age.total_seconds()))
            log.uncommitted.append(entry)
            return entry.id

    def commit_rows(self) -> None:
        """Make the rows of `begin_row` visible."""
        with self.lock:
            for log in self._logs.values():
                for entry in log.uncommitted:
                    log.commit(entry)
                log.uncommitted.clear()

    # Data.

    def _now(self) -> int:
        return to_nanoseconds(self.world.now()) // NANOSECONDS

    def _add_history(self, log: Log, *, days: float, count: int) -> None:
        times = [moment // NANOSECONDS for moment in self.world.history(self._rng, days=days, count=count)]
        # Many rows within one second, more than a page if the log is long enough.
        burst = min(log.max_limit + log.max_limit // 10, count // 4)
        begin = count * 2 // 3
        times[begin : begin + burst] = [times[begin]] * burst
        for moment in sorted(times):
            self._add(log, moment)

    def _add(self, log: Log, moment: int, **changes: object) -> _Entry:
        entry = self._make(log, moment, **changes)
        log.commit(entry)
        return entry

    def _make(self, log: Log, moment: int, **changes: object) -> _Entry:
        row = {log.time_key: moment, **log.make_row(), **changes}
        taken = log.take_id(self._rng)
        return _Entry(taken, moment, encode(row, escaped=bool(taken % 2))[1:])

    # Responses.

    def _answer(self, log: Log, sent: _Parameters) -> Response:
        if sent.text("token") != self.access_token:
            raise _RefusedError(UNABLE_TO_AUTHENTICATE)
        if log.method not in self.permissions:
            raise _RefusedError(ACCESS_DENIED)
        return self._rows(log, self._select(log, sent))

    def _select(self, log: Log, sent: _Parameters) -> list[_Entry]:
        sent.allow_only(_COMMON_PARAMETERS | log.parameters)
        sent.integer("v", default=1)
        limit = sent.integer("limit", default=DEFAULT_LIMIT)
        after, before = sent.integer("startingafter"), sent.integer("endingbefore")
        if self.narrow_cursors and after >= _FIRST_WIDE_ID:
            raise _RefusedError(INCORRECT_INPUT)
        time_matches = sent.comparison("time")
        order, descending = _read_order(sent.text("orderby"), default_descending=before > 0)
        if limit > log.max_limit and log.over_limit == "clamp":
            limit = log.max_limit
        if not 1 <= limit <= log.max_limit and not (limit > log.max_limit and log.over_limit == "allow"):
            raise _RefusedError(INCORRECT_INPUT)
        if min(after, before) < 0 or (before and log.backward == "refused"):
            raise _RefusedError(INCORRECT_INPUT)
        # `Time` together with a cursor is documented for the Web API Log only.
        if time_matches is not None and (after or before) and log is not self.web_api_log:
            raise _RefusedError(INCORRECT_INPUT)
        matches = self._row_filter(sent)
        now = self._now()
        # With a filter on time, cursors are times (as in the vendor's n8n node).
        cursor = "id" if time_matches is None else "time"
        if log.refuses_expired and self._is_expired(log, after, now):
            raise _RefusedError(INCORRECT_INPUT)
        if log.order == "descending" and not before:
            descending = True
        if log.backward == "ascending" and before:
            descending = False
        found = (
            entry
            for entry in _in_order(
                log.entries, after=after, before=before, cursor=cursor, order=order, descending=descending
            )
            if log.visible(entry, now)
            and (time_matches is None or time_matches(entry.time))
            and (matches is None or matches(entry.decode()))
        )
        page = list(itertools.islice(found, limit if log.most_rows is None else min(limit, log.most_rows)))
        if log.order == "shuffled":
            Random(len(page)).shuffle(page)  # noqa: S311 - made-up data, not cryptography  # nosec B311
        return page

    @staticmethod
    def _is_expired(log: Log, after: int, now: int) -> bool:
        oldest = next((entry.id for entry in log.entries if log.visible(entry, now)), 0)
        return 0 < after < oldest - 1

    def _row_filter(self, sent: _Parameters) -> Callable[[Row], bool] | None:
        product, key = sent.integer("productid"), sent.text("key")
        machine, friendly = sent.text("machinecode"), sent.text("friendlyname").casefold()
        states = sent.integers("states")
        if key and not product:
            raise _RefusedError(INCORRECT_INPUT)
        if key and key not in self._license_keys:
            raise _RefusedError(KEY_NOT_FOUND)
        if not (product or machine or friendly or states):
            return None

        def matches(row: Row) -> bool:
            return (
                (not product or row.get("productId") == product)
                and (not key or row.get("key") == key)
                and (not machine or row.get("machineCode") == machine)
                and (not friendly or friendly in (row.get("friendlyName") or "").casefold())
                and (not states or row.get("state") in states)
            )

        return matches

    def _rows(self, log: Log, page: list[_Entry]) -> Response:
        encoded = [entry.encode(id_as_string=self.ids_as_strings) for entry in page]
        if log.show_row is not None:
            encoded = [encode(log.show_row(json.loads(row))) for row in encoded]
        rows = b"[" + b",".join(encoded) + b"]"
        if not page and self.null_when_empty:
            rows = b"null"
        return json_response(
            b'{"%b":%b,"result":0,"message":%b}' % (log.rows_key.encode(), rows, encode(log.success_message))
        )

    def _error(self, message: str) -> Response:
        if self.error_style == "message_only":
            return json_response(encode({"message": message}))
        return json_response(
            encode({"result": 1, "message": message}), 400 if self.error_style == "status_400" else 200
        )


class _Parameters:
    """The parameters of a request; names are case-insensitive, and empty values are ignored."""

    def __init__(self, sent: MultiDict[str, str]) -> None:
        self._values: dict[str, str] = {}
        for name, values in sent.lists():
            if name.lower() in self._values or len(values) != 1:
                raise _RefusedError(INCORRECT_INPUT)
            self._values[name.lower()] = values[0]

    def allow_only(self, names: Iterable[str]) -> None:
        if not self._values.keys() <= set(names):
            raise _RefusedError(INCORRECT_INPUT)

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def integer(self, name: str, default: int = 0) -> int:
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.removeprefix("-").isdigit():
            raise _RefusedError(INCORRECT_INPUT)
        return int(text)

    def integers(self, name: str) -> list[int]:
        """Parse a JSON array of integers."""
        numbers = self._json(name)
        if numbers is None:
            return []
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise _RefusedError(INCORRECT_INPUT)
        return numbers

    def comparison(self, name: str) -> Callable[[int], bool] | None:
        """Parse a filter on time: a number, or a JSON object such as `{"gte": 1}`."""
        bounds = self._json(name)
        if bounds is None:
            return None
        if type(bounds) is int:
            return bounds.__eq__
        if (
            not isinstance(bounds, dict)
            or not bounds.keys() <= _COMPARISONS.keys()
            or not all(type(bound) is int for bound in bounds.values())
        ):
            raise _RefusedError(INCORRECT_INPUT)
        return lambda moment: all(_COMPARISONS[how](moment, bound) for how, bound in bounds.items())

    def _json(self, name: str) -> t.Any:
        text = self.text(name)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise _RefusedError(INCORRECT_INPUT) from error


def _in_order(  # noqa: PLR0913 - one for each parameter of the request
    entries: Sequence[_Entry], *, after: int, before: int, cursor: str, order: str, descending: bool
) -> Iterable[_Entry]:
    """Return the rows beyond the cursor in the requested order; `before` takes precedence."""
    where = operator.attrgetter(cursor)
    if cursor == order == "id":
        first = 0 if before else bisect.bisect_right(entries, after, key=where)
        end = bisect.bisect_left(entries, before, key=where) if before else len(entries)
        return map(entries.__getitem__, range(end - 1, first - 1, -1) if descending else range(first, end))
    beyond = [entry for entry in entries if (where(entry) < before if before else where(entry) > after)]
    return sorted(beyond, key=lambda entry: (getattr(entry, order), entry.id), reverse=descending)


def _read_order(text: str, *, default_descending: bool) -> tuple[str, bool]:
    if not text:
        return "id", default_descending
    key, _, direction = text.lower().partition(" ")
    if key not in {"id", "time"} or direction not in {"", "ascending", "descending"}:
        raise _RefusedError(INCORRECT_INPUT)
    return key, direction == "descending"


class _RowFactory:
    """Creates rows with documented values, and with undocumented ones that clients must expect."""

    def __init__(self, world: World, rng: Random) -> None:
        self._rng = rng
        self._people = world.people(CryptolensSandbox.name)
        self._machines = [f"{rng.getrandbits(160):040x}" for _ in range(40)]
        self._users = [rng.randrange(1000, 90_000) for _ in range(6)]
        self.license_keys = [
            "-".join("".join(rng.choices(string.ascii_uppercase, k=5)) for _ in range(4)) for _ in range(50)
        ]

    def web_api_log(self) -> Row:
        rng = self._rng
        machine: str | None = rng.choice(self._machines)
        if happens(rng, 0.1):
            machine = rng.choice((None, "", f"floating:{machine}"))
        is_data_object = happens(rng, 0.1)
        row: Row = {
            "productId": rng.choice(PRODUCTS),
            "key": rng.choice(self.license_keys),
            "ip": rng.choice((f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.0", "2001:db8::")),
            "state": rng.choice(_UNKNOWN_STATES if happens(rng, 0.02) else _KNOWN_STATES),
            "machineCode": machine,
            "friendlyName": rng.choice((rng.choice(self._people).name, "", None)),
            "floatingExpires": rng.choice((0, 0, 1_790_000_000)),
            "doIntValue": rng.randrange(-5, 100) if is_data_object else 0,
            "doId": rng.randrange(2**33, 2**40) if is_data_object else 0,
        }
        if happens(rng, 0.01):
            # An undocumented key, as the vendor may add.
            row["countryCode"] = rng.choice(("SE", None, ["SE", "FI"]))
        return row

    def event(self) -> Row:
        rng = self._rng
        row: Row = {
            "productId": rng.choice(PRODUCTS),
            "key": rng.choice((rng.choice(self.license_keys), None)),
            "machineCode": rng.choice((rng.choice(self._machines), rng.choice(self._people).email, None)),
            "featureName": rng.choice(("export", "Räknare", "", None, "f" * 100)),
            "eventName": rng.choice(("start", "payment", "кнопка", None)),
            "value": rng.choice((0, 2530, -100)),
            "currency": rng.choice(("EUR", "SEK", "", None)),
            "metadata": rng.choice(
                (
                    None,
                    "",
                    '{"plan":"pro","émoji":"🔑"}',
                    '{"broken":',
                    "not json",
                    "[1,2",
                    '{"a":"\\u0041"}',
                    "0",
                )
            ),
        }
        if happens(rng, 0.3):  # in the vendor's SDK but not in its docs
            del row["productId"]
        return row

    def object_log(self) -> Row:
        rng = self._rng
        performed_by = rng.choice(self._users)
        return {
            "resourceType": rng.randrange(8),
            "resourceAction": rng.randrange(5),
            "affectedObjectId": rng.randrange(1, 2**34),
            "objectOwnerUserId": rng.choice(self._users),
            "performedByUserId": rng.choice((performed_by, str(performed_by), None)),
            "data": rng.choice(tuple(self._object_changes())),
        }

    def _object_changes(self) -> Iterator[str | None]:
        name = self._rng.choice(self._people).name
        yield json.dumps({"Id": self._rng.randrange(10**6), "Name": name, "Guid": made_up_uuid(self._rng)})
        yield json.dumps({"Name": [name, None], "MaxNoOfMachines": [1, 5]}, ensure_ascii=False)
        yield '{"Notes":["unfinished'
        yield ""
        yield None


def create(world: World) -> CryptolensSandbox:
    """Create the sandbox."""
    return CryptolensSandbox(world)
