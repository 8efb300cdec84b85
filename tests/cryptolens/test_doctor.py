from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from tap_auditlogs.doctor.assumptions import Outcome
from tests.cryptolens.logs import EVENTS, OBJECT_LOG, STREAMS, WEB_API_LOG, ids, read, row_ids, state_at, value
from tests.doctor.runs import examine, near, outcomes, reason, statuses

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.tap_runs import Clock

    Row: t.TypeAlias = dict[str, t.Any]
    Turn: t.TypeAlias = Callable[[CryptolensSandbox], None]

CONFIRMED, CONTRADICTED, NOT_OBSERVABLE = Outcome.CONFIRMED, Outcome.CONTRADICTED, Outcome.NOT_OBSERVABLE

UNSEEN = {"cryptolens-06", "cryptolens-09", "cryptolens-16"}
AS_IT_IS = {
    f"cryptolens-{number:02}": NOT_OBSERVABLE if f"cryptolens-{number:02}" in UNSEEN else CONFIRMED
    for number in range(1, 17)
}


def set_in(log_name: str, **attributes: t.Any) -> Turn:
    """A switch of one log, or with an empty name of the whole imitation."""

    def turn(cryptolens: CryptolensSandbox) -> None:
        target = getattr(cryptolens, log_name) if log_name else cryptolens
        for name, new in attributes.items():
            assert hasattr(target, name)
            setattr(target, name, new)

    return turn


def numbered_from(first: int) -> Callable[[Row], Row]:
    def show(row: Row) -> Row:
        return {**row, "resourceType": first + row["id"] % 7, "resourceAction": first + row["id"] % 4}

    return show


def in_pascal_case(row: Row) -> Row:
    return {key if key == "id" else key[:1].upper() + key[1:]: item for key, item in row.items()}


def performed_by_object(row: Row) -> Row:
    return {**row, "performedByUserId": {"id": 7}}


# The assumption, the switch that contradicts it, and the message with which one stream stops; without one all is read.
SWITCHES: list[tuple[str, Turn, dict[str, str]]] = [
    ("cryptolens-01", set_in("events", order="descending"), {EVENTS: "do not come in the order of their ids"}),
    ("cryptolens-01", set_in("events", order="shuffled"), {EVENTS: "do not come in the order of their ids"}),
    ("cryptolens-02", set_in("object_log", order="descending"), {OBJECT_LOG: "do not come in the order of their ids"}),
    ("cryptolens-03", set_in("object_log", rows_key="objectLogs"), {}),
    ("cryptolens-04", set_in("", narrow_cursors=True), {}),
    ("cryptolens-05", set_in("events", over_limit="allow", most_rows=None), {}),
    ("cryptolens-06", set_in("object_log", show_row=numbered_from(1), most_rows=None), {}),
    ("cryptolens-07", set_in("", error_style="status_400"), {}),
    ("cryptolens-10", set_in("events", refuses_expired=True), {}),
    ("cryptolens-11", set_in("web_api_log", backward="ascending"), {}),
    ("cryptolens-11", set_in("events", backward="refused"), {}),
    ("cryptolens-12", set_in("", null_when_empty=True), {}),
    ("cryptolens-13", set_in("web_api_log", show_row=in_pascal_case), {}),
    ("cryptolens-14", set_in("", ids_as_strings=True), {}),
    ("cryptolens-15", set_in("object_log", show_row=performed_by_object), {}),
]


@pytest.fixture
def sandbox(clock: Clock) -> t.Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["cryptolens"], size=1000, clock=clock) as running:
        yield running


def test_all_assumptions_as_documented(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "cryptolens")
    assert outcomes(examination) == AS_IT_IS
    assert examination.is_well
    assert {statuses(examination)[f"stream {name}"] for name in STREAMS} == {"ok"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("assumption_id", "turn", "messages"), SWITCHES)
def test_a_contradicted_assumption_is_told_and_nothing_is_lost(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, assumption_id: str, turn: Turn, messages: dict[str, str]
) -> None:
    turn(cryptolens)
    examination = examine(sandbox, "cryptolens")
    assert outcomes(examination)[assumption_id] is CONTRADICTED, reason(examination, assumption_id)
    assert not examination.is_well
    assert {estimate.stream for estimate in examination.estimates} == set(STREAMS) - messages.keys()
    run = read(sandbox)
    assert run.exit_code == bool(messages), run.log
    for stream in STREAMS:
        if stream in messages:
            assert messages[stream] in run.log
            assert value(run, stream) is None
        else:
            assert set(ids(run, stream)) == set(row_ids(sandbox, stream))


def test_an_unknown_key_of_rows_is_an_error_for_doctor_and_tap(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.object_log.rows_key = "entries"
    examination = examine(sandbox, "cryptolens")
    assert statuses(examination)[f"stream {OBJECT_LOG}"] == "failed"
    assert outcomes(examination)["cryptolens-03"] is NOT_OBSERVABLE
    run = read(sandbox)
    assert run.exit_code == 1
    assert "holds no list of rows" in run.log


@pytest.mark.parametrize(("first", "outcome"), [(0, CONFIRMED), (1, CONTRADICTED)])
def test_the_numbering_is_seen(sandbox: Sandbox, cryptolens: CryptolensSandbox, first: int, outcome: Outcome) -> None:
    cryptolens.object_log.show_row = numbered_from(first)
    assert outcomes(examine(sandbox, "cryptolens"))["cryptolens-06"] is outcome


@pytest.mark.parametrize("over_limit", ["refuse", "clamp"])
def test_both_ways_to_keep_a_limit_are_confirmed(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, over_limit: t.Literal["refuse", "clamp"]
) -> None:
    cryptolens.events.over_limit = over_limit
    assert outcomes(examine(sandbox, "cryptolens"))["cryptolens-05"] is CONFIRMED


def test_throttling_is_seen_and_waited_for(sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.replace([Fault(skip=4, status=429)])
    examination = examine(sandbox, "cryptolens")
    assert outcomes(examination)["cryptolens-08"] is CONTRADICTED
    assert statuses(examination)["requests"] == "warning"
    sandbox.faults.replace([Fault(skip=4, status=429)])
    run = read(sandbox)
    assert run.exit_code == 0
    assert len(waits) == 1


@pytest.mark.parametrize("log_name", ["events", "object_log"])
def test_a_refused_bookmark_that_has_expired_is_read_over(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, log_name: str
) -> None:
    log = getattr(cryptolens, log_name)
    log.refuses_expired = True
    run = read(sandbox, state_at(**{log.stream: log.entries[3].id}))
    assert run.exit_code == 0, run.log
    assert "reading from the oldest row" in run.log
    assert set(ids(run, log.stream)) == set(row_ids(sandbox, log.stream))


def test_an_account_without_rows_shows_little(clock: Clock) -> None:
    clock.shift = timedelta(days=-365)
    with Sandbox(vendors=["cryptolens"], size=1, clock=clock) as empty:
        clock.shift = timedelta()
        vendor = empty.vendor("cryptolens", CryptolensSandbox)
        vendor.web_api_log.entries.clear()
        found = outcomes(examine(empty, "cryptolens"))
    unseen = {name for name, outcome in found.items() if outcome is NOT_OBSERVABLE}
    assert unseen == {f"cryptolens-{number:02}" for number in (1, 2, 6, 9, 10, 11, 12, 13, 14, 15, 16)}


def test_a_missing_permission_is_named(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.permissions.remove("GetObjectLog")
    examination = examine(sandbox, "cryptolens")
    (check,) = [check for check in examination.checks if check.name == f"stream {OBJECT_LOG}"]
    assert check.status.value == "failed"
    assert "Get Object Log" in check.next_step
    assert not examination.is_well
    assert outcomes(examination)["cryptolens-02"] is NOT_OBSERVABLE
    assert statuses(examination)[f"stream {EVENTS}"] == "ok"


def test_a_product_without_rows_is_a_warning(sandbox: Sandbox) -> None:
    assert statuses(examine(sandbox, "cryptolens", vendor_product_id=3646))["product_id"] == "ok"
    assert statuses(examine(sandbox, "cryptolens", vendor_product_id=99))["product_id"] == "warning"


@pytest.mark.parametrize(("size", "most_rows"), [(100, None), (1000, 30), (6000, None)])
def test_the_estimate_is_near_the_truth(clock: Clock, size: int, most_rows: int | None) -> None:
    with Sandbox(seed=5, vendors=["cryptolens"], size=size, clock=clock) as large:
        vendor = large.vendor("cryptolens", CryptolensSandbox)
        for log in (vendor.web_api_log, vendor.events, vendor.object_log):
            log.most_rows = most_rows
        estimates = {estimate.stream: estimate for estimate in examine(large, "cryptolens").estimates}
        asked = [requests_by_method(large)]
        first = read(large)
        asked.append(requests_by_method(large))
        clock.shift += timedelta(hours=1)
        second = read(large, first.state)
        asked.append(requests_by_method(large))
    for stream in STREAMS:
        one, two = (asked[number + 1][stream] - asked[number][stream] for number in (0, 1))
        assert near(estimates[stream].first_run.rows, len(ids(first, stream))), stream
        assert near(estimates[stream].first_run.requests, one), stream
        assert near(estimates[stream].hourly_run.requests, two), stream
        assert estimates[stream].hourly_run.rows <= 20 + len(ids(second, stream))


def test_a_start_date_leaves_fewer_rows(clock: Clock) -> None:
    start = (clock() - timedelta(days=100)).isoformat()
    with Sandbox(seed=5, vendors=["cryptolens"], size=6000, clock=clock) as large:
        estimates = {it.stream: it for it in examine(large, "cryptolens", start_date=start).estimates}
        run = read(large, start_date=start)
    assert near(estimates[WEB_API_LOG].first_run.rows, len(ids(run, WEB_API_LOG)))


def requests_by_method(sandbox: Sandbox) -> dict[str, int]:
    methods = {WEB_API_LOG: "GetWebAPILog", EVENTS: "GetEvents", OBJECT_LOG: "GetObjectLog"}
    return {
        stream: sum(request.path.endswith(method) for request in sandbox.requests) for stream, method in methods.items()
    }


def test_the_budget_is_kept_and_nothing_is_changed(clock: Clock) -> None:
    with Sandbox(seed=5, vendors=["cryptolens"], size=2000, clock=clock) as large:
        large.read_only = True
        examine(large, "cryptolens")
        assert 0 < large.counts()["cryptolens"]["requests"] <= 40
        assert large.counts()["cryptolens"]["writes"] == 0


def test_unknown_states_are_counted_but_not_shown(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.web_api_log.show_row = lambda row: {**row, "state": 9010 if row["id"] % 2 else 2014}
    unknown = sum(number % 2 for number in row_ids(sandbox, WEB_API_LOG)[:1000])
    (check,) = [it for it in examine(sandbox, "cryptolens").checks if it.name == f"shape of {WEB_API_LOG}"]
    assert check.status.value == "warning"
    assert f"with an unknown value: state ({unknown})" in check.reason
    assert "9010" not in check.reason
