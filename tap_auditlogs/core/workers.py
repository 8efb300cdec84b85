"""Daemon threads that run jobs ahead of the main thread.

`concurrent.futures` joins its threads at exit, and a thread may wait minutes for a rate limit; these do not delay exit.
"""

from __future__ import annotations

import queue
import threading
import typing as t
from collections import deque
from concurrent.futures import Future

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Job: t.TypeAlias = Callable[[], None]

TResult = t.TypeVar("TResult")

AHEAD = 4
"""Jobs per thread that are running or waiting to be written: enough to keep all threads busy during one slow job, and
few enough to keep in memory."""


class Workers:
    """A fixed number of threads that run jobs in the order of submission; threads are started as needed.

    Attributes:
        window: How many jobs to submit ahead of the one whose result is needed next.
    """

    def __init__(self, threads: int, *, name: str) -> None:
        self.window = threads * AHEAD
        self._threads = threads
        self._name = name
        self._started = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = threading.Event()

    def close(self) -> None:
        """End the threads after their current jobs, without waiting for them."""
        self._closed.set()
        for _ in range(self._started):
            self._jobs.put(None)

    def submit(self, function: Callable[..., TResult], *arguments: t.Any) -> Future[TResult]:
        """Call a function in one of the threads."""
        future: Future[TResult] = Future()

        def job() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised in the main thread
                future.set_exception(error)

        self._jobs.put(job)
        if self._started < self._threads:
            self._started += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closed.is_set():
            job()


def look_ahead(jobs: Iterable[Future[TResult]], window: int) -> Iterator[Future[TResult]]:
    """Yield jobs in order, with up to `window` later ones already submitted by advancing `jobs`.

    If `jobs` raises, the jobs submitted before are yielded first.
    """
    ahead: deque[Future[TResult]] = deque()
    failure: Exception | None = None
    try:
        for job in jobs:
            ahead.append(job)
            while ahead and (len(ahead) > window or ahead[0].done()):
                yield ahead.popleft()
    except Exception as error:  # noqa: BLE001 - raised below, after the jobs before it
        failure = error
    while ahead:
        yield ahead.popleft()
    if failure is not None:
        raise failure
