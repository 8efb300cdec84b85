"""A server that sends raw bytes, so that tests can send malformed responses."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from http.client import parse_headers
from io import BytesIO

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType


@dataclass(frozen=True)
class Received:
    """A received request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Talk:
    """A request and its open connection."""

    connection: socket.socket
    request: Received
    closing: threading.Event

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)


if t.TYPE_CHECKING:
    Answer: t.TypeAlias = Callable[[Talk], None]


def answer(
    body: bytes | str = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
    keep_alive: bool = False,
) -> Answer:
    """Answer completely, or with another `Content-Length` than the body has."""
    content = body.encode() if isinstance(body, str) else body
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content) if length is None else length),
        "Connection": "keep-alive" if keep_alive else "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def talk(talk: Talk) -> None:
        talk.send(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + content)

    return talk


def json_answer(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return answer(json.dumps(payload), status, headers)


def gzipped(payload: object, *, keep: int | None = None) -> Answer:
    """Answer with a truncated gzip body whose Content-Length matches."""
    return answer(gzip.compress(json.dumps(payload).encode())[:keep], headers={"Content-Encoding": "gzip"})


def raw(*pieces: bytes, every: float = 0.0) -> Answer:
    """Send these pieces, with a pause before each, and close."""

    def talk(talk: Talk) -> None:
        for piece in pieces:
            if every and talk.closing.wait(every):
                return
            talk.send(piece)

    return talk


def drip(head: bytes, piece: bytes, *, every: float) -> Answer:
    """Send the head at once, then pieces without end."""

    def talk(talk: Talk) -> None:
        talk.send(head)
        while not talk.closing.wait(every):
            talk.send(piece)

    return talk


def reset(before: bytes = b"") -> Answer:
    """Send something and reset the connection."""

    def talk(talk: Talk) -> None:
        talk.send(before)
        talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return talk


def hang(talk: Talk) -> None:
    """Never answer."""
    talk.closing.wait()


class RawServer:
    """Sends its answers in order, one per request, and then repeats the last one."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._answers: list[Answer] = list(answers)
        self._tls = tls
        self._host = host
        self.requests: list[Received] = []
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> t.Self:
        self._listener = socket.create_server((self._host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def wait_until_idle(self) -> None:
        """Return when every connection so far is closed on this side."""
        for thread in self._threads[1:]:
            thread.join(10)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                connection.settimeout(10)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection.makefile("rb") as incoming:
                if (request := _receive(incoming)) is not None:
                    with self._lock:
                        self.requests.append(request)
                        talk = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
                    talk(Talk(connection, request, self._closing))
        except (OSError, ValueError):  # the client went away, did not accept the certificate, or speaks no HTTP
            pass
        finally:
            connection.close()


def _receive(incoming: t.BinaryIO) -> Received | None:
    line = incoming.readline().decode("latin-1")
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers = parse_headers(BytesIO(b"".join(_until_blank(incoming))))
    body = incoming.read(int(headers.get("Content-Length", 0)))
    return Received(method, target, dict(headers), body)


def _until_blank(incoming: t.BinaryIO) -> Iterable[bytes]:
    while (line := incoming.readline()) not in {b"\r\n", b""}:
        yield line
    yield b"\r\n"
