"""Ends a run on SIGTERM or SIGINT: after the line being written, with a true STATE, with the right exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import typing as t
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STALL_SECONDS = 10.0
"""A target that takes nothing for this long will not take the last STATE either."""

RETRY_SECONDS = 0.002

_LOCKING = frozenset({"__enter__", "__exit__", "acquire", "release"})
"""The methods, written in Python, of the standard library's locks. An exception between their last two instructions
leaves a lock taken by nobody; the HTTP library, for one, would then wait for it while it cleans up."""
_LOCKING_MODULES = frozenset({"threading", "logging", "contextlib"})

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
        self._ending = False
        self._asked_to_end = threading.Event()

    def install(self) -> None:
        """Take over SIGTERM and SIGINT. Only the main thread may do this."""
        # Started now: a thread cannot be started safely in a signal handler, which may interrupt such a start.
        threading.Thread(target=self._end_if_stalled, daemon=True).start()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if sys.platform != "win32":  # where signals of this kind do not exist
            signal.signal(signal.SIGALRM, self._on_alarm)

    def conclude(self) -> None:
        """Let nothing interrupt what is left to do: the run is complete, or is ending for a signal."""
        self._ending = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold a signal back until the block has ended.

        Yields:
            Nothing.

        Raises:
            Interrupted: At the end of the outermost block, if a signal came within it.
        """
        self._deferrals += 1
        try:
            yield
        finally:
            self._deferrals -= 1
        # Also for a signal from before the block: a library may have swallowed the first exception.
        if self._deferrals == 0 and self._signum is not None and not self._ending:
            raise Interrupted(self._signum)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._signum is not None or self._ending:
            return
        self._signum = signum
        self._asked_to_end.set()
        self._interrupt(frame)

    def _on_alarm(self, _signum: int, frame: FrameType | None) -> None:
        if not self._ending:
            self._interrupt(frame)

    def _interrupt(self, frame: FrameType | None) -> None:
        if self._deferrals or self._signum is None:
            return
        if sys.platform != "win32" and frame is not None and _is_locking(frame):
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        raise Interrupted(self._signum)

    def _end_if_stalled(self) -> None:
        self._asked_to_end.wait()
        taken = self._progress()
        deadline = time.monotonic() + STALL_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if (now_taken := self._progress()) != taken:
                taken = now_taken
                deadline = time.monotonic() + STALL_SECONDS
        message = "Ended without a last STATE: standard output took nothing for %d seconds."
        telling = threading.Thread(target=logger.error, args=(message, STALL_SECONDS), daemon=True)
        telling.start()
        telling.join(1.0)  # standard error may be stuck as well
        os._exit(128 + t.cast("int", self._signum))


def _is_locking(frame: FrameType) -> bool:
    return frame.f_code.co_name in _LOCKING and frame.f_globals.get("__name__") in _LOCKING_MODULES
