"""Maps Cryptolens' records to OCSF: API calls, and changes made by team members."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from typing_extensions import override

from tap_auditlogs.core.redaction import SHORTEST_SECRET
from tap_auditlogs.core.times import from_epoch
from tap_auditlogs.ocsf.classes import API_ACTIVITY, ENTITY_MANAGEMENT, FAILURE, OTHER, SUCCESS, UNKNOWN, Activity
from tap_auditlogs.ocsf.mapping import Event, NotUnderstoodError, Person, Source, StreamMapping, Target
from tap_auditlogs.ocsf.objects import Actor, Api, Attributes, Endpoint
from tap_auditlogs.ocsf.secrets import Cleaner, decode_text, hashed_once, hide
from tap_auditlogs.ocsf.values import hashed

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_auditlogs.ocsf.mapping import Options, Record

_PRODUCT: t.Final = {"name": "Cryptolens", "vendor_name": "Cryptolens"}

# The log names no user: the calls are made by the account's own software.
_CALLER: t.Final = Actor(app_name="Cryptolens API client")

_LICENSE_KEY: t.Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){3,}(?![A-Za-z0-9])")
_FEWEST_HYPHENS: t.Final = 3
_NAMES: t.Final = r"(?:licen[sc]e[ _-]?)?keys?"
_NAME_OF_KEY: t.Final = re.compile(_NAMES, re.IGNORECASE)
_KEY_IN_JSON: t.Final = re.compile(rf'"{_NAMES}"\s*:\s*(?P<value>\[[^\]]*\]|"(?:[^"\\]|\\.)*")', re.IGNORECASE)
_TEXT_IN_JSON: t.Final = re.compile(r'"((?:[^"\\]|\\.)+)"')

# OCSF activity ids by method code. Not from the vendor's documentation.
_ACTIVITIES: t.Final[dict[int | None, int]] = {10: 2, 20: 3, 30: 1, 40: 3, 60: 3, 70: 3}


class _LogMapping(StreamMapping):
    """Base for the three logs: ids, times in Unix seconds, license keys."""

    product = _PRODUCT
    key = ("id",)

    @override
    def clean(self, record: Record) -> Record:
        """Hash the license keys, which are credentials of the account's customers."""
        if not self.options.hash_license_keys:
            return record
        license_key = record.get("key")
        known = license_key if isinstance(license_key, str) else ""

        def change(text: str) -> str:
            return _hash_keys(hide(text, known))

        cleaner = Cleaner(_is_secret, change)
        clean: Record = {}
        for name, value in record.items():
            if value is None:
                clean[name] = None
            elif _names_key(name):
                clean[name] = cleaner.hash_all(value)
            # Faster than the cleaner: short values cannot contain a license key.
            elif type(value) is int or (type(value) is str and len(value) < SHORTEST_SECRET):
                clean[name] = value
            else:
                clean[name] = cleaner.clean(value)
        return clean

    @override
    def moment(self, source: Source) -> tuple[datetime, str]:
        seconds = source.peek(self.time_property)
        try:
            if type(seconds) is not int:
                raise TypeError  # noqa: TRY301 - handled like seconds out of range
            moment = from_epoch(seconds)
        except (TypeError, ValueError) as error:
            msg = f"`{self.time_property}` is no time"
            raise NotUnderstoodError(msg) from error
        del source.rest[self.time_property]
        source.text("occurred_at")  # the same time
        return moment, str(seconds)


class WebApiLogMapping(_LogMapping):
    """Calls of license key and data object methods."""

    stream = "cryptolens_web_api_log"
    time_property = "time"

    @override
    def describe(self, source: Source) -> Event:
        code, state, succeeded = source.peek("method_code"), source.id("state"), source.peek("succeeded")
        number = code if isinstance(code, int) else None
        method = source.text("method") or (f"method {number}" if number is not None else "unknown method")
        status = SUCCESS if succeeded is True else FAILURE if succeeded is False else UNKNOWN
        event = Event(
            activity=Activity(API_ACTIVITY, _ACTIVITIES.get(number, OTHER), method),
            action=method,
            status=status,
            target=_license(source),
            code=state,
            attributes=Attributes(status_code=state),
        )
        return _as_call(event, source, method)


class EventsMapping(_LogMapping):
    """Events registered by the account's own software."""

    stream = "cryptolens_events"
    time_property = "time"

    @override
    def describe(self, source: Source) -> Event:
        name = source.text("event_name") or "unnamed event"
        event = Event(
            activity=Activity(API_ACTIVITY, OTHER, name),
            action=name,
            target=_license(source),
            code=name,
            attributes=Attributes(),
        )
        return _as_call(event, source, "Register Event")


class ObjectLogMapping(_LogMapping):
    """Changes made by team members.

    Whether object types and actions are numbered from 0 or 1 is not documented, so their codes are not named.
    """

    stream = "cryptolens_object_log"
    time_property = "created"

    @override
    def describe(self, source: Source) -> Event:
        kind, change = source.id("resource_type"), source.id("resource_action")
        action = f"resource action {change or 'unknown'}"
        target = Target(f"resource type {kind or 'unknown'}", source.id("affected_object_id"))
        actor = Person(id=source.id("performed_by_user_id"))
        user = actor.as_user()
        before, after = _take_data(source)
        return Event(
            activity=Activity(ENTITY_MANAGEMENT, OTHER, action),
            action=action,
            actor=actor,
            target=target,
            code=change,
            attributes=Attributes(
                actor=None if user is None else Actor(user=user),
                entity=target.as_entity(data=before),
                entity_result=None if after is None else target.as_entity(data=after),
            ),
        )


def _license(source: Source) -> Target:
    """Return the license of a row, or its product if the row has no license key."""
    product, license_key = source.id("product_id"), source.text("key")
    if license_key is not None:
        return Target("license key", f"{product}:{license_key}" if product else license_key)
    return Target("product", product)


def _as_call(event: Event, source: Source, operation: str) -> Event:
    """Complete an API activity; without a source endpoint, which OCSF requires, make it entity management."""
    ip, device, name = source.ip("ip"), source.id("machine_code"), source.text("friendly_name")
    event.source_ip = ip
    event.attributes.actor = _CALLER
    if ip is device is name is None:
        event.activity = event.activity._replace(event_class=ENTITY_MANAGEMENT)
        event.attributes.entity = event.target.as_entity()
    else:
        event.attributes.src_endpoint = Endpoint(ip=ip, uid=device, name=name)
        event.attributes.api = Api(operation=operation)
        event.attributes.resources = [event.target.as_resource()]
    return event


def _take_data(source: Source) -> tuple[Record | None, Record | None]:
    """Return the data before and after a change; a new object has no data before."""
    text = source.peek("data")
    try:
        data = decode_text(text) if isinstance(text, str) else None
    except ValueError:
        return None, None
    if not isinstance(data, dict) or not data:
        return None, None
    del source.rest["data"]
    if all(isinstance(pair, list) and len(pair) == 2 for pair in data.values()):  # noqa: PLR2004 - old and new
        return {name: old for name, (old, _) in data.items()}, {name: new for name, (_, new) in data.items()}
    return None, data


def _hash_keys(text: str) -> str:
    if text.count("-") >= _FEWEST_HYPHENS:  # a timestamp has fewer
        text = _LICENSE_KEY.sub(lambda found: hashed(found[0].upper()), text)
    return _KEY_IN_JSON.sub(_hash_values, text) if '"' in text else text


def _hash_values(found: re.Match[str]) -> str:
    start = found.start("value") - found.start()
    return found[0][:start] + _TEXT_IN_JSON.sub(lambda text: f'"{hashed_once(text[1])}"', found["value"])


@lru_cache(maxsize=1024)
def _names_key(name: str) -> bool:
    return _NAME_OF_KEY.fullmatch(name) is not None


def _is_secret(name: str, _holder: Record) -> bool:
    return _names_key(name)


def create(options: Options) -> Sequence[StreamMapping]:
    """Create the mappings of this vendor's streams."""
    mappings = (WebApiLogMapping(options), ObjectLogMapping(options))
    return (*mappings, EventsMapping(options)) if options.include_usage_events else mappings
