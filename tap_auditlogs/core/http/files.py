"""File downloads with a minimum speed instead of a total time limit."""

from __future__ import annotations

import time
import typing as t
from collections import deque
from functools import partial
from http import HTTPStatus

import requests
from requests.adapters import HTTPAdapter

from tap_auditlogs.core.errors import TransientError
from tap_auditlogs.core.http.client import HttpClient, HttpOptions
from tap_auditlogs.core.http.retry import MAX_TRIES

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from requests.auth import AuthBase

    from tap_auditlogs.core.http.response import ApiResponse

    Sink: t.TypeAlias = Callable[[bytes], object]

LEAST_BYTES_PER_SECOND = 10_000
SPEED_WINDOW_SECONDS = 60.0

_READ_BYTES = 262_144
_LARGEST_ERROR_BODY = 65_536


class SpeedLimit:
    """Detects a download that is slower than a minimum speed over a time window."""

    def __init__(
        self, started: float, *, least: float = LEAST_BYTES_PER_SECOND, window: float = SPEED_WINDOW_SECONDS
    ) -> None:
        """Start counting.

        Args:
            started: The time in seconds of a monotonic clock.
            least: Bytes per second.
            window: Seconds over which the speed is measured.
        """
        self._window = window
        self._least_bytes = least * window
        self._totals = deque([(started, 0)])

    def is_missed(self, now: float, total: int) -> bool:
        """Record the bytes received so far; return whether the speed over the last window was too low."""
        if now - self._totals[-1][0] >= self._window / 60:
            self._totals.append((now, total))
        while len(self._totals) > 1 and now - self._totals[1][0] >= self._window:
            self._totals.popleft()
        then, total_then = self._totals[0]
        return now - then >= self._window and total - total_then < self._least_bytes


class FileClient(HttpClient):
    """Downloads files with the retries, waits and credentials of `HttpClient`."""

    def __init__(
        self,
        vendor: str,
        options: HttpOptions,
        *,
        authenticator: AuthBase | None = None,
        connections: int = 1,
        adapter: type[HTTPAdapter] = HTTPAdapter,
    ) -> None:
        """Set up without sending anything.

        Args:
            vendor: The vendor's name for messages.
            options: The common HTTP settings; the timeout does not apply.
            authenticator: Signs each request.
            connections: The most concurrent downloads.
            adapter: Creates the connections.
        """
        super().__init__(vendor, options, authenticator=authenticator)
        transport = adapter(pool_maxsize=connections, pool_block=True)
        self._session.mount("https://", transport)
        self._session.mount("http://", transport)
        self._read_seconds = SPEED_WINDOW_SECONDS  # no byte for this long is below the minimum speed

    def fetch(self, url: str, open_sink: Callable[[], Sink], *, what: str, tries: int = MAX_TRIES) -> None:
        """Download a file as stored, without content encoding; raises as `send`.

        Args:
            url: The URL.
            open_sink: Called before each try; returns the function that receives the bytes, or raises.
            what: What is downloaded, for messages.
            tries: The most tries.
        """
        request = requests.Request("GET", url, headers={"Accept-Encoding": "identity"})
        self._until_answered(partial(self._fetch_once, open_sink), request, f"{self.vendor}: {what}", tries=tries)

    def _fetch_once(
        self, open_sink: Callable[[], Sink], request: requests.Request, where: str, authenticator: AuthBase | None
    ) -> ApiResponse:
        sink = open_sink()

        def read_body(response: requests.Response, where: str) -> bytes:
            if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                return response.raw.read(_LARGEST_ERROR_BODY, decode_content=False) or b""
            self._pour(response, sink, where)
            return b""

        response = self._exchange(self._prepare(request, where, authenticator), where, read_body)
        self.clock.note(response.headers)
        self._check_status(response, where)
        return response

    @staticmethod
    def _pour(response: requests.Response, sink: Sink, where: str) -> None:
        total = 0
        speed = SpeedLimit(time.monotonic())
        # `read1` returns what has arrived; `read` would wait for a full buffer.
        while data := response.raw.read1(_READ_BYTES, decode_content=False):
            sink(data)
            total += len(data)
            if speed.is_missed(time.monotonic(), total):
                msg = f"the download is slower than {LEAST_BYTES_PER_SECOND // 1000} kB/s"
                raise TransientError(msg, where=where)
