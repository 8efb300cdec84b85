"""What a vendor's `ocsf.py` offers to the mapper: for each audit stream, what its records mean."""

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
    """A record lacks what an event cannot be without; the message says what."""


@dataclass(frozen=True)
class Options:
    """The mapper's settings that concern the vendors' mappings.

    Attributes:
        include_usage_events: Whether usage telemetry is mapped, too.
        hash_license_keys: Whether license keys are replaced by their hashes.
    """

    include_usage_events: bool = False
    hash_license_keys: bool = True


class Source:
    """A record, or an object in it, that is being mapped. What nobody takes stays, and becomes `unmapped`.

    Attributes:
        rest: What has not been taken.
    """

    __slots__ = ("_children", "rest")

    def __init__(self, record: Record) -> None:
        """Begin.

        Args:
            record: The record; it is left as it is.
        """
        self.rest = record.copy()
        self._children: list[tuple[str, Source]] = []

    def peek(self, name: str) -> t.Any:
        """Look at a value without taking it.

        Args:
            name: The property.

        Returns:
            The value; None if there is none.
        """
        return self.rest.get(name)

    def text(self, name: str) -> str | None:
        """Take a text.

        Args:
            name: The property.

        Returns:
            The text; None, with the value left, if it is empty or no text.
        """
        value = self.rest.get(name)
        if isinstance(value, str) and value:
            del self.rest[name]
            return value
        return None

    def id(self, name: str) -> str | None:
        """Take an id, a text or a whole number.

        Args:
            name: The property.

        Returns:
            The id as text; None, with the value left, if it is none.
        """
        value = text_of(self.rest.get(name))
        if value is not None:
            del self.rest[name]
        return value

    def ip(self, name: str) -> str | None:
        """Take an IP address.

        Args:
            name: The property.

        Returns:
            The address; None, with the value left, if OCSF does not take it as one.
        """
        value = self.rest.get(name)
        if isinstance(value, str) and is_ip(value):
            del self.rest[name]
            return value
        return None

    def child(self, name: str) -> Source:
        """Take an object apart. What is left of it goes back to its place.

        Args:
            name: The property.

        Returns:
            The object; an empty one, with the value left, if it is none.
        """
        value = self.rest.get(name)
        if not isinstance(value, dict):
            return Source({})
        child = Source(value)
        self._children.append((name, child))
        return child

    def unmapped(self) -> Record:
        """Give what nobody took.

        Returns:
            The rest, without objects of which nothing is left.
        """
        for name, child in self._children:
            if left := child.unmapped():
                self.rest[name] = left
            else:
                self.rest.pop(name, None)
        return self.rest


class Person(msgspec.Struct, frozen=True, gc=False):
    """Someone, as far as the source tells.

    Attributes:
        id: The source's id.
        name: A full name.
        email: An e-mail address, or what the source has in its place.
    """

    id: str | None = None
    name: str | None = None
    email: str | None = None

    @lru_cache(maxsize=4096)  # noqa: B019 - few people act often, and a person holds nothing that must be freed
    def as_user(self, account_type: str | None = None) -> Spelled | None:
        """Spell the person as OCSF's `user`, which needs more than an e-mail address.

        Args:
            account_type: What kind of account the person has, in the vendor's words.

        Returns:
            The object; None if nothing is known of the person.
        """
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
    """What it was done to.

    Attributes:
        type: What kind of thing.
        id: The source's id.
        name: Its name.
    """

    type: str | None = None
    id: str | None = None
    name: str | None = None

    def as_entity(self, *, version: str | None = None, data: t.Any = None) -> Entity:
        """Spell the target as OCSF's `managed_entity`.

        Args:
            version: Which one of the entity.
            data: What it looks like; None if that is not known.

        Returns:
            The object.
        """
        return Entity(
            uid=self.id, name=self._name(), type=self.type or "Unknown", type_id=OTHER, version=version, data=data
        )

    def as_resource(self) -> Resource:
        """Spell the target as OCSF's `resource_details` or `web_resource`.

        Returns:
            The object.
        """
        return Resource(uid=self.id, name=self._name(), type=self.type)

    def _name(self) -> str | None:
        return (self.type or "unknown") if self.id is self.name is None else self.name


class Event(msgspec.Struct, kw_only=True, gc=False):
    """What a record means.

    Attributes:
        activity: What was done, in OCSF's terms.
        action: What was done, in the vendor's words.
        status: How it went.
        actor: Who did it, where it is a person.
        target: What it was done to.
        source_ip: From where, if OCSF takes it as an address.
        tenant: The vendor's account that it was done in.
        code: The vendor's code for what was done.
        original_uid: The vendor's id of the record, where it is not the record's key.
        logged_time: When the vendor logged it, in milliseconds since 1970.
        attributes: The OCSF attributes of the event's class.
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
    """Says what the records of one stream mean.

    Attributes:
        stream: The name of the stream.
        product: The product and its vendor, in OCSF's terms.
        key: The properties that identify a record.
        scope: The property whose value a key belongs to, where keys are not unique among all customers.
        time_property: The property that says when it happened.
        columns: The columns of the stream, where speed matters and the key is one text: a record that has just these,
            with their types, is decoded by them and goes to `describe_columns` instead of `clean`, `moment` and
            `describe`.
    """

    stream: t.ClassVar[str]
    product: t.ClassVar[Mapping[str, str]]
    key: t.ClassVar[Sequence[str]]
    scope: t.ClassVar[str | None] = None
    time_property: t.ClassVar[str]
    columns: t.ClassVar[type[msgspec.Struct] | None] = None

    def __init__(self, options: Options) -> None:
        """Keep what is asked for.

        Args:
            options: The settings.
        """
        self.options = options

    def clean(self, record: Record) -> Record:
        """Take secrets out of a record, before anything else sees it, also of JSON text that is decoded later.

        Args:
            record: The record, which is left as it is.

        Returns:
            The record without secrets.

        Raises:
            RecursionError: If the record is nested too deep to be looked through. Nothing else may fail.
        """
        return record

    def moment(self, source: Source) -> tuple[datetime, str]:
        """Take the time at which it happened.

        Args:
            source: The record.

        Returns:
            The time, and how the record spells it.

        Raises:
            NotUnderstoodError: If there is none.
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
        """Say what a record means that has been decoded by `columns`.

        Args:
            columns: The record.

        Returns:
            The event, with its `unmapped`.

        Raises:
            ValueError: If it is none of the usual records after all: the other methods have to do.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def describe(self, source: Source) -> Event:
        """Say what a record means.

        Args:
            source: The record without secrets, its key and its time. What is taken from it must be in the event.

        Returns:
            The event.

        Raises:
            NotUnderstoodError: If the record lacks what an event cannot be without.
        """
