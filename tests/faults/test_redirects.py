"""No credential goes to another host than the configured one, whatever an answer says."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.faults import oracles
from tests.faults.marks import case, every_vendor, every_vendor_with_tokens
from tests.faults.runs import sync
from tests.faults.test_answers import check_failed

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.faults.proxy import FaultProxy, OtherHost
    from tests.faults.subjects import Subject

Config: t.TypeAlias = "dict[str, t.Any]"
STATUSES = (301, 302, 303, 307, 308)


@case("D13")
@case("J7")
@pytest.mark.parametrize("code", STATUSES)
@every_vendor
def test_j7_no_page_is_fetched_elsewhere(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, other_host: OtherHost, code: int
) -> None:
    proxy.inject(other_host.redirect_here(code), subject.page, skip=1)
    run = sync(config)
    assert other_host.requests == []
    check_failed(sandbox.truth(), run)
    assert oracles.leaked(sandbox.secrets(), run.stdout, run.log) == []


@case("E11")
@case("J7")
@pytest.mark.parametrize("code", STATUSES)
@every_vendor_with_tokens
def test_e11_no_login_is_sent_elsewhere(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, other_host: OtherHost, code: int
) -> None:
    proxy.inject(other_host.redirect_here(code), subject.login or "")
    run = sync(config)
    assert other_host.requests == []
    check_failed(sandbox.truth(), run)
    assert oracles.leaked(sandbox.secrets(), run.stdout, run.log) == []


@case("J7", "openx")
@pytest.mark.parametrize(
    "path", ["accounts:signInWithPassword", "/authorize", "/session-info", "/consent", "/oauth2/v1/token"]
)
def test_e11_no_step_of_a_login_is_sent_elsewhere(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, other_host: OtherHost, path: str
) -> None:
    """Of `/authorize`, whose redirect is read by hand, too."""
    proxy.inject(other_host.redirect_here(302), path)
    run = sync(config)
    assert other_host.requests == []
    check_failed(sandbox.truth(), run)


@case("J7", "index_exchange")
@pytest.mark.parametrize("code", STATUSES)
def test_j7_no_file_is_fetched_where_a_redirect_leads(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, other_host: OtherHost, code: int
) -> None:
    proxy.inject(other_host.redirect_here(code), "/files/")
    run = sync(config)
    assert other_host.requests == []
    check_failed(sandbox.truth(), run)


@case("F20", "index_exchange")
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:22/",
        "file:///etc/passwd",
        "ftp://files.example.com/x.gz",
        "http://[::1]/",
        "http://2130706433/",
        "https://2130706433/",
        "https://127.0.0.2/x.gz",
        "https://user:word@files.example.com/x.gz",
        "{other_host}/x.gz",
        "//{host}/x.gz",
    ],
)
def test_f20_a_file_is_not_fetched_from_within(
    sandbox: Sandbox, account: IndexExchangeSandbox, config: Config, other_host: OtherHost, url: str
) -> None:
    address = other_host.url.removeprefix("http://")
    account.file(HourKey(account.hours[0])).download_url = url.format(other_host=other_host.url, host=address)
    run = sync(config)
    assert other_host.requests == []
    truth = sandbox.truth()
    assert run.exit_code == 1
    assert oracles.wrong_exit(truth, run.exit_code, run.messages, run.log) == []
    everything_else = {stream: rows for stream, rows in truth.items() if stream != "index_exchange_files"}
    assert oracles.gaps(everything_else, run.messages) == []
