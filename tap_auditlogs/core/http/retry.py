"""Waits between retries."""

from __future__ import annotations

import math
import random
import typing as t
from datetime import UTC, datetime

from tap_auditlogs.core.http.clock import parse_http_date

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import requests

    from tap_auditlogs.core.errors import TransientError

MAX_TRIES = 5
_LONGEST_RETRY_AFTER = 10.0**9


class RetryBudget:
    """The tries and waits of one request; `waited` is in seconds."""

    def __init__(
        self,
        longest_total: float,
        *,
        rate_limit_window: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Start with one try and no wait.

        Args:
            longest_total: The limit in seconds for all waits together.
            rate_limit_window: Seconds over which the tries are spread after a 429 without `Retry-After`.
            jitter: Returns a number from 0 to 1.
        """
        self._longest_total = longest_total
        self._first_throttled_wait = rate_limit_window / (2 ** (MAX_TRIES - 1) - 1)
        self._jitter = jitter
        self.tries = 1
        self.waited = 0.0

    def waits(self) -> Generator[float, TransientError, None]:
        """Yield the seconds to wait after each failure, until the next wait would exceed the budget.

        A wait generator for `backoff`, which sends each failure in.
        """
        error = yield 0.0  # backoff discards the first value
        while True:
            wait = self._wait_after(error)
            if self.waited + wait > self._longest_total:
                return
            self.waited += wait
            self.tries += 1
            error = yield wait

    def _wait_after(self, error: TransientError) -> float:
        if error.retry_after is not None:
            return float(error.retry_after) + self._jitter()
        first = self._first_throttled_wait if error.status == 429 else 1.0  # noqa: PLR2004 - Too Many Requests
        return float(first * 2 ** (self.tries - 1) * (1 + self._jitter() / 4))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait according to a `Retry-After` header, or None if it is missing or invalid.

    Args:
        value: Seconds or an HTTP date; of several values joined with a comma, the longest counts.
        now: The server's time.
    """
    if value is None:
        return None
    if (moment := parse_http_date(value)) is not None:
        return max(0.0, math.ceil((moment - now).total_seconds()))
    waits = [_seconds(part) for part in value.split(",")]
    return max((wait for wait in waits if wait is not None), default=None)


def answered_at(response: requests.Response) -> datetime:
    """Return the `Date` of a response, or this machine's time if it is missing or invalid."""
    return parse_http_date(response.headers.get("Date", "")) or datetime.now(UTC)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds >= 0 else None  # NaN is not >= 0
