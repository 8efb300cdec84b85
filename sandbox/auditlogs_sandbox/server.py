"""HTTP server for the imitated vendors: routes and logs requests, and injects faults."""

from __future__ import annotations

import logging
import socket
import threading
import time
import typing as t

from waitress import create_server, wasyncore  # type: ignore[import-untyped] # waitress ships no types
from waitress.channel import ClientDisconnected  # type: ignore[import-untyped] # likewise
from werkzeug.exceptions import Forbidden, HTTPException, NotFound
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from auditlogs_sandbox.control import Control
from auditlogs_sandbox.state import LoggedRequest, SandboxState
from auditlogs_sandbox.world import DEFAULT_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIEnvironment

    from auditlogs_sandbox.faults import Cut

LOOPBACK: t.Final = "127.0.0.1"
_THREADS: t.Final = 16
_CONNECTIONS: t.Final = 1000  # beyond the default of 100, clients would wait forever
_MEMORY_BUFFER: t.Final = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class Sandbox(SandboxState):
    """The imitated vendors, served on a loopback port inside the `with` block."""

    def __init__(
        self,
        *,
        seed: int = 1,
        vendors: Sequence[str] | None = None,
        size: int = DEFAULT_SIZE,
        clock: Callable[[], datetime] | None = None,
        port: int = 0,
    ) -> None:
        """See `SandboxState`; port 0 is any free one."""
        super().__init__(seed=seed, vendors=vendors, size=size, clock=clock)
        self._control = Control(self)
        self._port = port
        self._closing = threading.Event()

    def __enter__(self) -> t.Self:
        # Bind before waitress starts its threads, which it would leave running if the port is taken.
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
        # Close the sockets only when nothing polls or wakes them any more.
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._channels)

    @property
    def url(self) -> str:
        """URL of the server, without a trailing slash."""
        return f"http://{LOOPBACK}:{self._server.effective_port}"

    @property
    def config(self) -> dict[str, t.Any]:
        """Configuration of the tap for this server."""
        return {name: vendor.config(f"{self.url}/{name}") for name, vendor in self.vendors.items()}

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
            is_write=name in self.vendors and self.vendors[name].is_write(request),
        )
        self.requests.append(logged)
        return logged

    def _ask_vendor(self, name: str, request: Request) -> Response:
        if name not in self.vendors:
            return Response(status=NotFound.code)
        if self.read_only and self.vendors[name].is_write(request):
            return Response(status=Forbidden.code)
        try:
            return self.vendors[name].handle(request)
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
