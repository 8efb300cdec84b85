"""Sweeps of Xandr and OpenX: rate, cost of a second run, and memory, against the sandbox with 20 ms latency.

    uv run python -m tests.benchmarks.sweep_rates [--with-memory]

Both sides are whole processes and send the same requests. The other side asks one thing after the other over one
connection, as a tap without concurrency does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import typing as t
from pathlib import Path

import requests

from tests.benchmarks.processes import measure
from tests.benchmarks.sweep_serving import run_tap, serve

if t.TYPE_CHECKING:
    from tests.benchmarks.sweep_serving import Served

OBJECTS, TRANSACTIONS_EACH = 200, 10
LARGE_ACCOUNT, CHANGED = 5000, 50
XANDR = ("xandr_change_log", "xandr_change_log_detail")
FAST: t.Final = {"max_concurrency": 8, "requests_per_minute": 60_000}


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--with-memory", action="store_true", help="also 5,000 objects with 50,000 transactions")
    arguments.add_argument("--as-serial", metavar="CONFIG", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.as_serial:
        _serial(json.loads(Path(given.as_serial).read_text())["xandr"])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _details(folder)
        _second_run(folder, "xandr", "line-item", ("xandr_change_log",))
        _second_run(folder, "openx", "order", ("openx_audit_trail",))
        if given.with_memory:
            _memory(folder)


def _details(folder: Path) -> None:
    count = OBJECTS * TRANSACTIONS_EACH
    with serve("xandr") as sandbox:
        sandbox.call("fill", {"line-item": OBJECTS}, changes=TRANSACTIONS_EACH)
        config = _config(sandbox, services=["line-item"], **FAST)
        ours, records, _ = run_tap(folder, config, streams=XANDR)
        in_flight = sandbox.call("get", "max_in_flight")
        print(f"tap: {records} records, at most {in_flight} requests in flight")
        serial = measure([sys.executable, "-m", "tests.benchmarks.sweep_rates", "--as-serial", str(folder / "config")])
    print(serial.row("one request after the other", count))
    print(ours.row("tap-auditlogs", count))
    print(f"ratio: {serial.wall_seconds / ours.wall_seconds:.1f}x in wall time")


def _second_run(folder: Path, vendor: str, kind: str, streams: tuple[str, ...]) -> None:
    with serve(vendor) as sandbox:
        sandbox.call("fill", {kind: LARGE_ACCOUNT}, changes=1)
        only = {"services": [kind], **FAST} if vendor == "xandr" else {"object_types": [kind], "max_concurrency": 8}
        config = _config(sandbox, **only)
        taken, _, state = run_tap(folder, config, streams=streams)
        first = sandbox.requests()
        for object_id in sorted({int(key[1]) for key in sandbox.call("truth_keys")})[:: LARGE_ACCOUNT // CHANGED]:
            sandbox.call("change", kind, object_id)
        _, records, _ = run_tap(folder, config, streams=streams, state=state)
        print(
            f"{vendor}: {first} requests for {LARGE_ACCOUNT} objects at first ({taken.peak_mib:.0f} MiB), "
            f"{sandbox.requests()} when {CHANGED} have changed ({records} records)"
        )


def _memory(folder: Path) -> None:
    with serve("xandr", latency=0.0) as sandbox:
        sandbox.call("fill", {"line-item": LARGE_ACCOUNT}, changes=10)
        config = _config(sandbox, services=["line-item"], **FAST)
        taken, records, _ = run_tap(folder, config, streams=XANDR)
    print(taken.row("5,000 objects, 50,000 changes", records))


def _config(sandbox: Served, **settings: t.Any) -> dict[str, t.Any]:
    return {sandbox.vendor: {**sandbox.config[sandbox.vendor], **settings}}


def _serial(settings: dict[str, t.Any]) -> None:
    """Ask for the same, one thing after the other."""
    session = requests.Session()
    session.trust_env = False
    login = {"auth": {"username": settings["username"], "password": settings["password"]}}
    answer = session.post(f"{settings['api_url']}/auth", json=login, timeout=60).json()
    session.headers["Authorization"] = answer["response"]["token"]

    def get(path: str, **query: t.Any) -> dict[str, t.Any]:
        answer = session.get(f"{settings['api_url']}/{path}", params=query, timeout=60).json()
        return t.cast("dict[str, t.Any]", answer["response"])

    line_items: list[dict[str, t.Any]] = []
    while page := get("line-item", start_element=len(line_items)).get("line-items"):
        line_items += page
    with Path("/dev/null").open("w") as output:
        for line_item in line_items:
            asked = {"service": "line-item", "resource_id": line_item["id"]}
            for row in get("change-log", **asked)["change_logs"]:
                detail = get("change-log-detail", **asked, transaction_id=row["transaction_id"], previous_object="true")
                output.write(json.dumps([row, detail]) + "\n")


if __name__ == "__main__":
    main()
