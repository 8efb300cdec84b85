"""OpenX in the report: its stream. What happened in it is in `audit_events`."""

from __future__ import annotations

import typing as t

from tap_auditlogs.report.tables import StreamTable

TABLES: t.Final = (StreamTable("openx_audit_trail", "timestamp"),)
SUBJECTS: t.Final = ()
