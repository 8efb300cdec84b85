from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.http import http_date

from auditlogs_sandbox.faults import Fault
from tests.pigment.conftest import EVENTS, PAGE_SIZE
from tests.pigment.feed import (
    STREAM,
    events,
    fixed_width,
    ids,
    ingestion_times,
    read,
    requests_seen,
    state_at,
)

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from tests.support.tap_runs import Run, State

TRIES = 5


def fail_at_page(sandbox: Sandbox, page: int) -> Run:
    """Make a run that ends with an error before the given page, counted from 1."""
    fault = sandbox.faults.add(Fault(skip=page - 1, times=None, status=500))
    run = read(sandbox, max_retry_wait_seconds=0)
    assert run.exit_code == 1
    assert fault.hits == page
    sandbox.faults.replace([])
    return run


# Paging that cannot be followed


@pytest.mark.case("C4", "pigment")
def test_more_without_a_cursor_is_an_error_and_moves_no_bookmark(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.page_without_cursor = 3
    run = read(sandbox)
    assert run.exit_code == 1
    assert "gives no cursor" in run.log
    assert "replication_key_value" not in run.bookmark(STREAM)
    pigment.page_without_cursor = None
    assert set(ids(run)) | set(ids(read(sandbox, run.state))) == set(events(sandbox))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_cursors_that_turn_in_a_circle_are_an_error_that_names_it(
    sandbox: Sandbox, pigment: PigmentSandbox, length: int
) -> None:
    pigment.cursor_loop = length
    run = read(sandbox)
    assert run.exit_code == 1
    assert "pagination loops" in run.log
    assert "replication_key_value" not in run.bookmark(STREAM)
    assert len(sandbox.requests) == length + 1


def test_endless_empty_pages_end_with_an_error(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.endless = True
    run = read(sandbox)
    assert run.exit_code == 1
    assert "consecutive pages are empty" in run.log
    assert "replication_key_value" not in run.bookmark(STREAM)
    assert EVENTS // PAGE_SIZE + 100 < len(sandbox.requests) < EVENTS // PAGE_SIZE + 110


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        "{}",
        '{"events": null, "hasMoreEvents": false}',
        '{"events": {}, "hasMoreEvents": false}',
        '{"events": ["text"], "hasMoreEvents": false}',
        '{"events": [], "hasMoreEvents": "false"}',
        '{"error": "something", "hasMoreEvents": false}',
    ],
)
def test_an_answer_that_is_no_page_is_an_error_and_never_the_end(sandbox: Sandbox, body: str) -> None:
    sandbox.faults.add(Fault(skip=1, body=body.encode()))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "Failed: `pigment_audit_events`" in run.log
    assert "replication_key_value" not in run.bookmark(STREAM)


# Cursors that are no longer accepted


def test_an_interrupted_window_goes_on_from_its_cursor(sandbox: Sandbox) -> None:
    first = fail_at_page(sandbox, 3)
    assert len(ids(first)) == 2 * PAGE_SIZE
    assert "replication_key_value" not in first.bookmark(STREAM)
    asked_before = len(sandbox.requests)
    second = read(sandbox, first.state)
    assert second.exit_code == 0
    asked = requests_seen(sandbox)
    assert {parameters["ingestedSince"] for parameters in asked[: asked_before + 4]} == {asked[0]["ingestedSince"]}
    assert "cursor" in asked[asked_before]
    assert set(ids(first)) | set(ids(second)) == set(events(sandbox))
    assert second.bookmark(STREAM)["replication_key_value"] == ingestion_times(sandbox)[-1]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_cursor_that_expired_between_runs_has_its_window_read_again_whole(sandbox: Sandbox, status: int) -> None:
    first = fail_at_page(sandbox, 3)
    sandbox.faults.add(Fault(status=status))
    second = read(sandbox, first.state)
    assert second.exit_code == 0
    assert set(ids(second)) == set(events(sandbox))
    assert "progress" not in second.bookmark(STREAM)


def test_the_vendors_own_refusal_of_an_expired_cursor_is_understood(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    first = fail_at_page(sandbox, 3)
    pigment.expire_cursors()
    second = read(sandbox, first.state)
    assert second.exit_code == 0
    assert "midnight" not in second.log
    assert set(ids(second)) == set(events(sandbox))


@pytest.mark.parametrize("days", [None, 179])
def test_a_cursor_that_expires_within_a_run_has_the_window_read_again_once(
    sandbox: Sandbox, pigment: PigmentSandbox, days: int | None
) -> None:
    sandbox.faults.add(Fault(skip=3, callback=lambda _request: pigment.expire_cursors()))
    settings: dict[str, t.Any] = (
        {} if days is None else {"start_date": (sandbox.world.now() - timedelta(days=days)).isoformat()}
    )
    run = read(sandbox, **settings)
    assert run.exit_code == 0
    assert "midnight" not in run.log
    assert set(ids(run)) == set(events(sandbox))
    assert len(ids(run)) == EVENTS + 3 * PAGE_SIZE
    assert run.bookmark(STREAM)["replication_key_value"] == ingestion_times(sandbox)[-1]


def test_cursors_that_always_expire_are_an_error_and_not_an_endless_run(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    sandbox.faults.add(Fault(times=None, callback=lambda _request: pigment.expire_cursors()))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "replication_key_value" not in run.bookmark(STREAM)
    assert len(sandbox.requests) == 4


def test_a_window_is_not_gone_on_with_when_more_is_wanted_than_it_gives(sandbox: Sandbox) -> None:
    start = sandbox.world.now() - timedelta(days=100)
    sandbox.faults.add(Fault(skip=1, times=None, status=500))
    first = read(sandbox, start_date=start.isoformat(), max_retry_wait_seconds=0)
    sandbox.faults.replace([])
    second = read(sandbox, first.state)
    assert set(ids(second)) == set(events(sandbox))


def test_an_interrupted_back_fill_is_not_gone_on_with_without_its_end(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(skip=1, times=None, status=500))
    end = sandbox.world.now() - timedelta(days=50)
    first = read(sandbox, end_date=end.isoformat(), max_retry_wait_seconds=0)
    sandbox.faults.replace([])
    second = read(sandbox, first.state)
    assert set(ids(second)) == set(events(sandbox))
    assert second.bookmark(STREAM)["replication_key_value"] == ingestion_times(sandbox)[-1]


# Refusals


@pytest.mark.parametrize(("status", "said"), [(401, "credentials are not accepted"), (403, "do not allow this")])
def test_wrong_credentials_fail_at_once(sandbox: Sandbox, waits: list[float], status: int, said: str) -> None:
    sandbox.faults.add(Fault(times=None, status=status))
    run = read(sandbox)
    assert run.exit_code == 1
    assert said in run.log
    assert f"HTTP {status}" in run.log
    assert len(sandbox.requests) == 1
    assert waits == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_at_a_cursor_is_not_taken_for_an_expired_cursor(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add(Fault(skip=2, times=None, status=status))
    run = read(sandbox)
    assert run.exit_code == 1
    assert len(sandbox.requests) == 3
    assert run.bookmark(STREAM)["progress"]["cursor"] == requests_seen(sandbox)[2]["cursor"]


def test_a_real_wrong_key_is_refused(sandbox: Sandbox) -> None:
    run = read(sandbox, pigment_api_key="wrong-key-of-some-length")
    assert run.exit_code == 1
    assert "Check the pigment credentials" in run.log


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
def test_a_throttled_request_without_a_time_waits_out_the_vendors_window(
    sandbox: Sandbox, waits: list[float], headers: dict[str, str]
) -> None:
    sandbox.faults.add(Fault(skip=2, times=TRIES - 1, status=429, headers=headers))
    run = read(sandbox)
    assert run.exit_code == 0
    assert sorted(ids(run)) == sorted(events(sandbox))
    assert len(waits) == TRIES - 1
    assert 300 <= sum(waits) <= 900


def test_a_throttled_request_waits_as_long_as_it_is_told(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(skip=1, status=429, headers={"Retry-After": "77"}))
    sandbox.faults.add(
        Fault(skip=4, status=429, headers={"Retry-After": http_date(datetime.now(UTC) + timedelta(seconds=200))})
    )
    run = read(sandbox)
    assert run.exit_code == 0
    assert len(waits) == 2
    assert 77 <= waits[0] <= 78
    assert 197 <= waits[1] <= 202


def test_a_wait_of_a_day_is_not_waited(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(skip=1, times=None, status=429, headers={"Retry-After": "86400"}))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "the vendor asks to wait 86400 s" in run.log
    assert waits == []
    assert "cursor" in run.bookmark(STREAM)["progress"]


def test_the_vendors_limit_itself_is_waited_out(
    sandbox: Sandbox, pigment: PigmentSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pigment.rate_limit.limit = 4
    pigment.rate_limit.retry_after = "seconds"
    pigment.rate_limit.window_seconds = 300.0

    def let_the_window_pass(seconds: float) -> None:
        waited.append(seconds)
        pigment.rate_limit.window_seconds = 0.0

    waited: list[float] = []
    monkeypatch.setattr("backoff._sync.time.sleep", let_the_window_pass)
    run = read(sandbox)
    assert run.exit_code == 0
    assert sorted(ids(run)) == sorted(events(sandbox))
    assert [298 <= wait <= 302 for wait in waited] == [True]


def test_five_tries_are_all(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add(Fault(skip=2, times=None, status=503))
    run = read(sandbox)
    assert run.exit_code == 1
    assert len(sandbox.requests) == 2 + TRIES
    assert len(waits) == TRIES - 1
    assert len(ids(run)) == 2 * PAGE_SIZE


def test_a_web_page_instead_of_json_is_tried_again(sandbox: Sandbox) -> None:
    html = {"Content-Type": "text/html"}
    sandbox.faults.add(Fault(skip=1, times=2, body=b"<html>canary-in-a-body</html>", headers=html))
    run = read(sandbox)
    assert run.exit_code == 0
    assert sorted(ids(run)) == sorted(events(sandbox))
    assert "canary-in-a-body" not in run.log


def test_a_web_page_for_ever_is_an_error(sandbox: Sandbox) -> None:
    html = {"Content-Type": "text/html"}
    sandbox.faults.add(Fault(skip=1, times=None, body=b"<html>canary-in-a-body</html>", headers=html))
    run = read(sandbox)
    assert run.exit_code == 1
    assert len(sandbox.requests) == 1 + TRIES
    assert "is not JSON (HTTP 200, 29 bytes of text/html)" in run.log
    assert "canary-in-a-body" not in run.log


def test_a_redirect_is_an_error_and_not_followed(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(skip=1, times=None, status=302, headers={"Location": f"{sandbox.url}/elsewhere"}))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "redirect" in run.log
    assert all(request.vendor == "pigment" for request in sandbox.requests)


def test_a_start_that_is_refused_for_another_reason_is_an_error(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(times=None, status=400))
    run = read(sandbox, start_date=(sandbox.world.now() - timedelta(days=5)).isoformat())
    assert run.exit_code == 1
    assert len(sandbox.requests) == 1


# States that are no states


def progress(**changes: t.Any) -> dict[str, t.Any]:
    whole = {"start": "2026-11-01T00:00:00.000000Z", "end": None, "since": "2026-11-01", "cursor": "x", "newest": None}
    return {"progress": whole | changes}


@pytest.mark.parametrize(
    "state",
    [
        state_at("garbage"),
        state_at("2026-02-30T00:00:00.000000Z"),
        {"bookmarks": {STREAM: {"replication_key": "ingestion_timestamp", "replication_key_value": 5}}},
        state_at(datetime.now(UTC) + timedelta(days=3)),
        {"bookmarks": {STREAM: {"replication_key": "id", "replication_key_value": "2026-11-01T00:00:00.000000Z"}}},
        {"bookmarks": {STREAM: {"progress": []}}},
        {"bookmarks": {STREAM: progress(cursor=None)}},
        {"bookmarks": {STREAM: progress(start="soon")}},
        {"bookmarks": {STREAM: progress(newest="zzz")}},
        {"bookmarks": {STREAM: progress(newest=fixed_width(datetime.now(UTC) + timedelta(days=3)))}},
        {"bookmarks": {STREAM: progress(unheard_of=1)}},
    ],
    ids=lambda state: json.dumps(state)[28:110],
)
def test_a_state_that_cannot_be_understood_is_refused_in_one_line(sandbox: Sandbox, state: State) -> None:
    run = read(sandbox, state)
    assert run.exit_code == 1
    assert run.stdout == b""
    errors = [line for line in run.log.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert "The bookmark of `pigment_audit_events` in the state cannot be used" in errors[0]
    assert not sandbox.requests


# Events that cannot be stored


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda event: {**event, "eventId": [event["eventId"]]}, "'eventId', part of the key, is a list"),
        (lambda event: {**event, "eventId": {"id": event["eventId"]}}, "'eventId', part of the key, is an object"),
        (lambda event: {**event, "eventId": True}, "'eventId', part of the key, is a boolean"),
        (lambda event: event["eventId"], "not a JSON object"),
        (lambda _event: None, "not a JSON object"),
    ],
    ids=["list", "object", "boolean", "text-for-event", "null-for-event"],
)
def test_an_event_that_cannot_be_stored_fails_the_stream_and_all_others_are_read(
    sandbox: Sandbox, pigment: PigmentSandbox, change: t.Callable[[dict[str, t.Any]], object], reason: str
) -> None:
    whole = set(events(sandbox))
    place = PAGE_SIZE + 3
    event = json.loads(pigment.replace_event(place, b"{}"))
    pigment.replace_event(place, json.dumps(change(event)).encode())
    run = read(sandbox)
    assert run.exit_code == 1
    assert "`pigment_audit_events`: pigment: audit events: events that cannot be stored: 1." in run.log
    assert "The first: page 2, event 3: " in run.log
    assert reason in run.log
    assert "Please report" not in run.log
    assert "Traceback" not in run.log
    assert set(ids(run)) == whole - {event["eventId"]}
    assert "replication_key_value" not in run.bookmark(STREAM)
    assert "progress" not in run.bookmark(STREAM)
    pigment.replace_event(place, json.dumps(event).encode())
    for state in run.states:
        again = read(sandbox, state)
        assert (again.exit_code, set(ids(again)) | set(ids(run))) == (0, whole)


def test_a_window_continued_with_such_an_event_is_read_again_with_what_is_new(
    sandbox: Sandbox, pigment: PigmentSandbox
) -> None:
    first = fail_at_page(sandbox, 3)
    pigment.advance()
    sandbox.faults.add(Fault(times=1, body=b'{"events": [null], "hasMoreEvents": false}'))
    second = read(sandbox, first.state)
    assert second.exit_code == 0
    assert "events that cannot be stored: 1." in second.log
    assert set(ids(second)) >= set(events(sandbox))
