from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest

from tap_auditlogs.vendors.pigment.target.columns import DENSITY, SCHEMA, ColumnClashError, Columns


def test_nested_values_become_columns_joined_by_underscores() -> None:
    columns = Columns("s")
    cells = columns.flatten({"id": 1, "payload": {"user": {"id": "u"}}, "roles": ["a", {"name": "b"}]})
    assert columns.names == ["id", "payload_user_id", "roles_0", "roles_1_name"]
    assert cells == ["1", "u", "a", "b"]


def test_values_keep_their_digits_and_spell_booleans_as_the_script_does() -> None:
    cells = Columns("s").flatten({"a": Decimal("1.10"), "b": True, "c": None, "d": 2**70, "e": ""})
    assert cells == ["1.10", "True", None, str(2**70), ""]


def test_empty_objects_and_lists_make_no_column() -> None:
    columns = Columns("s")
    assert columns.flatten({"a": {}, "b": [], "c": 1}) == ["1"]
    assert columns.names == ["c"]


def test_a_later_row_adds_columns_at_the_end() -> None:
    columns = Columns("s")
    assert columns.flatten({"a": 1}) == ["1"]
    assert columns.flatten({"b": 2}) == [None, "2"]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"a_b": 1}, {"a": {"b": 2}}, ["`a_b`", "`a.b`"]),
        ({"a": {"b_c": 1}}, {"a_b": {"c": 2}}, ["`a.b_c`", "`a_b.c`"]),
        ({"a": {"0": 1}}, {"a": [2]}, ["`a.0`", "`a[0]`"]),
    ],
)
def test_a_clash_of_names_is_an_error_that_names_both(
    first: dict[str, object], second: dict[str, object], told: list[str]
) -> None:
    columns = Columns("events")
    columns.flatten(first)
    with pytest.raises(ColumnClashError) as caught:
        columns.flatten(second)
    assert all(part in str(caught.value) for part in ["`events`", *told])


def test_names_clash_within_one_row_too() -> None:
    with pytest.raises(ColumnClashError):
        Columns("events").flatten({"a_b": 1, "a": {"b": 2}})


def test_the_column_that_most_rows_fill_comes_first_and_ties_keep_their_order() -> None:
    columns = Columns("s")
    for row in ({"rare": "", "a": 1, "b": 1}, {"rare": 1, "a": 1, "b": 1}, {"often": 1, "a": 1, "b": 1}):
        columns.flatten(row)
    assert [columns.names[column] for column in columns.in_order(DENSITY, {})] == ["a", "b", "rare", "often"]


def test_schema_order_puts_nested_columns_beside_each_other_and_unknown_ones_last() -> None:
    columns = Columns("s")
    columns.flatten({"new": 1, "b": {"x": 1}, "a": 1})
    columns.flatten({"b": {"y": 1}})
    schema: dict[str, dict[str, t.Any]] = {"properties": {"a": {}, "b": {}}}
    assert [columns.names[column] for column in columns.in_order(SCHEMA, schema)] == ["a", "b_x", "b_y", "new"]
