"""What is read, and with which requests."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.xandr import XandrSandbox
from tests.support.tap_runs import Clock, sync
from tests.xandr.runs import DETAIL, LOG, asked, catalog, config, keys, true_keys

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from tests.support.tap_process import TapRunner

SERVICES = ["line-item"]


def test_both_streams_hold_every_transaction_of_every_service(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    run = sync(config(sandbox))
    assert run.exit_code == 0, run.log
    assert keys(run.records(LOG)) == true_keys(xandr)
    assert keys(run.records(DETAIL)) == true_keys(xandr)
    assert len(run.records(LOG)) == len(true_keys(xandr))


def test_one_pass_lists_for_both_streams_and_logs_in_once(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    assert sync(config(sandbox)).exit_code == 0
    listed = [(query["service"], query["resource_id"]) for query in asked(sandbox, "change-log")]
    once = {
        pair for pair, query in zip(listed, asked(sandbox, "change-log"), strict=True) if query["start_element"] == "0"
    }
    objects = {(service, str(resource_id)) for service, resource_id, _ in true_keys(xandr)}
    assert objects <= once
    assert sum(query["start_element"] == "0" for query in asked(sandbox, "change-log")) == len(once)
    assert len(asked(sandbox, "change-log-detail")) == len(true_keys(xandr))
    assert all(query["previous_object"] == "true" for query in asked(sandbox, "change-log-detail"))
    assert len(asked(sandbox, "auth")) == 1


def test_each_stream_logs_how_many_records_it_wrote(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, services=SERVICES))
    metrics = [json.loads(line.partition("METRIC: ")[2]) for line in run.log.splitlines() if "METRIC: " in line]
    counts = {point["tags"]["stream"]: point["value"] for point in metrics if point["metric"] == "record_count"}
    assert counts == {stream: len(run.records(stream)) for stream in (LOG, DETAIL)}
    assert counts[DETAIL] > 0


def test_records_fit_their_schemas_and_each_object_ends_with_a_state(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, services=SERVICES))
    validators = {}
    objects_since_state: set[int] = set()
    for message in run.messages:
        match message["type"]:
            case "SCHEMA":
                assert message["stream"] not in validators, "one SCHEMA per stream"
                validators[message["stream"]] = DEFAULT_JSONSCHEMA_VALIDATOR(message["schema"])
            case "RECORD":
                validators[message["stream"]].validate(message["record"])
                objects_since_state.add(message["record"]["resource_id"])
                assert len(objects_since_state) == 1
            case "STATE":
                objects_since_state.clear()
    assert set(validators) == {LOG, DETAIL}


def test_objects_come_by_ascending_id_and_transactions_by_time(sandbox: Sandbox) -> None:
    records = sync(config(sandbox, services=SERVICES, max_concurrency=8)).records(LOG)
    order = [(record["resource_id"], record["created_on"]) for record in records]
    assert order == sorted(order)


def test_what_nobody_asked_for_is_left_out(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    run = sync(config(sandbox))
    for record in run.records(DETAIL):
        assert record["session_id"] is None
        assert record["raw_json"] is None
        assert all(change["changed"] for change in record["changes"])
        assert record["num_of_changes"] == len(record["changes"])
        assert record["plugin_id"] in {None, 77}
    assert not any(token in run.stdout.decode() + run.log for token in xandr.transactions.session_ids)


def test_what_is_asked_for_comes(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    wanted = {"include_session_id": True, "include_raw_json": True, "include_unchanged_fields": True}
    run = sync(config(sandbox, services=SERVICES, **wanted))
    truth = {
        (row["service"], row["resource_id"], row["transaction_id"]): row
        for row in xandr.truth()[DETAIL]
        if row["service"] in SERVICES
    }
    for record in run.records(DETAIL):
        row = truth[record["service"], record["resource_id"], record["transaction_id"]]
        assert record["session_id"] == row["session_id"]
        assert record["raw_json"] == row["raw_json"]
        assert len(record["changes"]) == len(row["changes"])
        for change, original in zip(record["changes"], row["changes"], strict=True):
            for name in ("old_value", "new_value"):
                assert isinstance(change[name], str)
                assert json.loads(change[name]) == original[name]


def test_additional_fields_are_asked_for_and_kept(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, services=SERVICES, additional_fields=["user_id", "request_source", "object_json"]))
    assert all(json.loads(record["object_json"]) for record in run.records(LOG))
    assert all(record["user_id"] and record["request_source"] for record in run.records(LOG))
    sandbox.requests.clear()
    run = sync(config(sandbox, services=SERVICES, additional_fields=[]))
    assert all(record["user_id"] is None for record in run.records(LOG))
    assert all("additional_fields" not in query for query in asked(sandbox, "change-log"))


@pytest.mark.parametrize("name", ["transactions_with_changes", "modified_by_admin", "modified_by_plugin"])
def test_the_vendors_filters_are_passed_on(sandbox: Sandbox, name: str) -> None:
    everything = sync(config(sandbox, services=SERVICES)).records(LOG)
    sandbox.requests.clear()
    some = sync(config(sandbox, services=SERVICES, **{name: True})).records(LOG)
    assert 0 < len(some) < len(everything)
    assert {query[name] for query in asked(sandbox, "change-log")} == {"true"}


@pytest.mark.case("B14", "xandr")
@pytest.mark.parametrize("bounds", ["exclusive", "inclusive"])
def test_start_date_is_inclusive_and_end_date_exclusive(
    sandbox: Sandbox, xandr: XandrSandbox, bounds: t.Literal["exclusive", "inclusive"]
) -> None:
    xandr.change_log.bounds = bounds
    moments = sorted({record["created_on"] for record in sync(config(sandbox, services=SERVICES)).records(LOG)})
    start, end = moments[len(moments) // 3], moments[2 * len(moments) // 3]
    run = sync({**config(sandbox, services=SERVICES), "start_date": start, "end_date": end})
    for stream in (LOG, DETAIL):
        found = sorted({record["created_on"] for record in run.records(stream)})
        assert found == [moment for moment in moments if start <= moment < end]
        assert run.bookmark(stream)["parts"]["line-item"]["replication_key_value"] == found[-1]


def test_scoped_services_are_listed_through_all_their_parents(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    run = sync(config(sandbox, services=["placement", "profile", "payment-rule"]))
    scopes = {"placement", "profile", "payment-rule"}
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[0] in scopes}
    assert all("publisher_id" in query for query in asked(sandbox, "placement"))
    assert {name for query in asked(sandbox, "profile") for name in query} >= {"advertiser_id", "publisher_id"}


def test_a_buyer_without_publishers_still_has_its_profiles_read(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.listing.unlistable_services.add("publisher")
    run = sync(config(sandbox, services=["profile", "advertiser"]))
    assert run.exit_code == 0
    assert any(record["service"] == "profile" for record in run.records(LOG))


def test_a_single_result_comes_as_an_object_or_as_a_list(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 1, "site": 1}, changes=2)
    for single in (True, False):
        xandr.listing.single_as_object = single
        assert keys(sync(config(sandbox, services=["line-item", "site"])).records(LOG)) == true_keys(xandr)


def test_configured_ids_are_read_without_a_list(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    wanted = sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})[:2]
    run = sync(config(sandbox, services=["line-item"], resource_ids={"line-item": wanted}))
    assert {record["resource_id"] for record in run.records(LOG)} == set(wanted)
    assert not asked(sandbox, "line-item")


def test_only_changed_objects_are_asked_again(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox))
    changed = sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})[1]
    row = xandr.change("line-item", changed)
    sandbox.requests.clear()
    second = sync(config(sandbox), first.state)
    assert [query["resource_id"] for query in asked(sandbox, "change-log")] == [str(changed)]
    assert keys([row]) <= keys(second.records(LOG))
    assert keys([row]) <= keys(second.records(DETAIL))
    assert keys(second.records(LOG)) == keys(second.records(DETAIL))


def test_deals_are_never_filtered_by_their_local_time(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=["deal", "line-item"]))
    deal = next(key[1] for key in true_keys(xandr) if key[0] == "deal")
    row = xandr.change("deal", deal)
    sandbox.requests.clear()
    second = sync(config(sandbox, services=["deal", "line-item"]), first.state)
    assert all("min_last_modified" not in query for query in asked(sandbox, "deal"))
    assert all("min_last_modified" in query for query in asked(sandbox, "line-item"))
    assert keys([row]) <= keys(second.records(LOG))


def test_a_run_without_news_writes_no_record_and_leaves_the_state(sandbox: Sandbox) -> None:
    first = sync(config(sandbox))
    second = sync(config(sandbox), first.state)
    assert second.exit_code == 0
    assert not second.records(LOG)
    assert not second.records(DETAIL)
    assert second.state == first.state


def test_a_late_change_within_the_look_back_is_found(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    first = sync(config(sandbox, services=SERVICES))
    line_items = sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})
    xandr.change("line-item", line_items[0])
    second = sync(config(sandbox, services=SERVICES), first.state)
    late = xandr.change("line-item", line_items[1], age=timedelta(minutes=59))
    third = sync(config(sandbox, services=SERVICES), second.state)
    assert keys([late]) <= keys(third.records(LOG))


def test_a_change_that_did_not_bump_its_object_is_found_by_the_next_full_scan(clock: Clock) -> None:
    clock.shift = -timedelta(days=8)
    with Sandbox(seed=5, vendors=["xandr"], size=1800, clock=clock) as sandbox:
        xandr = sandbox.vendor("xandr", XandrSandbox)
        state = sync(config(sandbox, services=SERVICES)).state
        clock.shift = -timedelta(days=2)
        line_item = min(key[1] for key in true_keys(xandr) if key[0] == "line-item")
        unnoticed = xandr.change("line-item", line_item, age=timedelta(days=5), bump=False)
        run = sync(config(sandbox, services=SERVICES), state)
        assert not keys([unnoticed]) & keys(run.records(LOG))
        clock.shift = -timedelta(hours=23)
        run = sync(config(sandbox, services=SERVICES), run.state)
        assert keys([unnoticed]) <= keys(run.records(LOG))
        assert keys([unnoticed]) <= keys(run.records(DETAIL))
        sandbox.requests.clear()
        assert sync(config(sandbox, services=SERVICES), run.state).exit_code == 0
        assert not asked(sandbox, "change-log")


@pytest.mark.case("C1", "xandr")
@pytest.mark.case("C9", "xandr")
def test_histories_longer_than_a_page_are_read_whole_while_more_is_added(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 1}, changes=350)
    line_item = next(xandr.truth_keys())[1]
    before = true_keys(xandr)

    def add_one(_request: Request) -> None:
        xandr.change("line-item", line_item)

    sandbox.faults.add(Fault(path="/change-log", skip=1, times=4, callback=add_one))
    run = sync(config(sandbox, services=SERVICES), catalog=catalog(LOG))
    assert before <= keys(run.records(LOG))
    again = sync(config(sandbox, services=SERVICES), run.state, catalog(LOG))
    assert keys(run.records(LOG)) | keys(again.records(LOG)) == true_keys(xandr)


def test_a_transaction_of_several_objects_comes_for_each(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    line_items = sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})[:3]
    rows = xandr.bulk_edit("line-item", line_items)
    run = sync(config(sandbox, services=SERVICES))
    assert keys(rows) <= keys(run.records(LOG))
    assert keys(rows) <= keys(run.records(DETAIL))


def test_a_deleted_object_between_list_and_history_is_skipped_and_named(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    line_items = sorted({key[1] for key in true_keys(xandr) if key[0] == "line-item"})
    sandbox.faults.add(
        Fault(
            path="/change-log",
            parameters={"resource_id": str(line_items[0])},
            callback=lambda _request: xandr.delete("line-item", line_items[-1]),
        )
    )
    run = sync(config(sandbox, services=SERVICES, max_concurrency=1))
    assert run.exit_code == 0
    assert f"refused and are skipped: {line_items[-1]}" in run.log
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[0] == "line-item"}


def test_selection_maps_and_a_test_run_work_for_both_streams(sandbox: Sandbox, tap_runner: TapRunner) -> None:
    everything = sync(config(sandbox, services=SERVICES))
    run = sync(
        {**config(sandbox, services=SERVICES), "stream_maps": {DETAIL: {"__alias__": "details", "url": None}}},
        catalog=catalog(LOG, DETAIL, without=["user_full_name", "client_ip", "request_source"]),
    )
    assert run.exit_code == 0
    for stream in (LOG, DETAIL):
        value = run.bookmark(stream)["parts"]["line-item"]["replication_key_value"]
        assert value == everything.bookmark(stream)["parts"]["line-item"]["replication_key_value"]
    assert len(run.records("details")) == len(everything.records(DETAIL))
    assert {"url", "user_full_name", "client_ip"}.isdisjoint(run.records("details")[0])
    assert "request_source" not in run.records(LOG)[0]
    tested = tap_runner.run("--test", config=config(sandbox, services=SERVICES))
    assert tested.code == 0, tested.stderr
    assert len(tested.records(LOG)) == 1
    assert len(tested.records(DETAIL)) == 1
