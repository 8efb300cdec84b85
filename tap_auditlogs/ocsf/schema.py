"""The stream `audit_events`."""

from __future__ import annotations

import typing as t

import msgspec
from singer_sdk import typing as th

from tap_auditlogs.core.schema import FreeFormObjectType

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_auditlogs.ocsf.objects import Attributes

NAME: t.Final = "audit_events"
KEY: t.Final = "event_uid"

SCHEMA: t.Final = th.PropertiesList(
    th.Property(
        KEY,
        th.StringType(nullable=False),
        required=True,
        description="Unique id; follows from the source record's key, so that the same record has the same everywhere.",
    ),
    th.Property("event_time", th.DateTimeType, description="When it happened; null if the source does not tell."),
    th.Property("ingested_at", th.DateTimeType, description="When the tap read the source record."),
    th.Property("vendor", th.StringType, description="The vendor's name in the settings."),
    th.Property("source_stream", th.StringType, description="The stream that the source record is in."),
    th.Property("tenant", th.StringType, description="The vendor's account that it was done in, where it is told."),
    th.Property("action", th.StringType, description="What was done, in the vendor's words."),
    th.Property("actor_id", th.StringType, description="Who did it: the vendor's id."),
    th.Property("actor_name", th.StringType, description="Who did it: personal data."),
    th.Property("actor_email", th.StringType, description="Who did it: personal data."),
    th.Property("target_type", th.StringType, description="What kind of thing it was done to."),
    th.Property("target_id", th.StringType, description="What it was done to: the vendor's id."),
    th.Property("target_name", th.StringType, description="What it was done to."),
    th.Property("source_ip", th.StringType, description="From which address: personal data."),
    th.Property("outcome", th.StringType, description="`success`, `failure` or `unknown`."),
    th.Property(
        "ocsf",
        FreeFormObjectType(),
        description="The event in the Open Cybersecurity Schema Framework, version 1.8.0.",
    ),
).to_dict()


class AuditEvent(msgspec.Struct, gc=False):
    """A record of `audit_events`."""

    event_uid: str
    event_time: datetime | str | None
    ingested_at: str | None
    vendor: str
    source_stream: str
    tenant: str | None
    action: str | None
    actor_id: str | None
    actor_name: str | None
    actor_email: str | None
    target_type: str | None
    target_id: str | None
    target_name: str | None
    source_ip: str | None
    outcome: str
    ocsf: Attributes
