"""A proxy in front of the sandbox that injects faults, and another host that must not receive a request."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.raw_server import RawServer, answer, drip, hang, raw, reset

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.raw_server import Answer, Received, Talk

    Rewrite: t.TypeAlias = "Callable[[t.Any], t.Any]"

_HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class Reply:
    """A response of the sandbox."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def head(self, *more: tuple[str, str]) -> bytes:
        """Return the head with these headers instead of those about length and connection."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in _HOP_BY_HOP]
        lines = "".join(f"{name}: {value}\r\n" for name, value in (*kept, *more, ("Connection", "close")))
        return f"HTTP/1.1 {self.status} Whatever\r\n{lines}\r\n".encode("latin-1")

    def whole(self) -> bytes:
        return self.head(("Content-Length", str(len(self.body)))) + self.body


Action: t.TypeAlias = "Callable[[Talk, Callable[[], Reply]], None]"


@dataclass
class InjectedFault:
    """Which requests fail, and how.

    Attributes:
        act: Answers the request; it may call the sandbox.
        path: Only targets that contain this.
        skip: How many requests pass first.
        times: How many requests then fail; None means all.
        hits: How many requests matched so far, including those that passed.
    """

    act: Action
    path: str = ""
    skip: int = 0
    times: int | None = None
    hits: int = field(default=0, init=False)

    def applies_to(self, target: str) -> bool:
        if self.path not in target:
            return False
        self.hits += 1
        return self.hits > self.skip and (self.times is None or self.hits <= self.skip + self.times)


class _Host:
    """A server that runs within a `with` block."""

    def __init__(self, server: RawServer) -> None:
        self._server = server

    def __enter__(self) -> t.Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.__exit__(exception_type, exception, traceback)

    @property
    def requests(self) -> list[Received]:
        """Every request so far."""
        return self._server.requests


class FaultProxy(_Host):
    """Forwards every request to which no injected fault applies.

    Attributes:
        faults: The injected faults; the first that applies wins.
    """

    def __init__(self, upstream: str) -> None:
        """Forward to the server at this URL."""
        super().__init__(RawServer(self._answer))
        self._upstream = upstream
        self._lock = threading.Lock()
        self.faults: list[InjectedFault] = []

    def inject(self, act: Action, path: str = "", *, skip: int = 0, times: int | None = None) -> InjectedFault:
        """Inject a fault from now on."""
        added = InjectedFault(act, path, skip, times)
        with self._lock:
            self.faults.append(added)
        return added

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._lock:
            self.faults.clear()

    def in_front(self, config: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the configuration with the URLs of the upstream server replaced by the proxy's."""
        changed: dict[str, t.Any] = json.loads(json.dumps(config).replace(self._upstream, self._server.url))
        return changed

    def _answer(self, talk: Talk) -> None:
        with self._lock:
            act = next((fault.act for fault in self.faults if fault.applies_to(talk.request.target)), passed_on)
        act(talk, lambda: self._ask(talk.request))

    def _ask(self, request: Received) -> Reply:
        connection = http.client.HTTPConnection(urlsplit(self._upstream).netloc, timeout=20)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
            connection.request(request.method, request.target, request.body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


# Actions: how a request is answered.


def passed_on(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Forward the request and its response unchanged."""
    talk.send(ask().whole())


def answered_with(other: Answer) -> Action:
    """Answer without forwarding the request."""
    return lambda talk, _ask: other(talk)


def status(code: int, headers: dict[str, str] | None = None, body: bytes | str = '{"error": "made up"}') -> Action:
    """Answer with a status."""
    return answered_with(answer(body, code, headers))


def html() -> Action:
    """Answer with a login page and status 200."""
    return answered_with(answer("<html><title>Sign in</title></html>", headers={"Content-Type": "text/html"}))


def after(happening: Callable[[], object]) -> Action:
    """Call a function, for example to add rows or to kill the tap, then forward the request."""

    def act(talk: Talk, ask: Callable[[], Reply]) -> None:
        happening()
        passed_on(talk, ask)

    return act


def rewritten(change: Rewrite) -> Action:
    """Forward the request and change the JSON body of the response."""

    def act(talk: Talk, ask: Callable[[], Reply]) -> None:
        reply = ask()
        talk.send(Reply(reply.status, reply.headers, json.dumps(change(json.loads(reply.body))).encode()).whole())

    return act


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def cut_short(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Half the body, with the Content-Length of the whole."""
    reply = ask()
    talk.send(reply.head(("Content-Length", str(len(reply.body)))) + _half(reply.body))


def cut_with_fitting_length(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Half the body, with a Content-Length that matches."""
    reply = ask()
    half = _half(reply.body)
    talk.send(reply.head(("Content-Length", str(len(half)))) + half)


def cut_without_length(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Half the body, without Content-Length."""
    reply = ask()
    talk.send(reply.head() + _half(reply.body))


def cut_chunks(talk: Talk, ask: Callable[[], Reply]) -> None:
    """A chunk with half the body, without the last chunk."""
    reply = ask()
    half = _half(reply.body)
    talk.send(reply.head(("Transfer-Encoding", "chunked")) + b"%x\r\n%b\r\n" % (len(half), half))


def cut_gzip(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Half a gzip-encoded body, with a Content-Length that matches."""
    reply = ask()
    half = _half(gzip.compress(reply.body))
    talk.send(reply.head(("Content-Encoding", "gzip"), ("Content-Length", str(len(half)))) + half)


def reset_inside(talk: Talk, ask: Callable[[], Reply]) -> None:
    """Half the body, then a reset of the connection."""
    reply = ask()
    reset(reply.head(("Content-Length", str(len(reply.body)))) + _half(reply.body))(talk)


def sent_slowly(talk: Talk, ask: Callable[[], Reply]) -> None:
    """A body that never ends, a byte at a time."""
    drip(ask().head(("Content-Length", "1000000")), b" ", every=0.02)(talk)


RESET: Action = answered_with(reset())
CLOSED: Action = answered_with(raw())
SILENT: Action = answered_with(hang)

CUTS: dict[str, Action] = {
    "D7-reset": RESET,
    "D7-closed": CLOSED,
    "D7-reset-inside": reset_inside,
    "D7-short": cut_short,
    "D7-chunks": cut_chunks,
    "D8-no-length": cut_without_length,
    "D8-fitting-length": cut_with_fitting_length,
    "D9-gzip": cut_gzip,
}
"""Truncated responses, by their number in the catalogue."""


class OtherHost(_Host):
    """A host that is not configured; answers everything with 200 and records the requests."""

    def __init__(self, body: str = "{}") -> None:
        super().__init__(RawServer(answer(body), host="127.0.0.2"))

    @property
    def url(self) -> str:
        return self._server.url

    def redirect_here(self, code: int) -> Action:
        """Redirect to this host, keeping path and query."""

        def act(talk: Talk, _ask: Callable[[], Reply]) -> None:
            answer(b"", code, {"Location": self.url + talk.request.target})(talk)

        return act
