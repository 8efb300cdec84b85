"""The imitation of Xandr: the change log, its details, and the lists of the objects that they are about.

Written from the vendor's pages and public clients, not from what the tap sends. Where they say nothing, it takes the
reading that forgives least.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from auditlogs_sandbox.histories import Catalogue
from auditlogs_sandbox.metered import MeteredSandbox
from auditlogs_sandbox.vendors.xandr.change_log import ChangeLog
from auditlogs_sandbox.vendors.xandr.listing import Listing
from auditlogs_sandbox.vendors.xandr.login import Login
from auditlogs_sandbox.vendors.xandr.objects import Objects
from auditlogs_sandbox.vendors.xandr.replies import RefusedError
from auditlogs_sandbox.vendors.xandr.services import BY_PATH, SERVICES
from auditlogs_sandbox.vendors.xandr.throttle import Throttle
from auditlogs_sandbox.vendors.xandr.transactions import Transaction, Transactions

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

__all__ = ["DETAIL_STREAM", "LOG_STREAM", "Throttle", "XandrSandbox", "create"]

LOG_STREAM: t.Final = "xandr_change_log"
DETAIL_STREAM: t.Final = "xandr_change_log_detail"

_ADDITIONAL_FIELDS: t.Final = frozenset({"user_id", "request_source"})
_ROWS_PER_OBJECT: t.Final = 600  # of the world's size: the details cost a request each, so this log is small
_LONG_HISTORY: t.Final = 120  # more than a page
_MOST_CHANGES: t.Final = 6
_FAST: t.Final = 60_000


class XandrSandbox(MeteredSandbox):
    """The imitated API.

    Attributes:
        catalogue: The objects and when they changed.
        login: The user, the tokens and their limits.
        change_log: The log and its levers.
        listing: The lists and their levers.
        transactions: What was logged.
        throttle: The limit on requests; None is no limit.
        most_in_flight: How many requests the vendor takes at once (vendor page: 15).
        errors_by_status: Whether errors have an HTTP status of their own; otherwise they come with 200.
    """

    name = "xandr"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.catalogue = Catalogue(world, self.name, {name: service.first_id for name, service in SERVICES.items()})
        self.login = Login(world)
        objects = Objects(self.catalogue)
        self.transactions = Transactions(world, objects)
        self.change_log = ChangeLog(self.transactions)
        self.listing = Listing(objects)
        self.throttle: Throttle | None = None
        self.most_in_flight = 15
        self.errors_by_status = False
        self._make_up(world.size)

    # What the server needs.

    def answer(self, request: Request, in_flight: int) -> Response:
        """Respond as the vendor would; the lock is held."""
        try:
            if in_flight > self.most_in_flight:
                # With HTTP 200 whatever the lever says; how the error is spelled is not on any page.
                return RefusedError("SYSTEM", "Too many concurrent requests").response(by_status=False)
            return self._answer(request)
        except RefusedError as refusal:
            return refusal.response(by_status=self.errors_by_status)

    def config(self, base_url: str) -> dict[str, t.Any]:
        """Return the tap's settings for this vendor."""
        return {
            "username": self.login.username,
            "password": self.login.password,
            "api_url": base_url,
            "services": [name for name, service in SERVICES.items() if service.logged and self.catalogue.live(name)],
            "requests_per_minute": _FAST,
        }

    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the API would return now."""
        with self.lock:
            log, details = [], []
            for change in self.change_log.readable():
                service = {"service": change.item.kind}
                row = self.transactions.row(change, _ADDITIONAL_FIELDS)
                log.append(service | row)
                if row["transaction_id"] not in self.transactions.without_details:
                    details.append(service | self.transactions.detail(change, previous_object=True))
            return {LOG_STREAM: log, DETAIL_STREAM: details}

    def advance(self) -> None:
        """Add new rows."""
        with self.lock:
            self.catalogue.advance()

    def secrets(self) -> list[str]:
        """Return all credentials of this vendor."""
        return [self.login.password, *self.login.tokens, *self.transactions.session_ids]

    # Levers.

    def truth_keys(self) -> Iterator[tuple[str, int, str]]:
        """Return the keys of the truth without generating the rows."""
        for change in self.change_log.readable():
            yield change.item.kind, change.item.id, self.transactions.id_of(change)

    def fill(self, sizes: Mapping[str, int], *, changes: int) -> None:
        """Replace all objects by generated ones; none has changed in the last three days."""
        with self.lock:
            self.catalogue.fill(sizes, lambda _kind, _number: changes, ancient=False)

    def change(
        self, service: str, resource_id: int, *, age: timedelta = timedelta(seconds=1), bump: bool = True
    ) -> Row:
        """Log a change of an object; with `bump` its `last_modified` shows it."""
        with self.lock:
            return self._row(self._change(service, resource_id, age, bump=bump))

    def bulk_edit(self, service: str, resource_ids: list[int]) -> list[Row]:
        """Change several objects in one transaction."""
        with self.lock:
            changes = [self._change(service, each, timedelta(seconds=1), bump=True) for each in resource_ids]
            self.transactions.share_id(changes)
            return [self._row(change) for change in changes]

    def add(self, service: str) -> int:
        """Create an object now."""
        with self.lock:
            return self.catalogue.add(service).id

    def delete(self, service: str, resource_id: int) -> None:
        """Delete an object, so that it is in no list any more."""
        with self.lock:
            self.catalogue.delete(self.catalogue.known(service, resource_id))

    # The data.

    def _make_up(self, size: int) -> None:
        count = max(2, size // _ROWS_PER_OBJECT)
        logged = [name for name, service in SERVICES.items() if service.logged]
        long = 0 if size >= _ROWS_PER_OBJECT else None

        def changes(service: str, number: int) -> int:
            return _LONG_HISTORY if service == "line-item" and number == long else 1 + number % _MOST_CHANGES

        self.catalogue.fill(dict.fromkeys(logged, count), changes, ancient=True)
        for name in ("creative", "pixel"):
            self.catalogue.delete(self.catalogue.add(name))

    def _change(self, service: str, resource_id: int, age: timedelta, *, bump: bool) -> Transaction:
        item = self.catalogue.known(service, resource_id)
        moment = self.catalogue.now() - int(age.total_seconds())
        return Transaction(item, self.catalogue.change(item, moment, bump=bump), moment)

    def _row(self, change: Transaction) -> Row:
        return {"service": change.item.kind, **self.transactions.row(change, _ADDITIONAL_FIELDS)}

    # The answers.

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/")
        if path == "auth":
            return self.login.authenticate(request)
        self.login.check(request)
        if self.throttle is not None and (refusal := self.throttle.refuse()):
            return refusal
        if path == "user":
            return self.login.user()
        if path == "change-log":
            return self.change_log.answer(request)
        if path == "change-log-detail":
            return self.change_log.answer_detail(request)
        if path in BY_PATH:
            return self.listing.answer(BY_PATH[path], request)
        raise RefusedError("SYNTAX", "there is no such service", status=404)


def create(world: World) -> XandrSandbox:
    """Generate the vendor's data."""
    return XandrSandbox(world)
