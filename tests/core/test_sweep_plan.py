from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tap_auditlogs.core.sweep.plan import Listed, Marks, Outcome, Progress, Rules, Sweep
from tap_auditlogs.core.times import format_timestamp

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def text(moment: datetime) -> str:
    return format_timestamp(moment)


def rules(
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    lookback: timedelta = HOUR,
    every: timedelta = 7 * DAY,
) -> Rules:
    return Rules(start, end, lookback, every)


SWEPT = Marks(bookmark=text(NOW - 5 * HOUR), swept=text(NOW - 2 * HOUR), full_scan=text(NOW - 3 * DAY))


def test_the_first_sweep_asks_every_object_for_all_there_is() -> None:
    sweep = Sweep.opening(Marks(), rules(), NOW)
    assert sweep.full
    assert sweep.since is None
    assert sweep.listed_since is None
    assert sweep.wants_object(Listed(1, NOW - 1000 * DAY))
    assert sweep.wants("0001-01-01T00:00:00.000000Z")


@pytest.mark.case("B13", "openx", "xandr")
def test_the_start_date_counts_without_a_bookmark_only() -> None:
    start = NOW - 10 * DAY
    assert Sweep.opening(Marks(), rules(start=start), NOW).since == text(start)
    assert Sweep.opening(SWEPT, rules(start=NOW - HOUR), NOW).since == text(NOW - 6 * HOUR)


def test_histories_are_asked_since_the_bookmark_less_look_back() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW)
    assert not sweep.full
    assert sweep.since == sweep.listed_since == text(NOW - 6 * HOUR)
    assert sweep.wants(text(NOW - 6 * HOUR))
    assert not sweep.wants(text(NOW - 6 * HOUR - timedelta(microseconds=1)))
    assert sweep.wants(None)


def test_objects_that_the_last_sweep_asked_after_their_change_are_left_out() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW)
    assert sweep.wants_object(Listed(1, NOW - 3 * HOUR))
    assert not sweep.wants_object(Listed(1, NOW - 3 * HOUR - timedelta(seconds=1)))
    assert sweep.wants_object(Listed(1, None))


def test_without_the_start_of_the_last_sweep_the_bookmark_decides() -> None:
    sweep = Sweep.opening(Marks(SWEPT.bookmark, None, SWEPT.full_scan), rules(), NOW)
    assert sweep.wants_object(Listed(1, NOW - 6 * HOUR))
    assert not sweep.wants_object(Listed(1, NOW - 7 * HOUR))


def test_where_nothing_was_ever_seen_the_last_sweep_stands_in_for_the_bookmark() -> None:
    sweep = Sweep.opening(Marks(None, text(NOW - 2 * HOUR), text(NOW - DAY)), rules(), NOW)
    assert not sweep.full
    assert sweep.since == text(NOW - 3 * HOUR)


def test_a_full_scan_asks_every_object_since_the_last_one_less_look_back() -> None:
    marks = Marks(text(NOW - 5 * HOUR), text(NOW - 2 * HOUR), text(NOW - 7 * DAY))
    sweep = Sweep.opening(marks, rules(), NOW)
    assert sweep.full
    assert sweep.since == text(NOW - 7 * DAY - HOUR)
    assert sweep.wants_object(Listed(1, NOW - 1000 * DAY))
    assert not Sweep.opening(marks, rules(every=8 * DAY), NOW).full


def test_a_full_scan_also_covers_what_the_sweep_in_its_place_would() -> None:
    marks = Marks(text(NOW - 30 * DAY), text(NOW - 2 * HOUR), text(NOW - 7 * DAY))
    assert Sweep.opening(marks, rules(), NOW).since == text(NOW - 30 * DAY - HOUR)


def test_nothing_is_wanted_from_the_end_date_on_and_no_mark_passes_it() -> None:
    end = NOW - DAY
    sweep = Sweep.opening(Marks(), rules(end=end), NOW)
    assert sweep.wants(text(end - timedelta(microseconds=1)))
    assert not sweep.wants(text(end))
    done = sweep.starting_at(NOW).seeing([text(end - HOUR)], NOW).completed(Marks(), moves_swept=True)
    assert done == Marks(text(end - HOUR), text(end), text(end))


def test_a_back_fill_that_ends_before_the_bookmark_has_nothing_to_do() -> None:
    assert not Sweep.opening(SWEPT, rules(end=NOW - 10 * DAY), NOW).has_window
    assert Sweep.opening(SWEPT, rules(end=NOW), NOW).has_window
    assert Sweep.opening(SWEPT, rules(), NOW).has_window


@pytest.mark.case("B12", "xandr")
def test_the_bookmark_becomes_the_newest_change_but_never_passes_the_start_of_the_sweep() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW)
    later = NOW + 10 * timedelta(minutes=1)
    assert sweep.seeing([text(NOW - HOUR), None], NOW).completed(SWEPT, moves_swept=True).bookmark == text(NOW - HOUR)
    assert sweep.seeing([text(NOW + timedelta(minutes=5))], later).completed(SWEPT, moves_swept=True).bookmark == text(
        NOW
    )


def test_a_change_dated_ahead_of_the_vendors_clock_does_not_carry_the_bookmark() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW).seeing(["2099-01-01T00:00:00.000000Z"], NOW)
    assert sweep.completed(SWEPT, moves_swept=True).bookmark == SWEPT.bookmark


def test_no_mark_moves_back() -> None:
    sweep = Sweep.opening(Marks(), rules(), NOW - 30 * DAY).seeing([text(NOW - 40 * DAY)], NOW)
    assert sweep.completed(SWEPT, moves_swept=True) == SWEPT


def test_the_start_counts_for_later_sweeps_only_where_it_may() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW)
    assert sweep.completed(SWEPT, moves_swept=False) == SWEPT
    assert sweep.completed(SWEPT, moves_swept=True).swept == text(NOW)


def test_a_left_sweep_goes_on_behind_the_last_object() -> None:
    left = Sweep.opening(SWEPT, rules(), NOW).seeing([text(NOW - HOUR)], NOW)
    left = left.passing(17, Outcome.READ).passing(20, Outcome.REFUSED).passing(25, Outcome.UNKNOWN)
    resumed = Sweep.opening(SWEPT, rules(), NOW + HOUR).resuming(left.as_progress())
    assert resumed is not None
    assert resumed.as_progress() == left.as_progress()
    assert not resumed.wants_object(Listed(25, NOW))
    assert resumed.wants_object(Listed(26, NOW))
    assert not resumed.wants_object(Listed(26, NOW - DAY))


def test_a_left_sweep_is_dropped_if_it_would_give_less_than_a_new_one() -> None:
    left = Sweep.opening(SWEPT, rules(), NOW).as_progress()
    assert Sweep.opening(SWEPT, rules(lookback=2 * HOUR), NOW).resuming(left) is None
    assert Sweep.opening(SWEPT, rules(every=DAY), NOW).resuming(left) is None
    from_date = Sweep.opening(Marks(), rules(start=NOW - DAY), NOW).as_progress()
    assert Sweep.opening(Marks(), rules(), NOW).resuming(from_date) is None
    assert Sweep.opening(Marks(), rules(start=NOW - HOUR), NOW).resuming(from_date) is not None


def test_an_end_date_set_meanwhile_caps_a_left_sweep() -> None:
    left = Sweep.opening(Marks(), rules(), NOW).as_progress()
    resumed = Sweep.opening(Marks(), rules(end=NOW - DAY), NOW).resuming(left)
    assert resumed is not None
    assert resumed.started == text(NOW - DAY)


def test_a_sweep_resumed_long_after_its_start_is_followed_by_another() -> None:
    sweep = Sweep.opening(SWEPT, rules(), NOW)
    assert sweep.is_current(NOW + HOUR)
    assert not sweep.is_current(NOW + HOUR + timedelta(seconds=1))
    back_fill = Sweep.opening(SWEPT, rules(end=NOW - HOUR), NOW)
    assert back_fill.is_current(NOW + DAY)


def test_a_type_is_refused_or_unknown_only_if_no_object_answered() -> None:
    sweep = Sweep.opening(Marks(), rules(), NOW)
    assert not sweep.is_refused(asks_all=False)
    assert sweep.passing(1, Outcome.REFUSED).is_refused(asks_all=False)
    assert not sweep.passing(1, Outcome.REFUSED).passing(2, Outcome.READ).is_refused(asks_all=False)
    assert sweep.passing(1, Outcome.UNKNOWN).is_unknown
    assert not sweep.passing(1, Outcome.UNKNOWN).passing(2, Outcome.REFUSED).is_unknown
    assert not sweep.passing(1, Outcome.NOTHING_DUE).is_refused(asks_all=False)
    between_full_scans = Sweep.opening(SWEPT, rules(), NOW).passing(1, Outcome.REFUSED)
    assert not between_full_scans.is_refused(asks_all=False)
    assert between_full_scans.is_refused(asks_all=True)
    assert between_full_scans.passing(2, Outcome.REFUSED).is_refused(asks_all=False)


@pytest.mark.parametrize(
    "change",
    [
        {"started": None},
        {"started": "yesterday"},
        {"since": "2026-11-20"},
        {"after": "17"},
        {"full": None},
        {"read": True},
        {"surplus": 1},
    ],
)
def test_progress_that_no_sweep_wrote_is_refused(change: dict[str, object]) -> None:
    values = {**Sweep.opening(Marks(), rules(), NOW).passing(3, Outcome.READ).as_progress(), **change}
    with pytest.raises((TypeError, ValueError)):
        Progress.parse(values)
