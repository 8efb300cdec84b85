from __future__ import annotations

import json
import typing as t

import pytest
import requests

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.http import ApiResponse
from tap_auditlogs.vendors.pigment.paginator import EventPaginator


def page(**content: t.Any) -> ApiResponse:
    return ApiResponse.complete(requests.Response(), json.dumps({"events": [], **content}).encode())


def test_it_follows_the_cursor_while_there_is_more() -> None:
    paginator = EventPaginator()
    paginator.advance(page(hasMoreEvents=True, nextEventsCursor="a+/="))
    assert (paginator.current_value, paginator.finished) == ("a+/=", False)
    paginator.advance(page(hasMoreEvents=False))
    assert paginator.finished


def test_the_vendors_no_ends_the_paging_even_with_a_cursor() -> None:
    paginator = EventPaginator()
    paginator.advance(page(hasMoreEvents=False, nextEventsCursor="a"))
    assert paginator.finished


def test_without_the_flag_a_cursor_says_that_there_is_more() -> None:
    paginator = EventPaginator()
    paginator.advance(page(nextEventsCursor="a"))
    assert (paginator.current_value, paginator.finished) == ("a", False)
    paginator.advance(page(hasMoreEvents=None, nextEventsCursor=""))
    assert paginator.finished


@pytest.mark.parametrize("flag", ["true", 1, [], {}])
def test_a_flag_that_is_none_is_an_error(flag: object) -> None:
    with pytest.raises(ProtocolError, match="neither true nor false"):
        EventPaginator().advance(page(hasMoreEvents=flag, nextEventsCursor="a"))


@pytest.mark.case("C12", "pigment")
@pytest.mark.parametrize("cursor", [None, "", 5, ["a"]])
def test_more_without_a_cursor_is_an_error(cursor: object) -> None:
    with pytest.raises(ProtocolError, match="no cursor"):
        EventPaginator().advance(page(hasMoreEvents=True, nextEventsCursor=cursor))


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_circle_of_any_length_is_an_error(length: int) -> None:
    paginator = EventPaginator()
    cursors = [f"cursor-{number}" for number in range(length)]
    for cursor in cursors:
        paginator.advance(page(hasMoreEvents=True, nextEventsCursor=cursor))
    with pytest.raises(ProtocolError, match="loops"):
        paginator.advance(page(hasMoreEvents=True, nextEventsCursor=cursors[0]))


def test_a_circle_back_to_the_page_a_run_resumed_from_is_an_error() -> None:
    paginator = EventPaginator("resumed")
    paginator.advance(page(hasMoreEvents=True, nextEventsCursor="next"))
    with pytest.raises(ProtocolError, match="loops"):
        paginator.advance(page(hasMoreEvents=True, nextEventsCursor="resumed"))


def test_many_empty_pages_in_a_row_are_an_error_but_not_many_with_rows_between() -> None:
    paginator = EventPaginator()
    for number in range(500):
        paginator.count_rows(1 if number % 100 == 0 else 0)
    paginator.count_rows(1)
    for _ in range(100):
        paginator.count_rows(0)
    with pytest.raises(ProtocolError, match="pages are empty"):
        paginator.count_rows(0)
