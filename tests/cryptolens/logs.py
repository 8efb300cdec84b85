"""What the tests of Cryptolens' streams share."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.state import LoggedRequest
    from tests.support.tap_runs import Run, State

WEB_API_LOG = "cryptolens_web_api_log"
EVENTS = "cryptolens_events"
OBJECT_LOG = "cryptolens_object_log"
STREAMS = (WEB_API_LOG, EVENTS, OBJECT_LOG)
METHODS = {WEB_API_LOG: "GetWebAPILog", EVENTS: "GetEvents", OBJECT_LOG: "GetObjectLog"}
TIMES = {WEB_API_LOG: "time", EVENTS: "time", OBJECT_LOG: "created"}


def read(sandbox: Sandbox, state: State | None = None, **settings: t.Any) -> Run:
    """Run the tap; settings of the vendor are given as `cryptolens_<name>`."""
    config: dict[str, t.Any] = dict(sandbox.config)
    config["cryptolens"] = dict(config["cryptolens"])
    for name, value in settings.items():
        if name.startswith("cryptolens_"):
            config["cryptolens"][name.removeprefix("cryptolens_")] = value
        else:
            config[name] = value
    return sync(config, state)


def state_at(**bookmarks: int) -> State:
    return {
        "bookmarks": {
            stream: {"replication_key": "id", "replication_key_value": value} for stream, value in bookmarks.items()
        }
    }


def rows(sandbox: Sandbox, stream: str) -> list[dict[str, t.Any]]:
    return sandbox.truth()[stream]


def row_ids(sandbox: Sandbox, stream: str) -> list[int]:
    return [row["id"] for row in rows(sandbox, stream)]


def ids(run: Run, stream: str) -> list[int]:
    return [record["id"] for record in run.records(stream)]


def value(run: Run, stream: str) -> int | None:
    found: int | None = run.bookmark(stream).get("replication_key_value")
    return found


def requests_for(sandbox: Sandbox, stream: str) -> list[LoggedRequest]:
    return [request for request in sandbox.requests if request.path.endswith(METHODS[stream])]


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
