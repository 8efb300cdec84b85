"""Rate limit for requests."""

from __future__ import annotations

import logging
import threading
import typing as t

if t.TYPE_CHECKING:
    from pyrate_limiter import Limiter


class Throttle:
    """Limits the requests of all threads of this process in any time window."""

    def __init__(self, requests: int, *, per_seconds: float) -> None:
        self._requests = requests
        self._seconds = per_seconds
        self._limiter: Limiter | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        self._shared_limiter().try_acquire("request", blocking=True)

    def _shared_limiter(self) -> Limiter:
        """Create the limiter on first use."""
        with self._lock:
            if self._limiter is None:
                from pyrate_limiter import Limiter, Rate  # noqa: PLC0415 - takes a quarter of a second, which --version does not need

                logging.getLogger("pyrate_limiter").setLevel(logging.WARNING)  # logs its own set-up at INFO
                self._limiter = Limiter(Rate(self._requests, round(self._seconds * 1000)))
            return self._limiter
