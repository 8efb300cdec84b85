"""The objects of OCSF 1.8.0 that audit events have. What is None is left out of the JSON, since OCSF refuses null."""

from __future__ import annotations

import typing as t

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Spelled: t.TypeAlias = msgspec.Raw
"""What has been encoded, since it comes again and again."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def spelled(value: object) -> Spelled:
    """Encode an object for all events that have it.

    Args:
        value: The object.

    Returns:
        The same for the place where the object would stand.
    """
    return msgspec.Raw(_encode(value))


def spelled_members(members: Mapping[str, t.Any]) -> Spelled:
    """Encode members of an object that always come together, which halves the time that it takes to encode the object.

    Args:
        members: Some successive members of the object.

    Returns:
        What stands behind the name of the first of them.
    """
    _, _, behind = _encode(members)[1:-1].partition(b":")
    return msgspec.Raw(behind)


class _Object(msgspec.Struct, omit_defaults=True, gc=False):
    """An object that may lack every attribute that has a default."""


class User(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A person."""

    uid: str | None = None
    name: str | None = None
    full_name: str | None = None
    email_addr: str | None = None
    type: str | None = None
    type_id: int | None = None


class Session(_Object):
    """What a person is logged in by."""

    uid: str


class Actor(_Object):
    """Who did it; has at least one attribute."""

    user: Spelled | None = None
    session: Session | None = None
    invoked_by: str | None = None
    app_name: str | None = None


class Entity(_Object):
    """OCSF's `managed_entity`; has an id or a name."""

    type: str
    type_id: int
    uid: str | None = None
    name: str | None = None
    version: str | None = None
    data: t.Any = None


class Resource(_Object):
    """OCSF's `resource_details` or `web_resource`; has an id or a name."""

    uid: str | None = None
    name: str | None = None
    type: str | None = None


class Group(_Object):
    """A group of persons; has an id or a name."""

    uid: str | None = None
    name: str | None = None


class Service(_Object):
    """A service that only its name tells."""

    name: str


class Endpoint(_Object):
    """Where it was done from; has an address, an id or a name."""

    ip: str | None = None
    uid: str | None = None
    name: str | None = None
    intermediate_ips: Sequence[str] | None = None


class Api(_Object):
    """A call."""

    operation: str


class Url(_Object):
    """An address in the web."""

    url_string: str


class HttpRequest(_Object):
    """The request that did it; has at least one attribute."""

    http_method: str | None = None
    url: Url | None = None


class Metadata(_Object):
    """Where an event comes from.

    Attributes:
        origin: `version`, `product`, `log_provider` and `log_name`.
    """

    origin: Spelled = msgspec.field(name="version")
    uid: str
    tenant_uid: str | None = None
    event_code: str | None = None
    original_event_uid: str | None = None
    original_time: str | None = None
    logged_time: int | None = None


class Attributes(_Object):
    """An event in OCSF.

    A vendor's mapping gives the attributes of the event's class; the first and the last, which every event may have,
    are added to them.

    Attributes:
        header: `category_uid` and whatever else follows from the activity and the status.
    """

    header: Spelled | None = msgspec.field(name="category_uid", default=None)

    actor: Actor | Spelled | None = None
    api: Api | None = None
    entity: Entity | None = None
    entity_result: Entity | None = None
    group: Group | None = None
    http_request: HttpRequest | None = None
    message: str | None = None
    privileges: Sequence[str] | None = None
    resource: Resource | None = None
    resources: Sequence[Resource] | None = None
    service: Service | None = None
    src_endpoint: Endpoint | Spelled | None = None
    status_code: str | None = None
    user: Spelled | None = None
    user_result: Spelled | None = None
    web_resources: Sequence[Resource] | None = None

    time: int | None = None
    metadata: Metadata | None = None
    unmapped: Mapping[str, t.Any] | msgspec.Struct | None = None
    raw_data: str | None = None
