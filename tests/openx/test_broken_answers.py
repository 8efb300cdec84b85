"""One object whose answers break the vendor's own rules, or whose history changes while it is read."""

from __future__ import annotations

import json
import typing as t

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from auditlogs_sandbox.faults import Fault
from tap_auditlogs.vendors.openx.streams import AuditTrail
from tests.openx.runs import STREAM, asked, config, ids, keys, true_keys
from tests.support.tap_runs import Run, sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox

ORDERS = ["order"]


def history_of(*rows: dict[str, t.Any]) -> bytes:
    return json.dumps({"has_more": False, "objects": rows, "limit": 100, "offset": 0}).encode()


def damage(sandbox: Sandbox, obj_id: int, *rows: dict[str, t.Any]) -> None:
    order = {"obj_type": "order", "obj_id": str(obj_id)}
    sandbox.faults.add(Fault(path="/audittrail", parameters=order, body=history_of(*rows), times=None))


def bookmark(run: Run, obj_type: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", run.bookmark(STREAM)["parts"].get(obj_type, {}))


# Histories that change


def test_revisions_purged_between_two_pages_cost_no_other(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 2}, changes=255)
    one = ids(openx, "order")[0]
    second_page = {"obj_id": str(one), "offset": "99"}
    fault = Fault(path="/audittrail", parameters=second_page, callback=lambda _request: openx.purge("order", one, 12))
    sandbox.faults.add(fault)
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0, run.log
    assert true_keys(openx) <= keys(run.records(STREAM))
    assert len([key for key in true_keys(openx) if key[1] == str(one)]) == 243
    assert run.log.count("rows vanished while they were read") == 1


def test_a_gap_in_the_revisions_is_asked_again(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 3}, changes=9)
    one = ids(openx, "order")[1]
    openx.audit_trail.omitted_once |= {("order", one, 4), ("order", one, 5)}
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0
    assert keys(run.records(STREAM)) == true_keys(openx)
    assert [query["obj_id"] for query in asked(sandbox, "/audittrail")].count(str(one)) == 3, "two pages, once more"
    assert "lacks revisions" not in run.log


def test_a_gap_that_stays_is_said_once(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 3}, changes=2)
    for each in ids(openx, "order"):
        damage(sandbox, each, {"obj_id": str(each), "revision": 1}, {"obj_id": str(each), "revision": 5})
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 0
    assert {record["revision"] for record in run.records(STREAM)} == {1, 5}
    assert run.log.count("lacks revisions 2 to 4") == 1


# Damaged answers


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"revision": "x"}, "'revision', part of the key, is a text"),
        ({"revision": [1]}, "'revision', part of the key, is a list"),
        ({"revision": 1, "obj_id": {}}, "'obj_id', part of the key, is an object"),
    ],
)
def test_an_object_whose_key_cannot_be_read_fails_alone(
    sandbox: Sandbox, openx: OpenxSandbox, row: dict[str, t.Any], message: str
) -> None:
    openx.fill({"order": 4, "user": 2}, changes=2)
    one = ids(openx, "order")[1]
    damage(sandbox, one, row)
    run = sync(config(sandbox, object_types=["order", "user"]))
    assert run.exit_code == 1
    others = {key for key in true_keys(openx) if key[:2] != ("order", str(one))}
    assert keys(run.records(STREAM)) == others
    assert f"`{STREAM}`: order {one} failed: " in run.log
    assert message in run.log
    assert f"order: 1 object failed ({one}): " in run.log.splitlines()[-1]
    assert "Traceback" not in run.log
    assert not bookmark(run, "order").get("notes")
    assert bookmark(run, "user")["notes"]["swept"]

    sandbox.faults.replace([])
    again = sync(config(sandbox, object_types=["order", "user"]), run.state)
    assert again.exit_code == 0
    assert true_keys(openx, "order") <= keys(again.records(STREAM))


def test_an_unexpected_error_ends_its_object_only(
    sandbox: Sandbox, openx: OpenxSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    openx.fill({"order": 4}, changes=2)
    one = ids(openx, "order")[0]
    convert = AuditTrail._to_record  # noqa: SLF001 - the fault is one of the tap's own

    def fail(stream: AuditTrail, row: dict[str, t.Any], object_type: str, object_id: int) -> t.Any:
        if object_id == one:
            raise ArithmeticError("sum is out of range")
        return convert(stream, row, object_type, object_id)

    monkeypatch.setattr(AuditTrail, "_to_record", fail)
    run = sync(config(sandbox, object_types=ORDERS))
    assert run.exit_code == 1
    assert keys(run.records(STREAM)) == {key for key in true_keys(openx) if key[1] != str(one)}
    assert f"order {one} failed: unexpected ArithmeticError" in run.log


def test_a_list_that_cannot_be_read_fails_its_type_only(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 2, "user": 2}, changes=2)
    sandbox.faults.add(Fault(path="/order", body=b'{"objects": 5}', times=None))
    run = sync(config(sandbox, object_types=["order", "user"]))
    assert run.exit_code == 1
    assert keys(run.records(STREAM)) == true_keys(openx, "user")
    assert "order failed: openx: list of order: the answer holds no list of objects" in run.log


def test_an_interrupted_sweep_asks_a_failed_object_again(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 6}, changes=2)
    one = ids(openx, "order")[2]
    damage(sandbox, one, {"revision": "x"})
    run = sync(config(sandbox, object_types=ORDERS))
    states = [message["value"] for message in run.messages if message["type"] == "STATE"]
    sandbox.faults.replace([])
    for state in states:
        again = sync(config(sandbox, object_types=ORDERS), state)
        assert again.exit_code == 0
        assert {key for key in true_keys(openx) if key[1] == str(one)} <= keys(again.records(STREAM))


def test_values_inside_a_list_fit_the_schema(sandbox: Sandbox, openx: OpenxSandbox) -> None:
    openx.fill({"order": 1}, changes=1)
    one = ids(openx, "order")[0]
    damage(sandbox, one, {"revision": 1, "program": ["a", None, 5, ["b"]]})
    run = sync(config(sandbox, object_types=ORDERS))
    (record,) = run.records(STREAM)
    (schema,) = [message["schema"] for message in run.messages if message["type"] == "SCHEMA"]
    DEFAULT_JSONSCHEMA_VALIDATOR(schema).validate(record)
    assert record["program"] == ["a", None, "5", None]
    assert record["additional_properties"] == {"program[3]": ["b"]}
