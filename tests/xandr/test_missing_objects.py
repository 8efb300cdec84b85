"""What one object's answer says: something about that object, and nothing about its service."""

from __future__ import annotations

import json
import typing as t

import pytest

from auditlogs_sandbox.faults import Fault
from tests.support.tap_runs import sync
from tests.xandr.runs import DETAIL, LOG, asked, config, keys, true_keys

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox

SERVICES = ["line-item"]
MALFORMED = json.dumps({"response": {"error_id": "SYNTAX", "error": "something is wrong"}}).encode()


@pytest.mark.parametrize("answer", ["not_found", "status_422", "empty"])
def test_the_lowest_ids_gone_since_they_were_listed_cost_no_other_object(
    sandbox: Sandbox, xandr: XandrSandbox, answer: t.Literal["not_found", "status_422", "empty"]
) -> None:
    xandr.fill({"line-item": 20}, changes=1)
    xandr.change_log.missing_object = answer
    lowest = sorted(key[1] for key in true_keys(xandr))[:6]

    def delete(_request: object) -> None:
        for resource_id in lowest:
            xandr.delete("line-item", resource_id)

    sandbox.faults.add(Fault(path="/change-log", callback=delete))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 0, run.log
    assert keys(run.records(LOG)) >= true_keys(xandr)
    assert len(true_keys(xandr)) >= 14
    if answer != "empty":
        assert f"line-item: 6 of 20 objects were refused and are skipped: {', '.join(map(str, lowest))}." in run.log


def test_configured_ids_that_are_gone_are_named_and_the_others_read(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 3}, changes=1)
    ids = sorted(key[1] for key in true_keys(xandr))
    run = sync(config(sandbox, services=SERVICES, resource_ids={"line-item": [1, 2, 3, 4, 5, 6, *ids]}))
    assert run.exit_code == 0
    assert keys(run.records(LOG)) == true_keys(xandr)
    assert "line-item: 6 of 9 objects were refused and are skipped: 1, 2, 3, 4, 5, 6." in run.log


def test_configured_ids_that_are_all_gone_fail_the_service(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, services=SERVICES, resource_ids={"line-item": list(range(1, 8))}))
    assert run.exit_code == 1
    assert "every object of line-item was refused" in run.log


@pytest.mark.parametrize("configured", [False, True])
def test_a_malformed_answer_to_the_first_objects_says_nothing_about_the_rest(
    sandbox: Sandbox, xandr: XandrSandbox, *, configured: bool
) -> None:
    xandr.fill({"line-item": 30}, changes=1)
    ids = sorted(key[1] for key in true_keys(xandr))
    for resource_id in ids[:8]:
        sandbox.faults.add(
            Fault(path="/change-log", parameters={"resource_id": str(resource_id)}, body=MALFORMED, times=None)
        )
    settings: dict[str, t.Any] = {"resource_ids": {"line-item": ids}} if configured else {}
    run = sync(config(sandbox, services=SERVICES, **settings))
    assert run.exit_code == 0, run.log
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[1] not in ids[:8]}
    assert "line-item: 8 of 30 objects were refused" in run.log


def test_outside_a_full_scan_no_answer_makes_a_known_service_unknown(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 10}, changes=1)
    first = sync(config(sandbox, services=SERVICES))
    ids = sorted(key[1] for key in true_keys(xandr))
    for resource_id in ids[:2]:
        xandr.change("line-item", resource_id)
    sandbox.faults.add(Fault(path="/change-log", body=MALFORMED, times=None))
    run = sync(config(sandbox, services=SERVICES), first.state)
    assert run.exit_code == 1
    assert "every object of line-item was refused" in run.log
    sandbox.faults.replace([])
    healed = sync(config(sandbox, services=SERVICES), run.state)
    assert keys(first.records(LOG)) | keys(healed.records(LOG)) == true_keys(xandr)


def test_a_service_that_is_unknown_for_a_sample_of_all_its_objects_is_skipped_soon(
    sandbox: Sandbox, xandr: XandrSandbox
) -> None:
    xandr.fill({"segment": 200, "line-item": 2}, changes=1)
    run = sync(config(sandbox, services=["segment", "line-item"]))
    assert run.exit_code == 0
    assert "`segment` is skipped in this run" in run.log
    segments = {int(query["resource_id"]) for query in asked(sandbox, "change-log") if query["service"] == "segment"}
    assert max(segments) == xandr.catalogue.live("segment")[-1].id
    assert len(segments) < 30


@pytest.mark.parametrize("gone", [True, False])
def test_one_parent_refused_costs_its_own_children_only(sandbox: Sandbox, xandr: XandrSandbox, *, gone: bool) -> None:
    xandr.fill({"publisher": 4, "placement": 12}, changes=1)
    publisher = xandr.catalogue.live("publisher")[1]
    if gone:
        sandbox.faults.add(Fault(path="/placement", callback=lambda _: xandr.delete("publisher", publisher.id)))
    else:
        xandr.listing.unreadable_parents.add(("publisher", publisher.id))
    run = sync(config(sandbox, services=["placement"]))
    assert run.exit_code == 0, run.log
    expected = {
        key
        for key in true_keys(xandr)
        if key[0] == "placement" and xandr.listing.objects.parents(xandr.catalogue.known(*key[:2])) != {
            "publisher_id": publisher.id
        }
    }  # fmt: skip
    assert expected
    assert keys(run.records(LOG)) == expected
    assert keys(run.records(DETAIL)) == expected
    assert f"what belongs to them is not listed: {publisher.id}." in run.log


def test_a_list_whose_parents_are_all_refused_is_skipped_as_a_whole(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"publisher": 2, "placement": 4, "line-item": 1}, changes=1)
    xandr.listing.unreadable_parents |= {("publisher", each.id) for each in xandr.catalogue.live("publisher")}
    run = sync(config(sandbox, services=["placement", "line-item"]))
    assert "`placement` is skipped in this run" in run.log
    assert {record["service"] for record in run.records(LOG)} == {"line-item"}
