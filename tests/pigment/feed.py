"""What the tests of Pigment's stream share."""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tests.support.tap_runs import Run, State

STREAM = "pigment_audit_events"


def read(sandbox: Sandbox, state: State | None = None, **settings: t.Any) -> Run:
    """Run the tap; settings of the vendor are given as `pigment_<name>`."""
    config: dict[str, t.Any] = dict(sandbox.config)
    config["pigment"] = dict(config["pigment"])
    for name, value in settings.items():
        if name.startswith("pigment_"):
            config["pigment"][name.removeprefix("pigment_")] = value
        else:
            config[name] = value
    return sync(config, state)


def state_at(bookmark: str | datetime, **entry: t.Any) -> State:
    value = bookmark if isinstance(bookmark, str) else fixed_width(bookmark)
    return {
        "bookmarks": {
            STREAM: {"replication_key": "ingestion_timestamp", "replication_key_value": value, **entry},
        }
    }


def events(sandbox: Sandbox) -> dict[str, dict[str, t.Any]]:
    """The events that the vendor has, by their ids."""
    return {event["eventId"]: event for event in sandbox.truth()[STREAM]}


def ids(run: Run) -> list[str]:
    return [record["event_id"] for record in run.records(STREAM)]


def fixed_width(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def expected_time(text: str) -> str:
    """Bring a vendor's time into the tap's form, by other means than the tap's."""
    match = re.fullmatch(r"(....-..-..T..:..:..)(\.\d+)?(Z|[+-]..:..)", text)
    assert match is not None, text
    seconds, fraction, zone = match.groups()
    offset = timedelta(0)
    if zone != "Z":
        sign = -1 if zone[0] == "-" else 1
        offset = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    moment = datetime.strptime(seconds + "+0000", "%Y-%m-%dT%H:%M:%S%z") - offset
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ((fraction or ".") + "000000")[:7] + "Z"


def ingestion_times(sandbox: Sandbox) -> list[str]:
    return sorted(expected_time(event["ingestionTimestamp"]) for event in sandbox.truth()[STREAM])


def requests_seen(sandbox: Sandbox) -> list[dict[str, str]]:
    """The query parameters of each request so far."""
    return [dict(parse_qsl(request.query, keep_blank_values=True)) for request in sandbox.requests]
