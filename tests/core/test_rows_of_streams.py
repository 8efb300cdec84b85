"""Whatever a vendor sends in a row, the record fits its schema, or the row is refused for its key."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from tap_auditlogs.core.stream import AuditStream

STREAMS = {
    name: t.cast("AuditStream", stream)
    for name, stream in TapAuditLogs(config={}, validate_config=False).streams.items()
}

READ_FROM_CSV = {"index_exchange_impressions", "index_exchange_bids", "index_exchange_hourly"}

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-20 05:00:00", "9" * 400, 10**400, Decimal("1e200")])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


def damaged(spec: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """Values of the shape that a schema promises, with any part of another type."""
    if "items" in spec:
        return VALUES | st.lists(damaged(spec["items"]), max_size=3)
    if spec.get("properties"):
        return VALUES | st.fixed_dictionaries(
            {}, optional={name: damaged(inner) for name, inner in spec["properties"].items()}
        )
    return VALUES


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STREAMS.keys() - READ_FROM_CSV))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_every_record_fits_its_schema(name: str, data: st.DataObject) -> None:
    stream = STREAMS[name]
    properties = {
        column: spec
        for column, spec in stream.schema["properties"].items()
        if column not in {*stream.derived_properties, "additional_properties"}
    }
    columns = data.draw(st.lists(st.sampled_from(sorted(properties)), min_size=1, max_size=3, unique=True))
    row = {type(stream).source_name(column): data.draw(damaged(properties[column])) for column in columns}
    try:
        record = stream.shaper.shape(row)
    except ProtocolError as error:
        assert "part of the key" in str(error)  # noqa: PT017 - a row may be refused or not
        return
    for column in columns:
        if record[column] is not None or column not in stream.primary_keys:
            DEFAULT_JSONSCHEMA_VALIDATOR(properties[column]).validate(record[column])
    extra = record["additional_properties"] or {}
    for column in columns:
        source = type(stream).source_name(column)
        assert row[source] is None or record[column] is not None or extra.get(source) == row[source]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_objects_in_a_list_have_properties(stream: AuditStream) -> None:
    """target-snowflake looks for them, and fails on a list of objects that have none."""
    for name, spec in stream.schema["properties"].items():
        items = spec.get("items", {})
        assert "object" not in items.get("type", ()) or items["properties"], name


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_an_object_of_any_shape_has_a_type_and_nothing_else(stream: AuditStream) -> None:
    """Each keyword more is a check more in every record, in a target that validates."""
    objects = [spec for spec in stream.schema["properties"].values() if "object" in spec["type"]]
    assert objects
    assert all(spec.keys() <= {"type", "description"} for spec in objects)
