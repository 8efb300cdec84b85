"""Vendors with as many records as one likes, served as fast as a loopback connection takes them.

Each repeats what the sandbox shows, under ids and times of its own: nothing is kept, however many records there are.
"""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from abc import ABC, abstractmethod
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox
from auditlogs_sandbox.vendors.xandr import XandrSandbox

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row: t.TypeAlias = "dict[str, t.Any]"
    Query: t.TypeAlias = "dict[str, str]"

_TEMPLATES: t.Final = 60
_UNPACED: t.Final = 1_000_000
"""Requests per minute, where the tap would keep to a pace."""


class Source(ABC):
    """One vendor.

    Attributes:
        vendor: Its name.
        streams: Which streams it has records of.
        are_read_together: Whether one run is to read all of them.
        records: How many of each.
    """

    vendor: t.ClassVar[str]
    streams: t.ClassVar[tuple[str, ...]]
    are_read_together: t.ClassVar[bool] = False

    def __init__(self, records: int) -> None:
        self.records = records
        self._now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    @abstractmethod
    def settings(self, url: str) -> Row:
        """Give the vendor's settings object."""

    @abstractmethod
    def answer(self, path: str, query: Query) -> Row:
        """Answer a request, whose form counts as its query."""

    def moment(self, number: int) -> datetime:
        """Give the time of a record, the last one an hour ago and all of them within half a year."""
        return self._now - timedelta(seconds=(self.records - number) * 150 * 86_400 // self.records)


class PigmentSource(Source):
    """Pages of 1,000 events, the newest first."""

    vendor = "pigment"
    streams = ("pigment_audit_events",)

    def __init__(self, records: int) -> None:
        super().__init__(records)
        with Sandbox(seed=1, vendors=[self.vendor], size=_TEMPLATES) as sandbox:
            self._templates = sandbox.truth()[self.streams[0]]

    def settings(self, url: str) -> Row:
        return {"api_key": "a-key-of-nobody", "api_url": url}

    def answer(self, path: str, query: Query) -> Row:
        assert path == "/api/audit/v1/events"
        begin = int(query.get("cursor", "0"))
        end = min(begin + 1000, self.records)
        page: Row = {"events": [self._event(number) for number in range(begin, end)], "hasMoreEvents": False}
        return page if end == self.records else {**page, "hasMoreEvents": True, "nextEventsCursor": str(end)}

    def _event(self, number: int) -> Row:
        written = self.moment(self.records - number).isoformat().replace("+00:00", "Z")
        own = {"eventId": f"{number:08x}-5d1e-4a36-9f0e-000000000000", "ingestionTimestamp": written}
        return {**self._templates[number % len(self._templates)], **own}


class CryptolensSource(Source):
    """The three logs, each with ids from 1 on."""

    vendor = "cryptolens"
    streams = ("cryptolens_web_api_log", "cryptolens_events", "cryptolens_object_log")

    def __init__(self, records: int) -> None:
        super().__init__(records)
        with Sandbox(seed=1, vendors=[self.vendor], size=_TEMPLATES) as sandbox:
            vendor = sandbox.vendor(self.vendor, CryptolensSandbox)
            logs = (vendor.web_api_log, vendor.events, vendor.object_log)
            self._logs = {f"/ai/{log.method}": (log, sandbox.truth()[log.stream]) for log in logs}

    def settings(self, url: str) -> Row:
        return {"access_token": "a-token-of-nobody", "api_url": url}

    def answer(self, path: str, query: Query) -> Row:
        log, templates = self._logs[path]
        first = int(query["StartingAfter"]) + 1
        numbers = range(first, min(first + int(query["Limit"]), self.records + 1))
        rows = [
            {**templates[number % len(templates)], "id": number, log.time_key: int(self.moment(number).timestamp())}
            for number in numbers
        ]
        return {log.rows_key: rows, "result": 0, "message": log.success_message}


class SweptSource(Source):
    """Objects of one kind, each with as many changes.

    Attributes:
        changes: How many each object has.
    """

    changes = 20
    first_id: t.Final = 10_000_000

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self._objects = records // self.changes

    def _page(self, query: Query, offset: str, limit: str, total: int) -> tuple[range, int, int]:
        begin, count = int(query[offset]), int(query[limit])
        return range(begin, min(begin + count, total)), begin, count


class OpenxSource(SweptSource):
    """Orders with their revisions."""

    vendor = "openx"
    streams = ("openx_audit_trail",)

    def __init__(self, records: int) -> None:
        super().__init__(records)
        with Sandbox(seed=1, vendors=[self.vendor], size=1) as sandbox:
            vendor = sandbox.vendor(self.vendor, OpenxSandbox)
            vendor.fill({"order": 1}, changes=self.changes)
            (self._listed,) = vendor.listing.answer("order", [])["objects"]
            self._history = sandbox.truth()[self.streams[0]]

    def settings(self, url: str) -> Row:
        return {
            "auth_method": "token",
            "access_token": "a-token-of-nobody",
            "instance_host": "ui.example.openx.net",
            "api_url": url,
            "object_types": ["order"],
        }

    def answer(self, path: str, query: Query) -> Row:
        if path == "/order":
            total = self._objects
            numbers, offset, limit = self._page(query, "offset", "limit", total)
            rows = [{**self._listed, "id": str(self.first_id + number)} for number in numbers]
        else:
            assert path == "/audittrail"
            total = self.changes
            numbers, offset, limit = self._page(query, "offset", "limit", total)
            rows = [{**self._history[number], "obj_id": query["obj_id"]} for number in numbers]
        return {"has_more": numbers.stop < total, "objects": rows, "limit": limit, "offset": offset}


class XandrSource(SweptSource):
    """Line items with their transactions, and the details of those."""

    vendor = "xandr"
    streams: t.ClassVar[tuple[str, ...]] = ("xandr_change_log",)

    def __init__(self, records: int) -> None:
        super().__init__(records)
        with Sandbox(seed=1, vendors=[self.vendor], size=1) as sandbox:
            vendor = sandbox.vendor(self.vendor, XandrSandbox)
            vendor.fill({"line-item": 1}, changes=self.changes)
            (item,) = vendor.catalogue.live("line-item")
            self._modified = vendor.listing.objects.last_modified(item)
            changes = vendor.change_log.visible(item)
            fields = {"user_id", "request_source"}
            self._log = [vendor.transactions.row(change, fields) for change in changes]
            self._details = [vendor.transactions.detail(change, previous_object=True) for change in changes]

    def settings(self, url: str) -> Row:
        return {
            "username": "nobody",
            "password": "a-password-of-nobody",
            "api_url": url,
            "services": ["line-item"],
            "requests_per_minute": _UNPACED,
        }

    def answer(self, path: str, query: Query) -> Row:
        match path:
            case "/auth":
                content: Row = {"token": "a-token-of-nobody"}
            case "/line-item":
                numbers, begin, count = self._page(query, "start_element", "num_elements", self._objects)
                rows = [{"id": self.first_id + number, "last_modified": self._modified} for number in numbers]
                content = _elements("line-items", rows, begin, count, self._objects)
            case "/change-log":
                numbers, begin, count = self._page(query, "start_element", "num_elements", self.changes)
                resource = int(query["resource_id"])
                rows = [self._own(self._log[number], resource, number) for number in numbers]
                content = _elements("change_logs", rows, begin, count, self.changes)
            case _:
                assert path == "/change-log-detail"
                number = int(query["transaction_id"][-12:], 16)
                rows = [self._own(self._details[number], int(query["resource_id"]), number)]
                content = _elements("change_log_details", rows, 0, 1, 1)
        return {"response": {**content, "status": "OK"}}

    @staticmethod
    def _own(row: Row, resource: int, number: int) -> Row:
        transaction = f"{resource:08x}-5d1e-4a36-9f0e-{number:012x}"
        return {**row, "resource_id": resource, "transaction_id": transaction}


class XandrDetailSource(XandrSource):
    """The same, read with the details: a request for each record."""

    streams = ("xandr_change_log", "xandr_change_log_detail")
    are_read_together = True


def _elements(name: str, rows: list[Row], begin: int, count: int, total: int) -> Row:
    return {name: rows, "start_element": begin, "num_elements": count, "count": total}


SOURCES: t.Final[dict[str, Callable[[int], Source]]] = {
    "pigment": PigmentSource,
    "cryptolens": CryptolensSource,
    "openx": OpenxSource,
    "xandr": XandrSource,
    "xandr-details": XandrDetailSource,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        # Without it every answer would wait for a delayed acknowledgement.
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().process_request(request, client_address)


@contextmanager
def served(source: Source) -> Iterator[str]:
    """Serve a source.

    Args:
        source: The source.

    Yields:
        Its URL.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query) + (parse_qsl(form) if "=" in form else []))
            body = json.dumps(source.answer(url.path, query)).encode()
            head = {
                "Date": self.date_time_string(),
                "Content-Type": "application/json; charset=utf-8",
                "Content-Length": len(body),
            }
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            self.wfile.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_arguments: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
