from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.doctor.assumptions import Outcome
from tests.doctor.runs import examine, near, outcomes, reason, statuses
from tests.openx.runs import STREAM, config, ids, keys, true_keys
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from tests.support.tap_runs import Clock, Run

    Turn: t.TypeAlias = Callable[[OpenxSandbox], None]

CONFIRMED, CONTRADICTED, NOT_OBSERVABLE = Outcome.CONFIRMED, Outcome.CONTRADICTED, Outcome.NOT_OBSERVABLE

UNSEEN = {f"openx-{number:02}" for number in (18, 21, 22, 26)}
AS_IT_IS = {
    f"openx-{number:02}": NOT_OBSERVABLE if f"openx-{number:02}" in UNSEEN else CONFIRMED for number in range(1, 27)
}


def set_in(part: str, **attributes: t.Any) -> Turn:
    """A switch of a part of the imitation, or with an empty name of the whole."""

    def turn(openx: OpenxSandbox) -> None:
        target = getattr(openx, part) if part else openx
        for name, value in attributes.items():
            assert hasattr(target, name)
            setattr(target, name, value)

    return turn


def change_unnoticed(openx: OpenxSandbox) -> None:
    for obj_type, obj_id in {key[:2] for key in true_keys(openx)}:
        openx.change(obj_type, int(obj_id), age=timedelta(minutes=1), bump=False)


def purge(openx: OpenxSandbox) -> None:
    for obj_type, obj_id in {key[:2] for key in true_keys(openx)}:
        openx.purge(obj_type, int(obj_id), 1)


# The assumption, and the switch that contradicts it; the tap reads all in each case.
SWITCHES: list[tuple[str, Turn]] = [
    ("openx-01", set_in("audit_trail", bulk=True)),
    ("openx-02", set_in("paging", most=50)),
    ("openx-02", set_in("paging", most=50, beyond_most="refuse")),
    ("openx-03", set_in("audit_trail", filter_zone=timedelta(hours=-12))),
    ("openx-03", set_in("audit_trail", filter_zone=timedelta(hours=14))),
    ("openx-03", set_in("audit_trail", ignores_timestamp=True)),
    ("openx-04", set_in("objects", unix_times=True)),
    ("openx-05", set_in("audit_trail", numbered_by=2)),
    ("openx-06", purge),
    ("openx-07", change_unnoticed),
    ("openx-08", set_in("audit_trail", without_revisions=True)),
    ("openx-09", set_in("audit_trail", ignores_sort=True)),
    ("openx-10", set_in("paging", answer_as="array")),
    ("openx-11", set_in("listing", without={"modified_date"})),
    ("openx-12", set_in("paging", unknown_type_status=500)),
    ("openx-12", set_in("paging", unknown_type_status=422)),
    ("openx-14", set_in("listing", shows_deleted=True)),
    ("openx-15", set_in("audit_trail", missing_object="empty")),
    ("openx-16", set_in("account", unauthorized_status=400)),
    ("openx-17", set_in("", serves_session=False)),
    ("openx-23", set_in("objects", update_action="edit")),
    ("openx-24", set_in("objects", changes_as="text")),
    ("openx-25", set_in("objects", user_as="text")),
]


def read(sandbox: Sandbox, state: t.Any = None, **common: t.Any) -> Run:
    return sync({**config(sandbox), **common}, state)


@pytest.fixture
def sandbox(clock: Clock) -> t.Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["openx"], size=500, clock=clock) as running:
        yield running


@pytest.fixture(autouse=True)
def _changes_around_midnight(openx: OpenxSandbox) -> None:
    midnight = openx.catalogue.now() // 86_400 * 86_400 - 4 * 86_400
    for obj_type, obj_id in sorted({key[:2] for key in true_keys(openx)}):
        for hours in (-2, 2):
            openx.change(obj_type, int(obj_id), age=timedelta(seconds=openx.catalogue.now() - midnight - hours * 3600))


def test_all_assumptions_as_documented(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "openx")
    assert outcomes(examination) == AS_IT_IS
    assert examination.is_well
    assert {statuses(examination)[name] for name in (f"stream {STREAM}", "object types")} == {"ok"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("assumption_id", "turn"), SWITCHES)
def test_a_contradicted_assumption_is_told_and_nothing_is_lost(
    sandbox: Sandbox, openx: OpenxSandbox, assumption_id: str, turn: Turn
) -> None:
    turn(openx)
    examination = examine(sandbox, "openx")
    assert outcomes(examination)[assumption_id] is CONTRADICTED, reason(examination, assumption_id)
    assert not examination.is_well
    run = read(sandbox)
    assert run.exit_code == 0, run.log
    assert len(keys(run.records(STREAM))) >= len(true_keys(openx))


def test_a_type_that_is_not_known_is_named_and_skipped(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    types = ["order", "package"]
    examination = examine(sandbox, "openx", vendor_object_types=types)
    assert outcomes(examination)["openx-13"] is CONTRADICTED
    (check,) = [it for it in examination.checks if it.name == "object types"]
    assert check.facts == {"cannot_be_listed": ["package"], "not_asked": 0}
    run = sync(config(sandbox, object_types=types))
    assert run.exit_code == 0
    assert "`package` is skipped in this run" in run.log
    assert keys(run.records(STREAM)) == true_keys(openx, "order")


def test_an_unknown_type_that_is_an_error_of_the_server_stops_the_tap(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.paging.unknown_type_status = 500
    run = sync({**config(sandbox, object_types=["package", "order"]), "max_retry_wait_seconds": 0})
    assert run.exit_code == 1
    assert "HTTP 500" in run.log


def test_pages_that_do_not_say_whether_more_follows_stop_the_tap(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.paging.answer_as = "without_more"
    assert statuses(examine(sandbox, "openx"))[f"stream {STREAM}"] == "failed"
    run = read(sandbox)
    assert run.exit_code == 1
    assert "does not say whether more follows" in run.log


@pytest.mark.parametrize("most", [10, 100])
def test_bare_arrays_are_read_to_their_end(sandbox: Sandbox, openx: OpenxSandbox, most: int) -> None:
    openx.fill({"order": 120}, changes=1)
    openx.paging.answer_as, openx.paging.most = "array", most
    run = read(sandbox)
    assert run.exit_code == 0
    assert keys(run.records(STREAM)) == true_keys(openx)


@pytest.mark.parametrize("zone", [-12, 14])
def test_a_start_date_is_kept_whatever_the_zone_of_the_filter(
    sandbox: Sandbox, openx: OpenxSandbox, clock: Clock, zone: int
) -> None:
    openx.audit_trail.filter_zone = timedelta(hours=zone)
    start = (clock() - timedelta(days=10)).replace(hour=0, minute=30)
    order = ids(openx, "order")[0]
    row = openx.change("order", order, age=clock() - start - timedelta(minutes=1))
    run = read(sandbox, start_date=start.isoformat())
    assert keys([row]) <= keys(run.records(STREAM))


def test_what_lies_in_the_future_is_read_later(sandbox: Sandbox, openx: OpenxSandbox, clock: Clock) -> None:
    openx.objects.zone = timedelta(hours=2)
    for obj_type, obj_id in {key[:2] for key in true_keys(openx)}:
        openx.change(obj_type, int(obj_id))
    assert outcomes(examine(sandbox, "openx"))["openx-04"] is CONTRADICTED
    first = read(sandbox)
    clock.shift += timedelta(hours=3)
    second = read(sandbox, first.state)
    assert keys(first.records(STREAM)) | keys(second.records(STREAM)) == true_keys(openx)


@pytest.mark.parametrize(("headers", "outcome"), [({}, CONFIRMED), ({"Retry-After": "2"}, CONTRADICTED)])
def test_a_quota_that_is_used_up_is_seen(sandbox: Sandbox, headers: dict[str, str], outcome: Outcome) -> None:
    sandbox.faults.replace([Fault(skip=9, status=429, headers=headers)])
    examination = examine(sandbox, "openx")
    assert outcomes(examination)["openx-18"] is outcome
    assert statuses(examination)["requests"] == "warning"


@pytest.mark.parametrize(("method", "id_of_login"), [("oauth1", "openx-22"), ("token", None)])
def test_the_other_ways_to_log_in(
    sandbox: Sandbox, openx: OpenxSandbox, method: t.Literal["oauth1", "token"], id_of_login: str | None
) -> None:
    openx.auth_method = method
    examination = examine(sandbox, "openx")
    found = outcomes(examination)
    assert examination.is_well
    assert {name for name in ("openx-20", "openx-22") if found[name] is CONFIRMED} == {id_of_login} - {None}
    assert found["openx-19"] is (NOT_OBSERVABLE if method == "oauth1" else CONFIRMED)


def test_an_account_without_objects_shows_little(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({}, changes=1)
    examination = examine(sandbox, "openx", vendor_object_types=["order", "ad"])
    unseen = {name for name, outcome in outcomes(examination).items() if outcome is NOT_OBSERVABLE}
    numbers = (3, 4, 5, 6, 7, 8, 9, 11, 14, 15, 18, 19, 21, 22, 23, 24, 25, 26)
    assert unseen == {f"openx-{number:02}" for number in numbers}


def test_a_user_who_may_read_nothing_fails_with_what_is_missing(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.listing.unlistable.update(openx.catalogue.kinds)
    (check,) = [it for it in examine(sandbox, "openx").checks if it.name == f"stream {STREAM}"]
    assert check.status.value == "failed"
    assert "an instance-wide administrator" in check.next_step


def measure(sandbox: Sandbox, state: t.Any = None) -> tuple[Run, int]:
    """Run the tap, and count its requests."""
    sandbox.requests.clear()
    return read(sandbox, state), len(sandbox.requests)


@pytest.mark.parametrize("sizes", [{}, {"order": 250, "ad": 130, "adunit": 40}])
def test_the_estimate_is_near_the_truth(
    sandbox: Sandbox, openx: OpenxSandbox, clock: Clock, sizes: dict[str, int]
) -> None:
    changed: list[tuple[str, int]] = []
    if sizes:
        openx.fill(sizes, changes=2)
        changed = sorted({(key[0], int(key[1])) for key in true_keys(openx)})[::4]
        for number, (obj_type, obj_id) in enumerate(changed):
            openx.change(obj_type, obj_id, age=timedelta(hours=number % 24, minutes=5))
    (estimate,) = examine(sandbox, "openx").estimates
    first, sent = measure(sandbox)
    clock.shift += timedelta(hours=1)
    for obj_type, obj_id in changed[::24]:  # the next hour is as the ones before
        openx.change(obj_type, obj_id, age=timedelta(minutes=30))
    second, sent_later = measure(sandbox, first.state)
    assert near(estimate.first_run.rows, len(first.records(STREAM)))
    assert near(estimate.first_run.requests, sent)
    assert near(estimate.hourly_run.rows, len(second.records(STREAM)))
    assert near(estimate.hourly_run.requests, sent_later)


def test_the_budget_is_kept_and_nothing_is_changed(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill(dict.fromkeys(openx.catalogue.kinds, 101), changes=2)
    sandbox.read_only = True
    found = outcomes(examine(sandbox, "openx"))
    assert 0 < sandbox.counts()["openx"]["requests"] <= 40
    assert sandbox.counts()["openx"]["writes"] == 0
    assert found["openx-03"] is CONFIRMED
