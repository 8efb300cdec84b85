"""Whatever the network or the vendor answers: no half page, no silent end, no endless wait."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta
from email.utils import format_datetime
from unittest import mock

import pytest

from tap_auditlogs.core.http.throttle import Throttle
from tap_auditlogs.vendors.pigment import client as pigment_client
from tap_auditlogs.vendors.xandr import client as xandr_client
from tests.faults import oracles
from tests.faults.marks import case, every_vendor, every_vendor_with_tokens, vendors
from tests.faults.proxy import CUTS, SILENT, after, html, rewritten, sent_slowly, status
from tests.faults.runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import Action, FaultProxy
    from tests.faults.subjects import Subject
    from tests.support.tap_runs import Clock, Run

Config: t.TypeAlias = "dict[str, t.Any]"

PASSING = {
    **CUTS,
    **{f"D4-{code}": status(code) for code in (500, 502, 503, 504)},
    **{f"D6-{code}": status(code) for code in (408, 425, 520)},
    "D11-html": html(),
    "D12-no-content": status(204, body=""),
    "D12-empty": status(200, body=""),
}
NO_PAGES = {"object": "{}", "array": "[]", "null": "null", "text": '"x"', "number": "7", "other object": '{"data": 1}'}


def check_failed(truth: oracles.Truth, run: Run) -> None:
    """A run that failed says so, and covers nothing that it has not written."""
    assert run.exit_code == 1
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.wrong_exit(truth, run.exit_code, run.messages, run.log) == []
    assert oracles.premature_states(truth, run.messages) == []


@case("D4")
@case("D6")
@case("D7")
@case("D8")
@case("D9")
@case("D11")
@case("D12")
@pytest.mark.parametrize("fault", PASSING)
@every_vendor
def test_d4_to_d12_what_breaks_twice_is_read_whole(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float], fault: str
) -> None:
    act: Action = PASSING[fault]
    proxy.inject(act, subject.page, skip=1, times=2)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert oracles.unknown_records(sandbox.truth(), run.messages) == []
    assert len(waits) == 2


@case("D5")
@case("D7")
@case("D11")
@pytest.mark.parametrize("fault", ["D7-reset", "D8-fitting-length", "D9-gzip", "D4-503", "D11-html"])
@every_vendor
def test_d5_what_stays_broken_ends_within_the_budget(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float], fault: str
) -> None:
    act: Action = PASSING[fault]
    proxy.inject(act, subject.page, skip=1)
    run = sync({**config, "max_retry_wait_seconds": 20})
    check_failed(sandbox.truth(), run)
    assert waits
    assert sum(waits) <= 20 * 4  # each failing stream has a budget of its own: Cryptolens has three


@case("A4")
@case("D12")
@pytest.mark.parametrize("body", NO_PAGES)
@every_vendor
def test_a4_what_is_no_page_is_never_the_end(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, body: str
) -> None:
    if (subject.name, body) == ("openx", "array"):
        pytest.skip("an early sample of the vendor's is a bare array: an empty one is a page without rows")
    proxy.inject(status(200, body=NO_PAGES[body]), subject.page, skip=1)
    check_failed(sandbox.truth(), sync(config))


@case("D10")
@vendors("cryptolens", "xandr")
def test_d10_an_error_with_status_200_is_an_error(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject
) -> None:
    proxy.inject(rewritten(lambda _body: subject.error), subject.page, skip=2)
    check_failed(sandbox.truth(), sync(config))


# Waiting.


@case("D1")
@every_vendor
def test_d1_a_wait_asked_for_is_waited(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    proxy.inject(status(429, {"Retry-After": "7"}), subject.page, skip=1, times=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.too_short_waits(waits, asked=7) == []
    assert max(waits) < 10
    assert oracles.gaps(sandbox.truth(), run.messages) == []


@case("E6")
@every_vendor_with_tokens
def test_e6_a_login_waits_as_long_as_it_is_asked(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float]
) -> None:
    proxy.inject(status(429, {"Retry-After": "7"}), subject.login or "", times=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.too_short_waits(waits, asked=7) == []
    proxy.clear_faults()
    waits.clear()
    proxy.inject(status(429, {"Retry-After": "86400"}), subject.login or "")
    check_failed(sandbox.truth(), sync(config))
    assert waits == []


@case("D2")
@every_vendor
def test_d2_a_wait_until_a_date_is_waited(
    proxy: FaultProxy, config: Config, subject: Subject, clock: Clock, waits: list[float]
) -> None:
    until = format_datetime(clock() + timedelta(seconds=30), usegmt=True)
    proxy.inject(status(503, {"Retry-After": until}), subject.page, skip=1, times=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.too_short_waits(waits, asked=25) == []
    assert max(waits) < 35


@case("D3")
@pytest.mark.parametrize("retry_after", ["86400", "1e9", "9" * 400])
@every_vendor
def test_d3_a_wait_of_a_day_is_not_waited(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, waits: list[float], retry_after: str
) -> None:
    proxy.inject(status(429, {"Retry-After": retry_after}), subject.page, skip=1)
    check_failed(sandbox.truth(), sync(config))
    assert waits == []


@case("D3")
@pytest.mark.parametrize("retry_after", ["-5", "nan", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
@every_vendor
def test_d3_a_wait_that_says_nothing_is_not_believed(
    proxy: FaultProxy, config: Config, subject: Subject, waits: list[float], retry_after: str
) -> None:
    proxy.inject(status(503, {"Retry-After": retry_after}), subject.page, skip=1, times=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert 0 <= max(waits) < 5


@case("D15")
@case("D16")
@pytest.mark.parametrize("slow", [sent_slowly, SILENT], ids=["drip", "silence"])
@every_vendor
def test_d15_an_answer_without_an_end_ends(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, slow: Action
) -> None:
    proxy.inject(slow, subject.page, skip=1)
    run = sync({**config, "request_timeout_seconds": 0.2, "max_retry_wait_seconds": 0})
    check_failed(sandbox.truth(), run)
    assert "no complete answer within 0.2 s" in run.log


# Pace.


def paced_requests(proxy: FaultProxy, config: Config) -> list[float]:
    """Run with a pace of four requests in 0.2 s, and give when they came."""
    moments: list[float] = []
    proxy.inject(after(lambda: moments.append(time.monotonic())))

    def four(_requests: int, *, per_seconds: float) -> Throttle:
        assert per_seconds in {60.0, pigment_client.WINDOW_SECONDS}
        return Throttle(4, per_seconds=0.2)

    with mock.patch.object(pigment_client, "Throttle", four), mock.patch.object(xandr_client, "Throttle", four):
        assert sync(config).exit_code == 0
    return sorted(moments)


@case("D21")
@vendors("pigment", "xandr")
def test_d21_no_window_of_time_sees_more_requests_than_the_limit(proxy: FaultProxy, config: Config) -> None:
    moments = paced_requests(proxy, config)
    assert len(moments) > 4
    # Half the window, since a request may reach the proxy late on a busy machine; unpaced, four take milliseconds.
    assert oracles.too_fast(moments, most=4, per_seconds=0.1) == []
