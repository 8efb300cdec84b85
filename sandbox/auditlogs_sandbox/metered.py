"""Vendors with latency and a count of concurrent requests."""

from __future__ import annotations

import threading
import time
import typing as t
from abc import abstractmethod
from contextlib import contextmanager

from typing_extensions import override

from auditlogs_sandbox.vendor import VendorSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.world import World


class MeteredSandbox(VendorSandbox):
    """A vendor whose clients send requests concurrently.

    Attributes:
        latency: Seconds that each response takes.
        max_in_flight: Highest number of concurrent requests so far; tests may reset it to 0.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.latency = 0.0
        self.max_in_flight = 0
        self._in_flight = 0
        self._counting = threading.Lock()

    @override
    def handle(self, request: Request) -> Response:
        with self._counted() as in_flight:
            if self.latency:
                time.sleep(self.latency)
            with self.lock:
                return self.answer(request, in_flight)

    @abstractmethod
    def answer(self, request: Request, in_flight: int) -> Response:
        """Respond as the vendor would; the lock is held. `in_flight` includes this request."""

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
