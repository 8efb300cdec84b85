"""What OpenX's revisions mean in OCSF: changes of managed entities."""

from __future__ import annotations

import typing as t

from tap_auditlogs.ocsf.classes import ENTITY_MANAGEMENT, OTHER, Activity
from tap_auditlogs.ocsf.mapping import Event, Person, Source, StreamMapping, Target
from tap_auditlogs.ocsf.objects import Actor, Attributes, Endpoint
from tap_auditlogs.ocsf.values import is_email

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_auditlogs.ocsf.mapping import Options

# Vendor page: only `create` is shown; the rest is what an API of this kind would say. openx-23
_ACTIVITIES: t.Final = {"create": 1, "update": 3, "modify": 3, "delete": 4}


class AuditTrailMapping(StreamMapping):
    """The revisions of every object."""

    stream = "openx_audit_trail"
    product: t.ClassVar = {"name": "OpenX", "vendor_name": "OpenX"}
    key = ("obj_type", "obj_id", "revision")
    scope = "instance_uid"
    time_property = "timestamp"

    def describe(self, source: Source) -> Event:
        """Say what a revision means."""
        action = source.text("action")
        changes = source.child("changes")  # openx-24
        before, after = changes.rest.pop("old_value", None), changes.rest.pop("new_value", None)
        target = Target(source.id("obj_type"), source.id("obj_id"), _name(after) or _name(before))
        version = source.id("revision")
        actor = _take_user(source)
        user = actor.as_user()
        ip = source.ip("ip")
        reason = source.text("reason")
        number = _ACTIVITIES.get((action or "").lower(), OTHER)
        return Event(
            activity=Activity(ENTITY_MANAGEMENT, number, action or "unknown action"),
            action=action,
            actor=actor,
            target=target,
            source_ip=ip,
            tenant=source.id("account_uid"),
            code=action,
            attributes=Attributes(
                actor=None if user is None and reason is None else Actor(user=user, invoked_by=reason),
                entity=target.as_entity(version=version, data=before),
                entity_result=None if after is None else target.as_entity(version=version, data=after),
                src_endpoint=None if ip is None else Endpoint(ip=ip),
            ),
        )


def _take_user(source: Source) -> Person:
    user = source.child("user")  # openx-25
    name, email = user.text("name"), user.text("email")
    if email is not None and not is_email(email):
        user.rest["email"] = email
    return Person(name=name, email=email)


def _name(value: object) -> str | None:
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name else None


def create(options: Options) -> Sequence[StreamMapping]:
    """Make the mappings of this vendor's streams."""
    return (AuditTrailMapping(options),)
