"""Logins, sessions and refusals, and what the tap makes of them."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.faults import Cut, Fault
from tests.openx.runs import STREAM, asked, config, ids, keys, true_keys
from tests.support.raw_server import RawServer, answer
from tests.support.secret_scan import leaks
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Clock

ORDERS = ["order"]
METHODS: t.Final[tuple[t.Literal["oauth2", "oauth1", "token"], ...]] = ("oauth2", "oauth1", "token")
Method: t.TypeAlias = t.Literal["oauth2", "oauth1", "token"]


# Logins


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reads_everything_with_one_login(sandbox: Sandbox, openx: OpenxSandbox, method: Method) -> None:
    openx.auth_method = method
    run = sync(config(sandbox))
    assert run.exit_code == 0, run.log
    assert keys(run.records(STREAM)) == true_keys(openx)
    assert openx.account.logins == (0 if method == "token" else 1)


@pytest.mark.parametrize("realm", [None, "publisher_realm"])
def test_the_realm_is_optional(sandbox: Sandbox, openx: OpenxSandbox, realm: str | None) -> None:
    openx.auth_method = "oauth1"
    assert sync(config(sandbox, object_types=ORDERS, realm=realm)).exit_code == 0


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("oauth2", "email"),
        ("oauth2", "password"),
        ("oauth2", "client_id"),
        ("oauth2", "identity_api_key"),
        ("oauth1", "email"),
        ("oauth1", "password"),
        ("oauth1", "consumer_key"),
        ("oauth1", "consumer_secret"),
        ("token", "access_token"),
    ],
)
def test_wrong_credentials_end_the_run_at_once(
    sandbox: Sandbox, openx: OpenxSandbox, waits: list[float], method: Method, wrong: str
) -> None:
    openx.auth_method = method
    wanted = {"order": ids(openx, "order")}
    run = sync(config(sandbox, object_ids=wanted, max_concurrency=8, **{wrong: "not-the-right-one"}))
    assert run.exit_code == 1
    assert not run.records(STREAM)
    assert not waits
    assert len(sandbox.requests) <= 5
    assert "credentials" in run.log
    assert not leaks(run.log, [*sandbox.secrets(), *([] if wrong == "email" else ["not-the-right-one"])])


@pytest.mark.parametrize("method", ["oauth2", "oauth1"])
@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}, {"cut": Cut(keep=3)}])
def test_a_login_step_that_breaks_for_a_moment_is_tried_again(
    sandbox: Sandbox, openx: OpenxSandbox, method: Method, fault: dict[str, t.Any]
) -> None:
    openx.auth_method = method
    step = "session-info" if method == "oauth2" else "/initiate"
    sandbox.faults.add(Fault(path=step, times=2, **fault))
    assert sync(config(sandbox, object_types=ORDERS)).exit_code == 0


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"access_token": null}', b'{"access_token": 5}'])
def test_a_login_without_a_token_is_an_error(sandbox: Sandbox, body: bytes) -> None:
    sandbox.faults.add(Fault(path="/oauth2/v1/token", times=None, body=body))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert "Traceback" not in run.log
    assert "login, step token" in run.log


@pytest.mark.parametrize("redirects", [1, 2, 3, 5])
def test_the_redirects_of_the_login_are_read_one_by_one(sandbox: Sandbox, openx: OpenxSandbox, redirects: int) -> None:
    openx.oauth2.redirects = redirects
    assert sync(config(sandbox, object_types=ORDERS)).exit_code == 0
    assert len(asked(sandbox, "/login/follow")) == redirects - 1
    assert not asked(sandbox, "/login")


def test_a_login_of_endless_redirects_ends(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.oauth2.redirects = 6
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert "5 redirects in a row name no session_id" in run.log


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("https://example.com/?session=1", "'example.com' is not one of the settings"),
        ("http://instance.example.com/", "is not one of the settings"),
        ("file:///etc/passwd", "is not one of the settings"),
    ],
)
def test_the_login_follows_no_redirect_to_another_host(sandbox: Sandbox, location: str, message: str) -> None:
    sandbox.faults.add(Fault(path="/authorize", status=302, headers={"Location": location}))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert message in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("location", ["https://[::1/", "https://api.openx.com:port/"])
def test_a_redirect_of_the_login_to_nonsense_is_an_error(sandbox: Sandbox, location: str) -> None:
    with RawServer(answer(status=302, headers={"Location": location})) as server:
        run = sync(config(sandbox, object_types=ORDERS, oauth2_url=server.url))
    assert run.exit_code == 1
    assert "Location is not a URL" in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("path", ["/audittrail", "/order", "signInWithPassword", "/login/consent", "/oauth2/v1/token"])
def test_any_other_redirect_is_an_error(sandbox: Sandbox, path: str) -> None:
    sandbox.faults.add(Fault(path=path, status=307, headers={"Location": sandbox.url + "/elsewhere"}))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert not [request for request in sandbox.requests if "elsewhere" in request.path]


# Sessions


@pytest.mark.parametrize("method", ["oauth2", "oauth1"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_session_that_ends_is_renewed_once_for_all_threads(
    sandbox: Sandbox, openx: OpenxSandbox, method: Method, status: t.Literal[401, 403]
) -> None:
    openx.auth_method = method
    openx.expired_cookie_status = status

    def expire(_request: object) -> None:
        openx.account.expire_sessions()

    sandbox.faults.add(Fault(path="/audittrail", skip=4, callback=expire))
    run = sync(config(sandbox, max_concurrency=4))
    assert run.exit_code == 0, run.log
    assert openx.account.logins == 2
    assert keys(run.records(STREAM)) == true_keys(openx)


@pytest.mark.parametrize("status", [401, 403])
def test_a_session_that_cannot_be_had_again_ends_the_run(
    sandbox: Sandbox, openx: OpenxSandbox, status: t.Literal[401, 403]
) -> None:
    openx.auth_method = "oauth1"
    openx.expired_cookie_status = status

    def expire(_request: object) -> None:
        openx.account.expire_sessions()

    sandbox.faults.add(Fault(path="/ox/4.0/", skip=12, times=None, callback=expire))
    run = sync(config(sandbox, max_concurrency=1))
    assert run.exit_code == 1
    assert openx.account.logins == 2
    assert "credentials" in run.log
    assert "refused and are skipped" not in run.log


@pytest.mark.case("E8", "openx")
def test_a_short_token_life_is_kept_ahead_of(sandbox: Sandbox, openx: OpenxSandbox, clock: Clock) -> None:
    openx.account.token_lifetime = timedelta(seconds=30)
    del clock
    assert sync(config(sandbox, object_types=ORDERS)).exit_code == 0
    assert openx.account.logins == 1


# Quota


def test_a_quota_that_is_used_up_is_waited_for_until_the_next_hour(
    sandbox: Sandbox, waits: list[float], clock: Clock
) -> None:
    now = sandbox.world.now()
    clock.shift += timedelta(minutes=50) - timedelta(minutes=now.minute, seconds=now.second)
    sandbox.faults.add(Fault(path="/audittrail", status=429))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0
    assert len(waits) == 1
    assert 595 <= waits[0] <= 605


def test_a_quota_whose_end_is_too_far_is_tried_shortly_and_then_given_up(
    sandbox: Sandbox, waits: list[float], clock: Clock
) -> None:
    now = sandbox.world.now()
    clock.shift += timedelta(minutes=5) - timedelta(minutes=now.minute, seconds=now.second)
    sandbox.faults.add(Fault(path="/audittrail", times=None, status=429))
    run = sync(config(sandbox, object_types=ORDERS, max_concurrency=1))
    assert run.exit_code == 1
    assert "the quota is used up" in run.log
    assert max(waits) < 100
    assert "replication_key_value" not in run.bookmark(STREAM).get("parts", {}).get("order", {})


# Objects and types


@pytest.mark.parametrize("bare", [True, False])
def test_a_refused_object_is_skipped_counted_and_named(sandbox: Sandbox, openx: OpenxSandbox, bare: bool) -> None:
    refused = ids(openx, "order")[1]
    everything = true_keys(openx, "order")
    if bare:
        sandbox.faults.add(Fault(path="/audittrail", parameters={"obj_id": str(refused)}, times=None, status=403))
    else:
        openx.audit_trail.unreadable.add(("order", refused))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0, run.log
    assert f"1 of {len(ids(openx, 'order')) + (not bare)} objects were refused and are skipped: {refused}." in run.log
    assert keys(run.records(STREAM)) == {key for key in everything if key[1] != str(refused)}
    assert openx.account.logins == 1


def test_a_type_all_of_whose_objects_are_refused_failed_and_the_others_complete(
    sandbox: Sandbox, openx: OpenxSandbox
) -> None:
    openx.audit_trail.unreadable |= {("order", each) for each in ids(openx, "order")}
    run = sync(config(sandbox, object_types=["order", "lineitem"]))
    assert run.exit_code == 1
    assert "every object of order was refused" in run.log
    assert keys(run.records(STREAM)) == true_keys(openx, "lineitem")
    openx.audit_trail.unreadable.clear()
    again = sync(config(sandbox, object_types=["order", "lineitem"]), run.state)
    assert again.exit_code == 0
    assert keys(again.records(STREAM)) == true_keys(openx, "order")


def test_the_only_configured_object_refused_between_full_scans_fails_its_type(
    sandbox: Sandbox, openx: OpenxSandbox
) -> None:
    only = ids(openx, "order")[0]
    settings = config(sandbox, object_types=ORDERS, object_ids={"order": [only]})
    first = sync(settings)
    assert first.exit_code == 0
    openx.audit_trail.unreadable.add(("order", only))
    run = sync(settings, first.state)
    assert run.exit_code == 1
    assert "every object of order was refused" in run.log


@pytest.mark.parametrize("status", [400, 404])
def test_types_that_the_instance_does_not_know_are_skipped_with_one_warning(
    sandbox: Sandbox, openx: OpenxSandbox, status: t.Literal[400, 404]
) -> None:
    openx.paging.unknown_type_status = status
    run = sync(config(sandbox, object_types=["floorrule", "order", "optimization"]))
    assert run.exit_code == 0
    assert run.log.count("`floorrule` is skipped in this run") == 1
    assert run.log.count("`optimization` is skipped in this run") == 1
    assert keys(run.records(STREAM)) == true_keys(openx, "order")


def test_a_wrong_api_url_is_a_failure(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, api_url=sandbox.url + "/openx/nowhere"))
    assert run.exit_code == 1
    assert "nothing could be read" in run.log


# Answers


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "body": b"<html>bad gateway</html>", "headers": {"Content-Type": "text/html"}},
        {"drop": True},
        {"cut": Cut(keep=40)},
        {"cut": Cut(keep=40, framing="cut_length")},
        {"cut": Cut(keep=40, framing="chunked")},
        {"body": b"<html>maintenance</html>", "headers": {"Content-Type": "text/html"}},
    ],
)
@pytest.mark.parametrize("path", ["/order", "/audittrail"])
def test_what_is_broken_for_a_moment_is_read_again(
    sandbox: Sandbox, openx: OpenxSandbox, path: str, fault: dict[str, t.Any]
) -> None:
    sandbox.faults.add(Fault(path=path, times=2, **fault))
    run = sync(config(sandbox, object_types=ORDERS, max_concurrency=1))
    assert run.exit_code == 0, run.log
    assert keys(run.records(STREAM)) == true_keys(openx, "order")
    assert len(run.records(STREAM)) == len(true_keys(openx, "order"))


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"objects": null, "has_more": false}', b'{"objects": []}'])
@pytest.mark.parametrize("path", ["/order", "/audittrail"])
def test_an_answer_without_rows_is_an_error_and_not_an_end(sandbox: Sandbox, path: str, body: bytes) -> None:
    sandbox.faults.add(Fault(path=path, times=None, body=body))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert "Traceback" not in run.log
    assert not run.records(STREAM)


# Secrets


@pytest.mark.parametrize("method", METHODS)
def test_no_secret_is_in_any_output_at_debug(
    sandbox: Sandbox, openx: OpenxSandbox, tap_runner: TapRunner, method: Method
) -> None:
    openx.auth_method = method
    sandbox.faults.add(Fault(path="/audittrail", skip=9, times=None, echo_credentials=True))
    run = tap_runner.run(
        config=config(sandbox, object_types=["order", "lineitem", "ad", "site"], max_concurrency=1),
        env={"TAP_AUDITLOGS_LOGLEVEL": "DEBUG"},
    )
    assert "DEBUG" in run.stderr
    assert run.records(STREAM)
    assert not leaks(run.stderr, sandbox.secrets())
    assert not leaks(run.stdout, sandbox.secrets())
