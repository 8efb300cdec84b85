"""The sandbox server: mounts the imitated vendors, logs requests, and strikes with the faults asked for."""

from __future__ import annotations

import logging
import socket
import threading
import time
import typing as t
from collections import deque
from dataclasses import dataclass

from waitress import create_server, wasyncore  # type: ignore[import-untyped] # waitress ships no types
from waitress.channel import ClientDisconnected  # type: ignore[import-untyped] # likewise
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from auditlogs_sandbox.control import Control
from auditlogs_sandbox.faults import FaultList
from auditlogs_sandbox.vendor import VendorSandbox
from auditlogs_sandbox.vendors import VENDORS
from auditlogs_sandbox.world import DEFAULT_SIZE, World

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIEnvironment

    from auditlogs_sandbox.faults import Cut
    from auditlogs_sandbox.vendor import Row

AnyVendor = t.TypeVar("AnyVendor", bound=VendorSandbox)

LOOPBACK: t.Final = "127.0.0.1"
_THREADS: t.Final = 16
_CONNECTIONS: t.Final = 1000  # beyond the default of 100 a client, such as a test of many runs, would wait for ever
_REMEMBERED_REQUESTS: t.Final = 10_000
_MEMORY_BUFFER: t.Final = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass
class LoggedRequest:
    """A request that came in.

    Attributes:
        vendor: The vendor that it is for, as the path says.
        method: The HTTP method.
        path: The path, mount point included.
        query: The query, undecoded.
        headers: The headers.
        form: The values of a form body.
        body: The body.
        time: When it came, in seconds since 1970 by the clock of the machine.
        status: The HTTP status of the answer, None until there is one.
    """

    vendor: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    form: dict[str, str]
    body: bytes
    time: float
    status: int | None = None


class Sandbox:
    """A server that imitates vendors on a loopback port while the `with` block runs.

    Attributes:
        world: The clock and the seed.
        faults: What is to go wrong.
        requests: The latest requests to the vendors, oldest first.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        vendors: Sequence[str] | None = None,
        size: int = DEFAULT_SIZE,
        clock: Callable[[], datetime] | None = None,
        port: int = 0,
    ) -> None:
        """Make up the data.

        Args:
            seed: What all made-up data and credentials follow from.
            vendors: The names of the vendors to imitate; all by default.
            size: About how many rows the largest log of each vendor has.
            clock: Tells the time; the clock of the machine by default.
            port: The port to listen on; 0 is any free one.

        Raises:
            ValueError: A vendor is unknown.
        """
        chosen = list(VENDORS) if vendors is None else list(dict.fromkeys(vendors))
        if unknown := [name for name in chosen if name not in VENDORS]:
            message = f"unknown vendor {', '.join(unknown)}; known are {', '.join(VENDORS)}"
            raise ValueError(message)
        self.world = World(seed, size) if clock is None else World(seed, size, clock)
        self.faults = FaultList()
        self.requests: deque[LoggedRequest] = deque(maxlen=_REMEMBERED_REQUESTS)
        self._vendors = {name: VENDORS[name](self.world) for name in chosen}
        self._control = Control(self)
        self._port = port
        self._closing = threading.Event()

    def __enter__(self) -> t.Self:
        # Bound before waitress starts its threads, which it would leave behind when the port is taken.
        listener = socket.create_server((LOOPBACK, self._port))
        self._channels: dict[int, t.Any] = {}
        self._server = create_server(
            self._wsgi,
            map=self._channels,
            sockets=[listener],
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            ident="sandbox",
            asyncore_use_poll=True,
            outbuf_overflow=_MEMORY_BUFFER,
            log_socket_errors=False,
        )
        self._closing.clear()
        self._loop = threading.Thread(target=self._serve, name="sandbox")
        self._loop.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.pull_trigger()
        self._loop.join()
        # Only now, when nothing polls or wakes them any more, may the sockets be closed.
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._channels)

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at its end."""
        return f"http://{LOOPBACK}:{self._server.effective_port}"

    @property
    def config(self) -> dict[str, t.Any]:
        """The tap configuration that reaches every vendor here."""
        return {name: vendor.config(f"{self.url}/{name}") for name, vendor in self._vendors.items()}

    @t.overload
    def vendor(self, name: str) -> VendorSandbox: ...

    @t.overload
    def vendor(self, name: str, kind: type[AnyVendor]) -> AnyVendor: ...

    def vendor(self, name: str, kind: type[VendorSandbox] = VendorSandbox) -> VendorSandbox:
        """Give an imitated vendor, whose attributes are the levers for tests.

        Args:
            name: The name of the vendor.
            kind: Its class, so that a type checker knows the levers.

        Returns:
            The vendor.

        Raises:
            TypeError: The vendor is of another class.
        """
        vendor = self._vendors[name]
        if not isinstance(vendor, kind):
            message = f"{name} is a {type(vendor).__name__}"
            raise TypeError(message)
        return vendor

    def truth(self) -> dict[str, list[Row]]:
        """Give, for each stream, the rows that the vendors would show now, as they spell them."""
        return {stream: rows for vendor in self._vendors.values() for stream, rows in vendor.truth().items()}

    def advance(self) -> None:
        """Let every vendor have new rows; nothing else changes the data."""
        for vendor in self._vendors.values():
            vendor.advance()

    def secrets(self) -> list[str]:
        """Give every credential that is handed out, to look for leaks."""
        return [secret for vendor in self._vendors.values() for secret in vendor.secrets()]

    def _serve(self) -> None:
        while not self._closing.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._channels, count=1)

    def _wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        request = Request({**environ, "SCRIPT_NAME": f"/{name}", "PATH_INFO": f"/{rest}"})
        cut: Cut | None = None
        if name == Control.MOUNT:
            response = self._control.handle(request)
        else:
            response, cut = self._answer_for_vendor(name, request)
        response.headers.setdefault("Date", http_date(self.world.now()))
        if cut is not None:
            return self._break_off(response, cut, start_response)
        return response(request.environ, start_response)

    def _answer_for_vendor(self, name: str, request: Request) -> tuple[Response, Cut | None]:
        logged = self._remember(name, request)
        striking = self.faults.due(name, request)
        for fault in striking:
            if fault.callback is not None:
                fault.callback(request)
            self._closing.wait(fault.delay)
        if any(fault.drop for fault in striking):
            _log.info("%s %s%s: connection dropped", request.method, request.root_path, request.path)
            raise ClientDisconnected
        response = next((answer for fault in striking if (answer := fault.answer(request))), None)
        if response is None:
            response = self._ask_vendor(name, request)
            for fault in striking:
                response.headers.update(fault.headers)
        logged.status = response.status_code
        _log.info("%s %s%s: %s", request.method, request.root_path, request.path, response.status_code)
        return response, next((fault.cut for fault in striking if fault.cut is not None), None)

    def _remember(self, name: str, request: Request) -> LoggedRequest:
        body = request.get_data(parse_form_data=False)
        logged = LoggedRequest(
            vendor=name,
            method=request.method,
            path=request.root_path + request.path,
            query=request.query_string.decode(),
            headers=dict(request.headers),
            form=request.form.to_dict(),
            body=body,
            time=time.time(),
        )
        self.requests.append(logged)
        return logged

    def _ask_vendor(self, name: str, request: Request) -> Response:
        if name not in self._vendors:
            return Response(status=NotFound.code)
        try:
            return self._vendors[name].handle(request)
        except HTTPException as refusal:
            return Response(status=refusal.code)

    @staticmethod
    def _break_off(response: Response, cut: Cut, start_response: StartResponse) -> Iterable[bytes]:
        whole = response.get_data()
        kept = whole[: cut.keep]
        announced = {"full_length": len(whole), "cut_length": len(kept)}.get(cut.framing)
        headers = [(name, value) for name, value in response.headers if name != "Content-Length"]
        if announced is not None:
            start_response(response.status, [*headers, ("Content-Length", str(announced))])
            return [kept]
        start_response(response.status, headers)
        return _chunks_without_end(kept)


def _chunks_without_end(body: bytes) -> Iterator[bytes]:
    yield body
    raise ClientDisconnected
