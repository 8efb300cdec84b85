"""OCSF 1.8.0 classes of audit events, with the captions of their activities."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import lru_cache

from tap_auditlogs.ocsf.objects import spelled_members

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.ocsf.objects import Spelled

VERSION: t.Final = "1.8.0"

OTHER: t.Final = 99
"""OCSF's id for an activity or type that is not in its list."""


@dataclass(frozen=True, eq=False)
class Status:
    """OCSF's `status_id` and `status`, and the value of the column `outcome`."""

    id: int
    caption: str
    outcome: str


UNKNOWN: t.Final = Status(0, "Unknown", "unknown")
SUCCESS: t.Final = Status(1, "Success", "success")
FAILURE: t.Final = Status(2, "Failure", "failure")


@dataclass(frozen=True, eq=False)
class EventClass:
    """OCSF's `class_uid` and `class_name`, and the captions of `activity_id`."""

    uid: int
    name: str
    activities: Mapping[int, str]


_CRUD: t.Final = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}

ACCOUNT_CHANGE: t.Final = EventClass(
    3001, "Account Change", {1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable"}
)
AUTHENTICATION: t.Final = EventClass(3002, "Authentication", {1: "Logon", 2: "Logoff"})
ENTITY_MANAGEMENT: t.Final = EventClass(3004, "Entity Management", _CRUD)
GROUP_MANAGEMENT: t.Final = EventClass(3006, "Group Management", {1: "Assign Privileges", 2: "Revoke Privileges"})
WEB_RESOURCES_ACTIVITY: t.Final = EventClass(6001, "Web Resources Activity", {**_CRUD, 6: "Import", 7: "Export"})
API_ACTIVITY: t.Final = EventClass(6003, "API Activity", _CRUD)

_CATEGORIES: t.Final = {3: "Identity & Access Management", 6: "Application Activity"}


class Activity(t.NamedTuple):
    """An activity of an event class; `name` is the source's name of it, used with the id `OTHER` only."""

    event_class: EventClass
    id: int
    name: str | None = None


@lru_cache(maxsize=1024)
def header(activity: Activity, status: Status) -> Spelled:
    """Return the encoded attributes from `category_uid` to `status`."""
    event_class, number, name = activity
    category_uid = event_class.uid // 1000
    caption = "Other" if number == OTHER else event_class.activities[number]
    attributes = {
        "category_uid": category_uid,
        "category_name": _CATEGORIES[category_uid],
        "class_uid": event_class.uid,
        "class_name": event_class.name,
        "activity_id": number,
        "activity_name": name or caption if number == OTHER else caption,
        "type_uid": event_class.uid * 100 + number,
        "type_name": f"{event_class.name}: {caption}",
        "severity_id": 1,
        "severity": "Informational",
        "status_id": status.id,
        "status": status.caption,
    }
    return spelled_members(attributes)
