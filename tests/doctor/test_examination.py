from __future__ import annotations

import socket
import ssl
import typing as t
from datetime import timedelta

import pytest
import requests
import trustme

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.doctor.assumptions import Outcome
from tests.doctor.runs import examine, outcomes, reason, statuses
from tests.support.raw_server import RawServer, json_answer

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.doctor.checks import Check
    from tap_auditlogs.doctor.examination import Examination
    from tests.support.tap_runs import Clock

STREAM_CHECK = "stream pigment_audit_events"


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment"], size=60, clock=clock) as running:
        running.vendor("pigment", PigmentSandbox).page_size = 10
        yield running


def check(examination: Examination, name: str) -> Check:
    return next(check for check in examination.checks if check.name == name)


def test_wrong_credentials_are_sent_once_and_end_the_examination(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "pigment", vendor_api_key="wrong-key-of-this-test")
    assert check(examination, "credentials").status.value == "failed"
    assert check(examination, "credentials").reason == "refused (HTTP 401)"
    assert "credentials in the settings" in check(examination, "credentials").next_step
    assert check(examination, "host").status.value == "ok"
    assert len(sandbox.requests) == 1
    assert set(outcomes(examination).values()) == {Outcome.NOT_OBSERVABLE}
    assert not examination.is_well


def test_a_missing_permission_is_named(sandbox: Sandbox) -> None:
    sandbox.vendor("pigment", PigmentSandbox).forbidden = True
    examination = examine(sandbox, "pigment")
    assert check(examination, STREAM_CHECK).status.value == "failed"
    assert "of the kind `Audit logs`" in check(examination, STREAM_CHECK).next_step
    assert not examination.is_well


def test_a_wrong_url_is_told(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "pigment", vendor_api_url=f"{sandbox.url}/nothing")
    assert check(examination, STREAM_CHECK).reason == "cannot be read (HTTP 404)"
    assert check(examination, "credentials").status.value == "not checked"
    assert not examination.is_well


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return t.cast("int", server.getsockname()[1])


def test_a_refused_connection_is_told_with_the_next_step(sandbox: Sandbox) -> None:
    port = free_port()
    examination = examine(sandbox, "pigment", vendor_api_url=f"http://127.0.0.1:{port}")
    assert statuses(examination)["host"] == "failed"
    assert check(examination, "host").reason == "not reached (ConnectionRefusedError)"
    assert "port" in check(examination, "host").next_step
    assert check(examination, "host").detail.startswith(f"127.0.0.1:{port}: ")
    assert "127.0.0.1" not in check(examination, "host").reason
    assert statuses(examination)["credentials"] == "not checked"
    assert STREAM_CHECK not in statuses(examination)
    assert not examination.is_well


def test_an_unknown_host_is_told_with_the_next_step(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    examination = examine(sandbox, "pigment", vendor_api_url="https://pigment.invalid")
    assert statuses(examination)["host"] == "failed"
    assert "name server" in check(examination, "host").next_step
    assert "pigment.invalid" not in check(examination, "host").reason


def test_a_proxy_that_is_not_there_is_told(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    examination = examine(sandbox, "pigment", vendor_api_url="https://pigment.invalid")
    assert statuses(examination)["host"] == "failed"
    assert "the proxy failed" in check(examination, "host").detail
    assert check(examination, "host").reason == "proxy not reached (ConnectionRefusedError)"
    assert "HTTPS_PROXY" in check(examination, "host").next_step


def test_an_untrusted_certificate_is_told_with_the_next_step(sandbox: Sandbox) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with RawServer(json_answer({}), tls=context) as server:
        examination = examine(sandbox, "pigment", vendor_api_url=server.url)
    assert statuses(examination)["host"] == "failed"
    assert "REQUESTS_CA_BUNDLE" in check(examination, "host").next_step
    assert statuses(examination)["credentials"] == "not checked"


def test_proxy_and_bundle_in_use_are_shown(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", sandbox.url)  # as good as a proxy: it looks at the path only
    monkeypatch.setenv("SSL_CERT_FILE", requests.utils.DEFAULT_CA_BUNDLE_PATH)
    facts = check(examine(sandbox, "pigment"), "host").facts
    assert facts["proxy"] is True
    assert facts["ca_bundle"] is True
    assert facts["tls"] is False


@pytest.mark.parametrize(("ahead", "status"), [(30, "ok"), (-30, "ok"), (300, "warning"), (-300, "warning")])
def test_the_clock_is_compared_with_the_vendors(sandbox: Sandbox, clock: Clock, ahead: int, status: str) -> None:
    clock.shift += timedelta(seconds=ahead)
    found = check(examine(sandbox, "pigment"), "clock")
    assert found.status.value == status
    assert abs(found.facts["vendor_ahead_seconds"] - ahead) <= 2
    if status == "warning":
        assert ("behind" if ahead > 0 else "ahead of") in found.reason


@pytest.mark.parametrize(
    ("status", "step"),
    [(429, "Wait some minutes"), (503, "The vendor has a problem"), (404, "Check the URL"), (200, "login page")],
)
def test_an_unusual_answer_is_told_with_the_next_step(sandbox: Sandbox, status: int, step: str) -> None:
    sandbox.faults.add(Fault(times=None, status=status, body=b"<html>"))
    examination = examine(sandbox, "pigment")
    assert f"HTTP {status}" in check(examination, STREAM_CHECK).reason
    assert step in check(examination, STREAM_CHECK).next_step
    assert check(examination, "credentials").status.value == "not checked"
    assert not examination.is_well


@pytest.mark.parametrize(("status", "step"), [(429, "Wait some minutes"), (503, "The vendor has a problem")])
def test_a_login_that_is_not_answered_says_nothing_about_the_credentials(status: int, step: str) -> None:
    with Sandbox(seed=3, vendors=["xandr"], size=60) as sandbox:
        sandbox.faults.add(Fault(times=None, status=status))
        examination = examine(sandbox, "xandr")
    assert check(examination, "credentials").status.value == "not checked"
    assert check(examination, "credentials").reason == f"the login did not get through (HTTP {status})"
    assert step in check(examination, "credentials").next_step
    assert not examination.is_well


@pytest.mark.parametrize("skip", [0, 4])
def test_a_vendor_that_hangs_is_asked_nothing_more(sandbox: Sandbox, skip: int) -> None:
    sandbox.faults.add(Fault(skip=skip, times=None, delay=30))
    examination = examine(sandbox, "pigment", request_timeout_seconds=0.5)
    assert len(sandbox.requests) == skip + 1
    assert statuses(examination)["requests"] == "failed"
    assert "within request_timeout_seconds" in check(examination, "requests").reason
    assert check(examination, "host").reason.startswith("reached" if skip else "no answer in time")
    assert Outcome.CONTRADICTED not in outcomes(examination).values()
    assert not examination.is_well


def test_a_fault_of_the_server_says_nothing_about_an_assumption(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(skip=1, times=None, status=503))
    examination = examine(sandbox, "pigment")
    assert outcomes(examination)["pigment-04"] is Outcome.NOT_OBSERVABLE
    assert reason(examination, "pigment-04") == "the probe was not answered (HTTP 503)"
    assert waits == []  # each request is tried once
    assert statuses(examination)[STREAM_CHECK] == "ok"


@pytest.mark.parametrize("status", [401, 429, 503, 522])
@pytest.mark.parametrize(
    ("vendor", "skip"),
    [("pigment", 1), ("cryptolens", 3), ("openx", 8), ("openx", 26), ("xandr", 9), ("index_exchange", 4)],
)
def test_throttling_outages_and_lost_credentials_settle_no_assumption(vendor: str, skip: int, status: int) -> None:
    with Sandbox(seed=3, vendors=[vendor], size=60) as sandbox:
        if vendor == "pigment":
            sandbox.vendor("pigment", PigmentSandbox).page_size = 10
        sandbox.faults.add(Fault(skip=skip, times=None, status=status))
        examination = examine(sandbox, vendor)
    lost = {statuses(examination).get(name) for name in ("credentials", "credentials in use")}
    assert ("failed" in lost) == (status == 401)
    assert not (status == 401 and examination.is_well)
    without_credentials = {"pigment-15", "openx-16"}
    settled = [
        assumption.id
        for assumption, finding in examination.findings
        if finding.outcome is not Outcome.NOT_OBSERVABLE and f"HTTP {status}" in finding.reason
    ]
    assert set(settled) <= (without_credentials if status == 401 else set())
    about_throttling = {"cryptolens-08", "index-exchange-24", "xandr-22", "xandr-23"}
    contradicted = {name for name, outcome in outcomes(examination).items() if outcome is Outcome.CONTRADICTED}
    assert contradicted <= (about_throttling if status == 429 else set())


def test_headers_about_limits_are_shown_by_name(sandbox: Sandbox) -> None:
    headers = {"X-RateLimit-Remaining": "417", "X-Served-By": "cache-17", "X-Account-20261128": "quota"}
    sandbox.faults.add(Fault(times=None, headers=headers))
    found = check(examine(sandbox, "pigment"), "requests")
    assert "x-ratelimit-remaining" in found.reason
    assert "417" not in found.reason
    assert "x-served-by" in found.facts["headers"]
    assert not any("2026" in name for name in found.facts["headers"])


def test_no_more_requests_than_forty(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_auditlogs.doctor.request_log.MOST_REQUESTS", 5)
    examination = examine(sandbox, "pigment")
    assert len(sandbox.requests) == 5
    assert reason(examination, "pigment-15") == "not asked, since 5 requests had been sent"
    assert outcomes(examination)["pigment-01"] is not None
