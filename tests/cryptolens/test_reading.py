from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from tests.cryptolens.conftest import PAGE_SIZE
from tests.cryptolens.logs import (
    EVENTS,
    METHODS,
    OBJECT_LOG,
    STREAMS,
    TIMES,
    WEB_API_LOG,
    ids,
    moment,
    read,
    requests_for,
    row_ids,
    rows,
    state_at,
    value,
)

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from tests.support.tap_runs import Clock

# The vendor's keys and the tap's columns, written out so that a mistake in the tap's naming shows.
COLUMNS = {
    WEB_API_LOG: {
        "id": "id",
        "productId": "product_id",
        "key": "key",
        "ip": "ip",
        "time": "time",
        "state": "state",
        "machineCode": "machine_code",
        "friendlyName": "friendly_name",
        "floatingExpires": "floating_expires",
        "doIntValue": "do_int_value",
        "doId": "do_id",
        "isAnomaly": "is_anomaly",
        "anomalyProperties": "anomaly_properties",
    },
    EVENTS: {
        "id": "id",
        "productId": "product_id",
        "key": "key",
        "machineCode": "machine_code",
        "featureName": "feature_name",
        "eventName": "event_name",
        "time": "time",
        "value": "value",
        "currency": "currency",
        "metadata": "metadata",
    },
    OBJECT_LOG: {
        "id": "id",
        "created": "created",
        "resourceType": "resource_type",
        "resourceAction": "resource_action",
        "affectedObjectId": "affected_object_id",
        "objectOwnerUserId": "object_owner_user_id",
        "performedByUserId": "performed_by_user_id",
        "data": "data",
    },
}
METHOD_NAMES = {
    "10": "validation",
    "20": "activation",
    "30": "key generation",
    "40": "optional field",
    "50": "not tied to a request",
    "60": "deactivation",
    "70": "other license manipulation",
    "80": "data object",
}


def record_of(stream: str, row: dict[str, t.Any]) -> dict[str, t.Any]:
    columns = COLUMNS[stream]
    record = {column: row.get(key) for key, column in columns.items()}
    record["additional_properties"] = {key: row[key] for key in row if key not in columns} or None
    seconds = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=row[TIMES[stream]])
    record["occurred_at"] = seconds.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    if stream == OBJECT_LOG and isinstance(row["performedByUserId"], int):
        record["performed_by_user_id"] = str(row["performedByUserId"])
    if stream == WEB_API_LOG:
        digits = str(row["state"])
        is_code = len(digits) == 4
        record["method_code"] = int(digits[:2]) if is_code else None
        record["method"] = METHOD_NAMES.get(digits[:2]) if is_code else None
        record["succeeded"] = {"1": True, "2": False}.get(digits[2]) if is_code else None
    return record


# The whole logs


def test_every_row_arrives_once_in_order_with_its_values(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    old_enough = timedelta(minutes=10)
    cryptolens.add_row(cryptolens.web_api_log, age=old_enough, state=9010, newKey={"a": [1]}, isAnomaly=True)
    cryptolens.add_row(cryptolens.web_api_log, age=old_enough, anomalyProperties={"groupId": 2**40}, doId=2**62)
    run = read(sandbox)
    assert run.exit_code == 0
    for stream in STREAMS:
        assert run.records(stream) == [record_of(stream, row) for row in rows(sandbox, stream)]


def test_the_bookmark_is_the_last_id(sandbox: Sandbox) -> None:
    run = read(sandbox)
    today = sandbox.world.now().strftime("%Y-%m-%d")
    for stream in STREAMS:
        expected = {"replication_key": "id", "replication_key_value": row_ids(sandbox, stream)[-1]}
        assert run.bookmark(stream) == expected | ({} if stream == WEB_API_LOG else {"notes": {"read_on": today}})
    assert row_ids(sandbox, WEB_API_LOG)[-1] > 2**31


def test_the_request_is_a_form_and_the_token_stands_in_its_body_only(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    read(sandbox)
    limits = {WEB_API_LOG: "1000", EVENTS: "100", OBJECT_LOG: "100"}
    for stream in STREAMS:
        seen = requests_for(sandbox, stream)
        pages = -(-len(rows(sandbox, stream)) // PAGE_SIZE)
        assert len(seen) == pages + 1  # the empty page that is the end
        for request in seen:
            assert request.method == "POST"
            assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
            assert request.form.keys() == {"token", "StartingAfter", "Limit"}
            assert request.form["token"] == cryptolens.access_token
            assert request.form["Limit"] == limits[stream]
            assert request.query == ""
            assert cryptolens.access_token[:10] not in f"{request.path} {request.headers}"
        after = [int(request.form["StartingAfter"]) for request in seen]
        assert (
            after
            == [0, *row_ids(sandbox, stream)[PAGE_SIZE - 1 :: PAGE_SIZE], row_ids(sandbox, stream)[-1]][: len(after)]
        )


def test_a_run_without_news_leaves_the_state_as_it_is(sandbox: Sandbox) -> None:
    first = read(sandbox)
    second = read(sandbox, first.state)
    assert second.exit_code == 0
    assert [ids(second, stream) for stream in STREAMS] == [[], [], []]
    assert second.state == first.state


def test_only_what_is_new_is_read(sandbox: Sandbox, cryptolens: CryptolensSandbox, clock: Clock) -> None:
    first = read(sandbox)
    cryptolens.advance()
    clock.shift += timedelta(hours=1)
    second = read(sandbox, first.state)
    for stream in STREAMS:
        new = [row_id for row_id in row_ids(sandbox, stream) if row_id > (value(first, stream) or 0)]
        assert ids(second, stream) == new != []
        assert value(second, stream) == new[-1]


def test_a_new_token_goes_on_from_the_bookmark(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    first = read(sandbox)
    cryptolens.access_token = "another-token-of-the-same-account"
    second = read(sandbox, first.state)
    assert (second.exit_code, second.state) == (0, first.state)
    assert not second.records(WEB_API_LOG)


# What the vendor may spell otherwise


def test_ids_as_strings_arrive_as_integers(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.ids_as_strings = True
    run = read(sandbox)
    assert run.exit_code == 0
    for stream in STREAMS:
        assert ids(run, stream) == row_ids(sandbox, stream)
        assert value(run, stream) == row_ids(sandbox, stream)[-1]


@pytest.mark.case("B10", "cryptolens")
@pytest.mark.case("B11", "cryptolens")
def test_ids_are_compared_as_numbers_also_when_they_are_strings(sandbox: Sandbox) -> None:
    answer({"id": "9"}, {"id": "10"}, sandbox=sandbox)
    run = read(sandbox, cryptolens_product_id=1)
    assert ids(run, WEB_API_LOG)[:2] == [9, 10]


@pytest.mark.parametrize("key", ["events", "logs", "objectLogs", "OBJECTLOGS", "Events"])
def test_the_object_log_is_found_under_each_of_its_possible_keys(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, key: str
) -> None:
    cryptolens.object_log.rows_key = key
    assert ids(read(sandbox), OBJECT_LOG) == row_ids(sandbox, OBJECT_LOG)


def test_keys_of_rows_are_known_in_any_case(sandbox: Sandbox) -> None:
    answer({"Id": 1, "TIME": 1_700_000_000, "ProductID": 5, "doid": 6, "Unknown": 7}, sandbox=sandbox)
    record = read(sandbox).records(WEB_API_LOG)[0]
    assert (record["id"], record["time"], record["product_id"], record["do_id"]) == (1, 1_700_000_000, 5, 6)
    assert record["occurred_at"] == "2023-11-14T22:13:20.000000Z"
    assert record["additional_properties"] == {"Unknown": 7}


def test_null_instead_of_an_empty_list_is_the_end(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.null_when_empty = True
    run = read(sandbox)
    assert run.exit_code == 0
    assert ids(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)


def test_values_of_another_type_are_converted_or_kept_aside(sandbox: Sandbox) -> None:
    drifted = {
        "id": 1,
        "time": "1700000000",
        "state": "2014",
        "productId": "none",
        "key": 123,
        "floatingExpires": 12.0,
        "doId": 2**63,
        "isAnomaly": "true",
        "occurredAt": "kept",
        "method": "kept",
    }
    answer(drifted, sandbox=sandbox)
    record = read(sandbox).records(WEB_API_LOG)[0]
    assert (record["time"], record["occurred_at"]) == (1_700_000_000, "2023-11-14T22:13:20.000000Z")
    assert (record["state"], record["method"], record["succeeded"]) == (2014, "activation", True)
    assert (record["product_id"], record["key"], record["floating_expires"]) == (None, "123", 12)
    assert (record["do_id"], record["is_anomaly"]) == (None, None)
    assert record["additional_properties"] == {
        "productId": "none",
        "doId": 2**63,
        "isAnomaly": "true",
        "occurredAt": "kept",
        "method": "kept",
    }


@pytest.mark.parametrize("time", [None, 10**17, -(10**17), 10**400, "soon", 1.5e300])
def test_a_row_without_a_usable_time_is_kept(sandbox: Sandbox, time: object) -> None:
    answer({"id": 1, "time": time}, sandbox=sandbox)
    run = read(sandbox)
    assert run.exit_code == 0
    assert run.records(WEB_API_LOG)[0]["occurred_at"] is None


def answer(*page: dict[str, t.Any], sandbox: Sandbox, method: str = "GetWebAPILog", skip: int = 0) -> Fault:
    """Make one answer of the sandbox have these rows."""
    body = json.dumps({"logs": page, "result": 0, "message": ""}).encode()
    return sandbox.faults.add(Fault(path=method, body=body, skip=skip))


# Order


@pytest.mark.case("B12", "cryptolens")
@pytest.mark.parametrize("order", ["descending", "shuffled"])
def test_rows_in_another_order_are_an_error_and_no_bookmark_is_set(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, order: t.Literal["descending", "shuffled"]
) -> None:
    cryptolens.events.order = order
    run = read(sandbox)
    assert run.exit_code == 1
    assert "`cryptolens_events`: cryptolens: GetEvents: the rows do not come in the order of their ids" in run.log
    assert "2 of 3 streams are complete" in run.log
    assert ids(run, EVENTS) == []
    assert value(run, EVENTS) is None
    assert ids(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)
    assert ids(run, OBJECT_LOG) == row_ids(sandbox, OBJECT_LOG)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda last: [last],
        lambda last: [last - 1, last + 1],
        lambda last: [last + 1, last + 1],
        lambda last: [last + 2, last + 1],
        lambda _last: [None],
        lambda last: [True, f"{last + 2}.0"],
    ],
    ids=["same", "below", "twice", "descending", "null", "none-usable"],
)
def test_ids_that_cannot_be_paged_past_stop_before_their_page(
    sandbox: Sandbox, wrong: t.Callable[[int], list[object]]
) -> None:
    first_page = row_ids(sandbox, WEB_API_LOG)[:PAGE_SIZE]
    answer(*({"id": row_id, "time": 1} for row_id in wrong(first_page[-1])), sandbox=sandbox, skip=1)
    run = read(sandbox)
    assert run.exit_code == 1
    assert "Failed: `cryptolens_web_api_log`: cryptolens: GetWebAPILog: " in run.log
    assert ids(run, WEB_API_LOG) == first_page
    assert value(run, WEB_API_LOG) == first_page[-1]
    second = read(sandbox, run.state)
    assert first_page + ids(second, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)


UNUSABLE = [None, True, "12.0", 2**63, "9999999999999999999", [1], {"id": 1}, "", 1.5]


@pytest.mark.parametrize("wrong", UNUSABLE, ids=repr)
def test_a_row_without_a_usable_id_fails_the_stream_and_all_others_are_read(sandbox: Sandbox, wrong: object) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    page = [dict(row) for row in everything[PAGE_SIZE : 2 * PAGE_SIZE]]
    lost = page[3]["id"]
    page[3]["id"] = wrong
    answer(*page, sandbox=sandbox, skip=1)
    run = read(sandbox)
    assert run.exit_code == 1
    assert f"Rows without a usable `id` between row {page[0]['id']} and row {page[-1]['id']}: 1." in run.log
    assert (
        "Failed: `cryptolens_web_api_log`: cryptolens: GetWebAPILog: rows without a usable `id`: 1. They were left out"
        in run.log
    )
    assert "Please report" not in run.log
    assert ids(run, WEB_API_LOG) == [row["id"] for row in everything if row["id"] != lost]
    assert value(run, WEB_API_LOG) == everything[PAGE_SIZE - 1]["id"]
    assert lost in ids(read(sandbox, run.state), WEB_API_LOG)


# Settling


@pytest.mark.case("B2", "cryptolens")
def test_young_rows_wait_so_that_a_lower_id_committed_later_is_found(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, clock: Clock
) -> None:
    first = {}
    logs = {WEB_API_LOG: cryptolens.web_api_log, EVENTS: cryptolens.events, OBJECT_LOG: cryptolens.object_log}
    for stream, log in logs.items():
        settled = cryptolens.add_row(log, age=timedelta(seconds=310))["id"]
        slow = cryptolens.begin_row(log, age=timedelta(seconds=250))
        first[stream] = (settled, slow, cryptolens.add_row(log, age=timedelta(seconds=200))["id"])
    run = read(sandbox)
    for stream, (settled, _slow, young) in first.items():
        assert ids(run, stream)[-1] == value(run, stream) == settled
        assert young not in ids(run, stream)
    cryptolens.commit_rows()
    clock.shift += timedelta(seconds=400)
    second = read(sandbox, run.state)
    for stream, (_settled, slow, young) in first.items():
        assert ids(second, stream) == [slow, young]


def test_the_settle_time_is_a_setting(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    row = cryptolens.add_row(cryptolens.web_api_log, age=timedelta(seconds=200))
    assert row["id"] in ids(read(sandbox, cryptolens_settle_seconds=190), WEB_API_LOG)
    assert row["id"] not in ids(read(sandbox, cryptolens_settle_seconds=210), WEB_API_LOG)


@pytest.mark.case("B7", "cryptolens")
@pytest.mark.parametrize("hours", [-2, 2])
def test_ages_are_measured_by_the_vendors_clock(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, clock: Clock, hours: int
) -> None:
    clock.shift = timedelta(hours=hours)
    settled = cryptolens.add_row(cryptolens.web_api_log, age=timedelta(seconds=310))
    young = cryptolens.add_row(cryptolens.web_api_log, age=timedelta(seconds=290))
    found = ids(read(sandbox), WEB_API_LOG)
    assert settled["id"] in found
    assert young["id"] not in found


def test_young_rows_whose_time_comes_as_text_wait_too(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    now = int(sandbox.world.now().timestamp())
    row = cryptolens.add_row(cryptolens.web_api_log, time=str(now - 10))
    assert row["id"] not in ids(read(sandbox), WEB_API_LOG)


@pytest.mark.case("B6", "cryptolens")
@pytest.mark.parametrize("stream", STREAMS)
def test_a_row_from_the_year_2099_holds_nothing_up(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, stream: str
) -> None:
    log = {WEB_API_LOG: cryptolens.web_api_log, EVENTS: cryptolens.events, OBJECT_LOG: cryptolens.object_log}[stream]
    misdated = cryptolens.add_row(log, age=timedelta(days=-365 * 70))
    behind = cryptolens.add_row(log, age=timedelta(minutes=10))
    run = read(sandbox)
    assert ids(run, stream)[-2:] == [misdated["id"], behind["id"]]
    assert value(run, stream) == behind["id"]


# From when, until when


@pytest.mark.parametrize("stream", STREAMS)
def test_a_start_date_leaves_out_earlier_rows_and_is_inclusive(sandbox: Sandbox, stream: str) -> None:
    everything = rows(sandbox, stream)
    start = everything[len(everything) // 2][TIMES[stream]]
    run = read(sandbox, start_date=moment(start))
    expected = [row["id"] for row in everything if row[TIMES[stream]] >= start]
    assert ids(run, stream) == expected
    assert 0 < len(expected) < len(everything)
    assert value(run, stream) == everything[-1]["id"]
    assert "progress" not in run.bookmark(stream)


def test_the_start_date_still_counts_after_the_first_read_was_interrupted(sandbox: Sandbox) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    start = everything[70]["time"]
    sandbox.faults.add(Fault(path="GetWebAPILog", skip=3, times=None, status=500))
    first = read(sandbox, start_date=moment(start), max_retry_wait_seconds=0)
    assert first.exit_code == 1
    assert value(first, WEB_API_LOG) == everything[3 * PAGE_SIZE - 1]["id"]
    assert ids(first, WEB_API_LOG) == []
    sandbox.faults.replace([])
    expected = [row["id"] for row in everything if row["time"] >= start]
    for settings in ({"start_date": moment(start)}, {}):
        second = read(sandbox, first.state, **settings)
        assert ids(second, WEB_API_LOG) == expected
        assert "progress" not in second.bookmark(WEB_API_LOG)


@pytest.mark.case("B13", "cryptolens")
def test_a_start_date_does_not_count_where_there_is_a_bookmark(sandbox: Sandbox) -> None:
    everything = row_ids(sandbox, WEB_API_LOG)
    state = state_at(**{WEB_API_LOG: everything[20]})
    run = read(sandbox, state, start_date=moment(rows(sandbox, WEB_API_LOG)[70]["time"]))
    assert ids(run, WEB_API_LOG) == everything[21:]


def test_a_stream_selected_later_starts_from_the_start_date_whatever_the_others_say(sandbox: Sandbox) -> None:
    everything = rows(sandbox, OBJECT_LOG)
    start = everything[2]["created"]
    state = state_at(**{WEB_API_LOG: row_ids(sandbox, WEB_API_LOG)[-1]})
    run = read(sandbox, state, start_date=moment(start))
    assert ids(run, OBJECT_LOG) == [row["id"] for row in everything if row["created"] >= start]


@pytest.mark.parametrize("stream", STREAMS)
def test_an_end_date_is_exclusive_and_the_bookmark_stays_before_it(sandbox: Sandbox, stream: str) -> None:
    everything = rows(sandbox, stream)
    end = everything[len(everything) * 2 // 3][TIMES[stream]]
    run = read(sandbox, end_date=moment(end))
    before = [row["id"] for row in everything if row[TIMES[stream]] < end]
    assert ids(run, stream) == before
    assert value(run, stream) == before[-1]
    second = read(sandbox, run.state)
    assert before + ids(second, stream) == [row["id"] for row in everything]


def test_an_end_date_does_not_read_the_rest_of_the_log(sandbox: Sandbox) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    end = everything[10]["time"]
    read(sandbox, end_date=moment(end))
    assert len(requests_for(sandbox, WEB_API_LOG)) <= 4


def test_an_end_date_before_the_bookmark_leaves_it(sandbox: Sandbox) -> None:
    first = read(sandbox)
    second = read(sandbox, first.state, end_date=moment(rows(sandbox, WEB_API_LOG)[10]["time"]))
    assert second.state == first.state


# The product


def test_another_product_starts_from_the_start_date_and_the_bookmarks_come_back(
    sandbox: Sandbox, cryptolens: CryptolensSandbox
) -> None:
    everything = rows(sandbox, WEB_API_LOG)
    product, start = 3646, everything[40]["time"]
    unfiltered = read(sandbox)

    filtered = read(sandbox, unfiltered.state, cryptolens_product_id=product, start_date=moment(start))
    of_product = [row["id"] for row in everything if row["productId"] == product and row["time"] >= start]
    assert ids(filtered, WEB_API_LOG) == of_product
    assert {record["product_id"] for record in filtered.records(EVENTS)} == {product}
    warnings = [line for line in filtered.log.splitlines() if "filters of this stream have changed" in line]
    assert len(warnings) == 2  # one for each stream that knows products
    assert all("starting from start_date" in warning for warning in warnings)
    assert {request.form.get("ProductId") for request in requests_for(sandbox, OBJECT_LOG)} == {None}
    assert ids(filtered, OBJECT_LOG) == []
    assert filtered.bookmark(OBJECT_LOG) == unfiltered.bookmark(OBJECT_LOG)

    new = [cryptolens.add_row(cryptolens.web_api_log, age=timedelta(minutes=10), productId=p) for p in (product, 5693)]
    back = read(sandbox, filtered.state)
    assert ids(back, WEB_API_LOG) == [row["id"] for row in new]
    again = read(sandbox, back.state, cryptolens_product_id=product)
    assert ids(again, WEB_API_LOG) == [new[0]["id"]]
    assert "going on from the bookmark kept for them" in again.log
    same = read(sandbox, again.state, cryptolens_product_id=product)
    assert same.state == again.state
    assert "filters" not in same.log


def test_the_product_is_sent_where_it_is_a_filter(sandbox: Sandbox) -> None:
    read(sandbox, cryptolens_product_id=3646)
    for stream in (WEB_API_LOG, EVENTS):
        assert {request.form["ProductId"] for request in requests_for(sandbox, stream)} == {"3646"}


# What the vendor purges


def aged_state(sandbox: Sandbox, days: int) -> dict[str, t.Any]:
    state = read(sandbox).state
    for stream in (EVENTS, OBJECT_LOG):
        read_on = (sandbox.world.now() - timedelta(days=days)).strftime("%Y-%m-%d")
        state["bookmarks"][stream]["notes"] = {"read_on": read_on}
    return state


@pytest.mark.case("B15", "cryptolens")
@pytest.mark.parametrize("days", [30, 31, 400])
def test_rows_that_may_have_been_purged_are_warned_of_with_their_range(sandbox: Sandbox, days: int) -> None:
    run = read(sandbox, aged_state(sandbox, days))
    assert run.exit_code == 0
    warnings = [line for line in run.log.splitlines() if "may be lost" in line]
    assert len(warnings) == 2
    kept_since = (sandbox.world.now() - timedelta(days=30)).strftime("%Y-%m-%d")
    read_on = (sandbox.world.now() - timedelta(days=days)).strftime("%Y-%m-%d")
    assert all(f"read up to {read_on}: rows from then to {kept_since}" in warning for warning in warnings)
    assert "may be lost" not in read(sandbox, run.state).log


def test_a_log_read_lately_warns_of_nothing(sandbox: Sandbox) -> None:
    assert "may be lost" not in read(sandbox, aged_state(sandbox, 29)).log


def test_a_back_fill_notes_that_it_has_read_to_its_end_only(sandbox: Sandbox) -> None:
    end = sandbox.world.now() - timedelta(days=20)
    run = read(sandbox, end_date=end.isoformat())
    assert run.bookmark(EVENTS)["notes"]["read_on"] == end.strftime("%Y-%m-%d")
    whole = read(sandbox)
    assert read(sandbox, whole.state, end_date=end.isoformat()).bookmark(EVENTS) == whole.bookmark(EVENTS)


def test_an_interrupted_read_notes_how_far_it_came(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(path="GetEvents", skip=1, times=None, status=500))
    run = read(sandbox, max_retry_wait_seconds=0)
    last = run.records(EVENTS)[-1]
    assert run.bookmark(EVENTS) == {
        "replication_key": "id",
        "replication_key_value": last["id"],
        "notes": {"read_on": last["occurred_at"][:10]},
    }


def test_methods_are_those_of_the_vendor(sandbox: Sandbox) -> None:
    read(sandbox)
    assert {request.path for request in sandbox.requests} == {
        f"/cryptolens/api/ai/{method}" for method in METHODS.values()
    }
