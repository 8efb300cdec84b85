from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
from singer_sdk import typing as th

from tap_auditlogs.core.connection import Connection
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES_PROPERTY
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.doctor.shapes import HIDDEN_NAME, compare, json_type, member_names, public_name
from tap_auditlogs.tap import TapAuditLogs


class Visits(AuditStream):
    """Visits."""

    name = "visits"
    primary_keys = ("id",)
    replication_key = "id"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType),
        th.Property("page_name", th.StringType),
        th.Property("seen_at", th.DateTimeType),
        th.Property("changes", th.ArrayType(th.ObjectType(th.Property("field", th.StringType)))),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    def get_pages(self, context: t.Any) -> t.Any:  # noqa: ARG002 - never read
        return iter(())


@pytest.fixture
def stream() -> Visits:
    # Nothing is sent, so there is no client.
    connection = Connection({}, lambda: None)  # type: ignore[arg-type,return-value] # as said
    return Visits(TapAuditLogs(validate_config=False), connection)


def test_what_differs_from_the_schema_is_counted(stream: Visits) -> None:
    rows: list[dict[str, t.Any]] = [
        {"id": 1, "pageName": "home", "seenAt": None, "country": "SE", "color": "red"},
        {"id": 2, "pageName": {"a": 1}, "country": None, "color": "blue"},
        {"id": "x", "pageName": "home", "color": ["red"]},
        {"id": 4, "changes": [{"field": "a"}, {"field": {}}]},
    ]
    shape = compare(stream, rows, {"color": {"red"}})
    assert shape.rows == 4
    assert shape.unknown == {"color": 2, "country": 2}
    assert shape.absent == ["seenAt"]
    assert shape.misfits == {"(key)": 1, "changes[].field": 1, "pageName": 1}
    assert shape.outside == {"color": 1}
    assert shape.json_types["pageName"] == {"string": 2, "object": 1}
    check = shape.as_check()
    assert check.status.value == "warning"
    assert "country (2)" in check.reason
    assert "red" not in check.reason


def test_rows_as_in_the_schema_are_well(stream: Visits) -> None:
    rows = [{"id": 1, "pageName": "a", "seenAt": "2026-01-01T00:00:00Z", "changes": []}]
    check = compare(stream, rows, {}).as_check()
    assert check.status.value == "ok"
    assert check.reason == "1 row as in the schema"


def test_an_empty_page_shows_nothing(stream: Visits) -> None:
    assert compare(stream, [], {}).as_check().status.value == "not checked"


@pytest.mark.parametrize("name", ["ada@example.com", "user 1", "10.0.0.1", "obj_20261128", "ключ", "a" * 61, ""])
def test_a_name_that_may_be_a_value_is_not_shown(stream: Visits, name: str) -> None:
    assert public_name(name) == HIDDEN_NAME
    shape = compare(stream, [{"id": 1, name: "x"}], {})
    assert shape.unknown == {HIDDEN_NAME: 1}
    assert HIDDEN_NAME in shape.json_types
    assert member_names([{name: 1}, None, 3]) == [HIDDEN_NAME]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (Decimal("1.5"), "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_json_types(value: object, kind: str) -> None:
    assert json_type(value) == kind
