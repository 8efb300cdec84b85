"""The third run: the audit events go into the sandbox's Pigment, by `target-pigment`."""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.vendors.pigment import STREAM, PigmentSandbox
from tap_auditlogs.ocsf import schema

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditlogs_sandbox.server import Sandbox

LOADER: t.Final = "target-pigment"
KEYS: t.Final = {STREAM: "event_id", schema.NAME: schema.KEY}


def loader_settings(sandbox: Sandbox) -> dict[str, t.Any]:
    """Return the settings with which the sandbox's Pigment is reached."""
    return sandbox.vendor("pigment", PigmentSandbox).target_config(f"{sandbox.url}/pigment")


def imported_keys(sandbox: Sandbox) -> dict[str, set[str]]:
    """Return the keys of the rows that Pigment has imported, by stream."""
    pigment = sandbox.vendor("pigment", PigmentSandbox)
    configurations = loader_settings(sandbox)["import_configurations"]
    return {stream: {row[key] for row in pigment.imports.rows(configurations[stream])} for stream, key in KEYS.items()}


def differences(imported: dict[str, set[str]], tables: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield how what was imported differs from the tables that hold the same streams."""
    for stream, keys in tables.items():
        expected = set(keys)
        if missing := expected - imported[stream]:
            yield f"Pigment lacks {len(missing)} rows of {stream}"
        if surplus := imported[stream] - expected:
            yield f"Pigment has {len(surplus)} rows of {stream} that the table has not"
