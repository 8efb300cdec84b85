"""Keeps requests under a vendor's rate limit before the vendor has to say so."""

from __future__ import annotations

import logging
import threading
import typing as t

if t.TYPE_CHECKING:
    from pyrate_limiter import Limiter


class Throttle:
    """At most so many requests in any window of time, counted in this process, for all threads together."""

    def __init__(self, requests: int, *, per_seconds: float) -> None:
        """Set the limit.

        Args:
            requests: How many requests a window may hold.
            per_seconds: The length of the window.
        """
        self._requests = requests
        self._seconds = per_seconds
        self._limiter: Limiter | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may be sent."""
        self._shared_limiter().try_acquire("request", blocking=True)

    def _shared_limiter(self) -> Limiter:
        """Make the limiter when it is first needed, one for all threads."""
        with self._lock:
            if self._limiter is None:
                from pyrate_limiter import Limiter, Rate  # noqa: PLC0415 - a quarter second of CPU that --version need not spend

                logging.getLogger("pyrate_limiter").setLevel(logging.WARNING)  # it tells of its own set-up at INFO
                self._limiter = Limiter(Rate(self._requests, round(self._seconds * 1000)))
            return self._limiter
