"""What Xandr's transactions mean in OCSF: changes of managed entities."""

from __future__ import annotations

import re
import typing as t

from tap_auditlogs.core.http.response import decode_json
from tap_auditlogs.ocsf.classes import ENTITY_MANAGEMENT, OTHER, Activity
from tap_auditlogs.ocsf.mapping import Event, Person, Source, StreamMapping, Target
from tap_auditlogs.ocsf.values import hashed, is_ip, with_texts

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_auditlogs.ocsf.mapping import Options, Record

_ACTIVITIES: t.Final = {"POST": 1, "PUT": 3, "DELETE": 4}
_HTTP_METHODS: t.Final = frozenset(
    {"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH"}  # OCSF's list
)

_SESSION: t.Final = "session_id"
_NAMES: t.Final = r"(?:session_?id|token|password|secret|api_?key)s?"
_NAME_OF_SECRET: t.Final = re.compile(_NAMES + "$", re.IGNORECASE)
_SECRET_IN_TEXT: t.Final = (
    re.compile(rf"(?P<name>{_NAMES}=)(?P<value>[^&\s\"'#\\]+)", re.IGNORECASE),  # in the query of a URL
    re.compile(rf'(?P<name>{_NAMES}"\s*:\s*")(?P<value>(?:[^"\\]|\\.)+)', re.IGNORECASE),  # in JSON text
)
_USER_IN_URL: t.Final = re.compile(r"(?<=://)[^/?#@\s]*@")


class ChangeLogDetailMapping(StreamMapping):
    """What each transaction changed."""

    stream = "xandr_change_log_detail"
    product: t.ClassVar = {"name": "Xandr", "vendor_name": "Microsoft"}
    key = ("service", "resource_id", "transaction_id")
    time_property = "created_on"

    def clean(self, record: Record) -> Record:
        """Hash the session id, which is the API token of the user who made the change, and whatever looks like one.

        Args:
            record: The record.

        Returns:
            The record without tokens.
        """
        session = record.get(_SESSION)

        def change(text: str) -> str:
            if isinstance(session, str) and session and session in text:
                text = text.replace(session, hashed(session))
            for pattern in _SECRET_IN_TEXT:
                text = pattern.sub(_hash_value, text)
            return _USER_IN_URL.sub("", text)

        return t.cast("Record", _without_secrets(with_texts(record, change)))

    def describe(self, source: Source) -> Event:
        """Say what a transaction means.

        Args:
            source: The record.

        Returns:
            The event.
        """
        method, service = source.text("method"), source.text("service")
        before, after = _take_changes(source)
        name = after.get("name") or before.get("name")
        target = Target(service, source.id("resource_id"), name if isinstance(name, str) and name else None)
        actor = Person(id=source.id("user_id"), name=source.text("user_full_name"))
        tenant = source.id("member_id")
        upper = (method or "").upper()
        ip = source.ip("client_ip")
        # The column has what the samples have, whatever case the vendor writes today.
        action = upper or None
        return Event(
            activity=Activity(ENTITY_MANAGEMENT, _ACTIVITIES.get(upper, OTHER), method or "unknown method"),
            action=action,
            actor=actor,
            target=target,
            source_ip=ip,
            tenant=tenant,
            attributes={
                "actor": _take_actor(source, actor),
                "entity": target.as_entity(data=before or None),
                "entity_result": target.as_entity(data=after) if after else None,
                "src_endpoint": _take_endpoint(source, ip),
                "http_request": _take_request(source, method),
            },
            metadata={
                "event_code": " ".join(filter(None, (action, service))) or None,
                "original_event_uid": source.text("transaction_id"),
            },
        )


def _take_changes(source: Source) -> tuple[Record, Record]:
    """Take the changed fields: what they were and what they are. The values come as JSON text."""
    before: Record = {}
    after: Record = {}
    left = []
    changes = source.peek("changes")
    for change in changes if isinstance(changes, list) else ():
        name = change.get("field_name") if isinstance(change, dict) else None
        if not isinstance(name, str) or not name or change.get("changed") is False or name in after or name in before:
            left.append(change)
            continue
        if "old_value" in change:
            before[name] = _value(change["old_value"])
        if "new_value" in change:
            after[name] = _value(change["new_value"])
        if not change.keys() <= {"field_name", "old_value", "new_value", "changed"}:
            left.append(change)
    if isinstance(changes, list):
        if left:
            source.rest["changes"] = left
        else:
            del source.rest["changes"]
    return before, after


def _value(text: object) -> object:
    try:
        return decode_json(text.encode()) if isinstance(text, str) else text
    except ValueError:
        return text


def _take_actor(source: Source, person: Person) -> Record | None:
    actor: Record = {}
    if (user := person.as_user()) is not None:
        actor["user"] = user
    if (plugin := source.peek("plugin_id")) is not None:
        actor["invoked_by"] = f"plugin:{plugin}"
    elif (request_source := source.text("request_source")) is not None:
        actor["invoked_by"] = request_source
    if (session := source.text(_SESSION)) is not None:
        actor["session"] = {"uid": session}
    return actor or None


def _take_endpoint(source: Source, ip: str | None) -> Record | None:
    endpoint: Record = {}
    chain = source.peek("ip_info")
    if isinstance(chain, str):
        addresses = [part.strip() for part in chain.split(",")]
        if ip is not None and all(map(is_ip, addresses)):
            del source.rest["ip_info"]
            endpoint["intermediate_ips"] = addresses
    if ip is not None:
        endpoint["ip"] = ip
    return endpoint or None


def _take_request(source: Source, method: str | None) -> Record | None:
    request: Record = {}
    if method is not None:
        if method.upper() in _HTTP_METHODS:
            request["http_method"] = method.upper()
        else:
            source.rest["method"] = method
    if (url := source.text("url")) is not None:
        request["url"] = {"url_string": url}
    return request or None


def _hash_value(found: re.Match[str]) -> str:
    return found["name"] + _hashed_once(found["value"])


def _hashed_once(secret: str) -> str:
    return secret if secret.startswith("sha256:") else hashed(secret)


def _without_secrets(value: t.Any, name: str = "") -> t.Any:
    """Hash what stands under the name of a secret, at any depth, and the old and new value of such a field."""
    if isinstance(value, list):
        return [_without_secrets(item, name) for item in value]
    if isinstance(value, dict):
        field = value.get("field_name")
        if isinstance(field, str) and _NAME_OF_SECRET.search(field):
            return {
                inner: _without_secrets(item, field if inner.endswith("_value") else inner)
                for inner, item in value.items()
            }
        is_secret = _NAME_OF_SECRET.search(name)
        return {inner: _without_secrets(item, name if is_secret else inner) for inner, item in value.items()}
    if value is None or isinstance(value, bool) or value == "" or not _NAME_OF_SECRET.search(name):
        return value
    return _hashed_once(str(value))


def create(options: Options) -> Sequence[StreamMapping]:
    """Make the mappings of this vendor's streams.

    Args:
        options: The mapper's settings.

    Returns:
        The mappings.
    """
    return (ChangeLogDetailMapping(options),)
