"""The classes of OCSF 1.8.0 that audit events have, with the captions of their activities."""

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
"""The activity, or the type, that OCSF has no number for; its name says what it is."""


@dataclass(frozen=True, eq=False)
class Status:
    """How it went.

    Attributes:
        id: OCSF's number.
        caption: OCSF's name of it.
        outcome: The same in the column `outcome`.
    """

    id: int
    caption: str
    outcome: str


UNKNOWN: t.Final = Status(0, "Unknown", "unknown")
SUCCESS: t.Final = Status(1, "Success", "success")
FAILURE: t.Final = Status(2, "Failure", "failure")


@dataclass(frozen=True, eq=False)
class EventClass:
    """A class of events.

    Attributes:
        uid: Its number; the first digit is its category's.
        name: Its caption.
        activities: The captions of its activities.
    """

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
    """What was done.

    Attributes:
        event_class: The class of the event.
        id: The number of the activity in its class.
        name: What the source calls it, for the activity `OTHER`.
    """

    event_class: EventClass
    id: int
    name: str | None = None


@lru_cache(maxsize=1024)
def header(activity: Activity, status: Status) -> Spelled:
    """Spell the numbers that follow from an activity, and their captions.

    Args:
        activity: What was done.
        status: How it went.

    Returns:
        The attributes from `category_uid` to `status`.
    """
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
