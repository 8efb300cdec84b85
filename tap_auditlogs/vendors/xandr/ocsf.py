"""What Xandr's transactions mean in OCSF: changes of managed entities."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from tap_auditlogs.ocsf.classes import ENTITY_MANAGEMENT, OTHER, Activity
from tap_auditlogs.ocsf.mapping import Event, Person, Source, StreamMapping, Target
from tap_auditlogs.ocsf.objects import Actor, Attributes, Endpoint, HttpRequest, Session, Url
from tap_auditlogs.ocsf.secrets import Cleaner, decode_text, hashed_once, hide
from tap_auditlogs.ocsf.values import is_ip

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
_SECRET_IN_QUERY: t.Final = re.compile(rf"(?P<name>{_NAMES}=)(?P<value>[^&\s\"'#\\]+)", re.IGNORECASE)
_SECRET_IN_JSON: t.Final = re.compile(rf'(?P<name>{_NAMES}"\s*:\s*")(?P<value>(?:[^"\\]|\\.)+)', re.IGNORECASE)
_USER_IN_URL: t.Final = re.compile(r"(?<=://)[^/?#@\s]*@")


class ChangeLogDetailMapping(StreamMapping):
    """What each transaction changed."""

    stream = "xandr_change_log_detail"
    product: t.ClassVar = {"name": "Xandr", "vendor_name": "Microsoft"}
    key = ("service", "resource_id", "transaction_id")
    time_property = "created_on"

    def clean(self, record: Record) -> Record:
        """Hash the session id, which is the API token of the user who made the change, and whatever looks like one."""
        session = record.get(_SESSION)
        token = session if isinstance(session, str) else ""

        def change(text: str) -> str:
            text = hide(text, token)
            # Most texts lack the sign without which there is nothing to find, and it is found faster.
            if "=" in text:
                text = _SECRET_IN_QUERY.sub(_hash_value, text)
            if '"' in text:
                text = _SECRET_IN_JSON.sub(_hash_value, text)
            return _USER_IN_URL.sub("", text) if "://" in text else text

        return t.cast("Record", Cleaner(_is_secret, change).clean(record))

    def describe(self, source: Source) -> Event:
        """Say what a transaction means."""
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
            code=" ".join(filter(None, (action, service))) or None,
            original_uid=source.text("transaction_id"),
            attributes=Attributes(
                actor=_take_actor(source, actor),
                entity=target.as_entity(data=before or None),
                entity_result=target.as_entity(data=after) if after else None,
                src_endpoint=_take_endpoint(source, ip),
                http_request=_take_request(source, method),
            ),
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
        return decode_text(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _take_actor(source: Source, person: Person) -> Actor | None:
    plugin = source.peek("plugin_id")
    invoked_by = source.text("request_source") if plugin is None else f"plugin:{plugin}"
    user, session = person.as_user(), source.text(_SESSION)
    if user is None and session is None and invoked_by is None:
        return None
    return Actor(user=user, session=None if session is None else Session(uid=session), invoked_by=invoked_by)


def _take_endpoint(source: Source, ip: str | None) -> Endpoint | None:
    if ip is None:
        return None
    chain = source.peek("ip_info")
    addresses = [part.strip() for part in chain.split(",")] if isinstance(chain, str) else []
    if not addresses or not all(map(is_ip, addresses)):
        return Endpoint(ip=ip)
    del source.rest["ip_info"]
    return Endpoint(ip=ip, intermediate_ips=addresses)


def _take_request(source: Source, method: str | None) -> HttpRequest | None:
    upper = (method or "").upper()
    http_method = upper if upper in _HTTP_METHODS else None
    if method is not None and http_method is None:
        source.rest["method"] = method
    url = source.text("url")
    if http_method is None and url is None:
        return None
    return HttpRequest(http_method=http_method, url=None if url is None else Url(url_string=url))


def _hash_value(found: re.Match[str]) -> str:
    return found["name"] + hashed_once(found["value"])


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return _NAME_OF_SECRET.search(name) is not None


def _is_secret(name: str, holder: Record) -> bool:
    """Say whether a property is a secret: by its name, or as the old or new value of a field with such a name."""
    if name.endswith("_value"):
        field = holder.get("field_name")
        if isinstance(field, str) and _names_secret(field):
            return True
    return _names_secret(name)


def create(options: Options) -> Sequence[StreamMapping]:
    """Make the mappings of this vendor's streams."""
    return (ChangeLogDetailMapping(options),)
