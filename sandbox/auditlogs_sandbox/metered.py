"""A vendor that takes time to answer, and counts how many requests it has in work at once."""

from __future__ import annotations

import threading
import time
import typing as t
from abc import abstractmethod
from contextlib import contextmanager

from auditlogs_sandbox.vendor import VendorSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.world import World


class MeteredSandbox(VendorSandbox):
    """The imitation of a vendor whose clients have several requests under way.

    Attributes:
        latency: How many seconds each answer takes.
        max_in_flight: The most requests that were in work at once; a test may set it back to 0.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.latency = 0.0
        self.max_in_flight = 0
        self._in_flight = 0
        self._counting = threading.Lock()

    def handle(self, request: Request) -> Response:
        """Answer as the vendor would."""
        with self._counted() as in_flight:
            if self.latency:
                time.sleep(self.latency)
            with self.lock:
                return self.answer(request, in_flight)

    @abstractmethod
    def answer(self, request: Request, in_flight: int) -> Response:
        """Answer a request as the vendor would; the lock is held.

        Args:
            request: The request, whose path begins after the mount point.
            in_flight: How many requests were in work when it came, itself included.

        Returns:
            The answer.
        """

    @contextmanager
    def _counted(self) -> Iterator[int]:
        with self._counting:
            self._in_flight += 1
            in_flight = self._in_flight
            self.max_in_flight = max(self.max_in_flight, in_flight)
        try:
            yield in_flight
        finally:
            with self._counting:
                self._in_flight -= 1
