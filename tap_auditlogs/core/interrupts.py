"""Ends a run on SIGTERM or SIGINT: after the line being written, with a true STATE, with the right exit code."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import typing as t
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STALL_SECONDS = 10.0
"""A target that takes nothing for this long will not take the last STATE either."""

logger = logging.getLogger(__name__)


class Interrupted(BaseException):
    """The run was asked to end.

    Attributes:
        exit_code: 128 plus the signal's number, as shells report it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


class Interrupts:
    """Turns the first signal into an `Interrupted` at a place where the output stays whole.

    Waiting (for the network, a retry, a rate limit) ends at once. Inside `deferred()` the exception waits for
    the end of the block. Further signals change nothing. If output then makes no progress for 10 seconds, the
    process ends without the last STATE: the one that the target saw last is still true.
    """

    def __init__(self, progress: Callable[[], int]) -> None:
        """Prepare; nothing happens before `install`.

        Args:
            progress: Returns a number that grows as standard output takes bytes.
        """
        self._progress = progress
        self._deferrals = 0
        self._signum: int | None = None

    def install(self) -> None:
        """Take over SIGTERM and SIGINT. Only the main thread may do this."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold a signal back until the block has ended.

        Yields:
            Nothing.

        Raises:
            Interrupted: At the end of the outermost block, if a signal came within it.
        """
        self._deferrals += 1
        pending_before = self._signum
        try:
            yield
        finally:
            self._deferrals -= 1
        if self._deferrals == 0 and self._signum is not None and pending_before is None:
            raise Interrupted(self._signum)

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._signum is not None:
            return
        self._signum = signum
        threading.Thread(target=self._end_if_stalled, args=(128 + signum,), daemon=True).start()
        if self._deferrals == 0:
            raise Interrupted(signum)

    def _end_if_stalled(self, exit_code: int) -> None:
        taken = self._progress()
        deadline = time.monotonic() + STALL_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if (now_taken := self._progress()) != taken:
                taken = now_taken
                deadline = time.monotonic() + STALL_SECONDS
        logger.error("Ended without a last STATE: standard output took nothing for %d seconds.", STALL_SECONDS)
        os._exit(exit_code)
