"""Serves a sandbox with latency in a process of its own, and runs the tap against it."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import typing as t
from contextlib import contextmanager

from auditlogs_sandbox.server import Sandbox
from tests.benchmarks.processes import Measured, measure

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

LATENCY_SECONDS = 0.02


class Served:
    """A sandbox in another process."""

    def __init__(self, vendor: str, connection: Connection) -> None:
        self._connection = connection
        self.vendor = vendor
        self.config: dict[str, t.Any] = connection.recv()

    def call(self, method: str, *arguments: t.Any, **options: t.Any) -> t.Any:
        """Pull a lever of the imitated vendor.

        Args:
            method: Its name.
            *arguments: Of the lever.
            **options: Likewise.

        Returns:
            What it gives.
        """
        self._connection.send((method, arguments, options))
        return self._connection.recv()

    def requests(self) -> int:
        """Count the requests since the last time."""
        return t.cast("int", self.call("requests"))


@contextmanager
def serve(vendor: str, latency: float = LATENCY_SECONDS) -> Iterator[Served]:
    """Serve one vendor.

    Args:
        vendor: Its name.
        latency: What each answer takes, in seconds.

    Yields:
        The sandbox.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(vendor, latency, theirs), daemon=True)
    process.start()
    try:
        yield Served(vendor, ours)
    finally:
        process.terminate()
        process.join()


def run_tap(
    folder: Path, config: Mapping[str, t.Any], *, streams: tuple[str, ...], state: object = None
) -> tuple[Measured, int, t.Any]:
    """Run the installed command.

    Args:
        folder: For its files.
        config: Its configuration.
        streams: The streams to select.
        state: The state to begin with.

    Returns:
        What it took, how many records it wrote, and its last state.
    """
    files = {"config": config, "state": state, "catalog": _catalog(config, streams)}
    options = []
    for name, content in files.items():
        if content is not None:
            (folder / name).write_text(json.dumps(content))
            options += [f"--{name}", str(folder / name)]
    output = folder / "output"
    tap = t.cast("str", shutil.which("tap-auditlogs"))
    taken = measure(["sh", "-c", f'exec "$0" "$@" > {output}', tap, *options])
    records, last_state = 0, None
    with output.open("rb") as lines:
        for line in lines:
            records += line.startswith(b'{"type":"RECORD"')
            last_state = line if line.startswith(b'{"type":"STATE"') else last_state
    return taken, records, json.loads(last_state or b"{}").get("value")


def _catalog(config: Mapping[str, t.Any], streams: tuple[str, ...]) -> dict[str, t.Any]:
    from tap_auditlogs.tap import TapAuditLogs  # noqa: PLC0415 - its imports would be measured in the served process

    catalog: dict[str, t.Any] = TapAuditLogs(config=dict(config)).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    return catalog


def _serve(name: str, latency: float, connection: Connection) -> None:
    with Sandbox(vendors=[name], size=1) as sandbox:
        vendor: t.Any = sandbox.vendor(name)
        vendor.latency = latency
        connection.send(sandbox.config)
        while True:
            method, arguments, options = connection.recv()
            if method == "requests":
                connection.send(_forget(sandbox))
            elif method == "get":
                connection.send(getattr(vendor, arguments[0]))
            else:
                result = getattr(vendor, method)(*arguments, **options)
                connection.send(list(result) if hasattr(result, "__next__") else result)


def _forget(sandbox: Sandbox) -> int:
    count = len(sandbox.requests)
    sandbox.requests.clear()
    return count
