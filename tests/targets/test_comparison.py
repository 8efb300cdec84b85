"""The comparison sees what is lost or changed on the way."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.targets.comparison import compare, judge
from tests.targets.source import Stream

TIME = "2026-11-20T05:00:00.250000Z"
MOMENT = datetime(2026, 11, 20, 5, 0, 0, 250_000, UTC)


@pytest.mark.parametrize(
    ("schema", "expected", "found", "verdict"),
    [
        ({"type": ["string"]}, "a", "a", "exact"),
        ({"type": ["string"]}, "a", "b", None),
        ({"type": ["string"]}, "a", None, None),
        ({"type": ["string"]}, "", None, "null"),
        ({"type": ["string"]}, None, "", "empty text"),
        ({"type": ["string"]}, None, "x", None),
        ({"type": ["integer"]}, 2**53 + 1, 2**53 + 1, "exact"),
        ({"type": ["integer"]}, 2**53 + 1, float(2**53), None),
        ({"type": ["integer"]}, 7, "7", "text"),
        ({"type": ["number"]}, Decimal("0.10"), Decimal("0.1"), "exact"),
        ({"type": ["number"]}, Decimal("0.1"), 0.1, "double"),
        ({"type": ["number"]}, Decimal("12345678901.123456789"), 12345678901.123457, "double"),
        ({"type": ["number"]}, Decimal("0.1"), 0.11, None),
        ({"type": ["boolean"]}, True, "True", "text"),
        ({"type": ["boolean"]}, True, 1, None),
        ({"type": ["string"], "format": "date-time"}, TIME, MOMENT, "timestamp with time zone"),
        ({"type": ["string"], "format": "date-time"}, TIME, MOMENT.replace(tzinfo=None), "timestamp in UTC"),
        (
            {"type": ["string"], "format": "date-time"},
            TIME,
            MOMENT.replace(microsecond=0),
            "timestamp with time zone, cut to seconds",
        ),
        ({"type": ["string"], "format": "date-time"}, TIME, MOMENT.replace(hour=6), None),
        ({"type": ["object"]}, {"a": [1, True]}, {"a": [1, True]}, "JSON"),
        ({"type": ["object"]}, {"a": [1, True]}, {"a": [1, 1]}, None),
        ({"type": ["object"]}, {"a": Decimal("0.1")}, '{"a": 0.1}', "JSON text"),
        ({"type": ["object"]}, {"a": Decimal("0.1")}, "{'a': Decimal('0.1')}", "Python text"),
        ({"type": ["object"]}, {"a": "1"}, '{"a": 1}', None),
        ({"type": ["array"]}, [], None, "null"),
    ],
)
def test_a_value_is_judged(schema: dict[str, t.Any], expected: t.Any, found: t.Any, verdict: str | None) -> None:
    assert judge(schema, expected, found)[1] == verdict


@pytest.fixture
def stream() -> Stream:
    stream = Stream("events")
    stream.schema = {"id": {"type": ["integer"]}, "name": {"type": ["string", "null"]}}
    stream.key = ("id",)
    for row in ({"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "c"}):
        stream.add(row)
    return stream


@pytest.mark.parametrize(
    ("held", "rows", "text"),
    [
        ([{"id": 2, "name": "b"}, {"id": 1, "name": "c"}], "one per key", "exact"),
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "c"}], "one per record", "exact"),
        ([{"id": 2, "name": "b"}, {"id": 1, "name": "a"}], "one per key", "different or exact"),
        ([{"id": 2, "name": "b"}], "rows are missing", "exact"),
        ([{"id": i, "name": "c" if i == 1 else "b"} for i in (1, 2, 3)], "rows have other keys", "exact"),
        ([{"id": 1}, {"id": 2}], "one per key", "missing"),
    ],
)
def test_rows_are_counted_and_compared(stream: Stream, held: list[dict[str, t.Any]], rows: str, text: str) -> None:
    found = compare([stream], {"events": held})
    assert (found.rows, found.values["text"]) == (rows, text)
