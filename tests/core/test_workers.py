from __future__ import annotations

import threading
import typing as t
from concurrent.futures import Future
from contextlib import closing

import pytest

from tap_auditlogs.core.workers import Workers, look_ahead

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_the_order_of_the_jobs() -> None:
    with closing(Workers(4, name="test")) as workers:
        jobs = (workers.submit(lambda value: value * 2, number) for number in range(200))
        assert [job.result() for job in look_ahead(jobs, workers.window)] == [2 * number for number in range(200)]


def test_as_many_jobs_run_at_once_as_there_are_threads() -> None:
    barrier = threading.Barrier(3, timeout=30)
    with closing(Workers(3, name="test")) as workers:
        jobs = [workers.submit(barrier.wait) for _ in range(6)]
        assert sorted(job.result() for job in jobs) == [0, 0, 1, 1, 2, 2]


def test_no_more_jobs_are_given_ahead_than_the_window_holds() -> None:
    given: list[Future[int]] = []

    def jobs() -> Iterator[Future[int]]:
        for _ in range(100):
            given.append(Future())
            yield given[-1]

    ahead = look_ahead(jobs(), 5)
    for number in range(100):
        next(ahead)
        assert len(given) <= number + 6
    assert len(given) == 100


def test_what_is_done_is_given_back_before_the_window_is_full() -> None:
    first: Future[int] = Future()
    first.set_result(1)

    def jobs() -> Iterator[Future[int]]:
        yield first
        pytest.fail("the next job was asked for")

    assert next(look_ahead(jobs(), 5)) is first


def test_what_was_given_before_a_failure_comes_first() -> None:
    given: list[Future[int]] = [Future(), Future()]

    def jobs() -> Iterator[Future[int]]:
        yield from given
        raise ValueError("no next job")

    ahead = look_ahead(jobs(), 5)
    assert [next(ahead), next(ahead)] == given
    with pytest.raises(ValueError, match="no next job"):
        next(ahead)


def test_an_error_in_a_job_is_raised_where_its_result_is_wanted() -> None:
    def fail() -> None:
        raise ValueError("from the thread")

    with closing(Workers(2, name="test")) as workers, pytest.raises(ValueError, match="from the thread"):
        workers.submit(fail).result()


def test_closing_waits_for_no_job_and_starts_no_other() -> None:
    release, started = threading.Event(), threading.Event()
    later: list[str] = []

    def block() -> None:
        started.set()
        release.wait(30)

    with closing(Workers(1, name="test")) as workers:
        blocked = workers.submit(block)
        workers.submit(later.append, "ran")
        assert started.wait(30)
    assert not blocked.done()
    release.set()
    blocked.result(30)
    assert workers.submit(later.append, "given too late").done() is False
    assert later == []


def test_the_threads_do_not_keep_the_process_alive() -> None:
    with closing(Workers(2, name="daemon-test")) as workers:
        workers.submit(lambda: None).result()
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("daemon-test")]
        assert threads
        assert all(thread.daemon for thread in threads)
