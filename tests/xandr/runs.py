"""What the tap has read of Xandr against what there is, and what it asked for."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs

from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox

LOG, DETAIL = "xandr_change_log", "xandr_change_log_detail"

Key: t.TypeAlias = tuple[str, int, str]


def config(sandbox: Sandbox, **changes: t.Any) -> dict[str, t.Any]:
    """The configuration; settings that are None are left out."""
    settings = {**sandbox.config["xandr"], **changes}
    return {"xandr": {name: value for name, value in settings.items() if value is not None}}


def keys(records: Iterable[dict[str, t.Any]]) -> set[Key]:
    return {(record["service"], record["resource_id"], record["transaction_id"]) for record in records}


def true_keys(xandr: XandrSandbox) -> set[Key]:
    return set(xandr.truth_keys())


def asked(sandbox: Sandbox, path: str) -> list[dict[str, str]]:
    """The queries of the requests to a path since `sandbox.requests` was cleared last."""
    return [
        {name: values[0] for name, values in parse_qs(request.query).items()}
        for request in list(sandbox.requests)
        if request.path == f"/xandr/{path}"
    ]


def catalog(*selected: str, without: Iterable[str] = ()) -> dict[str, t.Any]:
    """A catalog in which only these streams are selected, without some of their fields."""
    tap = TapAuditLogs(config={"xandr": {"username": "u", "password": "p"}})
    found: dict[str, t.Any] = tap.catalog_dict
    for stream in found["streams"]:
        for entry in stream["metadata"]:
            breadcrumb = list(entry["breadcrumb"])
            if not breadcrumb:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in selected
            elif breadcrumb[-1] in without:
                entry["metadata"]["selected"] = False
    return found
