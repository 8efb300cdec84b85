"""Numbers, comparisons and names as text."""

from __future__ import annotations

import pytest

from tap_auditlogs.report import words
from tap_auditlogs.report.charts import palette
from tap_auditlogs.report.colors import FAILURE, SERIES


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 %"),
        (0, 5, "0 %"),
        (1, 10_000, "less than 0.1 %"),
        (1, 1000, "0.1 %"),
        (1, 3, "33.3 %"),
        (999, 1000, "99.9 %"),
        (9999, 10_000, "more than 99.9 %"),
        (7, 7, "100 %"),
    ],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (5, None, ""),
        (0, 0, ", as in the period before"),
        (5, 0, " (0 in the period before)"),
        (-2, 5, " (5 in the period before)"),
        (20, 10, ", 2.0 times the period before"),
        (19, 10, ", 90.0 % more than in the period before"),
        (5, 10, ", 50.0 % less than in the period before"),
        (0, 10, ", 100 % less than in the period before"),
        (1001, 1000, ", as many as in the period before"),
    ],
)
def test_a_comparison(now: float, before: float | None, text: str) -> None:
    assert words.change(now, before) == text


def test_equal_names_differ_invisibly() -> None:
    long = "n" * 100
    names = words.distinct(["Ada", "Grace", "Ada", f"{long}1", f"{long}2"])
    assert len(set(names)) == 5
    assert [name.rstrip("\u200b") for name in names] == ["Ada", "Grace", "Ada", *[f"{'n' * 59}…"] * 2]


def test_only_names_from_right_to_left_are_isolated() -> None:
    assert words.isolated("Ada") == "Ada"
    assert words.isolated("שרה") == "\u2068שרה\u2069"
    assert words.isolated("\u202eadA") == "\u2068\u202eadA\u2069"


def test_a_colour_that_a_series_has_is_given_to_no_other() -> None:
    found = palette(["a", "failed", "b"], {"b": SERIES[0], "failed": FAILURE})
    assert found == {"a": SERIES[1].light, "failed": FAILURE.light, "b": SERIES[0].light}
