from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from auditlogs_demo.errors import DemoError
from auditlogs_demo.report import Line, comparable, compare, render, source_keys, table_keys, to_snake_case


@pytest.mark.parametrize(
    ("vendor", "tap"),
    [
        ("eventId", "event_id"),
        ("id", "id"),
        ("ID", "id"),
        ("obj_id", "obj_id"),
        ("userIPAddress", "user_ip_address"),
        ("page2Name", "page2_name"),
    ],
)
def test_names_are_matched_in_snake_case(vendor: str, tap: str) -> None:
    assert to_snake_case(vendor) == tap


def test_keys_of_the_source_are_found_under_the_vendors_names() -> None:
    rows = [{"eventId": "a", "revision": 2, "other": 1}, {"eventId": "a", "revision": 1}]
    assert source_keys("s", rows, ("event_id", "revision")) == {("a", "2"), ("a", "1")}


@pytest.mark.parametrize("row", [{"other": 1}, {"eventId": None}])
def test_a_row_of_the_source_without_key_is_an_error(row: dict[str, object]) -> None:
    with pytest.raises(DemoError, match=r"pigment_audit_events: .* without event_id"):
        source_keys("pigment_audit_events", [row], ("event_id",))


def test_values_are_the_same_from_json_and_from_postgresql() -> None:
    moment = datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert comparable(moment) == comparable("2026-11-20T05:00:00Z")
    assert comparable(moment.astimezone(timezone(timedelta(hours=2)))) == comparable("2026-11-20T05:00:00.000000Z")
    assert comparable(moment.replace(tzinfo=None)) == comparable(moment)
    assert comparable(2_280_434_406) == comparable("2280434406")
    assert comparable("2026-99-99T99:99") == "2026-99-99T99:99"


def keys(*values: object) -> frozenset[tuple[str, ...]]:
    return frozenset(table_keys([(value,) for value in values]))


def test_equal_keys_make_no_difference() -> None:
    result = compare("s", ("id",), keys(1, 2), keys(1, 2), table_keys([(2,), (1,)]))
    assert (result.source, result.table) == (2, 2)
    assert list(result.differences()) == []


def test_equal_counts_of_other_keys_make_a_difference() -> None:
    result = compare("s", ("id",), keys(1, 2), keys(), table_keys([(1,), (3,)]))
    assert (result.source, result.table) == (2, 2)
    assert list(result.differences()) == [
        "s: 1 rows of the source are not in the table: id=2",
        "s: 1 rows of the table are not in the source: id=3",
    ]


def test_a_key_that_is_in_the_table_twice_makes_a_difference() -> None:
    result = compare("s", ("id",), keys(1), keys(), table_keys([(1,), (1,)]))
    assert list(result.differences()) == ["s: 1 rows are in the table more than once: id=1"]


def test_a_missing_table_is_a_difference_with_examples() -> None:
    result = compare("s", ("a", "b"), frozenset({(str(n), "x") for n in range(1000, 2200)}), keys(), [])
    assert list(result.differences()) == [
        "s: 1,200 rows of the source are not in the table: a=1000, b=x; a=1001, b=x; a=1002, b=x; ..."
    ]


def test_a_row_that_the_vendor_no_longer_shows_may_be_in_the_table_or_not() -> None:
    for table in ([(1,), (2,)], [(2,)]):
        result = compare("s", ("id",), keys(2), keys(1, 2), table_keys(table))
        assert list(result.differences()) == []
        assert result.source == result.table


def test_the_table_is_aligned() -> None:
    lines = [Line("short", 4560, 4559, 60, 12345.6), Line("a_longer_stream", 0, 0, 0, None)]
    assert render(lines).splitlines() == [
        "stream           in the source  in the table  new in run 2  rows/s",
        "short                    4,560         4,559            60  12,346",
        "a_longer_stream              0             0             0       -",
    ]
