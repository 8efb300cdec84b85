from __future__ import annotations

import typing as t
from random import Random

import pytest

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.sweep.offsets import OffsetPage, read_by_offset, requests_for

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Collection:
    """Rows by offset, changed by a test between two pages."""

    def __init__(
        self, rows: list[int], limit: int, between: Callable[[list[int]], object] = lambda _rows: None
    ) -> None:
        self.rows = rows
        self.limit = limit
        self.between = between
        self.offsets: list[int] = []

    def fetch(self, offset: int) -> OffsetPage[int]:
        if self.offsets:
            self.between(self.rows)
        self.offsets.append(offset)
        page = self.rows[offset : offset + self.limit]
        return OffsetPage(page, offset + len(page) < len(self.rows))

    def read(self) -> list[int]:
        return read_by_offset(self.fetch, lambda row: row, where="acme: rows")


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101])
@pytest.mark.parametrize("limit", [1, 2, 7, 10, 100])
def test_each_row_comes_once(count: int, limit: int) -> None:
    assert Collection(list(range(count)), limit).read() == list(range(count))


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101])
@pytest.mark.parametrize("limit", [1, 2, 7, 10, 100])
def test_the_requests_can_be_told_in_advance(count: int, limit: int) -> None:
    collection = Collection(list(range(count)), limit)
    collection.read()
    assert len(collection.offsets) == requests_for(count, limit)


@pytest.mark.case("C8", "xandr")
def test_each_page_begins_with_the_last_row_received() -> None:
    collection = Collection(list(range(20)), 7)
    collection.read()
    assert collection.offsets == [0, 6, 12, 18]


def test_rows_that_come_in_at_the_head_are_no_reason_to_read_twice() -> None:
    newest = iter(range(-1, -1000, -1))
    collection = Collection(list(range(50)), 10, lambda rows: rows.insert(0, next(newest)))
    found = collection.read()
    assert sorted(set(range(50)) - set(found)) == []
    assert len(found) == len(set(found))


@pytest.mark.parametrize("seed", range(50))
def test_rows_that_vanish_let_no_other_slip_by(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - made-up data, not cryptography
    gone: set[int] = set()

    def remove_some(rows: list[int]) -> None:
        for _ in range(rng.randrange(4)):
            if len(rows) > 1 and len(gone) < 150:
                gone.add(rows.pop(rng.randrange(len(rows))))

    found = Collection(list(range(300)), rng.choice([5, 20, 100]), remove_some).read()
    assert set(range(300)) - gone <= set(found)


def test_rows_purged_at_the_head_cost_no_other_and_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def purge(rows: list[int]) -> None:
        if rows[0] == 0 or rows[0] == 12:
            del rows[:12]

    with caplog.at_level("INFO"):
        assert set(range(24, 255)) <= set(Collection(list(range(255)), 100, purge).read())
    assert caplog.text.count("rows vanished") == 1


@pytest.mark.case("C3", "xandr")
def test_an_empty_page_that_promises_more_is_asked_again() -> None:
    pages = iter([OffsetPage([1, 2], more=True), OffsetPage([], more=True), OffsetPage([3], more=False)])
    offsets = []

    def fetch(offset: int) -> OffsetPage[int]:
        offsets.append(offset)
        return next(pages)

    assert read_by_offset(fetch, lambda row: row, where="acme") == [1, 2, 3]
    assert offsets == [0, 1, 0]


@pytest.mark.case("C4", "openx", "xandr")
@pytest.mark.case("C7", "openx", "xandr")
@pytest.mark.parametrize("rows", [[], [1, 2, 3]])
def test_pages_that_promise_more_for_ever_end_with_an_error(rows: list[int]) -> None:
    with pytest.raises(ProtocolError, match=r"acme: .*nothing new"):
        read_by_offset(lambda _offset: OffsetPage(rows, more=True), lambda row: row, where="acme")


def test_rows_without_any_order_end_with_an_error() -> None:
    fresh = iter(range(10**9))

    def fetch(_offset: int) -> OffsetPage[int]:
        return OffsetPage([next(fresh) for _ in range(10)], more=True)

    with pytest.raises(ProtocolError, match="acme"):
        read_by_offset(fetch, lambda row: row, where="acme")
