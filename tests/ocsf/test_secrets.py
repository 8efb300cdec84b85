"""Secrets that stand in text that is decoded, or in text within text."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import quote

import pytest

from tests.ocsf.mapping import map_record, texts_in
from tests.ocsf.records import EVENT, LICENSE_KEY, OBJECT_LOG, WEB_API_LOG, XANDR
from tests.ocsf.test_vendors import sha256
from tests.ocsf.validator import faults

Json: t.TypeAlias = "dict[str, t.Any]"

CUSTOM_KEY: t.Final = "custom-key-123"
TOKEN: t.Final = "hunter2-hunter2"
NUMBER: t.Final = 4711471147114711
SESSION: t.Final = "authn:26/5432:abc"

IN_TEXT: t.Final[tuple[object, ...]] = (
    {"Note": ["a", f"lic_{LICENSE_KEY}"]},
    {"Note": f"{LICENSE_KEY}_2"},
    {"Note": ["a", LICENSE_KEY.lower()]},
    {"Key": {"Old": CUSTOM_KEY, "New": None}},
    {"Key": [[CUSTOM_KEY, "]"], [NUMBER]]},
    {"Note": json.dumps({"Key": [CUSTOM_KEY]})},
    {"Note": [None, json.dumps([json.dumps({"License_Key": {"of": NUMBER}})])]},
    {f"of {LICENSE_KEY}": {LICENSE_KEY.lower(): 1}},
    [{"licenseKey": CUSTOM_KEY}],
    json.dumps({"Key": CUSTOM_KEY}),
)


def assert_hidden(stream: str, record: Json, *secrets: str) -> Json:
    for everything in (False, True):
        event = map_record(stream, record, include_usage_events=True, include_raw_data=everything)
        assert faults(event["ocsf"]) == []
        assert event["action"] != "not understood"
        decoded = "\n".join(all_texts(event)).casefold()
        for secret in secrets:
            assert secret.casefold() not in decoded
    return event


def all_texts(value: object) -> t.Iterator[str]:
    """Give all texts, and those in JSON text."""
    for text in texts_in(value):
        yield text
        try:
            inner = json.loads(text)
        except ValueError:
            continue
        yield from (str(inner),) if isinstance(inner, int) else all_texts(inner)


@pytest.mark.parametrize("value", IN_TEXT)
def test_no_license_key_enters_by_text_that_is_decoded(value: object) -> None:
    hidden = (LICENSE_KEY, CUSTOM_KEY, str(NUMBER))
    text = json.dumps(value)
    for spelled in (text, f" {text}\n", text.replace("-", "\\u002d"), json.dumps(text)):
        assert_hidden("cryptolens_object_log", {**OBJECT_LOG, "data": spelled}, *hidden)
        assert_hidden("cryptolens_events", {**EVENT, "metadata": spelled}, *hidden)
        assert_hidden("cryptolens_web_api_log", {**WEB_API_LOG, "friendly_name": spelled}, *hidden)


@pytest.mark.parametrize("value", [{"LicenseKey": CUSTOM_KEY}, {"Key": [CUSTOM_KEY]}, {"a": [{"key": NUMBER}]}])
def test_no_license_key_enters_by_an_object(value: Json) -> None:
    assert_hidden("cryptolens_web_api_log", {**WEB_API_LOG, "additional_properties": value}, CUSTOM_KEY, str(NUMBER))
    assert_hidden("cryptolens_web_api_log", {**WEB_API_LOG, **value}, CUSTOM_KEY, str(NUMBER))


def test_a_key_that_is_no_text_is_hashed_as_well() -> None:
    assert_hidden("cryptolens_web_api_log", {**WEB_API_LOG, "key": [CUSTOM_KEY]}, CUSTOM_KEY)


def test_one_license_key_has_one_hash_wherever_it_stands() -> None:
    data = {"Key": [CUSTOM_KEY, None], "Note": ["", f"lic_{LICENSE_KEY.lower()}"]}
    ocsf = map_record("cryptolens_object_log", {**OBJECT_LOG, "data": json.dumps(data)})["ocsf"]
    assert ocsf["entity"]["data"] == {"Key": sha256(CUSTOM_KEY), "Note": ""}
    assert ocsf["entity_result"]["data"] == {"Key": None, "Note": f"lic_{sha256(LICENSE_KEY)}"}


@pytest.mark.parametrize("value", IN_TEXT)
def test_wanted_license_keys_stay_as_they_are(value: object) -> None:
    record = {**EVENT, "metadata": json.dumps(value)}
    event = map_record("cryptolens_events", record, include_usage_events=True, hash_license_keys=False)
    assert event["ocsf"]["unmapped"]["metadata"] == record["metadata"]


@pytest.mark.parametrize(
    "changed",
    [
        {"url": f"https://host/advertiser?id=1&s={quote(SESSION, safe='')}#x"},
        {"url": f"https://host/advertiser?id=1&s={quote(SESSION, safe=':')}#x"},
        {"url": f"https://host/advertiser?id=1&s={quote(SESSION, safe='').lower()}#x"},
        {"url": f"https://host/advertiser?next={quote(quote(SESSION, safe=''), safe='')}#x"},
        {"request_source": '"authn:26\\/5432:abc" of the \\"authn\\u003a26\\\\/5432:abc"'},
        {"changes": [{"field_name": "note", "new_value": '"authn:26\\/5432:abc"', "changed": True}]},
        {"changes": [{"field_name": "note", "old_value": '{"a":["authn\\u003a26/5432:abc"]}', "changed": True}]},
        {"changes": [{"field_name": "note", "old_value": json.dumps({"tokens": [TOKEN]}), "changed": True}]},
        {"changes": [{"field_name": "note", "new_value": json.dumps({"password": NUMBER}), "changed": True}]},
        {"changes": [{"field_name": "note", "new_value": json.dumps({"password": {"is": TOKEN}}), "changed": True}]},
        {"changes": [{"field_name": "note", "new_value": {"password": {"is": [NUMBER, TOKEN]}}, "changed": True}]},
        {"changes": [{"field_name": "note", "new_value": json.dumps(json.dumps({"token": [TOKEN]}))}]},
        {"changes": [{"field_name": "secret", "new_value": json.dumps(["sha256:" + TOKEN])}]},
        {"raw_json": json.dumps({"tokens": [TOKEN, {"more": NUMBER}]})},
        {"raw_json": json.dumps({"note": json.dumps([json.dumps({"api_key": [TOKEN, NUMBER]})])})},
        {"raw_json": json.dumps([{"field_name": "password", "old_value": NUMBER, "new_value": [TOKEN]}])},
        {"raw_json": f' {{"password":["{TOKEN}"],"password":null}}'},
        {"raw_json": f'{{"a":{{"password":["{TOKEN}"]}},"a":1}}'},
    ],
)
def test_no_token_enters_by_text_that_is_decoded(changed: Json) -> None:
    record = {**XANDR, "session_id": SESSION, **changed}
    event = assert_hidden("xandr_change_log_detail", record, SESSION, TOKEN, str(NUMBER), "26/5432", "26%2F5432")
    assert event["ocsf"]["actor"]["session"] == {"uid": sha256(SESSION)}


def test_the_changes_of_ordinary_text_stay_as_they_are() -> None:
    raw = '{"a": [1.10, "b"], "profile": "\\u00e9 http://host/x", "c": "d@e"}'
    event = map_record("xandr_change_log_detail", {**XANDR, "raw_json": raw, "user_full_name": "[x] {y"})
    assert event["ocsf"]["unmapped"]["raw_json"] == raw
    assert event["actor_name"] == "[x] {y"


def test_what_is_left_of_json_text_is_json() -> None:
    raw = json.dumps({"a": "https://host", "b": "c@d.example", "url": "https://ada:pw@host/", "secret": [1, None, ""]})
    event = map_record("xandr_change_log_detail", {**XANDR, "raw_json": raw})
    assert json.loads(event["ocsf"]["unmapped"]["raw_json"]) == {
        "a": "https://host",
        "b": "c@d.example",
        "url": "https://host/",
        "secret": [sha256("1"), None, ""],
    }


def test_text_within_text_within_text_has_an_end() -> None:
    text = json.dumps({"token": [TOKEN]})
    for layer in range(1, 14):
        text = json.dumps([text])
        event = map_record("xandr_change_log_detail", {**XANDR, "raw_json": text})
        assert TOKEN not in json.dumps(event)
        assert event["event_time"] == (XANDR["created_on"] if layer < 8 else None)
        assert ("nested too deep" in event["ocsf"].get("message", "")) is (layer >= 8)


@pytest.mark.parametrize("session", ["2", "-", "0", "2026", "name"])
def test_a_short_session_id_destroys_nothing(session: str) -> None:
    usual, event = (
        map_record("xandr_change_log_detail", {**XANDR, "session_id": each}, include_raw_data=True)
        for each in (None, session)
    )
    assert event["ocsf"]["actor"].pop("session") == {"uid": sha256(session)}
    for each in (usual, event):
        del each["ocsf"]["raw_data"]
        each["ocsf"].get("unmapped", {}).pop("session_id", None)
    assert event == usual
