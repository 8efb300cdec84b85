from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_auditlogs.core.times import (
    canonical_timestamp,
    format_timestamp,
    from_epoch,
    parse_timestamp,
    timestamp_or_none,
)

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001 - zones are drawn


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-20T05:00:00Z", "2026-11-20T05:00:00.000000Z"),
        ("2026-11-20T05:00:00.5Z", "2026-11-20T05:00:00.500000Z"),
        ("2026-11-20T05:00:00.1234567Z", "2026-11-20T05:00:00.123456Z"),
        ("2026-11-20T05:00:00.999999999+00:00", "2026-11-20T05:00:00.999999Z"),
        ("2026-11-20T05:00:00+10:00", "2026-11-19T19:00:00.000000Z"),
        ("2026-11-20T05:00:00-0530", "2026-11-20T10:30:00.000000Z"),
        ("2026-11-20T05:00:00", "2026-11-20T05:00:00.000000Z"),
        ("2026-11-20 05:00:00", "2026-11-20T05:00:00.000000Z"),
        ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_every_spelling_has_one_form(text: str, canonical: str) -> None:
    assert canonical_timestamp(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "0000-00-00",
        "2026-11-31",
        "2026-11-20T23:59:60Z",
        "2026-11-20T25:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "1732060800",
        "2026-11-20T05:00:00Zx",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any: callers show their own message
        canonical_timestamp(text)


@given(MOMENTS)
def test_the_form_is_fixed_and_reads_back(moment: datetime) -> None:
    text = format_timestamp(moment)
    assert len(text) == 27
    assert parse_timestamp(text) == moment
    assert canonical_timestamp(text) == text


@pytest.mark.case("B4", "pigment", "openx")
@pytest.mark.case("B5", "pigment", "openx")
@given(MOMENTS, MOMENTS)
def test_the_order_as_text_is_the_order_in_time(one: datetime, other: datetime) -> None:
    assert (format_timestamp(one) < format_timestamp(other)) == (one < other)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(ValueError):
        assert len(canonical_timestamp(text)) == 27


def test_unix_seconds() -> None:
    assert from_epoch(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert from_epoch(1_732_060_800) == datetime(2024, 11, 20, tzinfo=UTC)
    assert from_epoch(-1) == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [10**12, -(10**12), 10**30, float("inf"), float("nan")])
def test_unix_seconds_outside_the_calendar_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any: callers show their own message
        from_epoch(seconds)


@pytest.mark.parametrize("value", [None, 5, "", "yesterday", "0000-00-00", ["2026-11-20"]])
def test_what_is_no_time_is_none(value: object) -> None:
    assert timestamp_or_none(value) is None


def test_the_text_of_a_time_is_read() -> None:
    assert timestamp_or_none("2026-11-20 05:00:00") == datetime(2026, 11, 20, 5, tzinfo=UTC)
