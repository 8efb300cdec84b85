"""Ends the process on SIGTERM or SIGINT: after the lines being written and a true STATE, with exit code 143 or 130.

A thread waits for these signals, which are blocked in all others. A handler would run in the main thread between any
two of its instructions, where neither writing nor logging is safe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

STALL_SECONDS = 10.0
"""A target that takes nothing for this long will not take the last STATE either."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_MOST_REMOVALS = 100
"""Another thread may still write to a folder that is being removed."""


class Output(t.Protocol):
    """Standard output, shared with the threads that write to it."""

    @property
    def progress(self) -> int:
        """Grows whenever standard output takes bytes."""

    def finish(self) -> None:
        """Wait for the lines being written, write the last STATE, and keep other threads from writing any more."""


class Interrupts:
    """Waits for SIGTERM and SIGINT, once per process.

    Attributes:
        output: What to finish before the process ends.
        scratch: Folders to remove before the process ends.
        scratch_lock: Held while a folder is made and added.
    """

    output: Output | None = None
    _farewell = "The run was ended by %s. The next run continues from the last STATE."

    def __init__(self) -> None:
        self.scratch: set[Path] = set()
        self.scratch_lock = threading.Lock()

    def install(self, farewell: str = _farewell) -> None:
        """Take over both signals; called by the commands before they import anything that takes time.

        Args:
            farewell: Logged at the end, with the name of the signal.
        """
        self._farewell = farewell
        if sys.platform == "win32":  # which cannot wait for signals
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # inherited by all threads that are started later
        threading.Thread(target=self._end_on_signal, name="signals", daemon=True).start()

    def _end_on_signal(self) -> None:
        signum = signal.sigwait(_SIGNALS)
        try:
            self._end_by(signal.Signals(signum).name)
            self.remove_scratch()
        finally:
            os._exit(128 + signum)

    def _end_by(self, name: str) -> None:
        if self.output is None or _finish(self.output):
            _log(self._farewell, name)
        else:
            _log(
                "The run was ended by %s without a last STATE: standard output took nothing for %d seconds.",
                name,
                STALL_SECONDS,
            )

    def remove_scratch(self) -> None:
        """Remove the scratch folders; no thread makes one any more."""
        import shutil  # noqa: PLC0415 - would delay `install`, until which Python prints a traceback on SIGINT

        self.scratch_lock.acquire()  # for good
        for folder in self.scratch.copy():
            for _ in range(_MOST_REMOVALS):
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    break


def _finish(output: Output) -> bool:
    """Finish the output, unless it makes no progress for too long."""
    finishing = _start(output.finish)
    taken, deadline = output.progress, time.monotonic() + STALL_SECONDS
    while finishing.is_alive() and time.monotonic() < deadline:
        finishing.join(0.1)
        if output.progress != taken:
            taken, deadline = output.progress, time.monotonic() + STALL_SECONDS
    return not finishing.is_alive()


def _log(message: str, *args: object) -> None:
    import logging  # noqa: PLC0415 - would delay `install`, until which Python prints a traceback on SIGINT

    def log() -> None:
        logging.getLogger(__name__).warning(message, *args)
        logging.shutdown()

    _start(log).join(1.0)  # standard error may be stuck as well


def _start(target: t.Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


interrupts = Interrupts()
"""The process's one instance: signals concern the whole process."""
