"""Logging in: as rarely as possible, again when a token dies, never in a storm."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

from tests.faults import oracles
from tests.faults.marks import case, every_vendor, every_vendor_with_tokens, vendors
from tests.faults.proxy import RESET, after, html, status
from tests.faults.runs import sync
from tests.faults.test_answers import check_failed

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendor import VendorSandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from tests.faults.proxy import FaultProxy
    from tests.faults.subjects import Subject

Config: t.TypeAlias = "dict[str, t.Any]"


def logins(proxy: FaultProxy, subject: Subject) -> int:
    assert subject.login is not None
    return sum(subject.login in request.target for request in proxy.requests)


@case("I9", "xandr", "index_exchange")
@case("E1")
@every_vendor_with_tokens
def test_e1_a_token_that_dies_half_way_is_renewed_once(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: VendorSandbox, waits: list[float]
) -> None:
    assert subject.expire is not None
    expire = subject.expire
    proxy.inject(after(lambda: expire(account)), subject.page, skip=1, times=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert logins(proxy, subject) == 2
    assert waits == []


@case("E2")
@every_vendor_with_tokens
def test_e2_a_token_refused_again_ends_the_stream(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    proxy.inject(status(401), subject.page.rstrip("?"), skip=1)  # of Xandr, the details as well
    check_failed(sandbox.truth(), sync(config))
    assert logins(proxy, subject) <= 2
    assert waits == []


@case("E3")
@every_vendor
def test_e3_wrong_credentials_are_tried_once(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    secret = {
        "pigment": "api_key",
        "cryptolens": "access_token",
        "openx": "password",
        "xandr": "password",
        "index_exchange": "client_key",
    }[subject.name]
    config[subject.name][secret] = "wrong-but-long-enough"
    run = sync(config)
    check_failed(sandbox.truth(), run)
    assert waits == []
    assert not run.records(next(iter(sandbox.truth())))
    if subject.login is not None:
        assert logins(proxy, subject) <= 1
        assert not any(subject.page in request.target for request in proxy.requests)


@case("E4")
@every_vendor
def test_e4_what_is_not_allowed_is_not_tried_again(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    proxy.inject(status(403), subject.page)
    check_failed(sandbox.truth(), sync(config))
    assert waits == []
    if subject.login is not None:
        assert logins(proxy, subject) == 1


@case("E5")
@every_vendor_with_tokens
def test_e5_a_login_that_fails_for_a_moment_is_tried_again(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    for act in (status(500), status(503), RESET, html()):
        proxy.clear_faults()
        proxy.inject(act, subject.login or "", times=1)
        waits.clear()
        run = sync(config)
        assert run.exit_code == 0, run.log
        assert oracles.gaps(sandbox.truth(), run.messages) == []
        assert len(waits) == 1


@case("E7")
@every_vendor_with_tokens
def test_e7_one_token_serves_a_run(proxy: FaultProxy, config: Config, subject: Subject) -> None:
    assert sync(config).exit_code == 0
    assert logins(proxy, subject) == 1


@case("E9")
@every_vendor_with_tokens
def test_e9_a_login_without_a_token_is_an_error(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject
) -> None:
    for body in ("{}", "[]", "null", '{"access_token": null}', '{"access_token": 5}', '{"response": {"token": ""}}'):
        proxy.clear_faults()
        proxy.inject(status(200, body=body), subject.login or "")
        run = sync(config)
        check_failed(sandbox.truth(), run)


@case("I9")
@vendors("openx")
def test_i9_a_run_longer_than_the_life_of_a_token_renews_it_before_its_end(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: OpenxSandbox, waits: list[float]
) -> None:
    account.account.token_lifetime = timedelta(seconds=1)
    config["openx"]["max_concurrency"] = 1
    proxy.inject(after(lambda: time.sleep(0.2)), subject.page)  # seven of them or more
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert logins(proxy, subject) > 1
    assert waits == []
