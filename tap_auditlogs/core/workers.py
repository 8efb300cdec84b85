"""Threads that work ahead of the main thread and never hold up the end of the process.

The pools of `concurrent.futures` join their threads when Python ends; one of them may be waiting minutes for a rate
limit. These are daemon threads, so that a signal or the first real error ends the run at once.
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
"""How many jobs per thread are under way or waiting to be written: enough to keep all threads busy while one object
takes long, little enough to keep in memory."""


class Workers:
    """A fixed number of threads that take jobs in the order in which they were given.

    Attributes:
        window: How many jobs to give ahead of the one whose result is needed next.
    """

    def __init__(self, threads: int, *, name: str) -> None:
        """Prepare; the threads start with the first job.

        Args:
            threads: How many.
            name: What the threads are called.
        """
        self.window = threads * AHEAD
        self._threads = threads
        self._name = name
        self._started = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = threading.Event()

    def close(self) -> None:
        """Let go of the threads: they end after the job they are at, and nothing waits for them."""
        self._closed.set()
        for _ in range(self._started):
            self._jobs.put(None)

    def submit(self, function: Callable[..., TResult], *arguments: t.Any) -> Future[TResult]:
        """Give a job.

        Args:
            function: What to do in a thread.
            *arguments: Of the function.

        Returns:
            What will hold the result.
        """
        future: Future[TResult] = Future()

        def job() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread is to see it
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
    """Give jobs ahead, and give back their results in order.

    Args:
        jobs: Gives a job each time it is asked for the next item.
        window: How many jobs to give ahead.

    Yields:
        The jobs in order; the next ones are under way meanwhile. Where `jobs` itself fails, those given before come
        first.
    """
    ahead: deque[Future[TResult]] = deque()
    failure: Exception | None = None
    try:
        for job in jobs:
            ahead.append(job)
            while ahead and (len(ahead) > window or ahead[0].done()):
                yield ahead.popleft()
    except Exception as error:  # noqa: BLE001 - it is raised again below, in its turn
        failure = error
    while ahead:
        yield ahead.popleft()
    if failure is not None:
        raise failure
