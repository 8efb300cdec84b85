"""Connections that apply the read timeout to the whole response, headers included.

Other connections restart the timeout with each byte received, so a slow server could block a run indefinitely.
"""

from __future__ import annotations

import http.client
import io
import time
import typing as t
from contextlib import suppress

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

if t.TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until its timeout, counted from now, has passed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._timeout = sock.gettimeout()
        self._deadline = None if self._timeout is None else time.monotonic() + self._timeout

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        with suppress(OSError):  # if the connection is already closed
            self._sock.settimeout(self._timeout)
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: t.Any, **options: t.Any) -> None:
        super().__init__(sock, *args, **options)
        unguarded = self.fp
        self.fp = io.BufferedReader(_DeadlineReader(sock))
        unguarded.close()


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response

    @override
    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:  # of the TLS handshake, or of a proxy; urllib3 would call it a read timeout
            raise ConnectTimeoutError(self, "the connection was not made in time") from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class DeadlineAdapter(HTTPAdapter):
    """Uses these connections, also through proxies, except SOCKS proxies."""

    @override
    def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
