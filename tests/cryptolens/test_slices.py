from __future__ import annotations

from tap_auditlogs.vendors.cryptolens.slices import Cut, Cutter, Row

NOW = 1_000_000.0
DAY = 86_400.0


def row(number: int, time: float | None) -> Row:
    return Row(number, time, {})


def cut(*rows: Row, start: float | None = None, end: float | None = None, settle: float = 300) -> tuple[list[int], Cut]:
    result = Cutter(start=start, end=end, settle_seconds=settle).cut(rows, NOW)
    return [row.id for row in result.emitted], result


def test_settled_rows_are_emitted_and_passed() -> None:
    emitted, result = cut(row(1, NOW - 1000), row(2, NOW - 301), row(3, NOW - 300))
    assert (emitted, result.passed, result.finished) == ([1, 2, 3], 3, False)


def test_a_young_row_and_all_behind_it_are_left_for_the_next_run() -> None:
    emitted, result = cut(row(1, NOW - 1000), row(2, NOW - 299), row(3, NOW - 1000))
    assert (emitted, result.passed, result.finished) == ([1], 1, True)


def test_a_page_that_begins_with_a_young_row_moves_nothing() -> None:
    emitted, result = cut(row(1, NOW - 1))
    assert (emitted, result.passed, result.passed_time, result.finished) == ([], None, None, True)


def test_without_a_settle_time_only_rows_ahead_of_the_clock_wait() -> None:
    assert cut(row(1, NOW), settle=0)[0] == [1]
    assert cut(row(1, NOW + 1), settle=0)[0] == []


def test_a_misdated_row_does_not_hold_up_the_rows_behind_it() -> None:
    emitted, result = cut(row(1, NOW + DAY + 1), row(2, NOW - 1000))
    assert (emitted, result.passed, result.finished) == ([1, 2], 2, False)


def test_a_row_ahead_of_the_clock_by_no_more_than_a_day_is_waited_for() -> None:
    assert cut(row(1, NOW + DAY))[1].finished


def test_a_row_without_a_time_is_emitted_and_passed_only_by_a_settled_row_behind_it() -> None:
    emitted, result = cut(row(1, None), start=NOW - 1000, end=NOW - 5)
    assert (emitted, result.passed, result.passed_time) == ([1], None, None)
    emitted, result = cut(row(1, None), row(2, NOW - 900), start=NOW - 1000, end=NOW - 5)
    assert (emitted, result.passed, result.passed_time) == ([1, 2], 2, NOW - 900)


def test_a_misdated_row_at_the_end_does_not_carry_the_bookmark_with_it() -> None:
    emitted, result = cut(row(1, NOW - 1000), row(2, NOW + 2 * DAY))
    assert (emitted, result.passed, result.finished) == ([1, 2], 1, False)


def test_rows_before_the_start_are_passed_but_not_emitted_and_the_start_is_inclusive() -> None:
    emitted, result = cut(row(1, 99), row(2, 100), row(3, 101), start=100)
    assert (emitted, result.passed) == ([2, 3], 3)
    emitted, result = cut(row(1, 99), start=100)
    assert (emitted, result.passed) == ([], 1)


def test_the_end_is_exclusive_and_the_bookmark_stays_before_it() -> None:
    emitted, result = cut(row(1, 99), row(2, 100), end=100)
    assert (emitted, result.passed, result.passed_time) == ([1], 1, 99)


def test_rows_before_the_end_are_emitted_also_behind_one_after_it() -> None:
    emitted, result = cut(row(1, 99), row(2, 100), row(3, 98), end=100)
    assert (emitted, result.passed, result.finished) == ([1, 3], 1, False)


def test_once_held_by_the_end_the_bookmark_stays_on_later_pages_and_a_page_after_the_end_is_the_last() -> None:
    cutter = Cutter(start=None, end=100, settle_seconds=300)
    assert cutter.cut([row(1, 99), row(2, 100)], NOW).passed == 1
    later = cutter.cut([row(3, 99), row(4, 101)], NOW)
    assert ([row.id for row in later.emitted], later.passed, later.finished) == ([3], None, False)
    last = cutter.cut([row(5, 101), row(6, 100)], NOW)
    assert (last.emitted, last.passed, last.finished) == ([], None, True)


def test_an_empty_page_changes_nothing() -> None:
    emitted, result = cut()
    assert (emitted, result.passed, result.finished) == ([], None, False)
