from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.doctor.assumptions import Outcome
from tests.doctor.runs import examine, near, outcomes, reason, statuses
from tests.support.tap_runs import sync
from tests.xandr.runs import DETAIL, LOG, config, keys, true_keys

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.vendors.xandr import XandrSandbox
    from tests.support.tap_runs import Clock, Run

    Turn: t.TypeAlias = Callable[[XandrSandbox], None]

CONFIRMED, CONTRADICTED, NOT_OBSERVABLE = Outcome.CONFIRMED, Outcome.CONTRADICTED, Outcome.NOT_OBSERVABLE

SERVICES = [
    "advertiser",
    "insertion-order",
    "line-item",
    "campaign",
    "profile",
    "creative",
    "publisher",
    "site",
    "placement",
    "deal",
    "pixel",
]
UNSEEN = {f"xandr-{number:02}" for number in (21, 22, 23, 24, 25)}
AS_IT_IS = {
    f"xandr-{number:02}": NOT_OBSERVABLE if f"xandr-{number:02}" in UNSEEN else CONFIRMED for number in range(1, 26)
}


def set_in(part: str, **attributes: t.Any) -> Turn:
    """A switch of a part of the imitation, or with an empty name of the whole."""

    def turn(xandr: XandrSandbox) -> None:
        target = getattr(xandr, part) if part else xandr
        for name, value in attributes.items():
            assert hasattr(target, name)
            setattr(target, name, value)

    return turn


def share_transactions(xandr: XandrSandbox) -> None:
    """All advertisers are changed in one transaction, whose details show all of them."""
    xandr.bulk_edit("advertiser", sorted({key[1] for key in true_keys(xandr) if key[0] == "advertiser"}))
    xandr.change_log.details_by_object = "ignored"


def show_another_object(xandr: XandrSandbox) -> None:
    share_transactions(xandr)
    xandr.change_log.details_of_one = True


def change_unnoticed(xandr: XandrSandbox) -> None:
    for service, object_id in {key[:2] for key in true_keys(xandr)}:
        xandr.change(service, object_id, age=timedelta(minutes=1), bump=False)


# The assumption, the switch that contradicts it, and the message with which the tap stops; without one it reads all.
SWITCHES: list[tuple[str, Turn, str | None]] = [
    ("xandr-01", set_in("change_log", unsupported={"pixel"}), None),
    ("xandr-02", set_in("change_log", unsupported_answer="unauth"), None),
    ("xandr-02", set_in("change_log", unsupported_answer="empty"), None),
    ("xandr-03", set_in("change_log", missing_object="empty"), None),
    ("xandr-03", set_in("change_log", missing_object="status_422"), None),
    ("xandr-04", set_in("", errors_by_status=True), None),
    ("xandr-05", set_in("change_log", bounds_zone=timedelta(hours=14)), None),
    ("xandr-05", set_in("change_log", bounds_zone=timedelta(hours=-12)), None),
    ("xandr-06", set_in("change_log", ignores_bounds=True), None),
    ("xandr-07", set_in("transactions", unix_times=True), None),
    ("xandr-08", set_in("change_log", ignores_order=True), None),
    ("xandr-09", set_in("transactions", integer_ids=True), None),
    ("xandr-10", set_in("change_log", details_by_object="refused"), None),
    ("xandr-11", set_in("change_log", unknown_transaction="not_found"), None),
    ("xandr-11", set_in("change_log", unknown_transaction="syntax"), None),
    ("xandr-12", share_transactions, None),
    ("xandr-12", show_another_object, "of other objects only"),
    ("xandr-13", change_unnoticed, None),
    ("xandr-14", lambda xandr: setattr(xandr.listing.objects, "local_zone", timedelta(hours=-30)), None),
    ("xandr-15", set_in("listing", scopes_required=True), None),
    ("xandr-16", set_in("listing", scopes_optional=True), None),
    ("xandr-17", set_in("change_log", refuses_old_bounds=True), None),
    ("xandr-18", set_in("listing", single_as_object=False), None),
    ("xandr-19", set_in("listing", id_prefix="L"), "no usable id"),
    ("xandr-20", set_in("listing", other_list=True), "no list of rows"),
]


def read(sandbox: Sandbox, state: t.Any = None, **common: t.Any) -> Run:
    return sync({**config(sandbox, services=SERVICES), **common}, state)


def wanted(xandr: XandrSandbox) -> int:
    """How many transactions the configured services have."""
    return len({key for key in true_keys(xandr) if key[0] in SERVICES})


def diagnose(sandbox: Sandbox, **settings: t.Any) -> t.Any:
    return examine(sandbox, "xandr", vendor_services=SERVICES, **settings)


@pytest.fixture
def sandbox(clock: Clock) -> t.Iterator[Sandbox]:
    with Sandbox(seed=5, vendors=["xandr"], size=500, clock=clock) as running:
        yield running


@pytest.fixture(autouse=True)
def _every_object_has_changed(xandr: XandrSandbox) -> None:
    for service, object_id in sorted({key[:2] for key in true_keys(xandr)}):
        xandr.change(service, object_id, age=timedelta(days=3))


def test_all_assumptions_as_documented(sandbox: Sandbox) -> None:
    examination = diagnose(sandbox)
    assert outcomes(examination) == AS_IT_IS
    assert examination.is_well
    found = statuses(examination)
    assert {found[name] for name in (f"stream {LOG}", f"stream {DETAIL}", "user", "password", "services")} == {"ok"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("assumption_id", "turn", "message"), SWITCHES)
def test_a_contradicted_assumption_is_told_and_nothing_is_lost(
    sandbox: Sandbox, xandr: XandrSandbox, assumption_id: str, turn: Turn, message: str | None
) -> None:
    turn(xandr)
    examination = diagnose(sandbox)
    assert outcomes(examination)[assumption_id] is CONTRADICTED, reason(examination, assumption_id)
    assert not examination.is_well
    run = read(sandbox)
    if message is None:
        assert run.exit_code == 0, run.log
        assert len(keys(run.records(LOG))) == wanted(xandr)
        assert len(keys(run.records(DETAIL))) == wanted(xandr)
    else:
        assert run.exit_code == 1
        assert message in run.log
        assert "replication_key_value" not in run.bookmark(DETAIL).get("parts", {}).get("advertiser", {})


def test_what_lies_in_the_future_is_read_later(sandbox: Sandbox, xandr: XandrSandbox, clock: Clock) -> None:
    xandr.transactions.zone = timedelta(hours=2)
    rows = [xandr.change(service, object_id) for service, object_id in {key[:2] for key in true_keys(xandr)}]
    assert outcomes(diagnose(sandbox))["xandr-07"] is CONTRADICTED
    first = read(sandbox)
    clock.shift += timedelta(hours=3)
    second = read(sandbox, first.state)
    assert len(keys(first.records(LOG)) | keys(second.records(LOG))) == wanted(xandr)
    found = keys([*first.records(DETAIL), *second.records(DETAIL)])
    assert {key for key in keys(rows) if key[0] in SERVICES} <= found


@pytest.mark.parametrize("zone", [-12, 14])
def test_a_later_run_reads_all_whatever_the_zone_of_the_bounds(
    sandbox: Sandbox, xandr: XandrSandbox, clock: Clock, zone: int
) -> None:
    xandr.change_log.bounds_zone = timedelta(hours=zone)
    first = read(sandbox)
    xandr.advance()
    clock.shift += timedelta(hours=1)
    second = read(sandbox, first.state)
    assert len(keys(first.records(LOG)) | keys(second.records(LOG))) == wanted(xandr)


def test_a_start_from_before_what_is_kept_is_not_sent(sandbox: Sandbox, xandr: XandrSandbox, clock: Clock) -> None:
    xandr.change_log.refuses_old_bounds = True
    run = read(sandbox, start_date=(clock() - timedelta(days=400)).isoformat())
    assert run.exit_code == 0
    assert len(keys(run.records(DETAIL))) == wanted(xandr)


@pytest.mark.parametrize(
    ("headers", "status", "outcome"),
    [({"Retry-After": "2"}, 429, CONFIRMED), ({}, 429, CONTRADICTED), ({"Retry-After": "2"}, 405, CONTRADICTED)],
)
def test_throttling_is_seen(
    sandbox: Sandbox, headers: dict[str, str], status: int, outcome: Outcome, waits: list[float]
) -> None:
    sandbox.faults.replace([Fault(skip=6, status=status, headers=headers)])
    found = outcomes(diagnose(sandbox))
    assert found["xandr-22"] is CONTRADICTED
    assert found["xandr-23"] is outcome
    assert waits == []


@pytest.mark.parametrize(("unsupported", "outcome"), [(set(), CONFIRMED), ({"universal-pixel"}, CONTRADICTED)])
def test_universal_pixels_are_looked_at_if_configured(
    sandbox: Sandbox, xandr: XandrSandbox, unsupported: set[str], outcome: Outcome
) -> None:
    xandr.change_log.unsupported = unsupported
    examination = examine(sandbox, "xandr", vendor_services=["universal-pixel", "deal"])
    assert outcomes(examination)["xandr-25"] is outcome
    assert statuses(examination)["services"] == ("warning" if unsupported else "ok")


def test_an_account_without_objects_shows_little(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({}, changes=1)
    examination = diagnose(sandbox)
    unseen = {name for name, outcome in outcomes(examination).items() if outcome is NOT_OBSERVABLE}
    numbers = (1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 21, 22, 23, 24, 25)
    assert unseen == {f"xandr-{number:02}" for number in numbers}
    assert examination.is_well


def test_services_that_may_not_be_read_are_named(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.listing.unlistable_services.add("deal")
    xandr.change_log.unreadable_services.add("site")
    (check,) = [it for it in diagnose(sandbox).checks if it.name == "services"]
    assert check.status.value == "warning"
    assert check.facts == {"cannot_be_listed": ["deal"], "cannot_be_read": ["site"], "not_asked": 0}


def test_a_user_who_may_read_nothing_fails_with_the_name_of_the_role(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.listing.unlistable_services.update(SERVICES)
    examination = diagnose(sandbox)
    (check,) = [it for it in examination.checks if it.name == f"stream {LOG}"]
    assert check.status.value == "failed"
    assert "Network Observer" in check.next_step
    assert not examination.is_well


def test_a_password_that_expires_soon_and_a_wrong_type_of_user_are_warnings(
    sandbox: Sandbox, xandr: XandrSandbox, clock: Clock
) -> None:
    xandr.login.password_expires = clock() + timedelta(days=3, hours=1)
    xandr.login.user_type = "member_advertiser"
    examination = examine(sandbox, "xandr", vendor_services=["deal"])
    assert statuses(examination)["user"] == "warning"
    (check,) = [it for it in examination.checks if it.name == "password"]
    assert (check.status.value, check.reason) == ("warning", "expires in 3 days")
    assert "xandr.password" in check.next_step
    xandr.login.password_expires = None
    assert statuses(examine(sandbox, "xandr", vendor_services=["deal"]))["password"] == "ok"


def measure(sandbox: Sandbox, state: t.Any = None) -> tuple[Run, dict[str, int]]:
    """Run the tap, and count the requests for the details and all others."""
    sandbox.requests.clear()
    run = read(sandbox, state)
    details = sum(request.path.endswith("change-log-detail") for request in sandbox.requests)
    return run, {LOG: len(sandbox.requests) - details, DETAIL: details}


@pytest.mark.parametrize("sizes", [{}, {"line-item": 150, "advertiser": 30, "placement": 40, "publisher": 15}])
def test_the_estimate_is_near_the_truth(
    sandbox: Sandbox, xandr: XandrSandbox, clock: Clock, sizes: dict[str, int]
) -> None:
    changed: list[tuple[str, int]] = []
    if sizes:
        xandr.fill(sizes, changes=2)
        changed = sorted({key[:2] for key in true_keys(xandr)})[::4]
        for number, (service, object_id) in enumerate(changed):
            xandr.change(service, object_id, age=timedelta(hours=number % 24, minutes=5))
    estimates = {estimate.stream: estimate for estimate in diagnose(sandbox).estimates}
    first, sent = measure(sandbox)
    clock.shift += timedelta(hours=1)
    for service, object_id in changed[::24]:  # the next hour is as the ones before
        xandr.change(service, object_id, age=timedelta(minutes=30))
    second, sent_later = measure(sandbox, first.state)
    for stream in (LOG, DETAIL):
        assert near(estimates[stream].first_run.rows, len(first.records(stream)))
        assert near(estimates[stream].first_run.requests, sent[stream])
        assert near(estimates[stream].hourly_run.rows, len(second.records(stream)))
        assert near(estimates[stream].hourly_run.requests, sent_later[stream])


def test_the_budget_is_kept_and_nothing_is_changed(clock: Clock) -> None:
    with Sandbox(seed=5, vendors=["xandr"], size=6000, clock=clock) as large:
        large.read_only = True
        services = [*SERVICES, "payment-rule", "segment", "universal-pixel"]
        found = outcomes(examine(large, "xandr", vendor_services=services))
        assert 0 < large.counts()["xandr"]["requests"] <= 40
        assert large.counts()["xandr"]["writes"] == 0
        assert found["xandr-06"] is CONFIRMED
