"""Rate limits of the imitated Xandr."""

from __future__ import annotations

import math
import time
import typing as t
from dataclasses import dataclass, field

from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response

USER_LIMIT: t.Final = 429
SERVICE_LIMIT: t.Final = 503

_USER_ID: t.Final = "20417"


@dataclass
class Throttle:
    """A limit on requests within windows of real time; the vendor publishes no numbers.

    Attributes:
        limit: How many requests a window has.
        window_seconds: How long a window is.
        status: 429 for the limit of a user, 503 for the overload of a service, 405 for the legacy of 429.
        smaller_retry_after: Another, smaller `Retry-After` header sent before the true one, as vendor samples show.
        with_retry_after: Whether the time to wait is told at all.
        refusals: How many requests were one too many.
    """

    limit: int
    window_seconds: float = 60.0
    status: int = USER_LIMIT
    smaller_retry_after: int | None = None
    with_retry_after: bool = True
    refusals: int = field(default=0, init=False)
    _begin: float = field(default=-math.inf, init=False)
    _count: int = field(default=0, init=False)

    def refuse(self) -> Response | None:
        """Count a request."""
        now = time.monotonic()
        if now - self._begin >= self.window_seconds:
            self._begin, self._count = now, 0
        self._count += 1
        if self._count <= self.limit:
            return None
        self.refusals += 1
        body = {
            "response": {
                "error_id": "SYSTEM",
                "error": "You have exceeded your request limit",
                "error_description": "Try again later",
                "error_code": "RATE_EXCEEDED",
            }
        }
        response = json_response(encode(body), self.status)
        # Vendor page on throttling: the code is the HTTP code.
        response.headers["x-ratelimit-code"] = str(SERVICE_LIMIT if self.status == SERVICE_LIMIT else USER_LIMIT)
        response.headers["x-ratelimit-count"] = str(self._count)
        response.headers["x-an-user-id"] = _USER_ID
        if self.with_retry_after:
            if self.smaller_retry_after is not None:
                response.headers.add("Retry-After", str(self.smaller_retry_after))
            response.headers.add("Retry-After", str(math.ceil(self._begin + self.window_seconds - now)))
        return response
