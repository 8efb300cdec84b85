"""Mutated records: always valid OCSF, or an event that says that the record is not understood."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_auditlogs.ocsf.schema import SCHEMA
from tap_auditlogs.ocsf.values import is_email, is_ip
from tests.ocsf.mapping import map_record
from tests.ocsf.records import RECORDS
from tests.ocsf.validator import faults

Json: t.TypeAlias = "dict[str, t.Any]"

FLAT: t.Final = Draft202012Validator(SCHEMA)
STREAMS: t.Final = sorted(RECORDS)

TEXTS: t.Final = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "[redacted]",
            "1.2.3.4",
            "1.2.3.256",
            "::ffff:1.2.3.4",
            "fe80::1%eth0",
            "a@b.c",
            "a@b.c\n",
            "\u00e9@example.com",
            "UserInvited",
            "LoginFailed",
            "GroupRoleAssigned",
            "DataExported",
            "put",
            "2026-11-20T05:00:00Z",
            "{}",
            '{"Key": ["a", "b"]}',
            "\x00",
        ]
    ),
)
VALUES: t.Final = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["id", "name", "email", "user", "entity", "group", "field_name", "ip"]), TEXTS),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def places(value: object, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Find every place in a record."""
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, name)
            yield from places(item, (*path, name))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Json]:
    stream = draw(st.sampled_from(STREAMS))
    record = copy.deepcopy(RECORDS[stream])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(record)]))
        holder: t.Any = record
        for step in path[:-1]:
            holder = holder[step]
        if draw(st.booleans()) or isinstance(holder, list):
            holder[path[-1]] = draw(VALUES)
        else:
            del holder[path[-1]]
            if not record:
                break
    return stream, record


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.booleans())
def test_a_mutated_record_becomes_a_valid_event(case: tuple[str, Json], everything: bool) -> None:
    stream, record = case
    event = map_record(stream, record, include_usage_events=True, include_raw_data=everything)
    # A time of another century is the source's, and no sign of seconds in the place of milliseconds.
    assert [fault for fault in faults(event["ocsf"]) if "milliseconds" not in fault] == []
    assert [error.message for error in FLAT.iter_errors(event)] == []
    if event["action"] == "not understood":
        assert "could not be mapped" in event["ocsf"]["message"]
        assert "unexpected" not in event["ocsf"]["message"], "a mapping failed in a way that it does not know"
    again = map_record(stream, record, include_usage_events=True)
    assert again["event_uid"] == event["event_uid"]


@pytest.mark.parametrize("kind", ["ip", "email"])
def test_what_is_taken_as_address_is_one_for_ocsf(kind: str) -> None:
    """In an object of its own, so that nothing else of the record matters."""
    check, strategy = {
        "ip": (is_ip, st.one_of(st.ip_addresses().map(str), TEXTS)),
        "email": (is_email, st.one_of(st.emails(), TEXTS)),
    }[kind]

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(strategy)
    def holds(text: str) -> None:
        stream, record = "openx_audit_trail", copy.deepcopy(RECORDS["openx_audit_trail"])
        if kind == "ip":
            record["ip"] = text
        else:
            record["user"]["email"] = text
        event = map_record(stream, record)
        assert faults(event["ocsf"]) == []
        if kind == "ip":
            assert (event["source_ip"] == text) is check(text)
            assert check(text) or event["ocsf"]["unmapped"]["ip"] == text
        elif not check(text):
            assert event["ocsf"]["unmapped"]["user"]["email"] == text

    holds()


def test_ordinary_addresses_are_taken() -> None:
    assert all(map(is_ip, ("192.0.2.1", "2001:db8::", "::1", "fe80::1")))
    assert all(map(is_email, ("person1@example.com", "a.b+c@sub.example.co.uk")))
