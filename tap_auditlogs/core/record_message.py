"""The Singer RECORD message, defined once for all that write records."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

import msgspec

from tap_auditlogs.core.times import format_timestamp

TRecord = t.TypeVar("TRecord")


class RecordMessage(msgspec.Struct, t.Generic[TRecord], tag="RECORD", tag_field="type", omit_defaults=True, gc=False):
    """A RECORD message; `gc=False` because pages of records hold no reference cycles."""

    stream: str
    record: TRecord
    time_extracted: str | None = None


def extraction_time() -> str:
    """Return the current time as `time_extracted` of records read now."""
    return format_timestamp(datetime.now(UTC))


def record_envelope(stream: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the JSON of a record, for records that are encoded elsewhere.

    The line feed is not included. `time_extracted` is the time of the call.
    """
    placeholder = b"\0"  # occurs in no JSON text
    message = RecordMessage(stream, msgspec.Raw(placeholder), extraction_time())
    before, after = msgspec.json.encode(message).split(placeholder)
    return before, after
