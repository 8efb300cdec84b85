"""The arithmetic of waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_auditlogs.core.errors import TransientError
from tap_auditlogs.core.http.retry import MAX_TRIES, RetryBudget, answered_at, parse_retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,20} \d\d?:\d\d:\d\d [+-]?\d{0,20}")))
def test_no_retry_after_breaks_the_run(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 10.0**12


def answer(**headers: str) -> requests.Response:
    response = requests.Response()
    response.headers.update(headers)
    return response


def test_an_answer_is_dated_by_the_servers_clock() -> None:
    assert answered_at(answer(Date=format_datetime(NOW, usegmt=True))) == NOW


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": ""},
        {"Date": "soon"},
        {"Date": "Fri, 20 Nov 2026 12:00:00 -0000"},
        {"Date": f"1 Jan {'9' * 400} 0:0"},
    ],
)
def test_an_answer_without_a_usable_date_was_given_now(headers: dict[str, str]) -> None:
    assert abs(answered_at(answer(**headers)) - datetime.now(UTC)) < timedelta(seconds=10)


@given(
    st.lists(st.tuples(st.sampled_from([429, 503, None]), st.none() | st.floats(0, 10_000)), min_size=1),
    st.floats(0, 2000),
    st.floats(0, 1),
)
def test_no_sequence_of_failures_exceeds_the_budget(
    failures: list[tuple[int | None, float | None]], longest: float, jitter: float
) -> None:
    budget = RetryBudget(longest, rate_limit_window=300, jitter=lambda: jitter)
    waits = budget.waits()
    next(waits)
    total = 0.0
    for status, retry_after in failures:
        try:
            wait = waits.send(TransientError("x", status=status, retry_after=retry_after))
        except StopIteration:
            break
        assert wait >= (retry_after or 0)
        total += wait
    assert total <= longest
    assert abs(budget.waited - total) < 1e-6


def test_the_waits_double() -> None:
    budget = RetryBudget(900, rate_limit_window=60, jitter=lambda: 0.0)
    waits = budget.waits()
    next(waits)
    assert [waits.send(TransientError("x", status=500)) for _ in range(MAX_TRIES - 1)] == [1, 2, 4, 8]


def test_throttled_waits_fill_the_window() -> None:
    budget = RetryBudget(900, rate_limit_window=300, jitter=lambda: 0.0)
    waits = budget.waits()
    next(waits)
    assert sum(waits.send(TransientError("x", status=429)) for _ in range(MAX_TRIES - 1)) == 300
