"""OCSF 1.8.0 objects of audit events; None is left out of the JSON, since OCSF does not allow null."""

from __future__ import annotations

import typing as t

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Spelled: t.TypeAlias = msgspec.Raw
"""Encoded JSON, shared by many events."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def spelled(value: object) -> Spelled:
    """Encode an object that many events share."""
    return msgspec.Raw(_encode(value))


def spelled_members(members: Mapping[str, t.Any]) -> Spelled:
    """Encode members that always occur together and in this order, which halves the time to encode the object.

    The result is everything after the first name and its colon: it is the value of a field with that name.
    """
    _, _, behind = _encode(members)[1:-1].partition(b":")
    return msgspec.Raw(behind)


class _Object(msgspec.Struct, omit_defaults=True, gc=False):
    """Base class of objects whose attributes are left out when they have the default value."""


class User(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """OCSF's `user`."""

    uid: str | None = None
    name: str | None = None
    full_name: str | None = None
    email_addr: str | None = None
    type: str | None = None
    type_id: int | None = None


class Session(_Object):
    """OCSF's `session`."""

    uid: str


class Actor(_Object):
    """OCSF's `actor`; at least one attribute is required."""

    user: Spelled | None = None
    session: Session | None = None
    invoked_by: str | None = None
    app_name: str | None = None


class Entity(_Object):
    """OCSF's `managed_entity`; `uid` or `name` is required."""

    type: str
    type_id: int
    uid: str | None = None
    name: str | None = None
    version: str | None = None
    data: t.Any = None


class Resource(_Object):
    """OCSF's `resource_details` or `web_resource`; `uid` or `name` is required."""

    uid: str | None = None
    name: str | None = None
    type: str | None = None


class Group(_Object):
    """OCSF's `group`; `uid` or `name` is required."""

    uid: str | None = None
    name: str | None = None


class Service(_Object):
    """OCSF's `service`."""

    name: str


class Endpoint(_Object):
    """OCSF's `network_endpoint`; `ip`, `uid` or `name` is required."""

    ip: str | None = None
    uid: str | None = None
    name: str | None = None
    intermediate_ips: Sequence[str] | None = None


class Api(_Object):
    """OCSF's `api`."""

    operation: str


class Url(_Object):
    """OCSF's `url`."""

    url_string: str


class HttpRequest(_Object):
    """OCSF's `http_request`; at least one attribute is required."""

    http_method: str | None = None
    url: Url | None = None


class Metadata(_Object):
    """OCSF's `metadata`; `origin` holds `version`, `product`, `log_provider` and `log_name`."""

    origin: Spelled = msgspec.field(name="version")
    uid: str
    tenant_uid: str | None = None
    event_code: str | None = None
    original_event_uid: str | None = None
    original_time: str | None = None
    logged_time: int | None = None


class Attributes(_Object):
    """An OCSF event.

    A vendor's mapping sets the attributes of the event class. The mapper sets `header` (`category_uid` to `status`) and
    the attributes from `time` on.
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
