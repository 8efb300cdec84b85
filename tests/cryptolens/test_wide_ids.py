"""Row ids beyond 32 bits, where the vendor may refuse `StartingAfter`: the log is read from its end instead."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from tests.cryptolens.conftest import PAGE_SIZE
from tests.cryptolens.logs import EVENTS, OBJECT_LOG, WEB_API_LOG, ids, moment, read, requests_for, row_ids, rows, value

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox

WIDE = 2**31


@pytest.fixture(autouse=True)
def _narrow_cursors(cryptolens: CryptolensSandbox) -> None:
    cryptolens.narrow_cursors = True


def directions(sandbox: Sandbox) -> list[str]:
    return [
        "backward" if request.form.get("EndingBefore") else "forward" for request in requests_for(sandbox, WEB_API_LOG)
    ]


def test_all_rows_are_read_from_the_end_and_the_bookmark_reaches_the_newest(sandbox: Sandbox) -> None:
    run = read(sandbox)
    assert run.exit_code == 0, run.log
    assert min(row_ids(sandbox, WEB_API_LOG)) > WIDE
    assert set(ids(run, WEB_API_LOG)) == set(row_ids(sandbox, WEB_API_LOG))
    assert value(run, WEB_API_LOG) == max(row_ids(sandbox, WEB_API_LOG))
    assert directions(sandbox).count("backward") >= 3
    again = read(sandbox, run.state)
    assert ids(again, WEB_API_LOG) == []
    assert again.exit_code == 0


def test_the_next_run_reads_down_to_the_bookmark_only(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    first = read(sandbox)
    sandbox.requests.clear()
    new = [cryptolens.add_row(cryptolens.web_api_log, age=timedelta(hours=1))["id"] for _ in range(3)]
    second = read(sandbox, first.state)
    assert sorted(ids(second, WEB_API_LOG)) == new
    assert directions(sandbox) == ["forward", "backward"]


def test_rows_that_have_not_settled_wait_with_all_behind_the_lowest_of_them(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    log = cryptolens.web_api_log
    settled = cryptolens.add_row(log, age=timedelta(hours=2))["id"]
    young = cryptolens.add_row(log, age=timedelta(seconds=5))["id"]
    behind = cryptolens.add_row(log, age=timedelta(hours=1))["id"]
    run = read(sandbox)
    assert value(run, WEB_API_LOG) == settled
    assert young not in ids(run, WEB_API_LOG)
    later = read(sandbox, run.state, cryptolens_settle_seconds=0)
    assert set(ids(later, WEB_API_LOG)) >= {young, behind}
    assert value(later, WEB_API_LOG) == behind


def test_start_and_end_date_hold_backward_too(sandbox: Sandbox) -> None:
    times = sorted(row["time"] for row in rows(sandbox, WEB_API_LOG))
    start, end = times[len(times) // 3], times[2 * len(times) // 3]
    dates: dict[str, t.Any] = {"start_date": moment(start), "end_date": moment(end)}
    run = read(sandbox, **dates)
    wanted = {row["id"] for row in rows(sandbox, WEB_API_LOG) if start <= row["time"] < end}
    assert set(ids(run, WEB_API_LOG)) == wanted
    bookmark = value(run, WEB_API_LOG)
    assert bookmark is not None
    assert all(row["id"] > bookmark for row in rows(sandbox, WEB_API_LOG) if row["time"] >= end)
    rest = read(sandbox, run.state)
    assert set(ids(rest, WEB_API_LOG)) >= {row["id"] for row in rows(sandbox, WEB_API_LOG) if row["time"] >= end}


def test_a_row_held_back_by_the_end_date_is_read_later_though_rows_behind_it_are_before_the_end(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    log = cryptolens.web_api_log
    held = 3  # on the first page, which the forward cursor still reaches; times do not follow ids exactly
    end = everything[-1]["time"] - 10
    log.entries[held] = log.entries[held]._replace(time=end + 1, rest=b'"time":%d}' % (end + 1))
    run = read(sandbox, end_date=moment(end))
    assert everything[held]["id"] not in ids(run, WEB_API_LOG)
    rest = read(sandbox, run.state)
    assert set(ids(run, WEB_API_LOG)) | set(ids(rest, WEB_API_LOG)) == {row["id"] for row in everything}


def test_a_refusal_in_words_that_no_page_lists_is_taken_for_the_same(sandbox: Sandbox) -> None:
    body = b'{"result": 1, "message": "Value was too large for an Int32"}'
    sandbox.faults.add(Fault(path="GetWebAPILog", skip=1, times=1, body=body))
    run = read(sandbox)
    assert run.exit_code == 0
    assert set(ids(run, WEB_API_LOG)) == set(row_ids(sandbox, WEB_API_LOG))


@pytest.mark.parametrize("backward", [5, [5], "x", {"before": "1"}, {"before": -1}, {"top": True}, {"top": 2**63}])
def test_progress_that_the_tap_did_not_write_is_refused(sandbox: Sandbox, backward: object) -> None:
    entry = {"replication_key": "id", "replication_key_value": WIDE, "progress": {"backward": backward}}
    run = read(sandbox, {"bookmarks": {WEB_API_LOG: entry}})
    assert (run.exit_code, run.stdout) == (1, b"")
    assert f"The bookmark of `{WEB_API_LOG}` in the state cannot be used" in run.log


def test_a_row_without_a_usable_id_is_read_by_the_next_run(sandbox: Sandbox) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    page = [dict(row) for row in everything[: -PAGE_SIZE - 1 : -1]]
    lost = page[2]["id"]
    page[2]["id"] = None
    sandbox.faults.add(Fault(path="GetWebAPILog", skip=2, body=json.dumps({"logs": page, "result": 0}).encode()))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "rows without a usable `id`: 1" in run.log
    assert set(ids(run, WEB_API_LOG)) == {row["id"] for row in everything} - {lost}
    again = read(sandbox, run.state)
    assert (again.exit_code, lost in ids(again, WEB_API_LOG)) == (0, True)


def test_from_every_state_of_a_run_the_next_one_leaves_no_gap(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    run = read(sandbox)
    messages = [message for message in run.messages if message["type"] != "SCHEMA"]
    cut_points = [number for number, message in enumerate(messages) if message["type"] == "STATE"]
    new = cryptolens.add_row(cryptolens.web_api_log, age=timedelta(hours=1))["id"]
    truth = set(row_ids(sandbox, WEB_API_LOG))
    assert len(cut_points) > 4
    for number in cut_points:
        seen = {
            message["record"]["id"]
            for message in messages[:number]
            if message["type"] == "RECORD" and message["stream"] == WEB_API_LOG
        }
        again = read(sandbox, messages[number]["value"])
        assert again.exit_code == 0, again.log
        assert seen | set(ids(again, WEB_API_LOG)) == truth
        assert value(again, WEB_API_LOG) == new


def test_a_bookmark_beyond_the_log_is_refused(sandbox: Sandbox) -> None:
    beyond = max(row_ids(sandbox, WEB_API_LOG)) + 5
    entry: dict[str, t.Any] = {"replication_key": "id", "replication_key_value": beyond}
    run = read(sandbox, {"bookmarks": {WEB_API_LOG: entry}})
    assert run.exit_code == 1
    assert f"the bookmark {beyond} in the state is beyond the log" in run.log


def test_a_log_without_the_other_cursor_fails_by_itself(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.object_log.next_id = WIDE + 10
    for _ in range(PAGE_SIZE + 3):
        cryptolens.add_row(cryptolens.object_log, age=timedelta(hours=1))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "GetObjectLog: the vendor refuses StartingAfter=" in run.log
    assert set(ids(run, EVENTS)) == set(row_ids(sandbox, EVENTS))
    assert set(ids(run, OBJECT_LOG)) < set(row_ids(sandbox, OBJECT_LOG))
    assert value(run, OBJECT_LOG) == max(ids(run, OBJECT_LOG))


def test_a_refusal_of_a_low_cursor_stays_an_error(sandbox: Sandbox) -> None:
    run = read(sandbox, cryptolens_product_id=-1)
    assert run.exit_code == 1
    assert "backward" not in directions(sandbox)
