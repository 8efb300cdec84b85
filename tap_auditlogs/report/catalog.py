"""The streams and subjects of all vendors, and of the audit trail over them."""

from __future__ import annotations

import typing as t

from tap_auditlogs.ocsf import schema
from tap_auditlogs.report import audit_trail
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_auditlogs.report.subject import Subject
    from tap_auditlogs.report.tables import StreamTable


def known_tables() -> dict[str, StreamTable]:
    """Return the streams that the report reads, by name."""
    tables = [audit_trail.TABLE, *(table for vendor in VENDORS for table in vendor.load("report").TABLES)]
    return {table.name: table for table in tables}


def known_keys() -> Mapping[str, Sequence[str]]:
    """Return the primary keys of all streams."""
    streams: Iterator[t.Any] = (stream for vendor in VENDORS for stream in vendor.streams)
    # The SDK declares name and key as attributes of instances only.
    return {**{stream.name: stream.primary_keys for stream in streams}, schema.NAME: (schema.KEY,)}


def subjects() -> list[Subject]:
    """Return the sections of the report in their order."""
    return [audit_trail.SUBJECT, *(subject for vendor in VENDORS for subject in vendor.load("report").SUBJECTS)]
