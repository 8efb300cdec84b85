from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.identity import Client
from tap_auditlogs.doctor.assumptions import Outcome
from tap_auditlogs.vendors.index_exchange import probes
from tests.doctor.runs import examine, near, outcomes, reason, statuses
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.tap_runs import Clock, Run

    Turn: t.TypeAlias = Callable[[IndexExchangeSandbox], None]

pytestmark = pytest.mark.slow

CONFIRMED, CONTRADICTED, NOT_OBSERVABLE = Outcome.CONFIRMED, Outcome.CONTRADICTED, Outcome.NOT_OBSERVABLE
FILES, ROWS, BIDS = "index_exchange_files", "index_exchange_impressions", "index_exchange_bids"

UNSEEN = {f"index-exchange-{number:02}" for number in (17, 19, 20, 22, 23)}
AS_IT_IS = {
    f"index-exchange-{number:02}": (NOT_OBSERVABLE if f"index-exchange-{number:02}" in UNSEEN else CONFIRMED)
    for number in range(1, 26)
}


def set_to(**attributes: t.Any) -> Turn:
    def turn(vendor: IndexExchangeSandbox) -> None:
        for name, value in attributes.items():
            assert hasattr(vendor, name)
            setattr(vendor, name, value)

    return turn


def shape_all(shape: str) -> Turn:
    """Publish all files again in a shape."""

    def turn(vendor: IndexExchangeSandbox) -> None:
        for key, hour in vendor.library.hours.items():
            for part, file in enumerate(hour.files):
                if file.cells:
                    vendor.library.replace(key, part, file.cells, shape)

    return turn


def lie_about_md5(vendor: IndexExchangeSandbox) -> None:
    for hour in vendor.library.hours.values():
        for file in hour.files:
            file.wrong_md5_listings = float("inf")


def shift_times(vendor: IndexExchangeSandbox) -> None:
    """Write the times of all rows in a zone five hours behind UTC."""
    form = "%Y-%m-%d %H:%M:%S"
    for key, hour in vendor.library.hours.items():
        for part, file in enumerate(hour.files):
            cells = [
                [row[0], (datetime.strptime(row[1], form) - timedelta(hours=5)).strftime(form), *row[2:]]  # noqa: DTZ007 - no zone is written
                for row in file.cells
            ]
            vendor.library.replace(key, part, cells)


def rename_key(vendor: IndexExchangeSandbox) -> None:
    vendor.catalog.sites = [{"id": row["site_id"], "site_name": row["site_name"]} for row in vendor.catalog.sites]


def price(rate: float) -> Turn:
    def turn(vendor: IndexExchangeSandbox) -> None:
        for row in vendor.catalog.exchange_rates:
            row["rate"] = rate

    return turn


def single_parts(vendor: IndexExchangeSandbox) -> None:
    vendor.lists_bids_without_parts = True
    for key in list(vendor.library.hours):
        if key.event_type == "bids":
            vendor.set_parts(key, 1)


# The assumption, the switch that contradicts it, and the message with which the tap fails; without one it reads all.
SWITCHES: list[tuple[str, Turn, str | None]] = [
    ("index-exchange-01", set_to(list_changes={"next": "https://example.com/2"}), "the list is not complete"),
    ("index-exchange-01", set_to(list_changes={"count": 999}), "counts more files"),
    ("index-exchange-02", set_to(counts_parts=True), None),
    ("index-exchange-03", set_to(bids_path_exists=False), "HTTP 404"),
    ("index-exchange-04", set_to(entry_changes={"downloadURL": None}), "has no downloadURL"),
    ("index-exchange-05", lie_about_md5, "do not match the listed md5"),
    ("index-exchange-06", set_to(entry_changes={"hour": "2026-11-20T05:30:00Z"}), "covers no whole hour"),
    ("index-exchange-07", set_to(links_to_storage=True, storage_host="127.0.0.1:9"), "another host than the API"),
    ("index-exchange-08", set_to(has_status_misspelled=True), None),
    ("index-exchange-09", set_to(entry_changes={"expires": "2030-01-01T00:00:00Z"}), None),
    ("index-exchange-10", shape_all("unterminated_quote"), "it is not CSV"),
    ("index-exchange-11", shape_all("new_column"), None),
    ("index-exchange-12", shape_all("missing_column"), None),
    ("index-exchange-13", shift_times, None),
    ("index-exchange-14", rename_key, "a row has no site_id"),
    ("index-exchange-15", set_to(creatives_key="creative_id"), None),
    ("index-exchange-16", set_to(repeats_names=True), None),
    ("index-exchange-17", set_to(forbidden={"mappings/campaigns"}, refusal_status=404), "HTTP 404"),
    ("index-exchange-18", set_to(bare_exchange_rates=True), None),
    ("index-exchange-19", price(0.71), None),
    ("index-exchange-20", set_to(sunday_rates="sunday"), None),
    ("index-exchange-25", single_parts, None),
]


def read(sandbox: Sandbox, state: t.Any = None) -> Run:
    return sync({"index_exchange": dict(sandbox.config["index_exchange"])}, state)


def is_whole(vendor: IndexExchangeSandbox, run: Run) -> bool:
    """Whether a run has as many records as there are rows, of everything but the sums."""
    return all(
        len(run.records(stream)) == len(rows)
        for stream, rows in vendor.truth().items()
        if stream != "index_exchange_hourly"
    )


def test_all_assumptions_as_documented(sandbox: Sandbox) -> None:
    examination = examine(sandbox, "index_exchange")
    assert outcomes(examination) == AS_IT_IS
    assert examination.is_well
    found = statuses(examination)
    assert {found[f"stream {name}"] for name in (FILES, ROWS, BIDS)} == {"ok"}
    assert found[f"shape of {FILES}"] == "ok"
    assert {found[f"generation of {name}"] for name in ("impressions", "bids")} == {"ok"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("assumption_id", "turn", "message"), SWITCHES)
def test_a_contradicted_assumption_is_told_and_nothing_is_lost(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, assumption_id: str, turn: Turn, message: str | None
) -> None:
    turn(vendor)
    examination = examine(sandbox, "index_exchange")
    assert outcomes(examination)[assumption_id] is CONTRADICTED, reason(examination, assumption_id)
    assert not examination.is_well
    run = read(sandbox)
    assert run.exit_code == (message is not None), run.log
    if message is None:
        assert is_whole(vendor, run)
    else:
        assert message in run.log


@pytest.mark.parametrize(
    ("assumption_id", "turn"),
    [
        ("index-exchange-17", set_to(forbidden={"mappings/campaigns"})),
        ("index-exchange-19", price(1.41)),
        ("index-exchange-20", set_to(sunday_rates="friday")),
    ],
)
def test_what_is_seldom_seen_is_confirmed(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, assumption_id: str, turn: Turn
) -> None:
    turn(vendor)
    examination = examine(sandbox, "index_exchange")
    assert outcomes(examination)[assumption_id] is CONFIRMED
    assert examination.is_well


def test_a_key_of_another_kind_is_sent_as_it_is(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "key", property(lambda client: f"opaque-{client.id}-{client.secret}"))
    with Sandbox(seed=5, vendors=["index_exchange"], size=40, clock=clock) as sandbox:
        found = outcomes(examine(sandbox, "index_exchange", vendor_event_types=["impressions"]))
        assert found["index-exchange-21"] is CONTRADICTED
        assert read(sandbox).exit_code == 0


def test_throttling_is_seen_and_waited_for(sandbox: Sandbox, vendor: IndexExchangeSandbox, waits: list[float]) -> None:
    sandbox.faults.replace([Fault(skip=4, status=429)])
    examination = examine(sandbox, "index_exchange")
    assert outcomes(examination)["index-exchange-24"] is CONTRADICTED
    assert statuses(examination)["requests"] == "warning"
    sandbox.faults.replace([Fault(skip=4, status=429)])
    run = read(sandbox)
    assert run.exit_code == 0
    assert is_whole(vendor, run)
    assert len(waits) == 1


def test_an_account_without_files_shows_little_and_is_told_why(sandbox: Sandbox, vendor: IndexExchangeSandbox) -> None:
    vendor.generation_paused = True
    examination = examine(sandbox, "index_exchange")
    unseen = {name for name, outcome in outcomes(examination).items() if outcome is NOT_OBSERVABLE}
    numbers = (2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 19, 20, 22, 23, 25)
    assert unseen == {f"index-exchange-{number:02}" for number in numbers}
    assert statuses(examination)["generation of impressions"] == "warning"


def test_files_that_are_no_longer_generated_are_a_warning(sandbox: Sandbox, clock: Clock) -> None:
    clock.shift += timedelta(days=4)
    (check,) = [it for it in examine(sandbox, "index_exchange").checks if it.name == "generation of impressions"]
    assert check.status.value == "warning"
    assert "35 days" in check.next_step


def test_a_mapping_that_may_not_be_read_is_a_warning_with_its_name(
    sandbox: Sandbox, vendor: IndexExchangeSandbox
) -> None:
    vendor.forbidden = {"mappings/campaigns"}
    examination = examine(sandbox, "index_exchange")
    (check,) = [it for it in examination.checks if it.name == "stream index_exchange_campaigns"]
    assert check.status.value == "warning"
    assert "access to /mappings/campaigns" in check.next_step
    assert examination.is_well


def test_bids_that_are_not_subscribed_are_named(sandbox: Sandbox, vendor: IndexExchangeSandbox) -> None:
    vendor.forbidden = {"downloads/bidevents"}
    examination = examine(sandbox, "index_exchange")
    (check,) = [it for it in examination.checks if it.name == f"stream {BIDS}"]
    assert check.status.value == "failed"
    assert "subscription" in check.next_step
    assert outcomes(examination)["index-exchange-12"] is NOT_OBSERVABLE
    assert statuses(examination)[f"stream {ROWS}"] == "ok"


def measure(sandbox: Sandbox, state: t.Any = None) -> tuple[Run, int]:
    """Run the tap, and count its requests."""
    sandbox.requests.clear()
    return read(sandbox, state), len(sandbox.requests)


@pytest.mark.parametrize("size", [300, 2000])
def test_the_estimate_is_near_the_truth(clock: Clock, size: int) -> None:
    with Sandbox(seed=5, vendors=["index_exchange"], size=size, clock=clock) as sandbox:
        vendor = sandbox.vendor("index_exchange", IndexExchangeSandbox)
        estimates = {it.stream: it for it in examine(sandbox, "index_exchange").estimates}
        first, sent = measure(sandbox)
        clock.shift += timedelta(hours=1)
        newest = max(vendor.hours) + timedelta(hours=1)
        vendor.publish(HourKey(newest), size // 8)
        vendor.publish(HourKey(newest, "bids"), size // 16, parts=2)
        second, sent_later = measure(sandbox, first.state)
    for stream, estimate in estimates.items():
        assert near(estimate.first_run.rows, len(first.records(stream))), stream
        assert near(estimate.hourly_run.rows, len(second.records(stream))), stream
    assert near(sum(it.first_run.requests for it in estimates.values()), sent)
    assert near(sum(it.hourly_run.requests for it in estimates.values()), sent_later)


def test_of_a_large_file_only_the_beginning_is_read(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_MOST_BYTES", 5_000)
    with Sandbox(seed=5, vendors=["index_exchange"], size=20_000, clock=clock) as sandbox:
        vendor = sandbox.vendor("index_exchange", IndexExchangeSandbox)
        examination = examine(sandbox, "index_exchange", vendor_event_types=["impressions"])
        rows = len(vendor.truth()[ROWS])
    assert outcomes(examination)["index-exchange-05"] is NOT_OBSERVABLE
    assert outcomes(examination)["index-exchange-10"] is CONFIRMED
    (estimate,) = [it for it in examination.estimates if it.stream == ROWS]
    assert near(estimate.first_run.rows, rows)
    assert re.search(r"in \d+ kB of one file", estimate.how)  # as much as had come by then
    assert "download is not in the minutes" in estimate.how


def test_the_budget_is_kept_and_nothing_is_changed(sandbox: Sandbox, vendor: IndexExchangeSandbox) -> None:
    vendor.fill_retention()
    sandbox.read_only = True
    examine(sandbox, "index_exchange")
    assert 0 < sandbox.counts()["index_exchange"]["requests"] <= 40
    assert sandbox.counts()["index_exchange"]["writes"] == 0


def test_a_file_that_was_downloaded_before_is_preferred(sandbox: Sandbox, vendor: IndexExchangeSandbox) -> None:
    file = vendor.file(HourKey(vendor.hours[2]))
    file.downloaded[vendor.identity.client.id] = file.content.md5sum
    examine(sandbox, "index_exchange", vendor_event_types=["impressions"])
    asked = {request.path.rpartition("/")[2] for request in sandbox.requests if "/files/" in request.path}
    assert asked == {str(file.id)}
