from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk import typing as th
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.rows import RowShaper, camel_case
from tap_auditlogs.core.writer import MessageWriter

LOGGER = logging.getLogger("tests.rows")
SCHEMA = th.PropertiesList(
    th.Property("event_id", th.StringType),
    th.Property("count", th.IntegerType),
    th.Property("price", th.NumberType),
    th.Property("done", th.BooleanType),
    th.Property("created_at", th.DateTimeType),
    th.Property("actor", th.ObjectType(additional_properties=True)),
    th.Property("tags", th.ArrayType(th.StringType(nullable=True))),
    th.Property(
        "changes",
        th.ArrayType(
            th.ObjectType(
                th.Property("field_name", th.StringType),
                th.Property("changed", th.BooleanType),
                additional_properties=True,
                nullable=True,
            )
        ),
    ),
    th.Property("derived", th.StringType),
    th.Property("additional_properties", th.ObjectType(additional_properties=True)),
).to_dict()
NULLS = dict.fromkeys(
    ["event_id", "count", "price", "done", "created_at", "actor", "tags", "changes", "additional_properties"]
)


def shaper() -> RowShaper:
    return RowShaper(SCHEMA, source_name=camel_case, derived=["derived"], logger=LOGGER)


def shape(**row: t.Any) -> dict[str, t.Any]:
    return shaper().shape(row)


def test_the_names_of_keys() -> None:
    assert camel_case("event_id") == "eventId"
    assert camel_case("id") == "id"
    assert camel_case("do_int_value") == "doIntValue"


def test_missing_and_null_values_are_null() -> None:
    assert shape() == NULLS
    assert shape(eventId=None, count=None, actor=None, tags=None) == NULLS


@pytest.mark.parametrize(
    ("key", "column", "sent", "kept"),
    [
        ("eventId", "event_id", "x", "x"),
        ("eventId", "event_id", "", ""),
        ("eventId", "event_id", 12345678901234567890, "12345678901234567890"),
        ("eventId", "event_id", Decimal("1.10"), "1.10"),
        ("count", "count", 2**63 - 1, 2**63 - 1),
        ("count", "count", -(2**63), -(2**63)),
        ("count", "count", "42", 42),
        ("count", "count", "-7", -7),
        ("count", "count", Decimal("3.0"), 3),
        ("count", "count", Decimal("1e3"), 1000),
        ("price", "price", Decimal("0.1000000000000000000001"), Decimal("0.1000000000000000000001")),
        ("price", "price", 5, 5),
        ("done", "done", False, False),
        ("createdAt", "created_at", "2026-11-20T05:00:00.1+01:00", "2026-11-20T04:00:00.100000Z"),
        ("actor", "actor", {"camelCase": {"x": [1]}}, {"camelCase": {"x": [1]}}),
        ("tags", "tags", ["a"], ["a"]),
    ],
)
def test_values_that_fit_are_kept(key: str, column: str, sent: t.Any, kept: t.Any) -> None:
    record = shape(**{key: sent})
    assert record == {**NULLS, column: kept}
    assert repr(record[column]) == repr(kept)


@pytest.mark.parametrize(
    ("key", "column", "sent"),
    [
        ("eventId", "event_id", {"a": 1}),
        ("eventId", "event_id", ["a"]),
        ("eventId", "event_id", True),
        ("count", "count", True),
        ("count", "count", 2**63),
        ("count", "count", "9223372036854775808"),
        ("count", "count", "١٢"),
        ("count", "count", "1_000"),
        ("count", "count", " 1"),
        ("count", "count", ""),
        ("count", "count", Decimal("1.5")),
        ("count", "count", Decimal("1e999999")),
        ("count", "count", Decimal("1e1000000")),
        ("count", "count", Decimal("-1e999999999999")),
        ("count", "count", {}),
        ("price", "price", "1.5"),
        ("price", "price", True),
        ("done", "done", 1),
        ("done", "done", "true"),
        ("createdAt", "created_at", "0000-00-00"),
        ("createdAt", "created_at", 1732060800),
        ("actor", "actor", "somebody"),
        ("actor", "actor", []),
        ("tags", "tags", {"a": 1}),
    ],
)
def test_values_that_do_not_fit_are_kept_beside_a_null(
    caplog: pytest.LogCaptureFixture, key: str, column: str, sent: t.Any
) -> None:
    record = shape(**{key: sent})
    assert record[column] is None
    assert record["additional_properties"] == {key: sent}
    assert "does not fit its column" in caplog.text


def test_unknown_fields_are_kept_as_sent_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    one = shaper()
    for number in range(3):
        record = one.shape({"newField": {"deep": [number]}, "event_id": "not the vendor's spelling"})
        assert record["additional_properties"] == {
            "newField": {"deep": [number]},
            "event_id": "not the vendor's spelling",
        }
        assert record["event_id"] is None
    assert [line.getMessage().count("newField") for line in caplog.records].count(1) == 1
    assert len(caplog.records) == 2
    assert "[0]" not in caplog.text


def test_a_vendor_field_named_like_the_catch_all_is_not_lost() -> None:
    assert shape(additionalProperties=1)["additional_properties"] == {"additionalProperties": 1}
    assert shape(additional_properties=1)["additional_properties"] == {"additional_properties": 1}


@pytest.mark.case("J14")
def test_a_name_in_the_log_cannot_forge_lines(caplog: pytest.LogCaptureFixture) -> None:
    shape(**{"evil\nname\x1b[2J" + "x" * 500: 1})
    assert "\n" not in caplog.records[0].getMessage()
    assert "\x1b" not in caplog.records[0].getMessage()
    assert len(caplog.records[0].getMessage()) < 250


def test_the_same_row_comes_out_the_same_in_every_process() -> None:
    code = (
        "import sys, json, logging; from tests.core.test_rows import shape;"
        "print(json.dumps(shape(**{f'unknown{n}': n for n in range(20)})))"
    )
    logging.disable(logging.NOTSET)
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),  # noqa: PTH120 - the root of the project
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }
    assert len(printed) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["eventId", "count", "price", "done", "createdAt", "actor", "tags", "x"]), JSON))
def test_whatever_is_sent_the_record_fits_its_schema_and_can_be_written(row: dict[str, t.Any]) -> None:
    record = {**shaper().shape(row), "derived": None}
    line = MessageWriter()._encoder.encode(record)  # noqa: SLF001 - what every record is written with
    read = json.loads(line)
    tags = read.pop("tags")  # their elements stay as sent
    assert tags is None or isinstance(tags, list)
    DEFAULT_JSONSCHEMA_VALIDATOR(SCHEMA).validate({**read, "tags": None})
    for key, value in row.items():
        if value is not None:
            kept = {**record, **(record["additional_properties"] or {})}
            names = {"eventId": "event_id", "createdAt": "created_at"}
            assert kept.get(names.get(key, key)) is not None or kept.get(key) is not None


def test_the_inside_of_lists_and_objects_is_converted_like_the_top() -> None:
    record = shape(tags=["a", None, 5, ["b"]], changes=[{"field_name": 7, "changed": True, "more": [1]}, None])
    assert record["tags"] == ["a", None, "5", None]
    assert record["changes"] == [{"field_name": "7", "changed": True, "more": [1]}, None]
    assert record["additional_properties"] == {"tags[3]": ["b"]}


def test_misfits_inside_are_kept_with_their_path() -> None:
    record = shape(changes=[{"field_name": "x", "changed": "yes"}, "text", {"field_name": ["y"]}])
    assert record["changes"] == [{"field_name": "x", "changed": None}, None, {"field_name": None}]
    assert record["additional_properties"] == {
        "changes[0].changed": "yes",
        "changes[1]": "text",
        "changes[2].field_name": ["y"],
    }


@pytest.mark.parametrize("value", [["x"], {}, True])
def test_a_key_of_another_type_is_refused(value: t.Any) -> None:
    keyed = RowShaper(SCHEMA, source_name=camel_case, primary_key=["event_id"], logger=LOGGER)
    assert keyed.shape({})["event_id"] is None, "the stream may fill it in"
    assert keyed.shape({"eventId": 5})["event_id"] == "5"
    with pytest.raises(ProtocolError, match="'eventId', part of the key"):
        keyed.shape({"eventId": value})
