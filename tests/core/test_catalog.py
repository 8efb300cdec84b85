"""A catalog that was made before this version of the tap, or before a setting."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, vendors=["pigment", "cryptolens", "xandr"], size=20) as running:
        yield running


def catalog_of(sandbox: Sandbox, *, without_streams: t.Collection[str] = (), without: str = "") -> dict[str, t.Any]:
    catalog = TapAuditLogs(config=dict(sandbox.config)).catalog_dict
    streams = [stream for stream in catalog["streams"] if stream["tap_stream_id"] not in without_streams]
    for stream in streams:
        stream["schema"]["properties"].pop(without, None)
        stream["metadata"] = [entry for entry in stream["metadata"] if entry["breadcrumb"] != ("properties", without)]
    return {"streams": streams}


@pytest.mark.parametrize("absent", ["pigment_audit_events", "cryptolens_events", "xandr_change_log_detail"])
def test_a_stream_that_the_catalog_lacks_is_not_read_and_named(sandbox: Sandbox, absent: str) -> None:
    run = sync(dict(sandbox.config), None, catalog_of(sandbox, without_streams={absent}))
    assert run.exit_code == 0, run.log
    assert f"The catalog has no {absent}: not read." in run.log
    assert {message["stream"] for message in run.messages if message["type"] == "RECORD"} == set(
        TapAuditLogs(config=dict(sandbox.config)).streams
    ) - {absent}


def test_a_child_is_read_without_its_parent_in_the_catalog(sandbox: Sandbox) -> None:
    run = sync(dict(sandbox.config), None, catalog_of(sandbox, without_streams={"xandr_change_log"}))
    assert run.exit_code == 0, run.log
    assert run.records("xandr_change_log_detail")
    assert not run.records("xandr_change_log")


def test_a_property_that_the_catalog_lacks_is_in_the_schema_as_in_the_records(sandbox: Sandbox) -> None:
    run = sync(dict(sandbox.config), None, catalog_of(sandbox, without="actor"))
    assert run.exit_code == 0, run.log
    assert all("actor" in record for record in run.records("pigment_audit_events"))
    assert all("actor" in schema["properties"] for schema in run.schemas("pigment_audit_events"))


def test_a_catalog_may_be_older_than_the_setting_account(sandbox: Sandbox) -> None:
    config = {**sandbox.config, "pigment": {**sandbox.config["pigment"], "account": "north"}}
    run = sync(config, None, catalog_of(sandbox))
    assert run.exit_code == 0, run.log
    assert {record["account"] for record in run.records("pigment_audit_events")} == {"north"}
    assert all("account" in schema["properties"] for schema in run.schemas("pigment_audit_events"))


@pytest.mark.parametrize("account", [None, "north"])
@pytest.mark.parametrize("keys", [None, [], ["event_type"], ["event_id"], ["account", "event_id"]])
def test_a_catalog_does_not_change_the_key(sandbox: Sandbox, account: str | None, keys: list[str] | None) -> None:
    catalog = catalog_of(sandbox)
    for stream in catalog["streams"]:
        stream["key_properties"] = keys
    run = sync({"pigment": {**sandbox.config["pigment"], "account": account}}, None, catalog)
    assert run.exit_code == 0, run.log
    wanted = ["event_id"] if account is None else ["account", "event_id"]
    assert [m["key_properties"] for m in run.messages if m["type"] == "SCHEMA"] == [wanted]
    assert all(record.get(name) for record in run.records("pigment_audit_events") for name in wanted)


def test_a_type_that_the_catalog_gives_is_kept(sandbox: Sandbox) -> None:
    catalog = catalog_of(sandbox)
    for stream in catalog["streams"]:
        if "actor" in stream["schema"]["properties"]:
            stream["schema"]["properties"]["actor"] = {"type": ["object", "null"]}
    run = sync(dict(sandbox.config), None, catalog)
    assert [schema["properties"]["actor"] for schema in run.schemas("pigment_audit_events")] == [
        {"type": ["object", "null"]}
    ]


def test_a_stream_keeps_its_name(sandbox: Sandbox) -> None:
    catalog = catalog_of(sandbox)
    for stream in catalog["streams"]:
        stream["stream"] = "renamed"
    run = sync(dict(sandbox.config), None, catalog)
    assert run.exit_code == 0, run.log
    assert run.records("pigment_audit_events")
