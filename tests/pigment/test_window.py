from __future__ import annotations

import typing as t
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from tap_auditlogs.vendors.pigment.window import Window, next_midnight, window_start

NOW = datetime(2026, 11, 20, 12, 34, 56, 789_012, UTC)
OLDEST = NOW - timedelta(days=180) + timedelta(hours=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)
DAY = timedelta(days=1)


def window(**changes: t.Any) -> Window:
    values: dict[str, t.Any] = {
        "start": "2026-11-10T00:00:00.000000Z",
        "end": "2026-11-12T00:00:00.000000Z",
        "since": "2026-11-10",
        "cursor": "next",
        "newest": None,
    }
    return Window(**{**values, **changes})


# Where a window starts


def test_a_window_starts_the_look_back_before_the_bookmark() -> None:
    start = window_start("2026-11-10T01:30:00.000001Z", None, timedelta(hours=2))
    assert start == datetime(2026, 11, 9, 23, 30, 0, 1, UTC)


def test_a_start_date_counts_only_without_a_bookmark() -> None:
    start_date = datetime(2026, 11, 15, tzinfo=UTC)
    assert window_start("2026-11-10T00:00:00.000000Z", start_date, DAY) == datetime(2026, 11, 9, tzinfo=UTC)
    assert window_start(None, start_date, DAY) == start_date


def test_nothing_known_means_the_beginning_of_time() -> None:
    assert window_start(None, None, DAY) == BEGINNING


def test_a_look_back_beyond_the_year_one_is_the_beginning_of_time() -> None:
    assert window_start("0001-01-01T05:00:00.000000Z", None, DAY) == BEGINNING


# What is asked for


def test_no_more_is_asked_for_than_180_days_less_one_hour() -> None:
    opened = Window.opening(BEGINNING, None, NOW)
    assert opened.start == "2026-05-24T13:34:56.789012Z"
    assert opened.since == "2026-05-24T13:34:56Z"
    assert opened.cursor is None


def test_a_date_is_asked_for_where_its_midnight_is_within_reach() -> None:
    opened = Window.opening(datetime(2026, 11, 9, 23, 59, 59, 999_999, UTC), None, NOW)
    assert opened.since == "2026-11-09"
    assert opened.start == "2026-11-09T23:59:59.999999Z"


def test_the_first_midnight_within_reach_is_asked_for_as_a_date() -> None:
    now = datetime(2026, 11, 20, 23, tzinfo=UTC)  # 180 days less one hour before it is midnight sharp
    midnight = datetime(2026, 5, 25, tzinfo=UTC)
    start = midnight + timedelta(hours=15)
    assert Window.opening(start, None, now).since == "2026-05-25"
    just_later = now + timedelta(seconds=1)
    assert Window.opening(start, None, just_later).since == "2026-05-25T14:59:59Z"


@pytest.mark.parametrize("hours", range(-12, 15))
def test_midnight_of_the_date_is_before_the_start_in_any_zone(hours: int) -> None:
    for start_hour in range(24):
        start = datetime(2026, 11, 9, start_hour, tzinfo=UTC)
        since = date.fromisoformat(Window.opening(start, None, NOW).since)
        assert datetime.combine(since, time(), timezone(timedelta(hours=hours))) < start


@pytest.mark.case("B14", "pigment")
@pytest.mark.parametrize("minutes", range(0, 60 * 48, 37))
def test_what_is_asked_for_is_never_after_the_start_nor_out_of_reach(minutes: int) -> None:
    start = max(OLDEST, OLDEST + timedelta(minutes=minutes))
    since = datetime.fromisoformat(Window.opening(start, None, NOW).since)
    since = since.replace(tzinfo=UTC) if since.tzinfo is None else since
    assert OLDEST - timedelta(seconds=1) < since <= start


def test_when_the_vendor_takes_dates_only_the_next_midnight_is_asked_for() -> None:
    opened = Window.opening(BEGINNING, None, NOW)
    by_date = next_midnight(opened)
    assert by_date.since == "2026-05-25"
    assert by_date.start == opened.start
    assert by_date.cursor is None


# Which events belong to it


@pytest.mark.parametrize(
    ("ingested", "wanted"),
    [
        ("2026-11-09T23:59:59.999999Z", False),
        ("2026-11-10T00:00:00.000000Z", True),
        ("2026-11-11T23:59:59.999999Z", True),
        ("2026-11-12T00:00:00.000000Z", False),
        (None, True),
    ],
)
def test_the_start_is_inclusive_and_the_end_exclusive(ingested: str | None, *, wanted: bool) -> None:
    assert window().wants(ingested) is wanted


def test_without_an_end_everything_after_the_start_is_wanted() -> None:
    assert window(end=None).wants("2099-01-01T00:00:00.000000Z")


# Moving on


def test_the_newest_is_the_latest_of_all_pages_in_any_order() -> None:
    moved = window().after_page(["2026-11-10T02:00:00.000000Z", "2026-11-10T01:00:00.000000Z"], "second", NOW)
    assert (moved.cursor, moved.newest) == ("second", "2026-11-10T02:00:00.000000Z")
    moved = moved.after_page(["2026-11-10T01:30:00.000000Z"], "third", NOW)
    assert (moved.cursor, moved.newest) == ("third", "2026-11-10T02:00:00.000000Z")
    moved = moved.after_page(["2026-11-10T03:00:00.000000Z"], None, NOW)
    assert moved.newest == "2026-11-10T03:00:00.000000Z"


def test_the_newest_is_never_later_than_the_vendors_clock() -> None:
    ingested = ["2026-11-20T12:34:56.789012Z", "2026-11-20T12:34:56.789013Z", "2099-01-01T00:00:00.000000Z", None]
    assert window().after_page(ingested, "next", NOW).newest == "2026-11-20T12:34:56.789012Z"


def test_pages_without_a_usable_time_leave_the_newest_as_it_is() -> None:
    assert window().after_page([None, "2099-01-01T00:00:00.000000Z"], "next", NOW).newest is None
    known = window(newest="2026-11-10T00:00:00.000000Z")
    assert known.after_page([], "next", NOW).newest == "2026-11-10T00:00:00.000000Z"


def test_moving_on_keeps_what_is_asked_for() -> None:
    moved = window().after_page([], "other", NOW)
    assert (moved.start, moved.end, moved.since) == (window().start, window().end, window().since)


# Resuming


def test_a_window_comes_back_from_its_progress() -> None:
    left = window(newest="2026-11-10T00:00:00.000000Z")
    assert Window.resumed(left.as_progress()) == left


@pytest.mark.parametrize(
    "change",
    [
        {"since": None},
        {"cursor": None},
        {"cursor": 5},
        {"start": None},
        {"start": "soon"},
        {"end": "2026-13-01"},
        {"newest": "zzz"},
        {"newest": 5},
        {"of_a_later_version": 1},
    ],
)
def test_progress_that_is_no_window_is_refused(change: dict[str, t.Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Window.resumed(window().as_progress() | change)


def test_progress_without_a_cursor_is_refused() -> None:
    progress = window().as_progress()
    del progress["cursor"]
    with pytest.raises(TypeError):
        Window.resumed(progress)


@pytest.mark.parametrize(
    ("start", "end", "covered"),
    [
        ("2026-11-10T00:00:00.000000Z", "2026-11-12T00:00:00.000000Z", True),
        ("2026-11-10T00:00:00.000001Z", "2026-11-12T00:00:00.000000Z", True),
        ("2026-11-09T23:59:59.999999Z", "2026-11-12T00:00:00.000000Z", False),
        ("2026-11-10T00:00:00.000000Z", "2026-11-13T00:00:00.000000Z", False),
        ("2026-11-10T00:00:00.000000Z", None, False),
    ],
)
def test_a_window_is_gone_on_with_only_if_it_gives_what_is_wanted_now(
    start: str, end: str | None, *, covered: bool
) -> None:
    assert window().covers(start, end) is covered
