from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from tap_auditlogs.vendors.pigment import client
from tests.pigment.conftest import EVENTS, PAGE_SIZE
from tests.pigment.feed import (
    STREAM,
    events,
    expected_time,
    fixed_width,
    ids,
    ingestion_times,
    read,
    requests_seen,
    state_at,
)

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from tests.support.tap_runs import Clock

KNOWN_KEYS = {"eventId", "eventType", "eventTimestamp", "ingestionTimestamp", "actor", "context", "payload"}
ORDERS: tuple[t.Literal["descending", "ascending"], ...] = ("descending", "ascending")
MICROSECOND = timedelta(microseconds=1)


def record_of(event: dict[str, t.Any]) -> dict[str, t.Any]:
    extra = {key: value for key, value in event.items() if key not in KNOWN_KEYS}
    return {
        "event_id": event["eventId"],
        "event_type": event["eventType"],
        "event_timestamp": expected_time(event["eventTimestamp"]),
        "ingestion_timestamp": expected_time(event["ingestionTimestamp"]),
        "actor": event.get("actor"),
        "context": event.get("context"),
        "payload": event["payload"],
        "additional_properties": extra or None,
    }


# The whole feed


@pytest.mark.parametrize("order", ORDERS)
def test_every_event_arrives_once_with_its_values(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order = order
    pigment.add_event(sandbox.world.now(), eventType="SomethingNew", newKey={"deep": [1, None, "é"]}, otherKey=None)
    run = read(sandbox)
    assert run.exit_code == 0
    assert len(ids(run)) == len(set(ids(run))) == EVENTS + 1
    assert {record["event_id"]: record for record in run.records(STREAM)} == {
        event_id: record_of(event) for event_id, event in events(sandbox).items()
    }


@pytest.mark.case("B12", "pigment")
@pytest.mark.parametrize("order", ORDERS)
def test_the_bookmark_is_the_latest_ingestion_in_any_order(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order = order
    run = read(sandbox)
    assert run.bookmark(STREAM) == {
        "replication_key": "ingestion_timestamp",
        "replication_key_value": ingestion_times(sandbox)[-1],
    }


def test_an_unknown_key_is_reported_once(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    for _ in range(3):
        pigment.add_event(sandbox.world.now(), brandNew=1)
    assert read(sandbox).log.count("brandNew") == 1


@pytest.mark.case("C14", "pigment")
def test_all_pages_of_a_window_ask_for_the_same_and_carry_the_key_in_a_header_only(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    read(sandbox)
    asked = requests_seen(sandbox)
    assert len(asked) == EVENTS // PAGE_SIZE
    assert len({parameters["ingestedSince"] for parameters in asked}) == 1
    assert ["cursor" in parameters for parameters in asked] == [False] + [True] * (len(asked) - 1)
    assert len({parameters.get("cursor") for parameters in asked}) == len(asked)
    for request in sandbox.requests:
        assert request.headers["Authorization"] == f"Bearer {pigment.api_key}"
        assert pigment.api_key not in request.query + request.path


def test_no_more_than_180_days_are_asked_for_and_all_of_them_but_an_hour(sandbox: Sandbox) -> None:
    before = sandbox.world.now()
    read(sandbox)
    since = datetime.fromisoformat(requests_seen(sandbox)[0]["ingestedSince"])
    assert timedelta(days=179, hours=22, minutes=59) < before - since < timedelta(days=179, hours=23, minutes=1)


def test_empty_pages_with_more_behind_them_are_passed(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.empty_pages = {1, 3, 4}
    run = read(sandbox)
    assert run.exit_code == 0
    assert set(ids(run)) == set(events(sandbox))


@pytest.mark.parametrize("order", ORDERS)
def test_ties_across_pages_all_arrive(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order = order
    pigment.add_tie(sandbox.world.now() - timedelta(minutes=5), 3 * PAGE_SIZE)
    run = read(sandbox)
    assert sorted(ids(run)) == sorted(events(sandbox))


@pytest.mark.case("C1", "pigment")
@pytest.mark.parametrize("order", ORDERS)
def test_events_that_come_in_while_paging_shift_pages_but_nothing_is_lost(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order, pigment.snapshot = order, False
    before = set(events(sandbox))

    def add_event(_request: Request) -> None:
        pigment.add_event(sandbox.world.now())

    sandbox.faults.add(Fault(times=None, callback=add_event))
    run = read(sandbox)
    assert before <= set(ids(run))
    second = read(sandbox, run.state)
    assert set(events(sandbox)) - set(ids(run)) - set(ids(second)) <= set(list(events(sandbox))[-1:])


# Odd events


@pytest.mark.parametrize("event_id", [None, ""])
def test_an_event_without_an_id_gets_the_same_one_in_each_run(
    sandbox: Sandbox, pigment: PigmentSandbox, event_id: str | None
) -> None:
    pigment.add_event(sandbox.world.now(), eventId=event_id, payload={"a": 1.10, "b": [True]})
    pigment.add_event(sandbox.world.now(), eventId=event_id, payload={"a": 1.10, "b": [False]})
    first, second = read(sandbox), read(sandbox)
    made = [made for made in ids(first) if made.startswith("sha256:")]
    assert len(set(made)) == 2
    assert made == [made for made in ids(second) if made.startswith("sha256:")]


def test_the_made_up_id_does_not_depend_on_the_order_of_keys_or_on_escapes(sandbox: Sandbox) -> None:
    page = (
        b'{"events":[{"eventType":"A","payload":{"x":1,"y":"\xc3\xa9"}},'
        b'{"payload":{"y":"\\u00e9","x":1},"eventType":"A"}],"hasMoreEvents":false}'
    )
    sandbox.faults.add(Fault(body=page))
    made = ids(read(sandbox))
    assert len(made) == 2
    assert len(set(made)) == 1


@pytest.mark.case("B9", "pigment")
@pytest.mark.parametrize("time", [None, "garbage", "0000-00-00", 5, "2026-11-20T23:59:60Z", {"at": 1}, ""])
def test_an_event_without_a_usable_ingestion_time_is_kept_and_moves_no_bookmark(
    sandbox: Sandbox, pigment: PigmentSandbox, time: object
) -> None:
    newest = ingestion_times(sandbox)[-1]
    event = pigment.add_event(sandbox.world.now(), ingestionTimestamp=time)
    run = read(sandbox)
    assert run.exit_code == 0
    record = next(record for record in run.records(STREAM) if record["event_id"] == event["eventId"])
    assert record["ingestion_timestamp"] is None
    if time is not None:
        assert record["additional_properties"]["ingestionTimestamp"] == time
    assert run.bookmark(STREAM)["replication_key_value"] == newest


@pytest.mark.case("B6", "pigment")
@pytest.mark.parametrize("order", ORDERS)
def test_an_event_from_the_future_is_kept_and_moves_no_bookmark(
    sandbox: Sandbox, pigment: PigmentSandbox, order: t.Literal["descending", "ascending"]
) -> None:
    pigment.order = order
    newest = ingestion_times(sandbox)[-1]
    event = pigment.add_event(datetime(2099, 1, 1, tzinfo=UTC))
    run = read(sandbox)
    assert event["eventId"] in ids(run)
    assert run.bookmark(STREAM)["replication_key_value"] == newest
    later = pigment.add_event(sandbox.world.now())
    assert later["eventId"] in ids(read(sandbox, run.state))


# The next run


@pytest.mark.case("B2", "pigment")
@pytest.mark.case("B3", "pigment")
def test_late_events_within_the_look_back_are_found_and_older_ones_are_not(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    run = read(sandbox)
    bookmark = datetime.fromisoformat(run.bookmark(STREAM)["replication_key_value"])
    late = pigment.add_event(bookmark - timedelta(hours=1))
    at_the_edge = pigment.add_event(bookmark - timedelta(hours=24))
    beyond = pigment.add_event(bookmark - timedelta(hours=24) - MICROSECOND)
    second = read(sandbox, run.state)
    assert {late["eventId"], at_the_edge["eventId"]} <= set(ids(second))
    assert beyond["eventId"] not in ids(second)
    assert second.state == run.state


def test_the_look_back_is_a_setting(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    run = read(sandbox)
    bookmark = datetime.fromisoformat(run.bookmark(STREAM)["replication_key_value"])
    late = pigment.add_event(bookmark - timedelta(minutes=30))
    later = pigment.add_event(bookmark - timedelta(minutes=29))
    found = ids(read(sandbox, run.state, pigment_lookback_hours=0.49))
    assert later["eventId"] in found
    assert late["eventId"] not in found


def test_without_a_look_back_an_event_that_ties_with_the_bookmark_is_found(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    run = read(sandbox, pigment_lookback_hours=0)
    tied = pigment.add_event(datetime.fromisoformat(run.bookmark(STREAM)["replication_key_value"]))
    assert tied["eventId"] in ids(read(sandbox, run.state, pigment_lookback_hours=0))


def test_a_run_without_news_leaves_the_state_as_it_is(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.add_tie(sandbox.world.now() - timedelta(hours=1), 2 * PAGE_SIZE + 1)
    first = read(sandbox)
    second = read(sandbox, first.state)
    assert len(ids(second)) > 2 * PAGE_SIZE
    assert second.exit_code == 0
    assert second.state == first.state


def test_only_what_is_new_and_the_look_back_are_read_again(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    run = read(sandbox)
    edge = fixed_width(datetime.fromisoformat(run.bookmark(STREAM)["replication_key_value"]) - timedelta(hours=24))
    pigment.advance()
    second = read(sandbox, run.state)
    expected = {
        event_id for event_id, event in events(sandbox).items() if expected_time(event["ingestionTimestamp"]) >= edge
    }
    assert set(ids(second)) == expected
    assert second.bookmark(STREAM)["replication_key_value"] == ingestion_times(sandbox)[-1]


def test_a_new_key_goes_on_from_the_bookmark(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    run = read(sandbox)
    pigment.api_key = "another-key-of-the-same-workspace"
    second = read(sandbox, run.state)
    assert second.exit_code == 0
    assert len(ids(second)) < EVENTS / 2
    assert second.state == run.state


# From when, until when


def test_the_start_is_inclusive_and_the_end_exclusive(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    middle = sandbox.world.now().replace(microsecond=123_456) - timedelta(days=20)
    first = pigment.add_event(middle)
    last = pigment.add_event(middle + timedelta(hours=1) - MICROSECOND)
    pigment.add_event(middle - MICROSECOND)
    pigment.add_event(middle + timedelta(hours=1))
    run = read(sandbox, start_date=middle.isoformat(), end_date=(middle + timedelta(hours=1)).isoformat())
    assert {first["eventId"], last["eventId"]} <= set(ids(run))
    assert all(
        fixed_width(middle) <= record["ingestion_timestamp"] < fixed_width(middle + timedelta(hours=1))
        for record in run.records(STREAM)
    )
    assert run.bookmark(STREAM)["replication_key_value"] == fixed_width(middle + timedelta(hours=1) - MICROSECOND)


def test_after_a_back_fill_the_next_run_goes_on_from_its_end(sandbox: Sandbox) -> None:
    end = sandbox.world.now() - timedelta(days=60)
    run = read(sandbox, end_date=end.isoformat())
    assert 0 < len(ids(run)) < EVENTS
    assert run.bookmark(STREAM)["replication_key_value"] < fixed_width(end)
    assert set(ids(run)) | set(ids(read(sandbox, run.state))) == set(events(sandbox))


@pytest.mark.parametrize("before", [timedelta(hours=1), timedelta(days=60)])
def test_an_end_before_the_bookmark_does_not_move_it_back(
    sandbox: Sandbox, pigment: PigmentSandbox, before: timedelta
) -> None:
    pigment.add_tie(sandbox.world.now() - timedelta(hours=2), 3)
    pigment.add_event(sandbox.world.now() - timedelta(minutes=1))
    run = read(sandbox)
    second = read(sandbox, run.state, end_date=(sandbox.world.now() - before).isoformat())
    assert second.exit_code == 0
    assert len(ids(second)) == (3 if before < timedelta(days=1) else 0)
    assert second.state == run.state


@pytest.mark.case("B13", "pigment")
def test_a_start_date_does_not_count_where_there_is_a_bookmark(sandbox: Sandbox) -> None:
    run = read(sandbox)
    for start_date in (sandbox.world.now() - timedelta(days=90), sandbox.world.now() - timedelta(minutes=1)):
        assert ids(read(sandbox, run.state, start_date=start_date.isoformat())) == ids(read(sandbox, run.state))


@pytest.mark.case("B4", "pigment")
def test_a_bookmark_in_another_form_counts_as_the_time_it_is(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    bookmark = sandbox.world.now().replace(microsecond=0) - timedelta(days=3)
    late = pigment.add_event(bookmark - timedelta(hours=23))
    local = (bookmark + timedelta(hours=10)).strftime("%Y%m%dT%H%M%S+1000")
    run = read(sandbox, state_at(local))
    assert late["eventId"] in ids(run)
    assert run.bookmark(STREAM)["replication_key_value"] == max(ingestion_times(sandbox)[-1], fixed_width(bookmark))


@pytest.mark.case("B15", "pigment")
@pytest.mark.parametrize("age", [timedelta(days=200), timedelta(days=179, hours=23, minutes=10)])
def test_a_bookmark_beyond_reach_warns_once_of_the_range_that_is_lost(sandbox: Sandbox, age: timedelta) -> None:
    bookmark = fixed_width(sandbox.world.now() - age)
    run = read(sandbox, state_at(bookmark))
    assert run.exit_code == 0
    assert set(ids(run)) == set(events(sandbox))
    warnings = [line for line in run.log.splitlines() if "can no longer be read" in line]
    assert len(warnings) == 1
    told = re.search(r"between (\S+) and (\S+) can", warnings[0])
    assert told is not None
    assert told[1] == bookmark
    reached = sandbox.world.now() - timedelta(days=179, hours=23)
    assert abs(datetime.fromisoformat(told[2]) - reached) < timedelta(minutes=1)


def test_a_bookmark_within_reach_warns_of_nothing(sandbox: Sandbox) -> None:
    run = read(sandbox, state_at(sandbox.world.now() - timedelta(days=179, hours=22)))
    assert "no longer" not in run.log


@pytest.mark.case("B7", "pigment")
@pytest.mark.parametrize("minutes", [-45, 45])
def test_a_local_clock_that_is_wrong_by_minutes_changes_nothing(
    sandbox: Sandbox, pigment: PigmentSandbox, clock: Clock, minutes: int
) -> None:
    clock.shift = timedelta(minutes=minutes)
    newest = pigment.add_event(sandbox.world.now() - timedelta(seconds=5))
    ahead = pigment.add_event(sandbox.world.now() + timedelta(minutes=10))
    run = read(sandbox)
    assert set(ids(run)) == {*events(sandbox), ahead["eventId"]}
    assert run.bookmark(STREAM)["replication_key_value"] == expected_time(newest["ingestionTimestamp"])


def test_a_vendor_that_takes_dates_only_is_asked_from_the_next_midnight(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    pigment.dates_only = True
    run = read(sandbox)
    assert run.exit_code == 0
    assert "asking from the next midnight" in run.log
    midnight = (sandbox.world.now() - timedelta(days=179, hours=23) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert [parameters["ingestedSince"] for parameters in requests_seen(sandbox)[1:]] == [midnight] * (
        EVENTS // PAGE_SIZE
    )
    expected = [time for time in ingestion_times(sandbox) if time >= midnight]
    assert sorted(record["ingestion_timestamp"] for record in run.records(STREAM)) == expected
    second = read(sandbox, run.state)
    assert second.exit_code == 0
    assert "midnight" not in second.log


# Pace


def test_the_pace_is_that_of_the_vendors_rate_limit() -> None:
    assert (client.REQUESTS_PER_WINDOW, client.WINDOW_SECONDS) == (500, 300.0)


@pytest.mark.case("D21", "pigment")
def test_no_window_of_time_sees_more_requests_than_the_limit(
    sandbox: Sandbox, pigment: PigmentSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REQUESTS_PER_WINDOW", 4)
    monkeypatch.setattr(client, "WINDOW_SECONDS", 0.2)
    pigment.page_size = EVENTS // 12
    assert read(sandbox).exit_code == 0
    times = [request.time for request in sandbox.requests]
    assert len(times) == 12
    # Half the window, since a request may reach the server late on a busy machine; unpaced, four take milliseconds.
    assert all(later - earlier > 0.1 for earlier, later in zip(times, times[4:], strict=False))


@pytest.mark.parametrize("hours", [3, 20])
def test_a_first_run_with_a_clock_hours_behind_pigments_asks_again_by_pigments(
    sandbox: Sandbox, clock: Clock, hours: int
) -> None:
    clock.shift = timedelta(hours=hours)
    run = read(sandbox)
    assert run.exit_code == 0, run.log
    assert [request.status for request in sandbox.requests][:2] == [400, 200]
    reached = fixed_width(clock() - timedelta(days=180) + timedelta(hours=1))
    wanted = {
        event["eventId"] for event in sandbox.truth()[STREAM] if expected_time(event["ingestionTimestamp"]) > reached
    }
    assert set(ids(run)) == wanted
    assert "time of day" not in run.log


def test_a_backfill_out_of_pigments_reach_ends_with_a_message_and_no_loop(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.faults.add(Fault(times=None, status=400))
    clock.shift = timedelta(hours=5)
    assert read(sandbox).exit_code == 1
    assert len(sandbox.requests) <= 3
