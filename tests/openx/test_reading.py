"""What is read, and with which requests."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox
from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.vendors.openx.streams import day_before
from tests.openx.runs import STREAM, asked, config, ids, keys, true_keys
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from tests.support.tap_runs import Clock

ORDERS = ["order"]


def test_every_revision_of_every_object_comes_once(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    run = sync(config(sandbox))
    assert run.exit_code == 0, run.log
    assert keys(run.records(STREAM)) == true_keys(openx)
    assert len(run.records(STREAM)) == len(true_keys(openx))


def test_records_fit_the_schema_in_ascending_order_with_a_state_after_each_object(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, object_types=ORDERS))
    (schema,) = [message["schema"] for message in run.messages if message["type"] == "SCHEMA"]
    since_state = set()
    for message in run.messages:
        if message["type"] == "RECORD":
            DEFAULT_JSONSCHEMA_VALIDATOR(schema).validate(message["record"])
            since_state.add(message["record"]["obj_id"])
            assert len(since_state) == 1
        elif message["type"] == "STATE":
            since_state.clear()
    order = [(int(record["obj_id"]), record["revision"]) for record in run.records(STREAM)]
    assert order == sorted(order)


def test_the_same_content_type_goes_with_every_api_call(sandbox: Sandbox) -> None:
    sync(config(sandbox, object_types=ORDERS))
    calls = [request for request in sandbox.requests if "/ox/4.0/" in request.path]
    assert calls
    assert all(request.headers["Content-Type"] == "application/json" for request in calls)


@pytest.mark.case("C8", "openx")
def test_each_page_of_a_history_begins_with_the_last_row_received(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.paging.most = 7
    run = sync(config(sandbox, object_types=ORDERS))
    assert keys(run.records(STREAM)) == true_keys(openx, "order")
    longest = max(ids(openx, "order"), key=lambda each: sum(key[1] == str(each) for key in true_keys(openx)))
    offsets = [int(query["offset"]) for query in asked(sandbox, "/audittrail") if query["obj_id"] == str(longest)]
    assert offsets == list(range(0, offsets[-1] + 1, 6))
    assert len(offsets) > 3


def test_a_page_size_that_is_refused_falls_back(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.paging.most, openx.paging.beyond_most = 30, "refuse"
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0
    assert keys(run.records(STREAM)) == true_keys(openx, "order")
    assert [query["limit"] for query in asked(sandbox, "/audittrail")].count("100") <= 4


@pytest.mark.parametrize("newest_first", [True, False])
def test_objects_that_come_in_while_listing_hide_no_other(
    sandbox: Sandbox, openx: OpenxSandbox, newest_first: bool
) -> None:
    openx.fill({"order": 60}, changes=1)
    openx.paging.most = 10
    openx.listing.newest_first = newest_first
    before = true_keys(openx, "order")

    def add_some(_request: object) -> None:
        openx.add("order")

    sandbox.faults.add(Fault(path="/order", skip=1, times=4, callback=add_some))
    run = sync(config(sandbox, object_types=ORDERS))
    assert before <= keys(run.records(STREAM))


def test_objects_that_go_while_listing_hide_no_other(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 60}, changes=1)
    openx.paging.most = 10
    gone = iter(ids(openx, "order"))

    def remove_some(_request: object) -> None:
        for _ in range(3):
            openx.delete("order", next(gone))

    sandbox.faults.add(Fault(path="/order", skip=1, times=4, callback=remove_some))
    run = sync(config(sandbox, object_types=ORDERS))
    assert true_keys(openx, "order") <= keys(run.records(STREAM))


def test_revisions_that_come_in_while_paging_hide_no_other(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.paging.most = 10
    openx.audit_trail.head_inserts = 3
    before = true_keys(openx, "order")
    run = sync(config(sandbox, object_types=ORDERS))
    openx.audit_trail.head_inserts = 0
    assert before <= keys(run.records(STREAM))
    again = sync(config(sandbox, object_types=ORDERS), run.state)
    assert keys(run.records(STREAM)) | keys(again.records(STREAM)) == true_keys(openx, "order")


@pytest.mark.case("C3", "openx")
def test_an_empty_page_that_promises_more_is_asked_again(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    page = b'{"objects": [], "has_more": true, "limit": 100, "offset": 0}'
    sandbox.faults.add(Fault(path="/audittrail", times=2, body=page))
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0
    assert keys(run.records(STREAM)) == true_keys(openx, "order")


def test_a_bare_array_is_understood(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    order = ids(openx, "order")[0]
    body = b'[{"obj_type": "order", "obj_id": "%d", "revision": 1, "timestamp": "2026-01-21 23:08:39"}]' % order
    sandbox.faults.add(Fault(path="/audittrail", times=None, body=body))
    run = sync(config(sandbox, object_ids={"order": [order]}))
    assert run.exit_code == 0
    assert [record["timestamp"] for record in run.records(STREAM) if record["obj_type"] == "order"][:1] == [
        "2026-01-21T23:08:39.000000Z"
    ]


@pytest.mark.case("B12", "openx")
def test_revisions_are_put_in_order_where_the_vendor_does_not(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    rows = b", ".join(b'{"revision": %d, "timestamp": "2026-01-0%d 00:00:00"}' % (each, each) for each in (3, 2, 1))
    sandbox.faults.add(Fault(path="/audittrail", times=None, body=b'{"has_more": false, "objects": [%b]}' % rows))
    run = sync(config(sandbox, object_types=ORDERS, object_ids={"order": [ids(openx, "order")[0]]}))
    assert [record["revision"] for record in run.records(STREAM)] == [1, 2, 3]


@pytest.mark.case("G9", "openx")
def test_rows_without_a_revision_are_kept_apart(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    order = ids(openx, "order")[0]
    rows = b'{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}'
    sandbox.faults.add(Fault(path="/audittrail", times=None, body=b'{"has_more": false, "objects": [%b]}' % rows))
    run = sync(config(sandbox, object_types=ORDERS, object_ids={"order": [order]}))
    assert run.exit_code == 0
    assert {record["ip"] for record in run.records(STREAM)} == {"10.0.0.1", "10.0.0.2"}
    assert len(keys(run.records(STREAM))) == 2
    assert all(record["revision"] < 0 and record["obj_id"] == str(order) for record in run.records(STREAM))


@pytest.mark.case("B14", "openx")
def test_the_filter_knows_days_and_the_rest_is_cut_here(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    moments = sorted(record["timestamp"] for record in sync(config(sandbox, object_types=ORDERS)).records(STREAM))
    start, end = moments[len(moments) // 3], moments[2 * len(moments) // 3]
    for precision in ("day", "midnight"):
        openx.audit_trail.timestamp_precision = precision
        sandbox.requests.clear()
        run = sync({**config(sandbox, object_types=ORDERS), "start_date": start, "end_date": end})
        assert sorted(record["timestamp"] for record in run.records(STREAM)) == [
            moment for moment in moments if start <= moment < end
        ]
        assert {query["timestamp>"] for query in asked(sandbox, "/audittrail")} == {day_before(parse_timestamp(start))}


def test_only_changes_of_one_user_are_read_if_asked(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    everything = sync(config(sandbox, object_types=ORDERS))
    email = everything.records(STREAM)[0]["user"]["email"]
    run = sync(config(sandbox, object_types=ORDERS, user=email))
    assert {record["user"]["email"] for record in run.records(STREAM)} == {email}
    assert len(run.records(STREAM)) < len(everything.records(STREAM))
    sandbox.requests.clear()
    sync(config(sandbox, object_types=ORDERS, user="with+plus@example.com"))
    assert "user=with%2Bplus%40example.com" in next(
        request.query for request in sandbox.requests if request.path.endswith("/audittrail")
    )
    del openx


def test_configured_ids_are_read_without_a_list(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    wanted = ids(openx, "order")[:2]
    run = sync(config(sandbox, object_types=ORDERS, object_ids={"order": [str(wanted[0]), wanted[1]]}))
    assert {record["obj_id"] for record in run.records(STREAM)} == set(map(str, wanted))
    assert not asked(sandbox, "/order")


def test_only_changed_objects_are_asked_again(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    first = sync(config(sandbox))
    changed = ids(openx, "order")[1]
    row = openx.change("order", changed)
    sandbox.requests.clear()
    second = sync(config(sandbox), first.state)
    assert [query["obj_id"] for query in asked(sandbox, "/audittrail")] == [str(changed)]
    assert keys([row]) <= keys(second.records(STREAM))


def test_a_run_without_news_writes_no_record_and_leaves_the_state(sandbox: Sandbox) -> None:
    first = sync(config(sandbox))
    second = sync(config(sandbox), first.state)
    assert second.exit_code == 0
    assert not second.records(STREAM)
    assert second.state == first.state


def test_a_change_that_did_not_bump_its_object_is_found_by_the_next_full_scan(clock: Clock) -> None:
    clock.shift = -timedelta(days=8)
    with Sandbox(seed=5, vendors=["openx"], size=1800, clock=clock) as sandbox:
        openx = sandbox.vendor("openx", OpenxSandbox)
        state = sync(config(sandbox, object_types=ORDERS)).state
        clock.shift = -timedelta(days=2)
        unnoticed = openx.change("order", ids(openx, "order")[0], age=timedelta(days=5), bump=False)
        run = sync(config(sandbox, object_types=ORDERS), state)
        assert not keys([unnoticed]) & keys(run.records(STREAM))
        clock.shift = -timedelta(hours=23)
        run = sync(config(sandbox, object_types=ORDERS), run.state)
        assert keys([unnoticed]) <= keys(run.records(STREAM))
        sandbox.requests.clear()
        assert sync(config(sandbox, object_types=ORDERS), run.state).exit_code == 0
        assert not asked(sandbox, "/audittrail")


def test_a_sweep_left_long_ago_is_finished_and_then_brought_up_to_date(clock: Clock) -> None:
    clock.shift = -timedelta(days=3)
    with Sandbox(seed=5, vendors=["openx"], size=1800, clock=clock) as sandbox:
        openx = sandbox.vendor("openx", OpenxSandbox)
        orders = ids(openx, "order")
        sandbox.faults.add(Fault(path="/audittrail", parameters={"obj_id": str(orders[1])}, times=None, status=500))
        left = sync(config(sandbox, object_types=ORDERS))
        assert left.exit_code == 1
        assert left.bookmark(STREAM)["parts"]["order"]["progress"]["after"] == orders[0]
        sandbox.faults.replace([])
        clock.shift = -timedelta(days=1)
        openx.change("order", orders[0])
        run = sync(config(sandbox, object_types=ORDERS), left.state)
        assert run.exit_code == 0
        assert keys(left.records(STREAM)) | keys(run.records(STREAM)) == true_keys(openx, "order")


@pytest.mark.case("H11", "openx")
def test_another_instance_starts_over(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    first = sync(config(sandbox, object_types=ORDERS))
    openx.account.instance_host = "ui.other.openx.example"
    second = sync(config(sandbox, object_types=ORDERS), first.state)
    assert keys(second.records(STREAM)) == keys(first.records(STREAM))
    assert "other.openx" not in str(second.state)


@pytest.mark.case("H9", "openx")
def test_the_state_stays_small_however_many_objects_there_are(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 500}, changes=1)
    run = sync(config(sandbox, object_types=ORDERS, max_concurrency=8))
    lines = [line for line in run.stdout.splitlines() if b'"type":"STATE"' in line]
    assert len(lines) > 500
    assert max(map(len, lines)) < 2000
