"""The objects of the imitated OpenX, and the records of their history.

Everything about a change follows from the object and the number of the change, so that nothing need be kept.
"""

from __future__ import annotations

import json
import typing as t
import uuid
from datetime import UTC, datetime, timedelta

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.histories import Catalogue, TrackedObject
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

FIRST_ID: t.Final = 1_611_010_849
"""The same for all types: nothing promises that an id belongs to one type only."""

_REASONS: t.Final = ("api", "ui", "api", "bulk_upload")
_PROGRAMS: t.Final[tuple[list[str], ...]] = (["uwsgi"], ["uwsgi", "celery"], [])


def _cycle(*values: object) -> Callable[[TrackedObject, int], object]:
    return lambda _item, turn: values[turn % len(values)]


def _name(item: TrackedObject, turn: int) -> str:
    return f"{item.kind} #{item.number} Größe {turn} 🚀"


# Field, after how many changes it has its next value, and its values: nearly all are strings, as in vendor samples.
_FIELDS: t.Final[tuple[tuple[str, int, Callable[[TrackedObject, int], object]], ...]] = (
    ("name", 1, _name),
    ("status", 2, _cycle("Pending", "Active", "Paused")),
    ("budget", 3, _cycle("1000.00", "0", "12345678901234567890.55")),
    ("end_date", 4, _cycle(None, "2027-01-01 08:00:00")),
    ("notes", 5, _cycle("", 'quoted "text", comma\nbreak', "ليلى \u202e", "x" * 300)),
    ("targeting", 6, _cycle(None, {"geo": ["DE", "é"], "depth": [[1, None], {"on": True}]}, [])),
)


class Objects:
    """Generates the objects and their history.

    Attributes:
        catalogue: The objects and when they changed.
        instance_uid: The platform hash.
        zone: How far the zone of all times is ahead of UTC.
        unix_times: Whether the times of the history are numbers.
        update_action: What an update is called; the vendor shows only creations.
        changes_as: Whether `changes` is an object or its text.
        user_as: Whether `user` is an object or an e-mail address.
    """

    def __init__(self, world: World, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.instance_uid = str(uuid.UUID(int=world.rng("openx", "instance").getrandbits(128), version=4))
        self._account_uid = f"600aa500-accf-fff1-8123-{self.instance_uid[-6:]}"
        self._people = world.people("openx")
        self.zone = timedelta()
        self.unix_times = False
        self.update_action = "update"
        self.changes_as: t.Literal["object", "text"] = "object"
        self.user_as: t.Literal["object", "text"] = "object"

    def uid(self, item: TrackedObject) -> str:
        """Return the other identifier of an object."""
        place = list(self.catalogue.kinds).index(item.kind)
        return f"{item.id:08x}-c{place:03x}-fff1-8123-{self.instance_uid[-6:]}"

    def listed(self, item: TrackedObject) -> Row:
        """Return an object as lists and reads show it."""
        return self._snapshot(item, item.changes - 1, revision=item.shown_changes, modified=item.modified)

    def records(self, item: TrackedObject) -> list[tuple[int, int]]:
        """Return the history of an object in brief."""
        return [(number + 1, moment) for number, moment in enumerate(item.moments())]

    def email(self, item: TrackedObject, revision: int) -> str | None:
        """Return who made a change."""
        actor = self._actor(item, revision)
        return None if actor is None else self._people[actor].email

    def record(self, item: TrackedObject, revision: int, moment: int) -> Row:
        """Return a record of history."""
        actor = self._actor(item, revision)
        record: Row = {
            "obj_type": item.kind,
            "changes": self._changes(item, revision, moment),
            "obj_id": str(item.id),
            "ip": f"10.0.50.{revision % 200 + 1}",
            "reason": _REASONS[revision % len(_REASONS)],
            "program": _PROGRAMS[revision % len(_PROGRAMS)],
            "timestamp": moment if self.unix_times else self._write_time(moment),
            "action": self._action(item, revision),
            "type": "audittrail",
            "account_uid": self._account_uid,
            "instance_uid": self.instance_uid,
            "revision": revision,
        }
        if self.changes_as == "text":
            record["changes"] = json.dumps(record["changes"])
        if actor is None:
            record["reason"] = "system"
            if revision % 2:  # null as often as absent
                record["user"] = None
        else:
            person = self._people[actor]
            first, _, last = person.name.partition(" ")
            record["user"] = {"first_name": first, "last_name": last, "name": person.name, "email": person.email}
            if self.user_as == "text":
                record["user"] = person.email
            # Now and then somebody acts for another user.
            record["real_user"] = "support@openx.example" if revision % 7 == 0 else person.email
        if (item.number + revision) % 5 == 0:  # a field that no page knows
            record["requestId"] = f"r-{item.id}-{revision}"
        return record

    def _actor(self, item: TrackedObject, revision: int) -> int | None:
        if (item.number + revision) % 9 == 0:
            return None
        return (item.number + 2 * revision) % len(self._people)

    def _write_time(self, moment: int) -> str:
        return write_time(moment + int(self.zone.total_seconds()))

    def _action(self, item: TrackedObject, revision: int) -> str:
        if revision == 1:
            return "create"
        return "delete" if item.deleted and revision == item.changes else self.update_action

    def _changes(self, item: TrackedObject, revision: int, moment: int) -> Row:
        """Return the snapshot of a creation, and of an update what changed; vendor samples show only creations."""
        if revision == 1:
            return {"new_value": self._snapshot(item, 0, revision=1, modified=moment)}
        number = revision - 1
        touched = [name for name, period, _ in _FIELDS if number % period == 0]
        after = self._snapshot(item, number, revision=revision, modified=moment)
        changes: Row = {"new_value": {name: after[name] for name in (*touched, "revision", "modified_date")}}
        if number % 4:  # no page promises it
            before = self._snapshot(item, number - 1, revision=revision - 1, modified=moment)
            changes["old_value"] = {name: before[name] for name in (*touched, "revision")}
        return changes

    def _snapshot(self, item: TrackedObject, number: int, *, revision: int, modified: int) -> Row:
        return {
            "id": str(item.id),
            "uid": self.uid(item),
            "type": item.kind,
            "account_uid": self._account_uid,
            "instance_uid": self.instance_uid,
            "created_date": self._write_time(item.first),
            "modified_date": self._write_time(modified),
            "revision": revision,
            "deleted": "1" if item.deleted else "0",
            "v": "3",
            **{name: value(item, number // period) for name, period, value in _FIELDS},
        }


def write_time(moment: int) -> str:
    """Write a time as the vendor does, without its zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
