"""Maps Pigment's events to OCSF by event type; the list of types is not public in full."""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from typing_extensions import override

from tap_auditlogs.core.times import timestamp_or_none
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
from tap_auditlogs.ocsf.objects import Actor, Attributes, Endpoint, Group, Service, Spelled, spelled
from tap_auditlogs.ocsf.values import is_ip, milliseconds, text_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_auditlogs.ocsf.mapping import Options

_Object: t.TypeAlias = "dict[str, t.Any]"
_Complete: t.TypeAlias = "Callable[[Event, _Object, _Place], None]"

_UNKNOWN_TYPE: t.Final = "unknown event type"

# Pigment docs (event types); a password is changed by the link in a reset e-mail.
_ACCOUNT_CHANGES: t.Final = {
    "UserInvited": 1,
    "UserReactivated": 2,
    "UserPasswordChanged": 4,
    "UserDeactivated": 5,
    "UserAccountTypeUpdated": OTHER,  # OCSF 1.8 has no activity for an account update
}

_SNAPSHOT: t.Final = re.compile(r"Snapshot\w*(Taken|Created)$")

# Other types are known from examples only: the first pattern that matches decides.
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

_NOBODY: t.Final = Person()

_TARGETS: t.Final = ("entity", "snapshotGroup", "application", "group")

# No documented `context` has an address; these are likely names.
_ADDRESSES: t.Final = frozenset({"ip", "ipAddress", "sourceIp", "clientIp"})


_Text: t.TypeAlias = t.Annotated[str, msgspec.Meta(min_length=1)]

_read_json: t.Final = msgspec.json.Decoder(float_hook=float).decode  # only strings and ids are used
_encode: t.Final = msgspec.json.Encoder(decimal_format="number").encode


class _Columns(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The columns of an ordinary event, which nearly every event is."""

    event_id: _Text
    event_type: _Text
    event_timestamp: str
    ingestion_timestamp: t.Annotated[datetime, msgspec.Meta(tz=True)]
    actor: msgspec.Raw
    context: msgspec.Raw
    payload: msgspec.Raw
    additional_properties: None


class _Unmapped(msgspec.Struct, gc=False):
    """The columns copied to `unmapped`, because most of their members are known from examples only."""

    actor: msgspec.Raw
    context: msgspec.Raw
    payload: msgspec.Raw


class AuditEventsMapping(StreamMapping):
    """The events of a workspace."""

    stream = "pigment_audit_events"
    product: t.ClassVar = {"name": "Pigment", "vendor_name": "Pigment"}
    key = ("event_id",)
    time_property = "event_timestamp"
    columns = _Columns

    @override
    def describe(self, source: Source) -> Event:
        return _describe(
            source.text("event_type"),
            _encode(source.peek("actor")),
            _encode(source.peek("context")),
            _object(source.peek("payload")),
            _take_logged_time(source),
        )

    @override
    def describe_columns(self, columns: _Columns) -> Event:
        logged = columns.ingestion_timestamp
        if logged.tzinfo is not UTC:
            msg = "the tap spells times in UTC"
            raise ValueError(msg)
        event = _describe(
            columns.event_type,
            bytes(columns.actor),
            bytes(columns.context),
            _object(_read_json(columns.payload)),
            milliseconds(logged),
        )
        event.attributes.unmapped = _Unmapped(columns.actor, columns.context, columns.payload)
        return event


def _describe(
    event_type: str | None, actor_json: bytes, context_json: bytes, payload: _Object, logged_time: int | None
) -> Event:
    kind, actor, place = _read_type(event_type), _read_actor(actor_json), _read_context(context_json)
    event = Event(
        activity=kind.activity,
        action=event_type,
        status=kind.status,
        actor=actor.person,
        source_ip=place.ip,
        tenant=place.tenant,
        code=event_type,
        logged_time=logged_time,
        attributes=Attributes(actor=actor.attribute if kind.has_actor else None, src_endpoint=place.endpoint),
    )
    kind.complete(event, payload, place)
    return event


# Each function adds what one OCSF class requires; without it, the event becomes an entity management event.


def _of_account(event: Event, payload: _Object, place: _Place) -> None:
    person = _take_account(event, payload, place)
    if person is None:
        return
    before, after = _text(payload.get("previousAccountType")), _text(payload.get("newAccountType"))
    event.attributes.user = person.as_user(before)
    event.attributes.user_result = None if after is None else person.as_user(after)


def _of_authentication(event: Event, payload: _Object, place: _Place) -> None:
    person = _take_account(event, payload, place)
    if person is None:
        return
    event.attributes.user = person.as_user()
    event.attributes.service = Service(name="Pigment")


def _take_account(event: Event, payload: _Object, place: _Place) -> Person | None:
    person = _person(payload)
    if person == _NOBODY:  # users reset their own passwords, and the payload may be empty
        person = event.actor
    if person == _NOBODY:
        _of_entity(event, payload, place)
        return None
    event.target = Target("user", person.id, person.name or person.email)
    return person


def _of_group(event: Event, payload: _Object, place: _Place) -> None:
    group = _find(payload, "group")
    if group is None:
        event.activity = Activity(ENTITY_MANAGEMENT, 3)
        _of_entity(event, payload, place)
        return
    event.target = _target(event.action, payload, place)
    role, application = _member(payload.get("role"), "name"), _find(payload, "application")
    event.attributes.group = Group(uid=group.id, name=group.name)
    event.attributes.privileges = None if role is None else [role]
    event.attributes.resource = None if application is None else application.as_resource()


def _of_web_resource(event: Event, payload: _Object, place: _Place) -> None:
    event.target = _target(event.action, payload, place)
    event.attributes.web_resources = [event.target.as_resource()]


def _of_entity(event: Event, payload: _Object, place: _Place) -> None:
    event.target = _target(event.action, payload, place)
    if event.activity.event_class is not ENTITY_MANAGEMENT:
        event.activity = Activity(ENTITY_MANAGEMENT, OTHER, event.action)
    event.attributes.entity = event.target.as_entity()


_COMPLETE: t.Final[Mapping[EventClass, _Complete]] = {
    ACCOUNT_CHANGE: _of_account,
    AUTHENTICATION: _of_authentication,
    ENTITY_MANAGEMENT: _of_entity,
    GROUP_MANAGEMENT: _of_group,
    WEB_RESOURCES_ACTIVITY: _of_web_resource,
}


class _Kind(t.NamedTuple):
    """How events of one type are mapped.

    Attributes:
        has_actor: Whether the OCSF class has an actor.
        targets: Keys of the payload that may hold the target, in order of preference.
        complete: Adds the attributes that the OCSF class requires.
    """

    activity: Activity
    status: Status
    has_actor: bool
    targets: Sequence[str]
    complete: _Complete


@lru_cache(maxsize=1024)
def _read_type(event_type: str | None) -> _Kind:
    event_class, number = (ENTITY_MANAGEMENT, OTHER) if event_type is None else _class_of(event_type)
    words = event_type or ""
    status = SUCCESS
    if event_class is AUTHENTICATION and _FAILURE.search(words):
        status = FAILURE
    elif _SNAPSHOT.search(words):
        status = UNKNOWN  # Pigment docs: logged even if the snapshot fails later
    return _Kind(
        activity=Activity(event_class, number, event_type or _UNKNOWN_TYPE),
        status=status,
        has_actor=event_class is not WEB_RESOURCES_ACTIVITY,
        # The target of a role change is the group, not the application.
        targets=("group", *_TARGETS) if _ABOUT_ROLES.search(words) else _TARGETS,
        complete=_COMPLETE[event_class],
    )


class _Actor(t.NamedTuple):
    """The user who acted, for the columns and as an OCSF object."""

    person: Person
    attribute: Spelled | None


class _Place(t.NamedTuple):
    """The organization and the source address of an event.

    Attributes:
        tenant: The id of the organization.
        workspace: The target of an event whose payload has none.
        ip: The source address, if the context has one.
        endpoint: The address as an OCSF object.
    """

    tenant: str | None
    workspace: Target
    ip: str | None
    endpoint: Spelled | None


# Cached, because actors and contexts repeat.


@lru_cache(maxsize=4096)
def _read_actor(actor: bytes) -> _Actor:
    # pigment-13
    user = _object(_object(_read_json(actor)).get("user"))
    person = Person(text_of(user.get("id")), _text(user.get("name")), _text(user.get("email")))
    known = person.as_user()
    return _Actor(person, None if known is None else spelled(Actor(user=known)))


@lru_cache(maxsize=4096)
def _read_context(context: bytes) -> _Place:
    members = _object(_read_json(context))
    organization = _object(members.get("organization"))
    workspace = Target("workspace", None, text_of(organization.get("name")) or "workspace")
    ip = _address(members)
    return _Place(text_of(organization.get("id")), workspace, ip, None if ip is None else spelled(Endpoint(ip=ip)))


def _class_of(event_type: str) -> tuple[EventClass, int]:
    if event_type in _ACCOUNT_CHANGES:
        return ACCOUNT_CHANGE, _ACCOUNT_CHANGES[event_type]
    for words, event_class, number in _BY_WORDS:
        if words.search(event_type):
            return event_class, number
    return ENTITY_MANAGEMENT, OTHER


def _person(payload: _Object) -> Person:
    """Return the user in a payload; Pigment's docs show both `userId` and `id`, and so on."""
    return Person(
        id=text_of(payload.get("userId")) or text_of(payload.get("id")),
        name=_text(payload.get("userName")) or _text(payload.get("name")),
        email=_text(payload.get("userEmail")) or _text(payload.get("email")),
    )


def _target(event_type: str | None, payload: _Object, place: _Place) -> Target:
    for name in _read_type(event_type).targets:
        target = _find(payload, name)
        if target is not None:
            return Target(_text(payload[name].get("entityType")) or name, target.id, target.name)
    return place.workspace


def _find(payload: _Object, name: str) -> Target | None:
    """Return an object of the payload, or None if it has neither an id nor a name."""
    found = _object(payload.get(name))
    target = Target(name, text_of(found.get("id")), _text(found.get("name")))
    return None if target.id is target.name is None else target


def _address(context: _Object) -> str | None:
    for name in sorted(_ADDRESSES):
        value = context.get(name)
        if isinstance(value, str) and is_ip(value):
            return value
    return None


def _take_logged_time(source: Source) -> int | None:
    moment = timestamp_or_none(source.peek("ingestion_timestamp"))
    if moment is None:
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
    """Create the mappings of this vendor's streams."""
    return (AuditEventsMapping(options),)
