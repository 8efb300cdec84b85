"""Interface of a vendor's `ocsf.py`: maps the records of each audit stream to events."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.ocsf.classes import OTHER, SUCCESS, Activity, Status
from tap_auditlogs.ocsf.objects import Attributes, Entity, Resource, User, spelled
from tap_auditlogs.ocsf.values import is_email, is_ip, text_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_auditlogs.ocsf.objects import Spelled

Record: t.TypeAlias = "dict[str, t.Any]"


class NotUnderstoodError(Exception):
    """A record lacks a value that an event requires; the message names it."""


@dataclass(frozen=True)
class Options:
    """The mapper's settings that concern the vendors' mappings."""

    include_usage_events: bool = False
    hash_license_keys: bool = True


class Source:
    """A record, or an object in it; mapped values are removed, and the remaining ones become `unmapped`."""

    __slots__ = ("_children", "rest")

    def __init__(self, record: Record) -> None:
        self.rest = record.copy()
        self._children: list[tuple[str, Source]] = []

    def peek(self, name: str) -> t.Any:
        """Return a value without removing it."""
        return self.rest.get(name)

    def text(self, name: str) -> str | None:
        """Remove and return a non-empty string; None, with the value kept, for anything else."""
        value = self.rest.get(name)
        if isinstance(value, str) and value:
            del self.rest[name]
            return value
        return None

    def id(self, name: str) -> str | None:
        """Remove and return a string or an integer as text; None, with the value kept, for anything else."""
        value = text_of(self.rest.get(name))
        if value is not None:
            del self.rest[name]
        return value

    def ip(self, name: str) -> str | None:
        """Remove and return an IP address that OCSF accepts; None, with the value kept, for anything else."""
        value = self.rest.get(name)
        if isinstance(value, str) and is_ip(value):
            del self.rest[name]
            return value
        return None

    def child(self, name: str) -> Source:
        """Return an object whose values can be removed too; empty, with the value kept, for anything else."""
        value = self.rest.get(name)
        if not isinstance(value, dict):
            return Source({})
        child = Source(value)
        self._children.append((name, child))
        return child

    def unmapped(self) -> Record:
        """Return the remaining values; objects with none are left out."""
        for name, child in self._children:
            if left := child.unmapped():
                self.rest[name] = left
            else:
                self.rest.pop(name, None)
        return self.rest


class Person(msgspec.Struct, frozen=True, gc=False):
    """A person; `name` is the full name, and `email` may be whatever the source has in its place."""

    id: str | None = None
    name: str | None = None
    email: str | None = None

    @lru_cache(maxsize=4096)  # noqa: B019 - few people act often, and a person holds nothing that must be freed
    def as_user(self, account_type: str | None = None) -> Spelled | None:
        """Encode OCSF's `user`; None if nothing is known. `account_type` is the vendor's name of the type."""
        if self.id is self.name is self.email is None:
            return None
        user = User(
            uid=self.id,
            name=self.email or (self.name if self.id is None else None),
            full_name=self.name,
            email_addr=self.email if self.email is not None and is_email(self.email) else None,
            type=account_type,
            type_id=None if account_type is None else OTHER,
        )
        return spelled(user)


class Target(msgspec.Struct, frozen=True, gc=False):
    """The object of an action."""

    type: str | None = None
    id: str | None = None
    name: str | None = None

    def as_entity(self, *, version: str | None = None, data: t.Any = None) -> Entity:
        """Return OCSF's `managed_entity`; `data` is the entity's content, None if unknown."""
        return Entity(
            uid=self.id, name=self._name(), type=self.type or "Unknown", type_id=OTHER, version=version, data=data
        )

    def as_resource(self) -> Resource:
        """Return OCSF's `resource_details` or `web_resource`."""
        return Resource(uid=self.id, name=self._name(), type=self.type)

    def _name(self) -> str | None:
        return (self.type or "unknown") if self.id is self.name is None else self.name


class Event(msgspec.Struct, kw_only=True, gc=False):
    """The meaning of a record.

    Attributes:
        action: The vendor's name of the activity.
        tenant: The vendor's account in which it happened.
        code: The vendor's code of the activity.
        original_uid: The vendor's id of the record, if that is not the record's key.
        logged_time: When the vendor logged it, in milliseconds since 1970.
        attributes: The OCSF attributes of the event class.
    """

    activity: Activity
    action: str | None = None
    status: Status = SUCCESS
    actor: Person = Person()
    target: Target = Target()
    source_ip: str | None = None
    tenant: str | None = None
    code: str | None = None
    original_uid: str | None = None
    logged_time: int | None = None
    attributes: Attributes


class StreamMapping(abc.ABC):
    """Maps the records of one stream to events.

    Attributes:
        stream: The name of the stream.
        product: OCSF's `product`.
        key: The properties that identify a record.
        scope: A property that is part of the key where keys are unique per customer only.
        time_property: The property with the time of the event.
        columns: The usual columns and types, for streams whose key is one string. A record with exactly these is
            decoded to this type and passed to `describe_columns`, which is faster, instead of `clean`, `moment` and
            `describe`.
    """

    stream: t.ClassVar[str]
    product: t.ClassVar[Mapping[str, str]]
    key: t.ClassVar[Sequence[str]]
    scope: t.ClassVar[str | None] = None
    time_property: t.ClassVar[str]
    columns: t.ClassVar[type[msgspec.Struct] | None] = None

    def __init__(self, options: Options) -> None:
        self.options = options

    def clean(self, record: Record) -> Record:
        """Return a copy of a record without secrets, including those in JSON text; called before any other method.

        Raises RecursionError if the record is nested too deep; no other error is allowed.
        """
        return record

    def moment(self, source: Source) -> tuple[datetime, str]:
        """Remove and return the time of the event, parsed and as in the record.

        Raises NotUnderstoodError if it is missing or invalid.
        """
        text = source.rest.get(self.time_property)
        try:
            moment = parse_timestamp(t.cast("str", text))
        except (TypeError, ValueError) as error:
            msg = f"`{self.time_property}` is no time"
            raise NotUnderstoodError(msg) from error
        del source.rest[self.time_property]
        return moment, t.cast("str", text)

    def describe_columns(self, columns: t.Any) -> Event:
        """Map a record decoded by `columns`; the event includes its `unmapped`.

        Raises ValueError if the record is unusual after all and has to be mapped by the other methods.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def describe(self, source: Source) -> Event:
        """Map a record without its secrets, key and time; every value removed from the source must be in the event.

        Raises NotUnderstoodError if a value is missing that an event requires.
        """
