"""The objects of the imitated Xandr: what they looked like after each change.

Everything about a change follows from the object and the number of the change, so that nothing need be kept.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from auditlogs_sandbox.vendors.xandr.replies import write_time
from auditlogs_sandbox.vendors.xandr.services import SERVICES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditlogs_sandbox.histories import Catalogue, TrackedObject
    from auditlogs_sandbox.vendor import Row

LOCAL_ZONE: t.Final = timedelta(hours=-5)
"""EST without its summer time: needs no time zone database, and is as wrong a zone as any other."""


def _cycle(*values: object) -> Callable[[TrackedObject, int], object]:
    return lambda _item, turn: values[turn % len(values)]


def _name(item: TrackedObject, turn: int) -> str:
    return f"{item.kind} {item.number} Größe {turn} 🚀"


def _start_date(item: TrackedObject, turn: int) -> str:
    return datetime.fromtimestamp(item.first + 86_400 * turn, UTC).strftime("%Y-%m-%d 00:00:00")


# Field, after how many changes it has its next value, and its values. The periods leave changes that change nothing,
# of which the second is the first.
_FIELDS: t.Final[tuple[tuple[str, int, Callable[[TrackedObject, int], object]], ...]] = (
    ("name", 3, _name),
    ("state", 2, _cycle("active", "inactive")),
    ("comments", 5, _cycle(None, "Ünïcode \u202e ליל", "", 'quoted "text", with comma\nand break', "x" * 300)),
    ("lifetime_budget", 4, _cycle(None, 1000.5, 0, 12345678901234567890, -0.01)),
    ("archived", 9, _cycle(False, True)),
    ("labels", 6, _cycle([], [{"id": 7, "name": "Q4"}], None, [{"id": 7, "name": "Q4"}, {"id": 9, "name": "ö"}])),
    ("frequency_caps", 10, _cycle(None, {"daily": 3, "per_domain": {"example.com": [1, None]}}, {"daily": True})),
    ("start_date", 8, _start_date),
)
_CONSTANTS: t.Final[Mapping[str, object]] = {"code": None, "currency": "EUR", "timezone": "EST5EDT", "is_default": True}


class Objects:
    """Generates the objects.

    Attributes:
        catalogue: The objects and when they changed.
        local_zone: How far the zone of the services with local time is ahead of UTC.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.local_zone = LOCAL_ZONE

    def parents(self, item: TrackedObject) -> dict[str, int | None]:
        """Return the ids of an object's parents."""
        service = SERVICES[item.kind]
        if service.either_parent:
            turn, owner = divmod(item.number, len(service.parents))
            return {
                parameter: self.catalogue.made_up_id(kind, turn) if place == owner else None
                for place, (parameter, kind) in enumerate(service.parents)
            }
        return {parameter: self.catalogue.made_up_id(kind, item.number) for parameter, kind in service.parents}

    def state(self, item: TrackedObject, change: int) -> Row:
        """Return an object as it was after a change."""
        made_up = {name: value(item, change // period) for name, period, value in _FIELDS}
        return {"id": item.id, **_CONSTANTS, **self.parents(item), **made_up}

    def listed(self, item: TrackedObject) -> Row:
        """Return an object as its service lists it."""
        service = SERVICES[item.kind]
        row = self.state(item, item.changes - 1)
        if service.ids_as_strings:
            row["id"] = str(item.id)
        return {**row, "last_modified": self.last_modified(item)}

    def last_modified(self, item: TrackedObject) -> str:
        """Return when an object says that it was modified, in the zone of its service."""
        return write_time(self.shown_modified(item))

    def shown_modified(self, item: TrackedObject) -> int:
        """Return when an object says that it was modified."""
        if SERVICES[item.kind].local_time:
            return item.modified + int(self.local_zone.total_seconds())
        return item.modified
