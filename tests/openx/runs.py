"""What the tap has read of OpenX against what there is, and what it asked for."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox

STREAM = "openx_audit_trail"

Key: t.TypeAlias = tuple[str, str, int]


def config(sandbox: Sandbox, **changes: t.Any) -> dict[str, t.Any]:
    """The configuration; settings that are None are left out."""
    settings = {**sandbox.config["openx"], **changes}
    return {"openx": {name: value for name, value in settings.items() if value is not None}}


def keys(records: Iterable[dict[str, t.Any]]) -> set[Key]:
    return {(record["obj_type"], record["obj_id"], record["revision"]) for record in records}


def true_keys(openx: OpenxSandbox, *types: str) -> set[Key]:
    """The keys of what there is, of some types or of all."""
    return {key for key in openx.truth_keys() if not types or key[0] in types}


def ids(openx: OpenxSandbox, obj_type: str) -> list[int]:
    return sorted({int(key[1]) for key in true_keys(openx, obj_type)})


def asked(sandbox: Sandbox, path: str) -> list[dict[str, str]]:
    """The queries of the requests whose path ends so, since `sandbox.requests` was cleared last."""
    return [
        {name: values[0] for name, values in parse_qs(request.query).items()}
        for request in list(sandbox.requests)
        if request.path.endswith(path)
    ]
