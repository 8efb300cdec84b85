"""One object or transaction whose answers break the vendor's own rules."""

from __future__ import annotations

import json
import typing as t

import pytest
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from auditlogs_sandbox.faults import Fault
from tests.support.tap_runs import sync
from tests.xandr.runs import DETAIL, LOG, asked, config, keys, true_keys

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox

SERVICES = ["line-item", "advertiser"]
TIME = "2026-11-20 05:00:00"


def damage(sandbox: Sandbox, path: str, rows_key: str, row: dict[str, t.Any], **parameters: t.Any) -> None:
    envelope = {"response": {"status": "OK", "count": 1, "start_element": 0, "num_elements": 100, rows_key: [row]}}
    sent = {name: str(value) for name, value in parameters.items()}
    sandbox.faults.add(Fault(path=path, parameters=sent, body=json.dumps(envelope).encode(), times=None))


@pytest.fixture
def one(xandr: XandrSandbox) -> tuple[str, int, str]:
    """The key of one of few transactions."""
    xandr.fill({"line-item": 3, "advertiser": 2}, changes=1)
    return sorted(key for key in true_keys(xandr) if key[0] == "line-item")[1]


@pytest.mark.parametrize("row", [{}, {"transaction_id": ""}, {"transaction_id": None}])
def test_a_transaction_without_an_id_is_logged_under_a_hash_and_its_details_fail(
    sandbox: Sandbox, xandr: XandrSandbox, one: tuple[str, int, str], row: dict[str, t.Any]
) -> None:
    service, resource_id, _ = one
    damage(sandbox, "/change-log", "change_logs", {"created_on": TIME, **row}, service=service, resource_id=resource_id)
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    (made_up,) = keys(run.records(LOG)) - true_keys(xandr)
    assert made_up[2].startswith("sha256:")
    assert keys(run.records(DETAIL)) == true_keys(xandr) - {one}
    assert f"line-item: 1 object failed ({resource_id}): " in run.log.splitlines()[-1]
    assert "the change log has a transaction without `transaction_id`" in run.log.splitlines()[-1]
    assert not any(query["transaction_id"].startswith("sha256") for query in asked(sandbox, "change-log-detail"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"transaction_id": ["x"]}, "'transaction_id', part of the key, is a list"),
        ({"transaction_id": []}, "'transaction_id', part of the key, is a list"),
        ({"transaction_id": "x", "resource_id": "y"}, "'resource_id', part of the key, is a text"),
        ({"transaction_id": "x", "resource_id": {}}, "'resource_id', part of the key, is an object"),
    ],
)
def test_an_object_whose_key_cannot_be_read_fails_alone_in_both_streams(
    sandbox: Sandbox, xandr: XandrSandbox, one: tuple[str, int, str], row: dict[str, t.Any], message: str
) -> None:
    service, resource_id, _ = one
    damage(sandbox, "/change-log", "change_logs", {"created_on": TIME, **row}, service=service, resource_id=resource_id)
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    for stream in (LOG, DETAIL):
        assert keys(run.records(stream)) == {key for key in true_keys(xandr) if key[:2] != (service, resource_id)}
        assert f"`{stream}`: line-item {resource_id} failed: a row's {message}" in run.log
    assert f"line-item: 1 object failed ({resource_id}): " in run.log.splitlines()[-1]
    assert "Traceback" not in run.log
    sandbox.faults.replace([])
    again = sync(config(sandbox, services=SERVICES), run.state)
    assert again.exit_code == 0
    assert one in keys(again.records(LOG))
    assert one in keys(again.records(DETAIL))


def test_details_that_cannot_be_read_fail_their_object_in_their_stream_only(
    sandbox: Sandbox, xandr: XandrSandbox, one: tuple[str, int, str]
) -> None:
    damage(sandbox, "/change-log-detail", "change_log_details", {"resource_id": "x"}, transaction_id=one[2])
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert keys(run.records(LOG)) == true_keys(xandr)
    assert keys(run.records(DETAIL)) == true_keys(xandr) - {one}
    assert f"`{DETAIL}`: line-item {one[1]} failed: a row's 'resource_id'" in run.log
    assert "1 of 2 streams are complete" in run.log
    sandbox.faults.replace([])
    again = sync(config(sandbox, services=SERVICES), run.state)
    assert again.exit_code == 0
    assert one in keys(again.records(DETAIL))


def test_values_inside_changes_fit_the_schema(sandbox: Sandbox, one: tuple[str, int, str]) -> None:
    changes = [
        {"field_name": ["x"], "old_value": 1, "new_value": [2], "changed": "yes"},
        {"field_name": 7, "changed": True, "more": {}},
        "text",
        {"field_name": "unchanged", "changed": False},
    ]
    damage(sandbox, "/change-log-detail", "change_log_details", {"changes": changes}, transaction_id=one[2])
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 0, run.log
    (record,) = [record for record in run.records(DETAIL) if record["transaction_id"] == one[2]]
    (schema,) = [
        message["schema"] for message in run.messages if message["type"] == "SCHEMA" and message["stream"] == DETAIL
    ]
    DEFAULT_JSONSCHEMA_VALIDATOR(schema).validate(record)
    assert record["changes"] == [
        {"field_name": None, "old_value": "1", "new_value": "[2]", "changed": None},
        {"field_name": "7", "changed": True, "more": {}},
        None,
    ]
    assert record["additional_properties"] == {
        "changes[0].field_name": ["x"],
        "changes[0].changed": "yes",
        "changes[2]": "text",
    }


@pytest.mark.parametrize("count", ["5", [], {}, 1.5, True])
def test_a_count_of_another_type_fails_its_object(
    sandbox: Sandbox, xandr: XandrSandbox, one: tuple[str, int, str], count: t.Any
) -> None:
    envelope = {"response": {"status": "OK", "count": count, "change_logs": []}}
    sent = {"service": one[0], "resource_id": str(one[1])}
    sandbox.faults.add(Fault(path="/change-log", parameters=sent, body=json.dumps(envelope).encode(), times=None))
    run = sync(config(sandbox, services=SERVICES))
    assert run.exit_code == 1
    assert keys(run.records(LOG)) == {key for key in true_keys(xandr) if key[:2] != one[:2]}
    assert f"xandr: change log of line-item {one[1]}: the answer's `count` is not a number" in run.log
