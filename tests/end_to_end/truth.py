"""Keys of the vendors' rows and of the tap's records."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from auditlogs_sandbox.server import Sandbox
    from tests.support.tap_runs import Message

PIGMENT = "pigment_audit_events"
CRYPTOLENS = ("cryptolens_web_api_log", "cryptolens_events", "cryptolens_object_log")
STREAMS = (PIGMENT, *CRYPTOLENS)
LOOKBACK = timedelta(hours=24)

Keys: t.TypeAlias = "dict[str, set[t.Any]]"


def key_of(stream: str, record: dict[str, t.Any]) -> t.Any:
    return record["event_id" if stream == PIGMENT else "id"]


def keys_in(messages: Iterable[Message], streams: Iterable[str] = STREAMS) -> Keys:
    """The keys of the records, by stream."""
    keys: Keys = {stream: set() for stream in streams}
    for message in messages:
        if message["type"] == "RECORD":
            keys[message["stream"]].add(key_of(message["stream"], message["record"]))
    return keys


def true_keys(sandbox: Sandbox, streams: Iterable[str] = STREAMS) -> Keys:
    """The keys of what the vendors have, by stream."""
    truth = sandbox.truth()
    return {stream: {row["eventId" if stream == PIGMENT else "id"] for row in truth[stream]} for stream in streams}


def keys_within_look_back(sandbox: Sandbox) -> set[str]:
    """The keys of the Pigment events that every run may repeat."""
    ingested = {
        event["eventId"]: datetime.fromisoformat(event["ingestionTimestamp"]) for event in sandbox.truth()[PIGMENT]
    }
    edge = max(ingested.values()) - LOOKBACK
    return {event_id for event_id, moment in ingested.items() if moment >= edge}
