"""The audit trail over all vendors in the report."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.ocsf import schema
from tap_auditlogs.report.subject import Subject
from tap_auditlogs.report.tables import StreamTable

TABLE: t.Final = StreamTable(
    schema.NAME,
    "event_time",
    dict.fromkeys(
        ("vendor", "action", "actor_id", "actor_name", "actor_email", "target_type", "source_ip", "outcome"), sa.Text()
    ),
)
SUBJECT: t.Final = Subject("Audit trail", needs=(schema.NAME,), figures=())
