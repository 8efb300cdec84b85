"""Pigment events per second: the tap beside the loop of the vendor community's script.

    uv run python -m tests.benchmarks.pigment_events [--events 200000]

Both read the same pages of 1,000 events from one loopback server without latency, as whole processes.
The script's loop (fetch, parse, flatten, write) is retyped from "Extracting usage data from a Pigment workspace"
(community.pigment.com, September 2025) without its progress bars, which would only slow it down.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import typing as t
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from dateutil import parser

from tests.benchmarks.processes import measure

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

PAGE = 1000


def main() -> None:
    """Serve, measure both sides, print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--as-script", metavar="URL", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.as_script:
        start = (datetime.now(UTC) - timedelta(days=179)).date().isoformat()
        with Path(os.devnull).open("w", newline="", encoding="utf-8") as output:
            write_script_csv(script_events(given.as_script, "benchmark-key", start, "2999-01-01"), output)
        return
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(child, given.events), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{parent.recv()}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"pigment": {"api_key": "benchmark-key", "api_url": url}}))
        tap = t.cast("str", shutil.which("tap-auditlogs"))
        ours = measure([tap, "--config", str(config)])
        theirs = measure([sys.executable, "-m", "tests.benchmarks.pigment_events", "--as-script", url])
    server.terminate()
    print(theirs.row("vendor's script", given.events))
    print(ours.row("tap-auditlogs", given.events))
    print(
        f"ratio: {theirs.wall_seconds / ours.wall_seconds:.1f}x in wall time, "
        f"{theirs.cpu_seconds / ours.cpu_seconds:.1f}x in CPU"
    )


def write_script_csv(events: t.Iterable[dict[str, t.Any]], output: t.TextIO) -> None:
    """Do what the script does with events: flatten, count and cache them, then write the CSV."""
    counts: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile(mode="w+", encoding="utf-8", suffix=".jsonl") as cache:
        for event in events:
            flat = _flatten(event)
            counts.update(flat.keys())
            cache.write(json.dumps(flat) + "\n")
        cache.seek(0)
        writer = csv.DictWriter(output, fieldnames=[name for name, _ in counts.most_common()])
        writer.writeheader()
        for line in cache:
            writer.writerow(json.loads(line))


def script_events(url: str, api_key: str, start: str, end_exclusive: str) -> t.Iterator[dict[str, t.Any]]:
    """Read events as the script does, up to the first one that happened on the end date or later."""
    session = requests.Session()
    params = {"ingestedSince": start}
    while True:
        response = session.get(
            f"{url}/api/audit/v1/events", params=params, headers={"Authorization": f"Bearer {api_key}"}, timeout=60
        )
        response.raise_for_status()
        data = response.json()
        events = data.get("events", [])
        if not events:
            break
        for event in events:
            if parser.parse(event["eventTimestamp"]).strftime("%Y-%m-%d") >= end_exclusive:
                return
            yield event
        if data.get("hasMoreEvents") and "nextEventsCursor" in data:
            params["cursor"] = data["nextEventsCursor"]
        else:
            break


def _flatten(nested: dict[str, t.Any]) -> dict[str, t.Any]:
    out: dict[str, t.Any] = {}

    def flatten(value: object, name: str = "") -> None:
        if isinstance(value, dict):
            for key in value:
                flatten(value[key], f"{name}{key}_")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                flatten(item, f"{name}{index}_")
        else:
            out[name[:-1]] = value

    flatten(nested)
    return out


def make_event(number: int, newest: datetime) -> dict[str, t.Any]:
    """Make an event as Pigment sends it."""
    ingested = newest - timedelta(seconds=number)
    return {
        "eventId": f"{number:08x}-5d1e-4a36-9f0e-000000000000",
        "eventType": "UserAccountTypeUpdated",
        "eventTimestamp": (ingested - timedelta(seconds=3)).isoformat().replace("+00:00", "Z"),
        "ingestionTimestamp": ingested.isoformat().replace("+00:00", "Z"),
        "actor": {"user": {"id": f"user-{number % 997}"}, "type": "User"},
        "context": {"workspace": {"id": "w-1", "name": "Planning"}, "application": {"id": f"a-{number % 31}"}},
        "payload": {
            "userId": f"user-{number % 89}",
            "userName": "Zoë Example",
            "userEmail": f"zoe.{number % 89}@example.com",
            "newAccountType": "Admin",
            "previousAccountType": "Member",
        },
    }


def serve(ready: Connection, events: int) -> None:
    newest = datetime.now(UTC) - timedelta(minutes=5)
    pages = []
    for start in range(0, events, PAGE):
        end = min(start + PAGE, events)
        page: dict[str, t.Any] = {
            "events": [make_event(number, newest) for number in range(start, end)],
            "hasMoreEvents": end < events,
        }
        if end < events:
            page["nextEventsCursor"] = str(end // PAGE)
        pages.append(json.dumps(page).encode())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            body = pages[int(query.get("cursor", ["0"])[0])]
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def process_request(self, request: t.Any, client_address: t.Any) -> None:
            # Without it every page would wait for a delayed acknowledgement.
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().process_request(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
