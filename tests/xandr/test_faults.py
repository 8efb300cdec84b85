"""What the vendor refuses, throttles and breaks, and what the tap makes of it."""

from __future__ import annotations

import json
import threading
import time
import typing as t
from datetime import timedelta

import pytest
from werkzeug.http import http_date

from auditlogs_sandbox.faults import Cut, Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.xandr import Throttle, XandrSandbox
from tap_auditlogs.core.errors import CredentialsError
from tap_auditlogs.core.http import HttpOptions
from tap_auditlogs.vendors.xandr import client
from tests.support.secret_scan import leaks
from tests.support.tap_process import last_state, messages
from tests.support.tap_runs import Clock, sync
from tests.xandr.runs import DETAIL, LOG, asked, catalog, config, keys, true_keys

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from tests.support.tap_process import TapRunner

SERVICES = ["line-item"]


def line_items(xandr: XandrSandbox) -> list[int]:
    return sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})


def error(error_id: str, text: str = "", **more: str) -> bytes:
    return json.dumps({"response": {"error_id": error_id, "error": text, **more}}).encode()


# Throttling


@pytest.mark.parametrize("status", [429, 503, 405])
def test_a_throttled_request_waits_as_long_as_the_vendor_says(
    sandbox: Sandbox, xandr: XandrSandbox, waits: list[float], status: int
) -> None:
    sandbox.faults.add(
        Fault(path="/change-log", skip=2, status=status, headers={"Retry-After": "24", "x-ratelimit-code": "0"})
    )
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 0
    assert len(waits) == 1
    assert 24 <= waits[0] <= 25
    assert keys(run.records(DETAIL)) == {key for key in true_keys(xandr) if key[0] == "line-item"}


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wait_until_a_date_is_measured_by_the_vendors_clock(
    sandbox: Sandbox, clock: Clock, waits: list[float], hours: int
) -> None:
    clock.shift = timedelta(hours=hours)
    until = http_date(clock() + timedelta(seconds=200))
    sandbox.faults.add(Fault(path="/change-log", skip=2, status=429, headers={"Retry-After": until}))
    assert sync(config(sandbox, services=SERVICES)).exit_code == 0
    assert len(waits) == 1
    assert 190 <= waits[0] <= 202


def test_of_two_retry_after_headers_the_longer_counts(
    sandbox: Sandbox, xandr: XandrSandbox, waits: list[float]
) -> None:
    xandr.throttle = Throttle(limit=3, window_seconds=30, smaller_retry_after=1)
    sync({**config(sandbox, services=SERVICES, max_concurrency=1), "max_retry_wait_seconds": 40})
    assert waits
    assert all(wait > 10 for wait in waits)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"body": error("SYSTEM", "slow down", error_code="RATE_EXCEEDED")},
        {"status": 503, "headers": {"x-ratelimit-code": "2"}},
    ],
)
def test_throttling_without_a_time_waits_a_minute(
    sandbox: Sandbox, waits: list[float], fault: dict[str, t.Any]
) -> None:
    sandbox.faults.add(Fault(path="/change-log", **fault))
    assert sync(config(sandbox, services=SERVICES)).exit_code == 0
    assert len(waits) == 1
    assert 60 <= waits[0] <= 61


def test_a_throttled_login_waits_and_tries_again(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(path="/auth", body=error("SYSTEM", error_code="RATE_EXCEEDED")))
    assert sync(config(sandbox, services=SERVICES)).exit_code == 0
    assert 150 <= waits[0] <= 151
    assert len(asked(sandbox, "auth")) == 2


def test_a_wait_beyond_what_is_allowed_ends_the_stream(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(path="/change-log", times=None, status=429, headers={"Retry-After": "86400"}))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert "the vendor asks to wait 86400 s" in run.log
    assert not waits


@pytest.mark.case("D21", "xandr")
def test_requests_in_flight_and_the_pace_stay_within_their_limits(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 30}, changes=4)
    xandr.latency = 0.005
    xandr.max_in_flight = 0
    run = sync(config(sandbox, services=SERVICES, max_concurrency=15))
    assert run.exit_code == 0
    assert 8 < xandr.max_in_flight <= 15
    assert keys(run.records(DETAIL)) == true_keys(xandr)


def test_every_request_asks_for_leave_first(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    paces = []

    class Pace:
        def __init__(self, requests: int, *, per_seconds: float) -> None:
            self.limit = (requests, per_seconds)
            self.waits = 0
            paces.append(self)

        def wait(self) -> None:
            self.waits += 1

    monkeypatch.setattr(client, "Throttle", Pace)
    assert sync(config(sandbox, services=SERVICES, requests_per_minute=77, max_concurrency=1)).exit_code == 0
    (pace,) = paces
    assert pace.limit == (77, 60.0)
    assert pace.waits == len(sandbox.requests)


# Sessions


@pytest.mark.case("E12", "xandr")
def test_an_expired_token_is_renewed_once_for_all_threads(sandbox: Sandbox, clock: Clock, xandr: XandrSandbox) -> None:
    def expire(_request: object) -> None:
        clock.shift += timedelta(hours=3)

    sandbox.faults.add(Fault(path="/change-log-detail", skip=3, callback=expire))
    run = sync(config(sandbox, services=SERVICES, max_concurrency=8))
    assert run.exit_code == 0
    assert len(asked(sandbox, "auth")) == 2
    assert keys(run.records(DETAIL)) == {key for key in true_keys(xandr) if key[0] == "line-item"}


def test_a_token_that_is_refused_again_ends_the_stream(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(path="/change-log", times=None, body=error("NOAUTH", "not logged in")))
    run = sync(config(sandbox, services=SERVICES, max_concurrency=1))
    assert run.exit_code == 1
    assert "Check xandr.username and xandr.password" in run.log
    assert len(asked(sandbox, "auth")) <= 9


@pytest.mark.parametrize("by_status", [True, False])
def test_wrong_credentials_are_tried_once(sandbox: Sandbox, xandr: XandrSandbox, by_status: bool) -> None:
    xandr.errors_by_status = by_status
    ids = {"line-item": line_items(xandr)}
    run = sync(config(sandbox, services=SERVICES, resource_ids=ids, password="wrong-password", max_concurrency=8))
    assert run.exit_code == 1
    assert len(asked(sandbox, "auth")) == 1
    assert "Check xandr.username and xandr.password" in run.log
    assert not leaks(run.log, ["wrong-password"])


def test_a_login_that_was_refused_is_not_tried_again_by_the_next_thread(sandbox: Sandbox) -> None:
    settings = {**sandbox.config["xandr"], "password": "wrong-password", "max_concurrency": 1}
    refused = client.connect(settings, HttpOptions("tests", 5.0, 0.0))
    for _ in range(3):
        with pytest.raises(CredentialsError):
            refused.log_in()
    assert len(asked(sandbox, "auth")) == 1


@pytest.mark.parametrize(("account", "told"), [("password_expired", "has expired"), ("disabled", "is disabled")])
def test_an_account_that_is_off_is_told_apart(
    sandbox: Sandbox, xandr: XandrSandbox, account: t.Literal["password_expired", "disabled"], told: str
) -> None:
    xandr.login.account = account
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert told in run.log


# Objects and services


@pytest.mark.parametrize("by_status", [True, False])
def test_a_refused_object_is_skipped_counted_and_named(sandbox: Sandbox, xandr: XandrSandbox, by_status: bool) -> None:
    xandr.errors_by_status = by_status
    refused = line_items(xandr)[1]
    xandr.change_log.unreadable.add(("line-item", refused))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 0
    assert f"line-item: 1 of {len(line_items(xandr)) + 1} objects were refused and are skipped: {refused}." in run.log
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[0] == "line-item"}


def test_an_object_refused_for_a_while_is_healed_by_the_next_full_scan(clock: Clock) -> None:
    clock.shift = -timedelta(days=9)
    with Sandbox(seed=5, vendors=["xandr"], size=1800, clock=clock) as sandbox:
        xandr = sandbox.vendor("xandr", XandrSandbox)
        state = sync(config(sandbox, services=SERVICES)).state
        clock.shift = -timedelta(days=5)
        refused = line_items(xandr)[0]
        missed = xandr.change("line-item", refused)
        xandr.change_log.unreadable.add(("line-item", refused))
        run = sync(config(sandbox, services=SERVICES), state)
        assert run.exit_code == 0
        assert f"1 of 1 objects were refused and are skipped: {refused}" in run.log
        xandr.change_log.unreadable.clear()
        xandr.change("line-item", line_items(xandr)[1])
        clock.shift = -timedelta(days=1)
        run = sync(config(sandbox, services=SERVICES), run.state)
        assert run.exit_code == 0
        assert keys([missed]) <= keys(run.records(LOG))


def test_a_service_all_of_whose_objects_are_refused_failed_and_the_others_complete(
    sandbox: Sandbox, xandr: XandrSandbox
) -> None:
    xandr.change_log.unreadable_services.add("line-item")
    run = sync(config(sandbox, services=["line-item", "creative"]))
    assert run.exit_code == 1
    assert "every object of line-item was refused" in run.log
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[0] == "creative"}
    assert "progress" not in run.bookmark(LOG)["parts"]["line-item"]
    xandr.change_log.unreadable_services.clear()
    again = sync(config(sandbox, services=["line-item", "creative"]), run.state)
    assert keys(again.records(LOG)) == {key for key in true_keys(xandr) if key[0] == "line-item"}


def test_a_service_that_the_change_log_does_not_know_is_skipped_with_a_warning(
    sandbox: Sandbox, xandr: XandrSandbox
) -> None:
    xandr.fill({"segment": 60, "creative": 2}, changes=1)
    run = sync(config(sandbox, services=["segment", "creative", "no-such-service"]))
    assert run.exit_code == 0
    assert run.log.count("`segment` is skipped in this run") == 1
    assert run.log.count("`no-such-service` is skipped in this run") == 1
    assert len(asked(sandbox, "change-log")) < 40
    assert {record["service"] for record in run.records(LOG)} == {"creative"}


def test_a_service_that_may_not_be_listed_is_skipped(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.listing.unlistable_services.add("line-item")
    run = sync(config(sandbox, services=["line-item", "creative"]))
    assert run.exit_code == 0
    assert "`line-item` is skipped in this run" in run.log
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert "nothing could be read of line-item" in run.log


def test_details_that_the_vendor_does_not_have_leave_the_transaction(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    without = next(key for key in sorted(true_keys(xandr)) if key[0] == "line-item")
    xandr.transactions.without_details.add(without[2])
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 0
    assert f"no details of transaction {without[2]}" in run.log
    assert without in keys(run.records(LOG))
    assert without not in keys(run.records(DETAIL))


def test_details_that_are_all_refused_fail_their_stream_only(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(path="/change-log-detail", times=None, body=error("UNAUTH", "not yours")))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert (
        "Failed: `xandr_change_log_detail`: xandr_change_log_detail: every object of line-item was refused" in run.log
    )
    assert "replication_key_value" in run.bookmark(LOG)["parts"]["line-item"]
    assert "replication_key_value" not in run.bookmark(DETAIL)["parts"]["line-item"]


# Answers


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"drop": True},
        {"cut": Cut(keep=40)},
        {"cut": Cut(keep=40, framing="cut_length")},
        {"cut": Cut(keep=40, framing="chunked")},
        {"body": error("SYSTEM", "oops", error_code="SERVICE_UNAVAILABLE")},
        {"body": error("SYSTEM", "Too many concurrent requests")},
        {"body": b"<html>maintenance</html>", "headers": {"Content-Type": "text/html"}},
    ],
)
@pytest.mark.parametrize("path", ["/xandr/line-item", "/change-log", "/change-log-detail", "/auth"])
def test_what_is_broken_for_a_moment_is_read_again(
    sandbox: Sandbox, xandr: XandrSandbox, path: str, fault: dict[str, t.Any]
) -> None:
    xandr.fill({"line-item": 3}, changes=2)
    sandbox.faults.add(Fault(path=path, times=2, **fault))
    run = sync(config(sandbox, services=SERVICES, max_concurrency=1))
    assert run.exit_code == 0, run.log
    for stream in (LOG, DETAIL):
        assert keys(run.records(stream)) == {key for key in true_keys(xandr) if key[0] == "line-item"}
        assert len(run.records(stream)) == len(keys(run.records(stream)))


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b'{"response": {}}', b'{"response": {"status": "OK"}}', b'{"response": []}']
)
@pytest.mark.parametrize("path", ["/xandr/line-item", "/xandr/change-log", "/auth"])
def test_an_answer_without_rows_is_an_error_and_not_an_end(sandbox: Sandbox, path: str, body: bytes) -> None:
    sandbox.faults.add(Fault(path=path, times=None, body=body))
    run = sync(config(sandbox, services=SERVICES), catalog=catalog(LOG))
    assert run.exit_code == 1
    assert "Traceback" not in run.log
    assert not run.records(LOG)
    assert "replication_key_value" not in run.bookmark(LOG).get("parts", {}).get("line-item", {})


@pytest.mark.case("C4", "xandr")
def test_a_count_that_is_never_reached_is_an_error(sandbox: Sandbox) -> None:
    page = {"change_logs": [], "count": 5, "start_element": 0, "num_elements": 100, "status": "OK"}
    sandbox.faults.add(Fault(path="/change-log", times=None, body=json.dumps({"response": page}).encode()))
    run = sync(config(sandbox, services=SERVICES), catalog=catalog(LOG))
    assert run.exit_code == 1
    assert "brings nothing new" in run.log


def test_a_redirect_is_an_error_and_nothing_is_sent_after_it(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(path="/change-log", status=307, headers={"Location": sandbox.url + "/elsewhere"}))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert not [request for request in sandbox.requests if "elsewhere" in request.path]


# Secrets


def test_no_secret_and_no_session_of_another_user_is_in_any_output_at_debug(
    sandbox: Sandbox, xandr: XandrSandbox, tap_runner: TapRunner
) -> None:
    sandbox.faults.add(Fault(path="/change-log-detail", skip=5, times=1, status=429, headers={"Retry-After": "0"}))
    sandbox.faults.add(Fault(path="/change-log", skip=9, times=None, echo_credentials=True))
    run = tap_runner.run(
        config=config(sandbox, services=["creative", "line-item"]), env={"TAP_AUDITLOGS_LOGLEVEL": "DEBUG"}
    )
    assert run.code == 1
    assert "DEBUG" in run.stderr
    assert run.records(DETAIL)
    assert not leaks(run.stderr, sandbox.secrets())
    assert not leaks(run.stdout, sandbox.secrets())
    assert xandr.transactions.session_ids


# The end of a run


def test_a_signal_ends_a_sweep_at_once_with_a_true_state(
    sandbox: Sandbox, xandr: XandrSandbox, tap_runner: TapRunner
) -> None:
    xandr.fill({"line-item": 20}, changes=1)
    blocked = threading.Event()

    def tell(_request: Request) -> None:
        blocked.set()

    last = str(line_items(xandr)[-1])
    sandbox.faults.add(Fault(path="/change-log", parameters={"resource_id": last}, delay=120, callback=tell))
    with tap_runner.start(config=config(sandbox, services=SERVICES)) as process:
        assert blocked.wait(60)
        process.terminate()
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    again = sync(config(sandbox, services=SERVICES), last_state(messages(stdout)))
    written = {message["record"]["resource_id"] for message in messages(stdout) if message["type"] == "RECORD"}
    assert written
    assert written | {record["resource_id"] for record in again.records(LOG)} == set(line_items(xandr))


def test_an_error_ends_a_sweep_while_other_requests_hang(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    items = line_items(xandr)
    hanging, failing = str(items[-1]), str(items[0])
    sandbox.faults.add(Fault(path="/change-log", parameters={"resource_id": hanging}, delay=120))
    sandbox.faults.add(
        Fault(path="/change-log", parameters={"resource_id": failing}, times=None, body=error("INTEGRITY", "no"))
    )
    started = time.monotonic()
    run = sync(config(sandbox, services=SERVICES, max_concurrency=4))
    assert run.exit_code == 1
    assert time.monotonic() - started < 60
