from __future__ import annotations

import pytest

from tap_auditlogs.doctor.estimates import Load, Pace, total


@pytest.mark.parametrize(
    ("requests", "mean_seconds", "minutes"),
    [
        (50, 0.6, 0.5),  # the answers take longer than the limit
        (100, 0.0, 0.0),  # one window
        (101, 0.0, 1.0),  # the next request waits for the second window
        (1000, 0.6, 10.0),
        (1000, 0.06, 9.0),
    ],
)
def test_minutes_are_those_of_the_answers_or_of_the_limit(requests: int, mean_seconds: float, minutes: float) -> None:
    assert Pace(100, per_seconds=60).minutes(requests, mean_seconds) == pytest.approx(minutes)


def test_concurrent_requests_share_the_time() -> None:
    assert Pace(concurrency=4).minutes(400, 0.6) == pytest.approx(1.0)


def test_loads_are_added_up() -> None:
    assert total([Load(1, 20), Load(300, 4000)]) == Load(301, 4020)


def test_the_limit_is_described_with_its_origin() -> None:
    assert Pace(500, 300, origin="documented").describe() == "rate limit: 500 requests in 300 s (documented)"
    assert Pace().describe() == "rate limit: none is documented"
