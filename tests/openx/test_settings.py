from __future__ import annotations

import typing as t

import pytest

from tap_auditlogs.vendors.openx.client import api_url
from tests.support.tap_runs import sync

HOST = {"instance_host": "ui.publisher.openx.example"}
TOKEN: dict[str, t.Any] = {**HOST, "auth_method": "token", "access_token": "secret-access-token"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"auth_method": "oauth2"}, "missing instance_host, email, password, client_id, identity_api_key"),
        ({**HOST}, "missing email, password, client_id, identity_api_key"),
        ({**HOST, "auth_method": "oauth1", "email": "a@b.c"}, "missing password, consumer_key, consumer_secret"),
        ({**HOST, "auth_method": "token"}, "missing access_token"),
        ({**HOST, "auth_method": "oauth3"}, "must be one of"),
        ({**TOKEN, "instance_host": "https://ui.publisher.openx.example/"}, "must be a host name only"),
        ({**TOKEN, "instance_host": "user@elsewhere.example"}, "must be a host name only"),
        ({**TOKEN, "object_types": []}, "object_types: must not be empty"),
        ({**TOKEN, "object_ids": {"order": ["60061321-c001-fff1"]}}, "must be numeric ids"),
        ({**TOKEN, "object_ids": {"conversiontag": ["1"]}}, "conversiontag is not among the object_types"),
        ({**TOKEN, "sso_url": "http://sso.openx.com"}, "must be https"),
    ],
)
def test_a_wrong_setting_is_told_in_one_message_without_its_value(settings: dict[str, t.Any], told: str) -> None:
    run = sync({"openx": settings})
    assert run.exit_code == 1
    assert told in run.log
    assert "secret-access-token" not in run.log
    assert not run.stdout


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"auth_method": "oauth2"}, "https://api.openx.com/api/v1/ox/4.0"),
        ({"auth_method": "token"}, "https://api.openx.com/api/v1/ox/4.0"),
        ({"auth_method": "oauth1"}, "https://ui.publisher.openx.example/ox/4.0"),
        ({"auth_method": "oauth1", "api_url": "https://example.com/ox/"}, "https://example.com/ox"),
    ],
)
def test_the_api_url_follows_from_the_method_unless_it_is_set(settings: dict[str, t.Any], url: str) -> None:
    assert api_url({**HOST, **settings}) == url
