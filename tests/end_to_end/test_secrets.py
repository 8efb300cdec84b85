"""No configured secret is in anything that the installed tap writes, at any log level and whatever goes wrong."""

from __future__ import annotations

import base64
import json
import socket
import typing as t
from urllib.parse import quote

import pytest

from auditlogs_sandbox.faults import Fault
from tests.support.secret_scan import leaks

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from tests.support.tap_process import Outcome, TapRunner

API_KEY = 'canary-key"with%20odd+/=\\signs&<>'
ACCESS_TOKEN = "canary-token/with+odd=signs'&%41 ünïcode"
SECRETS = (API_KEY, ACCESS_TOKEN)
DEBUG = {"TAP_AUDITLOGS_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"}


@pytest.fixture
def config(sandbox: Sandbox, pigment: PigmentSandbox, cryptolens: CryptolensSandbox) -> dict[str, t.Any]:
    pigment.api_key, cryptolens.access_token = API_KEY, ACCESS_TOKEN
    return {**sandbox.config, "max_retry_wait_seconds": 0}


def assert_nothing_leaks(outcome: Outcome, folder: Path) -> None:
    assert leaks(outcome.stdout, SECRETS) == []
    assert leaks(outcome.stderr, SECRETS) == []
    assert "canary-" not in outcome.stderr + outcome.stdout.decode()
    states = [json.dumps(message["value"]) for message in outcome.messages if message["type"] == "STATE"]
    assert leaks("".join(states), SECRETS) == []
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("file-"):  # the test's own configuration files
            assert leaks(path.read_bytes(), SECRETS) == []


def test_a_good_run_shows_no_secret(config: dict[str, t.Any], tap_runner: TapRunner, tmp_path: Path) -> None:
    outcome = tap_runner.run(config=config, env=DEBUG)
    assert outcome.code == 0
    assert "DEBUG" in outcome.stderr
    assert_nothing_leaks(outcome, tmp_path)


@pytest.mark.parametrize(
    "forms",
    [
        [ACCESS_TOKEN, quote(ACCESS_TOKEN, safe=""), quote(ACCESS_TOKEN, safe="").lower()],
        [base64.b64encode(ACCESS_TOKEN.encode()).decode(), json.dumps(ACCESS_TOKEN), f"{'x' * 100}{ACCESS_TOKEN}"],
    ],
    ids=["plain-and-quoted", "base64-json-and-cut-off"],
)
def test_vendors_that_echo_credentials_in_errors_make_none_show(
    sandbox: Sandbox, config: dict[str, t.Any], tap_runner: TapRunner, tmp_path: Path, forms: list[str]
) -> None:
    sandbox.faults.add(Fault(vendor="pigment", times=None, echo_credentials=True))
    for path, form in zip(("GetWebAPILog", "GetEvents", "GetObjectLog"), forms, strict=True):
        body = json.dumps({"result": 1, "message": f"{form} was refused"}).encode()
        sandbox.faults.add(Fault(path=path, times=None, body=body))
    outcome = tap_runner.run(config=config, env=DEBUG)
    assert outcome.code == 1
    assert "0 of 4 streams are complete" in outcome.stderr
    assert outcome.stderr.count("***") >= 1
    assert_nothing_leaks(outcome, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "echo_credentials": True},
        {"status": 302, "headers": {"Location": f"https://example.com/?token={quote(ACCESS_TOKEN)}&{quote(API_KEY)}"}},
        {"status": 401, "echo_credentials": True, "headers": {"WWW-Authenticate": f"Bearer {quote(API_KEY)}"}},
        {"drop": True},
    ],
    ids=["echo-500", "redirect", "echo-401", "drop"],
)
def test_faults_make_no_secret_show(
    sandbox: Sandbox, config: dict[str, t.Any], tap_runner: TapRunner, tmp_path: Path, fault: dict[str, t.Any]
) -> None:
    sandbox.faults.add(Fault(times=None, **fault))
    outcome = tap_runner.run(config=config, env=DEBUG)
    assert outcome.code == 1
    assert "0 of 4 streams are complete" in outcome.stderr
    assert_nothing_leaks(outcome, tmp_path)


def test_a_refused_connection_makes_no_secret_show(
    config: dict[str, t.Any], tap_runner: TapRunner, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for vendor in ("pigment", "cryptolens"):
        config[vendor]["api_url"] = closed
    outcome = tap_runner.run(config=config, env=DEBUG)
    assert outcome.code == 1
    assert "ConnectionRefusedError" in outcome.stderr
    assert_nothing_leaks(outcome, tmp_path)


def test_settings_of_the_wrong_kind_are_told_without_their_values(
    config: dict[str, t.Any], tap_runner: TapRunner, tmp_path: Path
) -> None:
    config["pigment"]["api_key"] = [API_KEY, 12345678]
    config["cryptolens"]["access_tokn"] = ACCESS_TOKEN
    config["cryptolens"]["product_id"] = "canary-product"
    outcome = tap_runner.run(config=config, env=DEBUG)
    assert outcome.code == 1
    assert "pigment.api_key: must be of type string" in outcome.stderr
    assert "did you mean `access_token`" in outcome.stderr
    assert "12345678" not in outcome.stderr
    assert_nothing_leaks(outcome, tmp_path)
