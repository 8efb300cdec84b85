"""The logged changes of the imitated Xandr: the rows of the change log and their details."""

from __future__ import annotations

import hashlib
import json
import typing as t
import uuid
from datetime import timedelta

from auditlogs_sandbox.vendors.xandr.replies import write_time
from auditlogs_sandbox.vendors.xandr.services import SERVICES

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditlogs_sandbox.histories import TrackedObject
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.xandr.objects import Objects
    from auditlogs_sandbox.world import World

MEMBER_ID: t.Final = 364

_FIRST_USER_ID: t.Final = 206_221
_SERVICE_NAMES: t.Final = tuple(SERVICES)
_MAC_LENGTH: t.Final = 8
_SOURCES: t.Final = ("direct", "hbui", "LIAA-blkupld", "bmwBulkEdit", "bmwInlineEdit", "LIAA-dup", "LIAA-allocation")
_PLUGIN_IDS: t.Final = ("", None, "", 77)  # a vendor sample has an empty string where its table says null
_HEX: t.Final = "0123456789abcdef"


class Transaction(t.NamedTuple):
    """A change of an object.

    Attributes:
        item: The object.
        number: The number of the change.
        moment: When it happened, in seconds since 1970.
    """

    item: TrackedObject
    number: int
    moment: int


class Transactions:
    """Generates the log.

    Attributes:
        objects: The objects.
        session_ids: The API tokens of the acting users, which the details tell.
        without_details: Transactions, by their id, for which there are no details.
        zone: How far the zone of `created_on` is ahead of UTC.
        unix_times: Whether `created_on` is a number.
        integer_ids: Whether ids are numbers, as the vendor's table says, other than its samples.
    """

    def __init__(self, world: World, objects: Objects) -> None:
        self.objects = objects
        self.without_details: set[str] = set()
        self.zone = timedelta()
        self.unix_times = False
        self.integer_ids = False
        self._people = world.people("xandr")
        self.session_ids = [
            f"authn:{_FIRST_USER_ID + place}:{world.secret('xandr', person.id, length=13, alphabet=_HEX)}:ams3"
            for place, person in enumerate(self._people)
        ]
        self._mac_key = world.secret("xandr", "transaction").encode()
        self._shared_ids: dict[tuple[str, int, int], str] = {}

    def of(self, item: TrackedObject) -> list[Transaction]:
        """Return the transactions of an object."""
        changes = [Transaction(item, number, moment) for number, moment in enumerate(item.moments())]
        return sorted(changes, key=lambda change: change.moment)

    def id_of(self, change: Transaction) -> str:
        """Return the id of a transaction."""
        item, number, _ = change
        if shared := self._shared_ids.get((item.kind, item.id, number)):
            return shared
        place = b"%c%b%b" % (
            _SERVICE_NAMES.index(item.kind),
            item.number.to_bytes(4, "big"),
            number.to_bytes(2, "big"),
        )
        return str(uuid.UUID(bytes=self._mac(place) + b"\x80" + place, version=5))

    def share_id(self, changes: Collection[Transaction]) -> str:
        """Put changes of several objects into one transaction, as a bulk edit does."""
        shared = self.id_of(next(iter(changes)))
        for item, number, _ in changes:
            self._shared_ids[item.kind, item.id, number] = shared
        return shared

    def find(self, service: str, transaction_id: str) -> Iterator[Transaction]:
        """Find what belongs to a transaction."""
        shared = [key for key, value in self._shared_ids.items() if value == transaction_id and key[0] == service]
        if shared:
            for _, identifier, number in shared:
                item = self.objects.catalogue.find(service, identifier)
                if item is not None:
                    yield Transaction(item, number, item.moments()[number])
            return
        try:
            place = int(transaction_id).to_bytes(7, "big") if self.integer_ids else uuid.UUID(transaction_id).bytes[-7:]
        except (ValueError, OverflowError):
            return
        item = self.objects.catalogue.by_number(service, int.from_bytes(place[1:5], "big"))
        number = int.from_bytes(place[5:], "big")
        if item is None or number >= item.changes:
            return
        change = Transaction(item, number, item.moments()[number])
        if str(self._shown_id(change)) == transaction_id:
            yield change

    def _shown_id(self, change: Transaction) -> str | int:
        text = self.id_of(change)
        return int.from_bytes(uuid.UUID(text).bytes[-7:], "big") if self.integer_ids else text

    def _shown_time(self, change: Transaction) -> str | int:
        moment = change.moment + int(self.zone.total_seconds())
        return moment if self.unix_times else write_time(moment)

    def row(self, change: Transaction, additional_fields: Collection[str]) -> Row:
        """Return the row of the change log."""
        row: Row = {
            "transaction_id": self._shown_id(change),
            "created_on": self._shown_time(change),
            "resource_id": change.item.id,
        }
        if "user_id" in additional_fields:
            row["user_id"] = _FIRST_USER_ID + self._actor(change)
        if "request_source" in additional_fields:
            row["request_source"] = _request_source(change)
        if "object_json" in additional_fields:
            row["object_json"] = json.dumps(self.objects.state(change.item, change.number))
        return row

    def detail(self, change: Transaction, *, previous_object: bool) -> Row:
        """Return the details of a transaction against the one before it or, without `previous_object`, after it."""
        item, number, _ = change
        changes = self._changes(item, number if previous_object else number + 1)
        actor = self._actor(change)
        detail: Row = {
            "transaction_id": self._shown_id(change),
            "member_id": MEMBER_ID,
            "raw_json": json.dumps({item.kind: self._before(item, number)}),
            "plugin_id": _PLUGIN_IDS[3] if is_by_plugin(change) else _PLUGIN_IDS[number % 3],
            "method": "POST" if number == 0 else "PUT" if number % 5 else "put",  # pages show both spellings
            "changes": changes,
            "session_id": self.session_ids[actor],
            "internal_txn": number % 6 == 1,
            "url": f"https://hbapi-proxy-production/{item.kind}?id={item.id}",
            "request_source": _request_source(change),
            "num_of_changes": sum(entry["changed"] for entry in changes),
            "created_on": self._shown_time(change),
            "user_id": _FIRST_USER_ID + actor,
            "modified_by_admin": is_by_admin(change),
            "admin_id": 0,
            "user_full_name": self._people[actor].name,
            "resource_id": item.id,
            "client_ip": f"192.0.2.{actor + 1}",
            "ip_info": f"192.0.2.{actor + 1}, 198.51.100.7",
        }
        if (item.number + number) % 4 == 1:  # pages warn that answers may grow any day
            detail["serviceRevision"] = {"major": 2, "notes": [None, "é"]}
        return detail

    def has_changes(self, change: Transaction) -> bool:
        """Whether a transaction changed anything."""
        return any(entry["changed"] for entry in self._changes(change.item, change.number))

    def _changes(self, item: TrackedObject, number: int) -> list[Row]:
        """Compare an object before and after a change; there is nothing to tell of a change to come."""
        if number >= item.changes:
            return []
        after = self.objects.state(item, number)
        before = self.objects.state(item, number - 1) if number else dict.fromkeys(after)
        return [
            {
                "field_name": name,
                "old_value": before[name],
                "new_value": value,
                "changed": before[name] != value,
            }
            for name, value in after.items()
        ]

    def _before(self, item: TrackedObject, number: int) -> Row:
        return self.objects.state(item, number - 1) if number else {"id": 0, **self.objects.parents(item)}

    def _actor(self, change: Transaction) -> int:
        return (change.item.number + 3 * change.number) % len(self._people)

    def _mac(self, place: bytes) -> bytes:
        return hashlib.blake2b(place, key=self._mac_key, digest_size=_MAC_LENGTH).digest()


def is_by_admin(change: Transaction) -> bool:
    """Whether an administrator made a change."""
    return (change.item.number + change.number) % 7 == 1


def is_by_plugin(change: Transaction) -> bool:
    """Whether a plugin made a change."""
    return (change.item.number + change.number) % 11 == 0


def _request_source(change: Transaction) -> str:
    return _SOURCES[(change.item.number + change.number) % len(_SOURCES)]
