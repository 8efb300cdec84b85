"""What each vendor's records become. That every event is valid OCSF is shown in `test_sandboxes.py`, too."""

from __future__ import annotations

import hashlib
import json
import typing as t
from functools import partial

import pytest

from tests.ocsf.mapping import EXTRACTED, events_in, map_record, record_line, run_mapper, texts_in
from tests.ocsf.records import (
    EVENT,
    LICENSE_KEY,
    OBJECT_LOG,
    OPENX,
    PIGMENT,
    RECORDS,
    SESSION,
    WEB_API_LOG,
    XANDR,
)
from tests.ocsf.validator import faults

Json: t.TypeAlias = "dict[str, t.Any]"

USER: t.Final = {"id": "u-2", "name": "Grace Hopper", "email": "grace@example.com"}
UNMAPPABLE: t.Final = "not understood"


def sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def valid(stream: str, record: object, **config: bool) -> Json:
    event = map_record(stream, record, EXTRACTED, **config)
    assert faults(event["ocsf"]) == []
    return event


pigment = partial(valid, "pigment_audit_events")
openx = partial(valid, "openx_audit_trail")
xandr = partial(valid, "xandr_change_log_detail")
web_api_log = partial(valid, "cryptolens_web_api_log")
object_log = partial(valid, "cryptolens_object_log")


@pytest.mark.parametrize("stream", RECORDS)
def test_the_columns_tell_the_same_as_the_object(stream: str) -> None:
    event = valid(stream, RECORDS[stream], include_usage_events=True)
    ocsf = event["ocsf"]
    assert event["source_stream"] == ocsf["metadata"]["log_name"] == stream
    assert event["vendor"] == ocsf["metadata"]["log_provider"] == stream.partition("_")[0]
    assert event["event_uid"] == ocsf["metadata"]["uid"]
    assert event["event_time"].startswith("2026-11-20T05:00:00")
    assert ocsf["time"] // 1000 == 1795150800
    assert event["outcome"] == ocsf["status"].lower()
    assert event["tenant"] == ocsf["metadata"].get("tenant_uid")
    assert event["source_ip"] == ocsf.get("src_endpoint", {}).get("ip")
    assert event["action"] != UNMAPPABLE
    assert "raw_data" not in ocsf


@pytest.mark.parametrize("stream", RECORDS)
def test_the_uid_follows_from_the_key_alone(stream: str) -> None:
    first = map_record(stream, RECORDS[stream], include_usage_events=True)
    again = {name: RECORDS[stream][name] for name in reversed(RECORDS[stream])}
    later = map_record(stream, {**again, "a_new_column": 1}, "2027-01-01T00:00:00Z", include_usage_events=True)
    assert later["event_uid"] == first["event_uid"]
    assert later["ocsf"]["unmapped"]["a_new_column"] == 1
    hidden = map_record(stream, RECORDS[stream], None, hash_license_keys=False, include_usage_events=True)
    assert hidden["event_uid"] == first["event_uid"]
    assert hidden["ingested_at"] is None


def test_uids_are_the_same_on_every_machine_and_for_ever() -> None:
    assert map_record("pigment_audit_events", PIGMENT)["event_uid"] == "0d8aec4e-de3f-5d50-aff4-5a5eaa07809a"
    assert len({map_record(stream, {**RECORDS[stream], "id": 5})["event_uid"] for stream in list(RECORDS)[:5]}) == 5


# Pigment


@pytest.mark.parametrize(
    ("event_type", "payload", "type_uid"),
    [
        ("UserInvited", USER, 300101),
        ("UserReactivated", USER, 300102),
        ("UserPasswordChanged", {}, 300104),
        ("UserDeactivated", USER, 300105),
        ("UserAccountTypeUpdated", {"userId": "u-2", "newAccountType": "B", "previousAccountType": "A"}, 300199),
        ("UserLogin", {}, 300201),
        ("SsoLoginFailed", {}, 300201),
        ("UserLogout", {}, 300202),
        ("GroupRoleAssigned", {"group": {"id": "g"}, "application": {"id": "a"}, "role": {"name": "R"}}, 300601),
        ("GroupRoleRemoved", {"group": {"id": "g"}}, 300602),
        ("ApplicationRoleAssigned", {"application": {"id": "a"}}, 300403),
        ("GroupRoleUpdated", {"group": {"id": "g"}}, 300403),
        ("MetricCreated", {}, 300401),
        ("MetricUpdated", {}, 300403),
        ("MetricDeleted", {}, 300404),
        ("ApplicationAccessed", {}, 300402),
        ("DataExported", {"application": {"id": "a"}}, 600107),
        ("DataImported", {}, 600106),
        ("SnapshotTaken", {"snapshotGroup": {"id": "s"}}, 300401),
        ("QuantumLedgerRotated", {"ledger": [1]}, 300499),
        (None, None, 300499),
    ],
)
def test_pigments_event_types_have_their_classes(event_type: str | None, payload: object, type_uid: int) -> None:
    event = pigment({**PIGMENT, "event_type": event_type, "payload": payload})
    assert event["ocsf"]["type_uid"] == type_uid
    assert event["action"] == event_type
    assert event["actor_id"] == "u-1"
    assert event["ocsf"]["unmapped"]["payload"] == payload
    if type_uid % 100 == 99:
        assert event["ocsf"]["activity_name"] == event_type or event_type is None


@pytest.mark.parametrize(
    "event_type", ["UserInvited", "UserLogin", "GroupRoleAssigned", "DataExported", "MetricUpdated"]
)
@pytest.mark.parametrize("payload", [USER, {"group": {"id": 7, "name": "\u00e9"}, "n": 1.10}, {}, [1], None])
def test_pigments_events_are_the_same_with_and_without_a_column_that_is_new(event_type: str, payload: object) -> None:
    record = {**PIGMENT, "event_type": event_type, "payload": payload}
    usual, unusual = pigment(record), pigment({**record, "a_new_column": 1})
    assert unusual["ocsf"]["unmapped"].pop("a_new_column") == 1
    assert unusual == usual


def test_pigments_account_changes_name_the_account() -> None:
    payload = {
        "userId": "u-2",
        "userName": "Grace Hopper",
        "userEmail": "grace@example.com",
        "newAccountType": "Admin",
        "previousAccountType": "Member",
    }
    event = pigment({**PIGMENT, "event_type": "UserAccountTypeUpdated", "payload": payload})
    assert (event["target_type"], event["target_id"], event["target_name"]) == ("user", "u-2", "Grace Hopper")
    assert event["ocsf"]["user"]["type"] == "Member"
    assert event["ocsf"]["user_result"]["type"] == "Admin"
    assert event["ocsf"]["actor"]["user"] == {"uid": "u-1"}


def test_pigments_outcomes() -> None:
    assert pigment({**PIGMENT, "event_type": "UserLoginFailed"})["outcome"] == "failure"
    assert pigment({**PIGMENT, "event_type": "SnapshotTaken"})["outcome"] == "unknown"
    assert pigment(PIGMENT)["outcome"] == "success"


def test_pigments_events_without_the_person_they_are_about_are_events_of_an_entity() -> None:
    for event_type in ("UserInvited", "UserLogin", "UserPasswordChanged"):
        event = pigment({**PIGMENT, "event_type": event_type, "payload": None, "actor": None, "context": None})
        assert (event["ocsf"]["type_uid"], event["ocsf"]["activity_name"]) == (300499, event_type)
        assert event["target_type"] == "workspace"


def test_pigments_malformed_mail_addresses_stay_in_unmapped() -> None:
    payload = {**USER, "email": "[redacted]"}
    event = pigment({**PIGMENT, "event_type": "UserInvited", "payload": payload})
    assert "email_addr" not in event["ocsf"]["user"]
    assert event["ocsf"]["unmapped"]["payload"]["email"] == "[redacted]"


# OpenX


@pytest.mark.parametrize(
    ("action", "activity"), [("create", 1), ("Update", 3), ("modify", 3), ("delete", 4), ("restore", 99), (None, 99)]
)
def test_openx_actions(action: str | None, activity: int) -> None:
    event = openx({**OPENX, "action": action})
    assert event["ocsf"]["activity_id"] == activity
    assert event["action"] == action


def test_openx_revisions_tell_before_and_after_and_who_it_really_was() -> None:
    event = openx(OPENX)
    ocsf = event["ocsf"]
    assert (ocsf["entity"]["data"], ocsf["entity_result"]["data"]) == ({"name": "a"}, {"name": "b"})
    assert ocsf["entity"]["version"] == "2"
    assert ocsf["actor"] == {
        "user": {"name": "ada@example.com", "full_name": "Ada Lovelace", "email_addr": "ada@example.com"},
        "invoked_by": "api",
    }
    assert ocsf["unmapped"] == {
        "user": {"first_name": "Ada", "last_name": "Lovelace"},
        "real_user": "grace@example.com",
        "program": ["uwsgi"],
        "type": "audittrail",
        "instance_uid": "inst-1",
    }
    assert ocsf["metadata"]["original_event_uid"] == "order:1611010849:2"


def test_openx_refused_values_stay_in_unmapped() -> None:
    user = {"name": None, "email": "not an address"}
    event = openx({**OPENX, "ip": "[redacted]", "user": user, "changes": {"new_value": None, "odd": 1}, "reason": None})
    unmapped = event["ocsf"]["unmapped"]
    assert unmapped["ip"] == "[redacted]"
    assert unmapped["user"] == user
    assert unmapped["changes"]["odd"] == 1
    assert unmapped["reason"] is None
    assert event["source_ip"] is None
    assert openx({**OPENX, "user": None})["actor_name"] is None


def test_openx_uids_belong_to_the_instance() -> None:
    assert openx(OPENX)["event_uid"] != openx({**OPENX, "instance_uid": "inst-2"})["event_uid"]


# Xandr


def test_xandr_transactions_tell_before_and_after() -> None:
    changes = [
        *XANDR["changes"],
        {"field_name": "state", "old_value": '"x"', "new_value": '"x"', "changed": False},
        {"field_name": "budget", "old_value": "1.10", "new_value": None, "changed": True, "unit": "EUR"},
        "odd",
    ]
    event = xandr({**XANDR, "changes": changes})
    ocsf = event["ocsf"]
    assert (event["action"], ocsf["activity_id"]) == ("PUT", 3)
    assert ocsf["entity"]["data"] == {"name": "a", "budget": 1.1}
    assert ocsf["entity_result"]["data"] == {"name": "b", "budget": None}
    assert ocsf["unmapped"]["changes"] == changes[1:]
    assert ocsf["http_request"]["http_method"] == "PUT"
    assert ocsf["src_endpoint"] == {"ip": "192.0.2.1", "intermediate_ips": ["192.0.2.1", "198.51.100.7"]}
    assert ocsf["metadata"]["event_code"] == "PUT advertiser"
    assert ocsf["metadata"]["original_event_uid"] == XANDR["transaction_id"]
    assert (event["actor_id"], event["actor_name"], event["target_name"]) == ("206221", "Ada Lovelace", "b")


@pytest.mark.parametrize(("method", "activity"), [("POST", 1), ("delete", 4), ("PATCH", 99), ("odd", 99), (None, 99)])
def test_xandr_methods(method: str | None, activity: int) -> None:
    event = xandr({**XANDR, "method": method})
    assert event["ocsf"]["activity_id"] == activity
    if method in {"odd", None}:
        assert event["ocsf"]["unmapped"]["method"] == method


def test_xandr_plugins_are_told() -> None:
    assert xandr({**XANDR, "plugin_id": 77})["ocsf"]["actor"]["invoked_by"] == "plugin:77"
    assert xandr(XANDR)["ocsf"]["actor"]["invoked_by"] == "hbui"


def test_xandr_redacted_addresses_stay_in_unmapped() -> None:
    event = xandr({**XANDR, "client_ip": "192.0.2.x", "ip_info": "192.0.2.x, 198.51.100.7"})
    assert event["ocsf"]["unmapped"]["client_ip"] == "192.0.2.x"
    assert event["ocsf"]["unmapped"]["ip_info"] == "192.0.2.x, 198.51.100.7"


@pytest.mark.parametrize(
    "changed",
    [
        {"url": f"https://host/advertiser?id=1&token={SESSION}#x"},
        {"url": "https://user:hunter2-hunter2@host/advertiser?a=1&session_id=hunter2-hunter2&b=2"},
        {"additional_properties": {"sessionId": "hunter2-hunter2", "deep": [{"access_token": ["hunter2-hunter2"]}]}},
        {"raw_json": json.dumps({"user": {"password": 'hunter2-hunter2 " and more hunter2-hunter2'}})},
        {"raw_json": json.dumps({"note": f"seen {SESSION} there"}), "request_source": SESSION},
        {
            "changes": [
                {"field_name": "password", "old_value": '"hunter2-hunter2"', "new_value": '"hunter2-hunter2"'},
                {"field_name": "note", "new_value": f'"{SESSION}"', "changed": True},
            ]
        },
        {"user_full_name": None, "session_id": 4711471147114711},
    ],
)
def test_no_token_of_xandr_enters(changed: Json) -> None:
    record = {**XANDR, **changed}
    written = run_mapper(record_line("xandr_change_log_detail", record), include_raw_data=True)
    (event,) = events_in(written)
    assert faults(event["ocsf"]) == []
    assert event["action"] != UNMAPPABLE
    text = json.dumps(event)
    for secret in (SESSION, "hunter2-hunter2", "4711471147114711"):
        assert secret not in text
    if isinstance(record["session_id"], str):
        assert event["ocsf"]["actor"]["session"] == {"uid": sha256(SESSION)}


# Cryptolens


def test_cryptolens_calls() -> None:
    event = web_api_log(WEB_API_LOG)
    ocsf = event["ocsf"]
    assert (event["action"], event["outcome"], ocsf["type_uid"]) == ("activation", "failure", 600303)
    assert ocsf["status_code"] == "2024"
    assert ocsf["api"] == {"operation": "activation"}
    assert ocsf["resources"] == [{"uid": f"5693:{sha256(LICENSE_KEY)}", "type": "license key"}]
    assert ocsf["src_endpoint"] == {"ip": "68.155.245.0", "uid": "216b8c08"}
    assert ocsf["metadata"]["original_time"] == "1795150800"
    assert event["target_id"] == f"5693:{sha256(LICENSE_KEY)}"


@pytest.mark.parametrize(
    ("state", "code", "method", "succeeded", "type_uid"),
    [
        (1010, 10, "validation", True, 600302),
        (3010, 30, "key generation", True, 600301),
        (5010, 50, "not tied to a request", True, 600399),
        (9030, 90, None, None, 600399),
        (None, None, None, None, 600399),
    ],
)
def test_cryptolens_methods(
    state: int | None, code: int | None, method: str | None, succeeded: bool | None, type_uid: int
) -> None:
    columns = {"state": state, "method_code": code, "method": method, "succeeded": succeeded}
    event = web_api_log({**WEB_API_LOG, **columns})
    assert event["ocsf"]["type_uid"] == type_uid
    assert event["outcome"] == {True: "success", False: "failure", None: "unknown"}[succeeded]


def test_cryptolens_calls_of_unknown_origin_are_no_api_activity() -> None:
    event = web_api_log({**WEB_API_LOG, "ip": "anonymised", "machine_code": None, "friendly_name": ""})
    assert event["ocsf"]["type_uid"] == 300403
    assert event["ocsf"]["unmapped"]["ip"] == "anonymised"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"friendly_name": f"for {LICENSE_KEY}"},
        {"additional_properties": {"LicenseKey": LICENSE_KEY, LICENSE_KEY: [LICENSE_KEY]}},
    ],
)
def test_license_keys_enter_as_hashes_only(changed: Json) -> None:
    record = {**WEB_API_LOG, **changed}
    event = web_api_log(record, include_raw_data=True)
    assert not [text for text in texts_in(event) if LICENSE_KEY in text]
    plain = web_api_log(record, include_raw_data=True, hash_license_keys=False)
    assert plain["target_id"] == f"5693:{LICENSE_KEY}"


def test_license_keys_in_the_texts_of_other_logs_are_hashed() -> None:
    for data in (
        {"Key": [LICENSE_KEY, "a-key-of-another-form"]},
        {"key": "a-key-of-another-form", "Note": f"({LICENSE_KEY})"},
    ):
        event = object_log({**OBJECT_LOG, "data": json.dumps(data)}, include_raw_data=True)
        assert LICENSE_KEY not in json.dumps(event)
        assert "a-key-of-another-form" not in json.dumps(event)
    usage = valid("cryptolens_events", EVENT, include_usage_events=True, include_raw_data=True)
    assert LICENSE_KEY not in json.dumps(usage)


def test_the_object_log_tells_before_and_after_and_no_label_that_is_not_public() -> None:
    event = object_log(OBJECT_LOG)
    ocsf = event["ocsf"]
    assert (ocsf["type_uid"], ocsf["activity_name"]) == (300499, "resource action 2")
    assert (ocsf["entity"]["data"], ocsf["entity_result"]["data"]) == ({"Name": "a"}, {"Name": "b"})
    assert (event["actor_id"], event["target_id"]) == ("23236", "3565339440")
    new = object_log({**OBJECT_LOG, "data": '{"Id": 1, "Name": "x"}'})["ocsf"]
    assert "data" not in new["entity"]
    assert new["entity_result"]["data"] == {"Id": 1, "Name": "x"}
    assert (
        object_log({**OBJECT_LOG, "data": '{"Notes":["unfinished'})["ocsf"]["unmapped"]["data"]
        == '{"Notes":["unfinished'
    )


def test_usage_events_are_mapped_on_request_only() -> None:
    given = record_line("cryptolens_events", EVENT)
    assert run_mapper(given) == given
    event = valid("cryptolens_events", EVENT, include_usage_events=True)
    assert (event["ocsf"]["type_uid"], event["action"]) == (600399, "payment")
    assert (
        valid("cryptolens_events", {**EVENT, "machine_code": None}, include_usage_events=True)["ocsf"]["class_uid"]
        == 3004
    )


# What is not understood


@pytest.mark.parametrize("stream", RECORDS)
@pytest.mark.parametrize(
    "record",
    [None, [], "text", 7, {}, {"event_id": "x"}, {"id": 1, "time": "soon", "created": True}, {"service": "s"}],
)
def test_a_record_that_is_not_understood_becomes_an_event_that_says_so(
    stream: str, record: object, caplog: pytest.LogCaptureFixture
) -> None:
    given = record_line(stream, record)
    caplog.set_level("INFO")
    (event,) = events_in(run_mapper(given, include_usage_events=True))
    assert faults(event["ocsf"]) == []
    assert (event["ocsf"]["type_uid"], event["action"], event["outcome"]) == (300499, UNMAPPABLE, "unknown")
    assert f"This record of {stream} could not be mapped: " in event["ocsf"]["message"]
    assert event["event_time"] is None
    assert f"1 of `{stream}`" in caplog.text
    assert event == events_in(run_mapper(given, include_usage_events=True))[0]
    if record and isinstance(record, dict):
        assert event["ocsf"]["unmapped"] == record


def test_a_message_that_is_no_json_becomes_an_event_without_what_it_may_hold() -> None:
    given = record_line("xandr_change_log_detail", XANDR)[:-4] + b"\n"
    written = run_mapper(given)
    (event,) = events_in(written)
    assert faults(event["ocsf"]) == []
    assert event["action"] == UNMAPPABLE
    assert SESSION not in json.dumps(event)


def test_text_that_is_no_utf8_enters_no_event() -> None:
    given = record_line("pigment_audit_events", {**PIGMENT, "payload": {"note": "PLACE"}}).replace(b"PLACE", b"\xff")
    passed, *added = run_mapper(given).splitlines(keepends=True)
    assert passed == given
    (event,) = events_in(b"".join(added))
    assert event["action"] == UNMAPPABLE
    assert "its message is not JSON" in event["ocsf"]["message"]


def test_half_a_surrogate_pair_and_nan_do_not_cost_the_event() -> None:
    record = {**PIGMENT, "payload": {"entity": {"id": "x", "name": "PLACE"}}}
    given = record_line("pigment_audit_events", record).replace(b'"PLACE"', b'"\\ud800", "n": NaN')
    (event,) = events_in(run_mapper(given))
    assert faults(event["ocsf"]) == []
    assert event["target_id"] == "x"


def test_a_failing_mapping_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> t.NoReturn:
        raise KeyError("x")

    monkeypatch.setattr("tap_auditlogs.vendors.openx.ocsf.AuditTrailMapping.describe", fail)
    event = openx(OPENX)
    assert event["action"] == UNMAPPABLE
    assert "unexpected KeyError" in event["ocsf"]["message"]
    assert event["event_time"] == OPENX["timestamp"]
