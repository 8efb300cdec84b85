"""Clients that the vendors wrote for the real services must read the sandbox without loss."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

import pytest
from licensing.internal import HelperMethods  # type: ignore[import-untyped] # the vendor's SDK ships no types
from licensing.methods import AI  # type: ignore[import-untyped] # the vendor's SDK ships no types

from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from auditlogs_sandbox.server import Sandbox


@pytest.fixture
def token(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = sandbox.config["cryptolens"]
    monkeypatch.setattr(HelperMethods, "server_address", f"{config['api_url']}/")
    return str(config["access_token"])


def test_the_vendors_sdk_walks_the_web_api_log_forward(sandbox: Sandbox, token: str) -> None:
    rows: list[dict[str, t.Any]] = []
    while True:
        page, message = AI.get_web_api_log(token, limit=1000, starting_after=rows[-1]["id"] if rows else 0)
        assert message == ""
        if not page:
            break
        rows += page
    assert rows == sandbox.truth()["cryptolens_web_api_log"]
    assert len(rows) == 2500


def test_the_vendors_sdk_walks_the_web_api_log_backward_as_the_vendors_article_does(
    sandbox: Sandbox, token: str
) -> None:
    rows: list[dict[str, t.Any]] = []
    while True:
        page, message = AI.get_web_api_log(
            token, order_by="Id descending", limit=1000, ending_before=rows[-1]["id"] if rows else 0
        )
        assert message == ""
        if not page:
            break
        rows += page
    assert rows[::-1] == sandbox.truth()["cryptolens_web_api_log"]


def test_the_vendors_sdk_walks_the_events(sandbox: Sandbox, token: str) -> None:
    rows: list[dict[str, t.Any]] = []
    while page := AI.get_events(token, limit=100, starting_after=rows[-1]["id"] if rows else 0)[0]:
        rows += page
    assert rows == sandbox.truth()["cryptolens_events"]
    assert len(rows) > 200


@pytest.mark.parametrize("style", ["status_200", "status_400"])
def test_the_vendors_sdk_understands_the_errors(
    sandbox: Sandbox, token: str, style: t.Literal["status_200", "status_400"]
) -> None:
    sandbox.vendor("cryptolens", CryptolensSandbox).error_style = style
    assert AI.get_web_api_log("wrong") == (None, "Unable to authenticate")
    assert AI.get_web_api_log(token, limit=1001) == (None, "The input parameters were incorrect")
    assert AI.get_events(token, limit=101) == (None, "The input parameters were incorrect")


def audit_events_of_the_community_script(
    http: requests.Session, config: dict[str, str], start_date: str, end_date_exclusive: str
) -> Iterator[dict[str, t.Any]]:
    """The loop of `get_audit_events`, retyped without its retries.

    From "Extracting usage data from a Pigment workspace", Pigment community, 12 September 2025. It stops at
    the first event on or after the end date, which is why a test must give one in the far future.
    """
    params = {"ingestedSince": start_date}
    headers = {
        "Authorization": f"Bearer {config['api_key']}",
        "Content-Type": "application/json; charset=utf-8",
    }
    while True:
        response = http.get(f"{config['api_url']}/api/audit/v1/events", params=params, headers=headers)
        response.raise_for_status()
        data = response.json()
        events = data.get("events", [])
        if not events:
            break
        for event in events:
            if datetime.fromisoformat(event["eventTimestamp"]).strftime("%Y-%m-%d") >= end_date_exclusive:
                return
            yield event
        if data.get("hasMoreEvents") and "nextEventsCursor" in data:
            params["cursor"] = data["nextEventsCursor"]
        else:
            break


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_the_community_script_sees_every_event(
    sandbox: Sandbox, http: requests.Session, order: t.Literal["descending", "ascending"]
) -> None:
    sandbox.vendor("pigment", PigmentSandbox).order = order
    start = (sandbox.world.now() - timedelta(days=179, hours=1)).strftime("%Y-%m-%d")
    seen = list(audit_events_of_the_community_script(http, sandbox.config["pigment"], start, "2999-12-31"))
    if order == "descending":
        seen.reverse()
    assert seen == sandbox.truth()["pigment_audit_events"]
    assert len(seen) == 2500
    assert len([logged for logged in sandbox.requests if logged.vendor == "pigment"]) == 3
