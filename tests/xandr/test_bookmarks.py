"""Each stream has a bookmark of its own per service, and one pass serves both."""

from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.faults import Fault
from tests.support.tap_runs import sync
from tests.xandr.runs import DETAIL, LOG, asked, catalog, config, keys, true_keys

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox

SERVICES = ["line-item"]


def line_items(xandr: XandrSandbox) -> list[int]:
    return sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})


def test_with_the_details_alone_selected_their_bookmark_advances(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=SERVICES), catalog=catalog(DETAIL))
    assert first.exit_code == 0
    assert not first.records(LOG)
    assert "xandr_change_log" not in {message.get("stream") for message in first.messages}
    assert not first.bookmark(LOG)
    newest = max(record["created_on"] for record in first.records(DETAIL))
    assert first.bookmark(DETAIL)["parts"]["line-item"]["replication_key_value"] == newest
    row = xandr.change("line-item", line_items(xandr)[0])
    sandbox.requests.clear()
    second = sync(config(sandbox, services=SERVICES), first.state, catalog(DETAIL))
    assert keys(second.records(DETAIL)) == keys([row])
    assert len(asked(sandbox, "change-log")) == 1


def test_a_stream_selected_later_gets_all_and_the_other_only_news(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=SERVICES), catalog=catalog(LOG))
    row = xandr.change("line-item", line_items(xandr)[0])
    both = sync(config(sandbox, services=SERVICES), first.state)
    truth = {key for key in true_keys(xandr) if key[0] == "line-item"}
    assert keys(both.records(DETAIL)) == truth
    assert keys([row]) <= keys(both.records(LOG))
    assert len(both.records(LOG)) < len(truth)


def test_details_that_fail_leave_the_change_log_complete(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    fault = sandbox.faults.add(Fault(path="/change-log-detail", skip=3, times=None, status=500))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert "Failed: `xandr_change_log_detail`" in run.log
    assert "1 of 2 streams are complete" in run.log
    truth = {key for key in true_keys(xandr) if key[0] == "line-item"}
    assert keys(run.records(LOG)) == truth
    assert "replication_key_value" in run.bookmark(LOG)["parts"]["line-item"]
    assert "replication_key_value" not in run.bookmark(DETAIL)["parts"]["line-item"]
    fault.status = None
    sandbox.faults.replace([])
    again = sync(config(sandbox, services=SERVICES), run.state)
    assert again.exit_code == 0
    assert keys(run.records(DETAIL)) | keys(again.records(DETAIL)) == truth
    assert not again.records(LOG)


def test_a_list_that_fails_fails_both_and_names_both(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(path="/xandr/line-item", times=None, status=500))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert "`xandr_change_log`, `xandr_change_log_detail`:" in run.log
    assert "0 of 2 streams are complete" in run.log


def test_a_failure_half_way_is_gone_on_from(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 30}, changes=2)
    items = line_items(xandr)
    sandbox.faults.add(Fault(path="/change-log", parameters={"resource_id": str(items[20])}, times=None, status=503))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert {record["resource_id"] for record in run.records(LOG)} == set(items[:20])
    assert run.bookmark(LOG)["parts"]["line-item"]["progress"]["after"] == items[19]
    sandbox.faults.replace([])
    sandbox.requests.clear()
    again = sync(config(sandbox, services=SERVICES), run.state)
    assert {record["resource_id"] for record in again.records(LOG)} == set(items[20:])
    assert {query["resource_id"] for query in asked(sandbox, "change-log")} == set(map(str, items[20:]))
    for stream in (LOG, DETAIL):
        assert keys(run.records(stream)) | keys(again.records(stream)) == true_keys(xandr)


def test_other_filters_start_over_and_the_old_bookmark_comes_back(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=SERVICES))
    wanted = {"line-item": line_items(xandr)[:1]}
    other = sync(config(sandbox, services=SERVICES, resource_ids=wanted), first.state)
    assert "The filters of this stream have changed" in other.log
    assert {record["resource_id"] for record in other.records(LOG)} == set(wanted["line-item"])
    back = sync(config(sandbox, services=SERVICES), other.state)
    assert not back.records(LOG)
    assert not back.records(DETAIL)


def test_a_service_configured_later_is_read_from_its_beginning(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=SERVICES))
    second = sync(config(sandbox, services=["line-item", "creative"]), first.state)
    assert keys(second.records(LOG)) == {key for key in true_keys(xandr) if key[0] == "creative"}


def test_a_newly_given_look_back_widens_the_next_sweep(sandbox: Sandbox) -> None:
    first = sync(config(sandbox, services=SERVICES))
    everything = sync(config(sandbox, services=SERVICES, lookback_hours=24 * 400), first.state)
    assert keys(everything.records(LOG)) == keys(first.records(LOG))


def test_garbage_in_the_bookmark_of_a_service_is_refused(sandbox: Sandbox) -> None:
    first = sync(config(sandbox, services=SERVICES))
    part = first.bookmark(LOG)["parts"]["line-item"]
    for change in ({"replication_key_value": "soon"}, {"progress": {"after": 5}}, {"notes": {"swept": 7}}):
        broken = {**first.state, "bookmarks": {LOG: {"parts": {"line-item": {**part, **change}}}}}
        run = sync(config(sandbox, services=SERVICES), broken)
        assert run.exit_code == 1
        assert "cannot be used" in run.log
        assert not run.records(LOG)


@pytest.mark.case("H9", "xandr")
def test_the_state_stays_small_however_many_objects_there_are(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 500}, changes=1)
    lines = [
        line
        for line in sync(
            config(sandbox, services=SERVICES, max_concurrency=8), catalog=catalog(LOG)
        ).stdout.splitlines()
        if b'"type":"STATE"' in line
    ]
    assert len(lines) > 500
    assert max(map(len, lines)) < 2000
