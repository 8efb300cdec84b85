"""`account`: several accounts of a vendor share tables, and their states stay apart."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from tests.faults.runs import sync
from tests.faults.subjects import SIZE, SUBJECTS, shrink
from tests.ocsf.mapping import map_record

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Run

Config: t.TypeAlias = "dict[str, t.Any]"
Keys: t.TypeAlias = "dict[str, list[tuple[t.Any, ...]]]"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=6, size=SIZE) as running:
        shrink(running, SUBJECTS.values())
        yield running


def config_of(sandbox: Sandbox, account: str | None) -> Config:
    if account is None:
        return dict(sandbox.config)
    return {name: {**values, "account": account} for name, values in sandbox.config.items()}


def keys_of(run: Run) -> Keys:
    key_properties = {each["stream"]: each["key_properties"] for each in run.messages if each["type"] == "SCHEMA"}
    keys: Keys = {stream: [] for stream in key_properties}
    for message in run.messages:
        if message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            keys[stream].append(tuple(record[name] for name in key_properties[stream]))
    return keys


def test_two_accounts_with_the_same_ids_overwrite_nothing_and_each_goes_on_from_its_own_bookmark(
    sandbox: Sandbox,
) -> None:
    unset = sync(config_of(sandbox, None))
    first = sync(config_of(sandbox, "emea"))
    second = sync(config_of(sandbox, "apac"), first.state)
    assert unset.exit_code == first.exit_code == second.exit_code == 0, second.log
    plain, emea, apac = keys_of(unset), keys_of(first), keys_of(second)
    assert sum(map(len, plain.values())) > 200
    assert emea == {stream: [("emea", *key) for key in keys] for stream, keys in plain.items()}
    assert apac == {stream: [("apac", *key) for key in keys] for stream, keys in plain.items()}
    again = sync(config_of(sandbox, "emea"), second.state)
    assert "going on from the bookmark kept for them" in again.log
    assert keys_of(again) == keys_of(sync(config_of(sandbox, "emea"), first.state))
    assert not again.records("index_exchange_impressions")


def test_unset_nothing_shows_an_account(sandbox: Sandbox) -> None:
    for message in sync(config_of(sandbox, None)).messages:
        match message["type"]:
            case "SCHEMA":
                assert "account" not in message["schema"]["properties"]
                assert "account" not in message["key_properties"]
            case "RECORD":
                assert "account" not in message["record"]


def test_set_it_is_the_first_property_and_the_first_of_the_key(sandbox: Sandbox) -> None:
    streams = set()
    for message in sync(config_of(sandbox, "emea")).messages:
        match message["type"]:
            case "SCHEMA":
                assert message["key_properties"][0] == "account"
                assert next(iter(message["schema"]["properties"])) == "account"
                assert message["schema"]["properties"]["account"]["type"] == ["string"]
            case "RECORD":
                assert next(iter(message["record"].items())) == ("account", "emea")
                streams.add(message["stream"])
    assert len(streams) > 12


def test_audit_events_show_it_as_tenant_where_the_vendor_names_none_and_in_their_uid(sandbox: Sandbox) -> None:
    plain, emea, apac = (
        sync(config_of(sandbox, account)).records("cryptolens_object_log") for account in (None, "emea", "apac")
    )
    for one, two, three in zip(plain, emea, apac, strict=True):
        events = [map_record("cryptolens_object_log", record) for record in (one, two, three)]
        assert [event["tenant"] for event in events] == [None, "emea", "apac"]
        assert len({event["event_uid"] for event in events}) == 3
        assert not any("account" in (event["ocsf"].get("unmapped") or {}) for event in events)


def test_audit_events_keep_the_tenant_that_the_vendor_names(sandbox: Sandbox) -> None:
    for stream in ("openx_audit_trail", "pigment_audit_events"):
        (plain, *_), (emea, *_) = (sync(config_of(sandbox, account)).records(stream) for account in (None, "emea"))
        event, named = map_record(stream, plain), map_record(stream, emea)
        assert event["tenant"] == named["tenant"] is not None
        assert event["event_uid"] != named["event_uid"]
