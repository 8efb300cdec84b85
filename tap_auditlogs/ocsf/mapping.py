"""What a vendor's `ocsf.py` offers to the mapper: for each audit stream, what its records mean."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass, field
from functools import lru_cache

from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.ocsf.classes import OTHER, SUCCESS, Activity, Status
from tap_auditlogs.ocsf.values import is_email, is_ip, text_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

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

    def __init__(self, record: Mapping[str, t.Any]) -> None:
        """Begin.

        Args:
            record: The record; it is left as it is.
        """
        self.rest = dict(record)
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


class Person(t.NamedTuple):
    """Someone, as far as the source tells.

    Attributes:
        id: The source's id.
        name: A full name.
        email: An e-mail address, or what the source has in its place.
    """

    id: str | None = None
    name: str | None = None
    email: str | None = None

    @lru_cache(maxsize=1024)  # noqa: B019 - few people act often, and a tuple holds nothing that must be freed
    def as_user(self) -> Mapping[str, str] | None:
        """Spell the person as OCSF's `user`, which needs more than an e-mail address.

        Returns:
            The object, the same for the same person; None if nothing is known.
        """
        user: dict[str, str] = {}
        if self.id is not None:
            user["uid"] = self.id
        if (login := self.email or (self.name if self.id is None else None)) is not None:
            user["name"] = login
        if self.name is not None:
            user["full_name"] = self.name
        if self.email is not None and is_email(self.email):
            user["email_addr"] = self.email
        return user or None


class Target(t.NamedTuple):
    """What it was done to.

    Attributes:
        type: What kind of thing.
        id: The source's id.
        name: Its name.
    """

    type: str | None = None
    id: str | None = None
    name: str | None = None

    def as_entity(self, **more: t.Any) -> Record:
        """Spell the target as OCSF's `managed_entity`.

        Args:
            **more: Further attributes; None is left out.

        Returns:
            The object.
        """
        return {**self._named(), "type": self.type or "Unknown", "type_id": OTHER, **_present(more)}

    def as_resource(self) -> Record:
        """Spell the target as OCSF's `resource_details` or `web_resource`.

        Returns:
            The object.
        """
        return {**self._named(), **_present({"type": self.type})}

    def _named(self) -> Record:
        named = _present({"uid": self.id, "name": self.name})
        return named or {"name": self.type or "unknown"}


def _present(attributes: Mapping[str, t.Any]) -> Record:
    return {name: value for name, value in attributes.items() if value is not None}


@dataclass(slots=True, kw_only=True)
class Event:
    """What a record means.

    Attributes:
        activity: What was done, in OCSF's terms.
        action: What was done, in the vendor's words.
        status: How it went.
        actor: Who did it, where it is a person.
        target: What it was done to.
        source_ip: From where, if OCSF takes it as an address.
        tenant: The vendor's account that it was done in.
        attributes: The OCSF attributes beyond those that every event has; None is left out.
        metadata: The same of OCSF's `metadata`.
    """

    activity: Activity
    action: str | None = None
    status: Status = SUCCESS
    actor: Person = field(default_factory=Person)
    target: Target = field(default_factory=Target)
    source_ip: str | None = None
    tenant: str | None = None
    attributes: Record = field(default_factory=dict)
    metadata: Record = field(default_factory=dict)


class StreamMapping(abc.ABC):
    """Says what the records of one stream mean.

    Attributes:
        stream: The name of the stream.
        product: The product and its vendor, in OCSF's terms.
        key: The properties that identify a record.
        scope: The property whose value a key belongs to, where keys are not unique among all customers.
        time_property: The property that says when it happened.
    """

    stream: t.ClassVar[str]
    product: t.ClassVar[Mapping[str, str]]
    key: t.ClassVar[Sequence[str]]
    scope: t.ClassVar[str | None] = None
    time_property: t.ClassVar[str]

    def __init__(self, options: Options) -> None:
        """Keep what is asked for.

        Args:
            options: The settings.
        """
        self.options = options

    def clean(self, record: Record) -> Record:
        """Take secrets out of a record, before anything else sees it. Must not fail, whatever the record.

        Args:
            record: The record, which is left as it is.

        Returns:
            The record without secrets.
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
        text = source.peek(self.time_property)
        try:
            moment = parse_timestamp(text)
        except (TypeError, ValueError) as error:
            msg = f"`{self.time_property}` is no time"
            raise NotUnderstoodError(msg) from error
        del source.rest[self.time_property]
        return moment, text

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
