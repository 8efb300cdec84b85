from __future__ import annotations

import typing as t

import pytest
import requests

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.pagination import MAX_EMPTY_PAGES, SafePaginator


class Following(SafePaginator[str]):
    """Follows a fixed sequence of tokens; None is the end."""

    def __init__(self, tokens: t.Iterable[str | None], start: str | None = None) -> None:
        super().__init__(start)
        self._tokens = iter(tokens)

    def get_next(self, response: requests.Response) -> str | None:
        del response
        return next(self._tokens)


def walk(paginator: Following, limit: int = 1000) -> list[str | None]:
    seen: list[str | None] = []
    while not paginator.finished and len(seen) < limit:
        seen.append(paginator.current_value)
        paginator.advance(requests.Response())
    return seen


def test_pages_follow_each_other_to_the_end() -> None:
    assert walk(Following(["a", "b", "c", None])) == [None, "a", "b", "c"]


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"], [str(number) for number in range(50)]])
def test_a_cycle_of_any_length_is_an_error_before_a_page_is_read_twice(cycle: list[str]) -> None:
    paginator = Following(["x", *cycle * 3])
    with pytest.raises(ProtocolError, match=rf"pagination loops: page {len(cycle) + 2} "):
        walk(paginator)


def test_a_way_back_to_the_first_page_is_a_circle() -> None:
    with pytest.raises(ProtocolError):
        walk(Following(["a", "start"], start="start"))


@pytest.mark.parametrize("end", [None, ""])
def test_no_token_is_the_end(end: str | None) -> None:
    assert walk(Following(["a", end])) == [None, "a"]


def test_empty_pages_are_walked_over() -> None:
    paginator = Following([])
    for _ in range(5):
        for _ in range(MAX_EMPTY_PAGES):
            paginator.count_rows(0)
        paginator.count_rows(1)


def test_endless_empty_pages_are_an_error() -> None:
    paginator = Following([])
    for _ in range(MAX_EMPTY_PAGES):
        paginator.count_rows(0)
    with pytest.raises(ProtocolError, match="101 consecutive pages are empty"):
        paginator.count_rows(0)
