"""Settings: what is refused, and that no message shows a value."""

from __future__ import annotations

import copy
import typing as t

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_auditlogs.core.settings import secrets_of, url_fault, with_defaults, without_absent
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors import VENDORS

SECRET = "s3cr3t-v4lue-of-a-setting"
VALID: dict[str, t.Any] = {"pigment": {"api_key": SECRET}}


def faults(config: dict[str, t.Any]) -> list[str]:
    found: list[str] = []
    try:
        TapAuditLogs(config=copy.deepcopy(config))
    except ConfigValidationError as refusal:
        found = list(refusal.errors)
    assert not any(SECRET in fault or "\n" in fault for fault in found)
    return found


def pigment(**settings: t.Any) -> dict[str, t.Any]:
    return {"pigment": {"api_key": SECRET, **settings}}


def test_valid_settings_have_no_fault() -> None:
    assert faults(VALID) == []


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (pigment(api_ky=SECRET), "pigment.api_ky: there is no such setting; did you mean `api_key`?"),
        ({**VALID, "pigmnt": {"api_key": SECRET}}, "pigmnt: there is no such setting; did you mean `pigment`?"),
        ({**VALID, "stat_date": SECRET}, "stat_date: there is no such setting; did you mean `start_date`?"),
        ({**VALID, "zzz": SECRET}, "zzz: there is no such setting; there are: "),
        ({"pigment": {"lookback_hours": 5}}, "pigment: missing api_key"),
        ({"cryptolens": {"product_id": 5}}, "cryptolens: missing access_token"),
        ({"pigment": {"api_key": 123456789}}, "pigment.api_key: must be of type string"),
        ({"pigment": {"api_key": [SECRET]}}, "pigment.api_key: must be of type string"),
        ({"pigment": {"api_key": ""}}, "pigment.api_key: must not be empty"),
        ({"pigment": SECRET}, "pigment: must be of type object"),
        ({"pigment": [SECRET]}, "pigment: must be of type object"),
        (pigment(lookback_hours=SECRET), "pigment.lookback_hours: must be of type number"),
        (pigment(lookback_hours=-1), "pigment.lookback_hours: must be at least 0"),
        ({**VALID, "request_timeout_seconds": 0}, "request_timeout_seconds: must be greater than 0"),
        (
            {"index_exchange": {"client_key": SECRET, "account": "a", "hourly_dimensions": ["account"]}},
            "index_exchange: hourly_dimensions must not name account",
        ),
        ({**VALID, "request_timeout_seconds": 1e10}, "request_timeout_seconds: must be at most 86400"),
        (
            {"openx": {"lookback_days": 1e10, "full_scan_every_days": 1e10}},
            "openx.full_scan_every_days: must be at most 36500",
        ),
        ({"openx": {"lookback_days": 1e10}}, "openx.lookback_days: must be at most 36500"),
        (
            {"xandr": {"username": "u", "password": SECRET, "lookback_hours": 1e10}},
            "xandr.lookback_hours: must be at most 876000",
        ),
        (
            {"cryptolens": {"access_token": SECRET, "settle_seconds": 10**400}},
            "cryptolens.settle_seconds: must be at most 2592000",
        ),
        ({**VALID, "max_retry_wait_seconds": 1.5}, "max_retry_wait_seconds: must be of type integer"),
        ({**VALID, "max_retry_wait_seconds": -1}, "max_retry_wait_seconds: must be at least 0"),
        ({**VALID, "start_date": 20260101}, "start_date: must be of type string"),
        ({**VALID, "start_date": "soon"}, "start_date: must be a time such as 2026-01-01T00:00:00Z"),
        ({**VALID, "end_date": "2026-13-01"}, "end_date: must be a time such as 2026-01-01T00:00:00Z"),
        (
            {**VALID, "start_date": "2026-01-01", "end_date": "2026-01-01T00:00:00Z"},
            "end_date: must be later than start_date",
        ),
        (
            {**VALID, "batch_config": {"encoding": {"compression": "gzip"}, "storage": {"root": "file:///x"}}},
            "batch_config.encoding: missing format, jsonl or parquet",
        ),
        (
            {**VALID, "batch_config": {"encoding": {"format": "jsonl"}}},
            "batch_config.storage: missing root, such as s3://bucket/folder",
        ),
        (pigment(api_url="http://pigment.app"), "pigment.api_url: must be https; plain http is for loopback only"),
        (
            pigment(api_url=f"https://user:{SECRET}@h"),
            "pigment.api_url: must hold no credentials, no query and no frag",
        ),
        (
            pigment(api_url=f"https://h/?token={SECRET}"),
            "pigment.api_url: must hold no credentials, no query and no fr",
        ),
        (pigment(api_url="ftp://h"), "pigment.api_url: must be an https URL"),
        (pigment(api_url="pigment.app"), "pigment.api_url: must be an https URL"),
        (pigment(api_url="https://[::1"), "pigment.api_url: is not a URL"),
        ({}, "No vendor is configured. Set the settings of at least one of `pigment`, `cryptolens`"),
    ],
)
def test_a_fault_is_told_plainly_and_without_the_value(config: dict[str, t.Any], told: str) -> None:
    assert any(fault.startswith(told) for fault in faults(config)), faults(config)


def test_all_faults_are_told_at_once() -> None:
    found = faults({"pigment": {"api_key": 5, "lookback_hours": "x"}, "cryptolens": {"product_id": 1}, "zzz": 1})
    assert len(found) == 4


@pytest.mark.parametrize("absent", [None, {}, {"api_key": None}, {"api_key": None, "api_url": None}])
def test_a_vendor_without_settings_counts_as_absent(absent: t.Any) -> None:
    assert faults({"pigment": absent, "cryptolens": {"access_token": SECRET}}) == []
    tap = TapAuditLogs(config={"pigment": absent, "cryptolens": {"access_token": SECRET}})
    assert all(name.startswith("cryptolens") for name in tap.streams)
    assert faults({"pigment": absent})[0].startswith("No vendor is configured")


def test_null_settings_count_as_absent() -> None:
    tap = TapAuditLogs(config={"start_date": None, "user_agent": None, "pigment": {"api_key": "k", "api_url": None}})
    assert tap.config["pigment"]["api_url"] == "https://pigment.app"
    assert "start_date" not in tap.config


def test_nulls_have_a_meaning_in_stream_maps() -> None:
    stream_maps = {"pigment_audit_events": {"actor": None}, "cryptolens_events": None}
    tap = TapAuditLogs(config={**copy.deepcopy(VALID), "stream_maps": copy.deepcopy(stream_maps)})
    assert tap.config["stream_maps"] == stream_maps


def test_defaults_reach_into_the_vendors() -> None:
    tap = TapAuditLogs(config=copy.deepcopy(VALID))
    assert tap.config["pigment"]["lookback_hours"] == 24
    assert tap.config["request_timeout_seconds"] == 300
    assert tap.config["max_retry_wait_seconds"] == 900
    assert "cryptolens" not in tap.config


def test_the_given_configuration_is_not_changed() -> None:
    given = {"pigment": {"api_key": "k", "api_url": None}, "cryptolens": None}
    before = copy.deepcopy(given)
    without_absent(given, {"pigment", "cryptolens"})
    with_defaults(given, TapAuditLogs.config_jsonschema)
    assert given == before


def test_every_secret_is_found_whatever_its_type() -> None:
    schema = {
        "properties": {
            "plain": {"type": "string"},
            "key": {"type": "string", "secret": True},
            "vendor": {"properties": {"options": {"type": "object", "secret": True}, "other": {"type": "string"}}},
        }
    }
    config = {"plain": "no", "key": 12345, "vendor": {"options": {"a": ["x", {"b": "y"}], "on": True}, "other": "no"}}
    assert list(secrets_of(config, schema)) == ["12345", "x", "y"]
    assert list(secrets_of({"vendor": "not an object", "key": None}, schema)) == []


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_every_setting_is_described_and_no_secret_has_a_default_or_an_example(vendor: t.Any) -> None:
    schema = vendor.settings.to_dict()
    assert schema["additionalProperties"] is False
    for name, spec in schema["properties"].items():
        assert spec.get("title"), name
        assert spec.get("description"), name
        if any(word in name for word in ("key", "secret", "password", "token")) and "url" not in name:
            assert spec.get("secret") is True, name
        if spec.get("secret"):
            assert "default" not in spec or spec["default"] is None, name
            assert "examples" not in spec, name


@pytest.mark.parametrize(
    "url",
    [
        "https://pigment.app",
        "https://pigment.app:8443/base/",
        "HTTPS://PIGMENT.APP",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:1/x",
        "http://LOCALHOST",
        "http://[::1]:5/x",
    ],
)
def test_https_and_loopback_are_allowed(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "//pigment.app",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://2130706433",
        "http://[::ffff:10.0.0.1]",
        "https://user@h",
        "https://@h",
        "https://:pw@h",
        "https://h\\@evil.example.com",
        "https://h/?a=b",
        "https://h/#a",
        "https://h:99999",
        "https://h:port",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    assert url_fault(url)
