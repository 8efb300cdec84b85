"""Watches all requests to one vendor: at most 40, none that changes anything, and none after a silence."""

from __future__ import annotations

import time
import typing as t
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from requests.exceptions import ProxyError
from typing_extensions import override

from tap_auditlogs.core.errors import AnswerTimeoutError, ApiError
from tap_auditlogs.core.http import HttpObserver, root_cause
from tap_auditlogs.core.http.clock import parse_http_date

if t.TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    import requests

    from tap_auditlogs.core.http import ApiResponse

MOST_REQUESTS = 40


class NotSentError(ApiError):
    """A request was held back; the message says why."""


class RequestLog(HttpObserver):
    """The requests to one vendor.

    Attributes:
        sent: How many requests were sent, those without an answer included.
        last: The latest answer.
        first_failure: The error of the first request without an answer.
        first_cause: The name of the exception behind it, such as `ConnectionRefusedError`.
        first_failed_host: The host, with its port, that it was sent to.
        is_proxy_failure: Whether the proxy failed, and not the host.
        is_silent: Whether a request was not answered in time; then nothing more is sent.
        skew: How far the vendor's clock is ahead of this machine's, from the first answer with a `Date`.
        statuses: The HTTP status of each answer.
        header_names: The names of all headers received, in lower case.
        throttled: The answers with HTTP 429.
    """

    def __init__(self, reading_posts: Collection[str]) -> None:
        """Start counting.

        Args:
            reading_posts: The ends of the paths to which a POST changes nothing, such as a login.
        """
        self._reading_posts = tuple(reading_posts)
        self._started = 0.0
        self._host = ""
        self._seconds: list[float] = []
        self.is_silent = False
        self.sent = 0
        self.last: ApiResponse | None = None
        self.first_failure: ApiError | None = None
        self.first_cause = ""
        self.first_failed_host = ""
        self.is_proxy_failure = False
        self.skew: timedelta | None = None
        self.statuses: list[int] = []
        self.header_names: set[str] = set()
        self.throttled: list[ApiResponse] = []

    @property
    def left(self) -> int:
        """How many more requests may be sent."""
        return MOST_REQUESTS - self.sent

    @property
    def mean_seconds(self) -> float:
        """The mean time for an answer in seconds; 0 without any."""
        return sum(self._seconds) / len(self._seconds) if self._seconds else 0.0

    @property
    def told_to_wait(self) -> int:
        """How many of the throttled answers have `Retry-After`."""
        return sum("Retry-After" in response.headers for response in self.throttled)

    @override
    def before(self, request: requests.PreparedRequest) -> None:
        url = urlsplit(request.url or "")
        if request.method != "GET" and not (request.method == "POST" and url.path.endswith(self._reading_posts)):
            raise NotSentError(f"{request.method} would change something, so it was not sent")
        if self.is_silent:
            raise NotSentError("not asked, since the vendor had not answered in time before")
        if self.left <= 0:
            raise NotSentError(f"not asked, since {MOST_REQUESTS} requests had been sent")
        self.sent += 1
        self._host = url.netloc.rpartition("@")[2]
        self._started = time.monotonic()

    @override
    def answered(self, request: requests.PreparedRequest, response: ApiResponse) -> None:
        seconds = time.monotonic() - self._started
        self._seconds.append(seconds)
        self.last = response
        self.statuses.append(response.status_code)
        self.header_names |= {name.lower() for name in response.headers}
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self.throttled.append(response)
        if self.skew is None and (moment := parse_http_date(response.headers.get("Date", ""))) is not None:
            self.skew = moment - datetime.now(UTC)

    @override
    def failed(self, error: ApiError) -> None:
        if self.first_failure is None:
            self.first_failure = error
            self.first_failed_host = self._host
            self.is_proxy_failure = isinstance(error.__cause__, ProxyError)
            self.first_cause = root_cause(error)  # now, since raising it again elsewhere adds other causes
        self.is_silent = self.is_silent or isinstance(error, AnswerTimeoutError)
