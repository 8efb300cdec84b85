from __future__ import annotations

import typing as t
from datetime import timedelta, timezone

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tap_auditlogs.doctor.assumptions import Outcome
from tests.doctor.runs import examine, near, outcomes, reason, statuses
from tests.pigment.feed import STREAM, events, ids, read

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.tap_runs import Clock, Run

CONFIRMED, CONTRADICTED, NOT_OBSERVABLE = Outcome.CONFIRMED, Outcome.CONTRADICTED, Outcome.NOT_OBSERVABLE

AS_IT_IS = {
    "pigment-01": CONFIRMED,
    "pigment-02": CONFIRMED,
    "pigment-03": CONFIRMED,
    "pigment-04": CONFIRMED,
    "pigment-05": CONFIRMED,
    "pigment-06": CONFIRMED,
    "pigment-07": CONFIRMED,
    "pigment-08": CONFIRMED,
    "pigment-09": CONFIRMED,
    "pigment-10": CONFIRMED,
    "pigment-11": CONFIRMED,
    "pigment-12": CONFIRMED,
    "pigment-13": CONFIRMED,
    "pigment-14": NOT_OBSERVABLE,
    "pigment-15": CONFIRMED,
    "pigment-16": CONFIRMED,
    "pigment-17": NOT_OBSERVABLE,
    "pigment-18": NOT_OBSERVABLE,
}


def set_to(**attributes: t.Any) -> Callable[[PigmentSandbox], None]:
    def turn(pigment: PigmentSandbox) -> None:
        for name, value in attributes.items():
            assert hasattr(pigment, name)
            setattr(pigment, name, value)

    return turn


# The assumption, the switch that contradicts it, and the message with which the tap stops; without one it reads all.
SWITCHES: list[tuple[str, Callable[[PigmentSandbox], None], str | None]] = [
    ("pigment-01", set_to(zone=timezone(timedelta(hours=-12))), None),
    ("pigment-01", set_to(zone=timezone(timedelta(hours=14))), None),
    ("pigment-02", set_to(dates_only=True), None),
    ("pigment-03", set_to(since_is_exclusive=True), None),
    ("pigment-04", set_to(keeps_older=True), None),
    ("pigment-05", set_to(since_is_optional=True), None),
    ("pigment-06", set_to(foreign_cursors=True), None),
    ("pigment-07", set_to(single_use_cursors=True), None),
    ("pigment-08", set_to(bad_cursor="empty"), None),
    ("pigment-08", set_to(bad_cursor=403), None),
    ("pigment-08", set_to(bad_cursor=500), None),
    ("pigment-09", set_to(more_as=None), None),
    ("pigment-09", set_to(more_as="text"), "neither true nor false"),
    ("pigment-09", set_to(page_without_cursor=1), "gives no cursor"),
    ("pigment-10", set_to(order="ascending"), None),
    ("pigment-11", set_to(event_ids=False), None),
    ("pigment-12", set_to(times_as="without_zone"), None),
    ("pigment-12", set_to(times_as="unix"), None),
    ("pigment-13", set_to(actors_as="text"), None),
    ("pigment-15", set_to(status_without_key=404), None),
    ("pigment-16", set_to(needs_content_type=True), "HTTP 415"),
    ("pigment-17", set_to(endless=True), "consecutive pages are empty"),
]


@pytest.fixture(autouse=True)
def _events_at_midnight(pigment: PigmentSandbox) -> None:
    midnight = pigment.world.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for hours in (-20, -8, -0.5, 0.5, 8, 20):
        pigment.add_event(midnight - timedelta(hours=24) + timedelta(hours=hours))


def everything(sandbox: Sandbox, run: Run) -> bool:
    """Whether a run has as many different events as the sandbox."""
    return len(set(ids(run))) == len(events(sandbox))


def test_all_assumptions_as_documented(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "pigment")
    assert outcomes(examination) == AS_IT_IS
    assert examination.is_well
    assert statuses(examination)[f"stream {STREAM}"] == "ok"


@pytest.mark.exhaustive
@pytest.mark.parametrize(("assumption_id", "turn", "message"), SWITCHES)
def test_a_contradicted_assumption_is_told_and_nothing_is_lost(
    sandbox: Sandbox,
    pigment: PigmentSandbox,
    assumption_id: str,
    turn: Callable[[PigmentSandbox], None],
    message: str | None,
) -> None:
    turn(pigment)
    examination = examine(sandbox, "pigment")
    assert outcomes(examination)[assumption_id] is CONTRADICTED, reason(examination, assumption_id)
    assert not examination.is_well
    run = read(sandbox)
    if message is None:
        assert run.exit_code == 0, run.log
        assert everything(sandbox, run)
    else:
        assert run.exit_code == 1
        assert message in run.log
        assert "replication_key_value" not in run.bookmark(STREAM)


@pytest.mark.parametrize(
    "turn",
    [
        set_to(single_use_cursors=True),
        set_to(bad_cursor="empty"),
        set_to(bad_cursor=403),
        set_to(bad_cursor=500),
        set_to(bad_cursor=422),
    ],
)
def test_a_run_that_cannot_go_on_with_its_cursor_reads_the_window_again(
    sandbox: Sandbox, pigment: PigmentSandbox, turn: Callable[[PigmentSandbox], None]
) -> None:
    turn(pigment)
    sandbox.faults.add(Fault(skip=3, times=None, status=500))
    interrupted = read(sandbox, max_retry_wait_seconds=0)
    assert interrupted.exit_code == 1
    sandbox.faults.replace([])
    pigment.expire_cursors()
    run = read(sandbox, interrupted.state)
    assert run.exit_code == 0, run.log
    assert everything(sandbox, run)


@pytest.mark.parametrize(
    ("headers", "outcome"), [({}, CONFIRMED), ({"Retry-After": "2"}, CONTRADICTED)], ids=["without", "with"]
)
def test_throttling_is_seen(sandbox: Sandbox, headers: dict[str, str], outcome: Outcome, waits: list[float]) -> None:
    def throttle() -> None:
        sandbox.faults.replace([Fault(skip=2, times=1, status=429, headers=headers)])

    throttle()
    examination = examine(sandbox, "pigment")
    assert outcomes(examination)["pigment-14"] is outcome
    assert statuses(examination)["requests"] == "warning"
    assert waits == []
    throttle()
    run = read(sandbox)
    assert run.exit_code == 0
    assert everything(sandbox, run)
    (wait,) = waits
    assert (2 <= wait <= 3) if headers else (wait >= 20)


def test_empty_pages_before_more_events_are_seen(sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.empty_pages = {2}
    assert outcomes(examine(sandbox, "pigment"))["pigment-17"] is CONFIRMED


def test_an_account_without_events_shows_little(clock: Clock) -> None:
    clock.shift = timedelta(days=-365)
    with Sandbox(vendors=["pigment"], size=1, clock=clock) as empty:
        clock.shift = timedelta()
        found = outcomes(examine(empty, "pigment"))
    unseen = {name for name, outcome in found.items() if outcome is NOT_OBSERVABLE}
    assert unseen == {f"pigment-{number:02}" for number in (1, 2, 3, 6, 7, 10, 11, 12, 13, 14, 17, 18)}


@pytest.mark.parametrize("page_size", [1000, 300, 40])
def test_the_estimate_is_near_the_truth(clock: Clock, page_size: int) -> None:
    with Sandbox(seed=3, vendors=["pigment"], size=3000, clock=clock) as large:
        large.vendor("pigment", PigmentSandbox).page_size = page_size
        (estimate,) = examine(large, "pigment").estimates
        sent = [len(large.requests)]
        first = read(large)
        sent.append(len(large.requests))
        clock.shift += timedelta(hours=1)
        second = read(large, first.state)
        sent.append(len(large.requests))
    assert near(estimate.first_run.rows, len(ids(first)))
    assert near(estimate.first_run.requests, sent[1] - sent[0])
    assert near(estimate.hourly_run.rows, len(ids(second)))
    assert near(estimate.hourly_run.requests, sent[2] - sent[1])


def test_the_budget_is_kept_and_nothing_is_changed(sandbox: Sandbox) -> None:
    sandbox.read_only = True
    examine(sandbox, "pigment")
    assert 0 < sandbox.counts()["pigment"]["requests"] <= 40
    assert sandbox.counts()["pigment"]["writes"] == 0


def test_a_zone_is_seen_whatever_the_order(clock: Clock) -> None:
    with Sandbox(seed=3, vendors=["pigment"], size=3000, clock=clock) as large:
        pigment = large.vendor("pigment", PigmentSandbox)
        pigment.order = "ascending"
        pigment.zone = timezone(timedelta(hours=-8))
        assert outcomes(examine(large, "pigment"))["pigment-01"] is CONTRADICTED


@pytest.mark.parametrize(("minutes", "outcome"), [(50, CONFIRMED), (70, NOT_OBSERVABLE)])
def test_a_date_is_only_settled_by_events_near_midnight(clock: Clock, minutes: int, outcome: Outcome) -> None:
    clock.shift = timedelta(days=-365)
    with Sandbox(vendors=["pigment"], size=1, clock=clock) as empty:
        clock.shift = timedelta()
        pigment = empty.vendor("pigment", PigmentSandbox)
        midnight = pigment.world.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
        pigment.add_event(midnight - timedelta(minutes=minutes))
        pigment.add_event(midnight + timedelta(minutes=minutes))
        examination = examine(empty, "pigment")
    assert outcomes(examination)["pigment-01"] is outcome
