"""A bookmark beyond every row is told of, never taken for a log without news."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from tests.cryptolens.conftest import PAGE_SIZE
from tests.cryptolens.logs import (
    EVENTS,
    METHODS,
    OBJECT_LOG,
    STREAMS,
    WEB_API_LOG,
    ids,
    read,
    requests_for,
    row_ids,
    state_at,
    value,
)

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox, Log

BEYOND = 1_000_000_000_000


def log_of(cryptolens: CryptolensSandbox, stream: str) -> Log:
    return {WEB_API_LOG: cryptolens.web_api_log, EVENTS: cryptolens.events, OBJECT_LOG: cryptolens.object_log}[stream]


def empty(log: Log) -> None:
    log.entries.clear()


@pytest.mark.parametrize("beyond", [BEYOND, 2**63 - 1])
@pytest.mark.parametrize("stream", STREAMS)
def test_a_bookmark_beyond_every_row_fails_its_stream_in_one_line(sandbox: Sandbox, stream: str, beyond: int) -> None:
    run = read(sandbox, state_at(**{stream: beyond}))
    assert run.exit_code == 1
    assert "2 of 3 streams are complete" in run.log
    (told,) = (line for line in run.log.splitlines() if line.startswith("ERROR"))
    assert f"`{stream}`: cryptolens: {METHODS[stream]}: the bookmark {beyond} in the state is beyond the log" in told
    shown = row_ids(sandbox, stream)[:PAGE_SIZE][-1]
    assert f"which holds row {shown} but none with this id or a higher one. Correct it or" in told
    assert value(run, stream) == beyond
    assert ids(run, stream) == []


@pytest.mark.parametrize("stream", STREAMS)
def test_it_fails_also_right_behind_the_last_row_and_until_an_id_reaches_it(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, stream: str
) -> None:
    log = log_of(cryptolens, stream)
    state = state_at(**{stream: log.next_id})
    assert read(sandbox, state).exit_code == 1
    cryptolens.add_row(log, age=timedelta(minutes=10))  # takes that id
    run = read(sandbox, state)
    assert (run.exit_code, ids(run, stream)) == (0, [])


@pytest.mark.parametrize("stream", STREAMS)
def test_a_log_without_news_is_asked_for_the_row_of_its_bookmark_and_no_more(sandbox: Sandbox, stream: str) -> None:
    first = read(sandbox)
    sandbox.requests.clear()
    assert read(sandbox, first.state).exit_code == 0
    last = row_ids(sandbox, stream)[-1]
    assert [int(request.form["StartingAfter"]) for request in requests_for(sandbox, stream)] == [last, last - 1]


@pytest.mark.parametrize("stream", [EVENTS, OBJECT_LOG])
def test_a_log_whose_rows_have_all_been_purged_has_no_news(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, stream: str
) -> None:
    first = read(sandbox)
    empty(log_of(cryptolens, stream))
    run = read(sandbox, first.state)
    assert (run.exit_code, run.state) == (0, first.state)
    assert f"nothing shows whether its bookmark {value(first, stream)} is right" in run.log
    assert "WARNING" not in run.log


@pytest.mark.parametrize("stream", [EVENTS, OBJECT_LOG])
def test_a_row_dated_in_the_future_that_outlives_the_others_proves_nothing(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, stream: str
) -> None:
    log = log_of(cryptolens, stream)
    empty(log)
    cryptolens.add_row(log, age=timedelta(days=-365 * 70))
    assert read(sandbox, state_at(**{stream: BEYOND})).exit_code == 0


def test_the_log_that_is_kept_for_ever_is_not_empty_behind_a_bookmark(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    first = read(sandbox)
    empty(cryptolens.web_api_log)
    run = read(sandbox, first.state)
    assert run.exit_code == 1
    assert "is beyond the log, which holds no rows. Correct it or" in run.log


def test_the_row_of_a_bookmark_may_be_gone_where_later_ones_come(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    log = cryptolens.web_api_log
    before = row_ids(sandbox, WEB_API_LOG)
    log.entries.pop(20)
    run = read(sandbox, state_at(**{WEB_API_LOG: before[20]}))
    assert (run.exit_code, ids(run, WEB_API_LOG)) == (0, before[21:])


def test_an_empty_log_without_a_bookmark_is_asked_once(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    empty(cryptolens.web_api_log)
    assert read(sandbox).exit_code == 0
    assert len(requests_for(sandbox, WEB_API_LOG)) == 1
