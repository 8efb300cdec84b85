"""Pigment in the report: its stream. What happened in it is in `audit_events`."""

from __future__ import annotations

import typing as t

from tap_auditlogs.report.tables import StreamTable

TABLES: t.Final = (StreamTable("pigment_audit_events", "event_timestamp"),)
SUBJECTS: t.Final = ()
