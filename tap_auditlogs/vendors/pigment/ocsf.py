"""What Pigment's events mean in OCSF. The class follows from the event type, whose list is not public in full."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.ocsf.classes import (
    ACCOUNT_CHANGE,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    FAILURE,
    GROUP_MANAGEMENT,
    OTHER,
    SUCCESS,
    UNKNOWN,
    WEB_RESOURCES_ACTIVITY,
    Activity,
    EventClass,
    Status,
)
from tap_auditlogs.ocsf.mapping import Event, Person, Source, StreamMapping, Target
from tap_auditlogs.ocsf.values import is_ip, milliseconds, text_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_auditlogs.ocsf.mapping import Options, Record

_Object: t.TypeAlias = "dict[str, t.Any]"

_UNKNOWN_TYPE: t.Final = "unknown event type"

# Vendor page on event types, where the change of a password is the one by the reset e-mail.
_ACCOUNT_CHANGES: t.Final = {
    "UserInvited": 1,
    "UserReactivated": 2,
    "UserPasswordChanged": 4,
    "UserDeactivated": 5,
    "UserAccountTypeUpdated": OTHER,  # OCSF 1.8 has no update of an account
}

_SNAPSHOT: t.Final = re.compile(r"Snapshot\w*(Taken|Created)$")

# The rest of the types is known by examples only, so that their words decide, the first that fits.
_BY_WORDS: t.Final = tuple(
    (re.compile(words), event_class, number)
    for words, event_class, number in (
        (r"(Group|Role|Permission|AccessRight)\w*(Assigned|Granted|Added)$", GROUP_MANAGEMENT, 1),
        (r"(Group|Role|Permission|AccessRight)\w*(Unassigned|Revoked|Removed)$", GROUP_MANAGEMENT, 2),
        (_SNAPSHOT, ENTITY_MANAGEMENT, 1),
        (r"Created$", ENTITY_MANAGEMENT, 1),
        (r"(Updated|Changed)$", ENTITY_MANAGEMENT, 3),
        (r"Deleted$", ENTITY_MANAGEMENT, 4),
        (r"Log(ged)?(out|Out|off|Off)", AUTHENTICATION, 2),
        (r"Login|LoggedIn", AUTHENTICATION, 1),
        (r"Accessed$", ENTITY_MANAGEMENT, 2),
        (r"Imported$", WEB_RESOURCES_ACTIVITY, 6),
        (r"Exported$", WEB_RESOURCES_ACTIVITY, 7),
    )
)
_FAILURE: t.Final = re.compile(r"Fail|Denied|Rejected")
_ABOUT_ROLES: t.Final = re.compile(r"Group|Role|Permission|AccessRight")

_TARGETS: t.Final = ("entity", "snapshotGroup", "application", "group")

# No page shows an address in `context`; these are the names it would have.
_ADDRESSES: t.Final = frozenset({"ip", "ipAddress", "sourceIp", "clientIp"})


class AuditEventsMapping(StreamMapping):
    """The events of a workspace."""

    stream = "pigment_audit_events"
    product: t.ClassVar = {"name": "Pigment", "vendor_name": "Pigment"}
    key = ("event_id",)
    time_property = "event_timestamp"

    def describe(self, source: Source) -> Event:
        """Say what an event means.

        Args:
            source: The record.

        Returns:
            The event.
        """
        event_type = source.text("event_type")
        # These stay in `unmapped` as well: most of their members are known by examples only.
        payload, context = _object(source.rest.get("payload")), _object(source.rest.get("context"))
        user = _object(_object(source.rest.get("actor")).get("user"))
        activity, status = _read_type(event_type)
        event = Event(
            activity=activity,
            action=event_type,
            status=status,
            actor=Person(text_of(user.get("id")), _text(user.get("name")), _text(user.get("email"))),
            source_ip=None if _ADDRESSES.isdisjoint(context) else _address(context),
            tenant=text_of(_object(context.get("organization")).get("id")),
            metadata={"event_code": event_type, "logged_time": _take_logged_time(source)},
        )
        if event.activity.event_class is not WEB_RESOURCES_ACTIVITY:  # which has no actor: the columns have
            actor = event.actor.as_user()
            event.attributes["actor"] = None if actor is None else {"user": actor}
        if event.source_ip is not None:
            event.attributes["src_endpoint"] = {"ip": event.source_ip}
        _ATTRIBUTES[event.activity.event_class](event, payload, context)
        return event


# One function for each class adds what the class needs; if that is not known, the event is one of the entity.


def _of_account(event: Event, payload: _Object, context: _Object) -> None:
    person = _person(payload)
    user = person.as_user()
    if user is None:  # who resets a password does it for themselves, and the payload may be empty
        person, user = event.actor, event.actor.as_user()
    if user is None:
        _of_entity(event, payload, context)
        return
    event.target = Target("user", person.id, person.name or person.email)
    if event.activity.event_class is AUTHENTICATION:
        event.attributes |= {"user": user, "service": {"name": "Pigment"}}
        return
    before, after = _text(payload.get("previousAccountType")), _text(payload.get("newAccountType"))
    event.attributes["user"] = user if before is None else {**user, "type": before, "type_id": OTHER}
    if after is not None:
        event.attributes["user_result"] = {**user, "type": after, "type_id": OTHER}


def _of_group(event: Event, payload: _Object, context: _Object) -> None:
    group = _named(payload.get("group"))
    if not group:
        event.activity = Activity(ENTITY_MANAGEMENT, 3)
        _of_entity(event, payload, context)
        return
    event.target = _target(event, payload, context)
    role, application = _member(payload.get("role"), "name"), _named(payload.get("application"))
    event.attributes |= {
        "group": group,
        "privileges": None if role is None else [role],
        "resource": {**application, "type": "application"} if application else None,
    }


def _of_web_resource(event: Event, payload: _Object, context: _Object) -> None:
    event.target = _target(event, payload, context)
    event.attributes["web_resources"] = [event.target.as_resource()]


def _of_entity(event: Event, payload: _Object, context: _Object) -> None:
    event.target = _target(event, payload, context)
    if event.activity.event_class is not ENTITY_MANAGEMENT:
        event.activity = Activity(ENTITY_MANAGEMENT, OTHER, event.action)
    event.attributes["entity"] = event.target.as_entity()


_ATTRIBUTES: t.Final[Mapping[EventClass, Callable[[Event, _Object, _Object], None]]] = {
    ACCOUNT_CHANGE: _of_account,
    AUTHENTICATION: _of_account,
    ENTITY_MANAGEMENT: _of_entity,
    GROUP_MANAGEMENT: _of_group,
    WEB_RESOURCES_ACTIVITY: _of_web_resource,
}


@lru_cache(maxsize=1024)
def _read_type(event_type: str | None) -> tuple[Activity, Status]:
    """Tell from its type what an event is, and how it went."""
    if event_type is None:
        return Activity(ENTITY_MANAGEMENT, OTHER, _UNKNOWN_TYPE), SUCCESS
    activity = Activity(*_class_of(event_type), event_type)
    if activity.event_class is AUTHENTICATION and _FAILURE.search(event_type):
        return activity, FAILURE
    # Vendor page: logged even if the snapshot fails later.
    return activity, UNKNOWN if _SNAPSHOT.search(event_type) else SUCCESS


def _class_of(event_type: str) -> tuple[EventClass, int]:
    if event_type in _ACCOUNT_CHANGES:
        return ACCOUNT_CHANGE, _ACCOUNT_CHANGES[event_type]
    for words, event_class, number in _BY_WORDS:
        if words.search(event_type):
            return event_class, number
    return ENTITY_MANAGEMENT, OTHER


def _person(payload: _Object) -> Person:
    """Find the user that an event is about; the vendor's pages show both spellings."""
    return Person(
        id=text_of(payload.get("userId")) or text_of(payload.get("id")),
        name=_text(payload.get("userName")) or _text(payload.get("name")),
        email=_text(payload.get("userEmail")) or _text(payload.get("email")),
    )


def _target(event: Event, payload: _Object, context: _Object) -> Target:
    # An entity stands in an application; of a change of roles the group is what it is about.
    for name in ("group", *_TARGETS) if _ABOUT_ROLES.search(event.action or "") else _TARGETS:
        found = payload.get(name)
        if isinstance(found, dict) and _named(found):
            return Target(_text(found.get("entityType")) or name, text_of(found.get("id")), _text(found.get("name")))
    return Target("workspace", None, _member(context.get("organization"), "name") or "workspace")


def _named(value: object) -> Record:
    """Give the id and the name of an object, as far as it has them."""
    found = _object(value)
    named = {"uid": text_of(found.get("id")), "name": _text(found.get("name"))}
    return {name: text for name, text in named.items() if text is not None}


def _address(context: _Object) -> str | None:
    for name in sorted(_ADDRESSES):
        value = context.get(name)
        if isinstance(value, str) and is_ip(value):
            return value
    return None


def _take_logged_time(source: Source) -> int | None:
    text = source.peek("ingestion_timestamp")
    try:
        moment = parse_timestamp(text)
    except (TypeError, ValueError):
        return None
    del source.rest["ingestion_timestamp"]
    return milliseconds(moment)


def _object(value: object) -> _Object:
    return value if isinstance(value, dict) else {}


def _member(value: object, name: str) -> str | None:
    return text_of(_object(value).get(name))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def create(options: Options) -> Sequence[StreamMapping]:
    """Make the mappings of this vendor's streams.

    Args:
        options: The mapper's settings.

    Returns:
        The mappings.
    """
    return (AuditEventsMapping(options),)
