"""Xandr in the report: its streams. What happened in them is in `audit_events`."""

from __future__ import annotations

import typing as t

from tap_auditlogs.report.tables import StreamTable

TABLES: t.Final = (
    StreamTable("xandr_change_log", "created_on"),
    StreamTable("xandr_change_log_detail", "created_on"),
)
SUBJECTS: t.Final = ()
