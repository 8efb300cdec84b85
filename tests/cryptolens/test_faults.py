from __future__ import annotations

import json
import typing as t

import pytest

from auditlogs_sandbox.faults import Fault
from tests.cryptolens.conftest import PAGE_SIZE
from tests.cryptolens.logs import (
    EVENTS,
    OBJECT_LOG,
    STREAMS,
    WEB_API_LOG,
    ids,
    read,
    requests_for,
    row_ids,
    value,
)

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from tests.support.tap_runs import State

TRIES = 5
PATH = "GetWebAPILog"


def refuse(sandbox: Sandbox, message: str | None, status: int = 200, **rule: t.Any) -> None:
    body = json.dumps({"result": 1, "message": message}).encode()
    sandbox.faults.add(Fault(path=PATH, status=status, body=body, **rule))


@pytest.mark.parametrize("style", ["status_200", "status_400"])
def test_a_wrong_token_fails_at_once(
    sandbox: Sandbox,
    cryptolens: CryptolensSandbox,
    waits: list[float],
    style: t.Literal["status_200", "status_400"],
) -> None:
    cryptolens.error_style = style
    run = read(sandbox, cryptolens_access_token="wrong-token-of-some-length")
    assert run.exit_code == 1
    assert "0 of 3 streams are complete" in run.log
    assert "the access token is not accepted (the vendor says: 'Unable to authenticate')" in run.log
    assert "Check cryptolens.access_token" in run.log
    assert len(sandbox.requests) == 3
    assert waits == []


def test_a_missing_permission_fails_its_stream_only(
    sandbox: Sandbox, cryptolens: CryptolensSandbox, waits: list[float]
) -> None:
    cryptolens.permissions -= {"GetEvents"}
    run = read(sandbox)
    assert run.exit_code == 1
    assert "Failed: `cryptolens_events`: cryptolens: the access token lacks a permission" in run.log
    assert "Get Events" in run.log
    assert ids(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)
    assert ids(run, OBJECT_LOG) == row_ids(sandbox, OBJECT_LOG)
    assert len(requests_for(sandbox, EVENTS)) == 1
    assert waits == []


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("message", "tries"),
    [
        ("Unable to authenticate", 1),
        ("Access denied.", 1),
        ("Not enough permission and/or key not found", 1),
        ("No active subscription found", 1),
        ("The input parameters were incorrect", 2),  # once more with the other cursor, since these ids are large
        ("Something no page tells of", 2),
        (None, 2),
        ("Something went wrong. Please try again.", TRIES),
    ],
)
def test_result_1_is_an_error_tried_again_only_where_that_may_help(
    sandbox: Sandbox, waits: list[float], status: int, message: str | None, tries: int
) -> None:
    refuse(sandbox, message, status, skip=1, times=None)
    run = read(sandbox)
    assert run.exit_code == 1
    assert "Failed: `cryptolens_web_api_log`" in run.log
    assert len(requests_for(sandbox, WEB_API_LOG)) == 1 + tries
    assert len(waits) == (tries - 1 if tries == TRIES else 0)
    assert value(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)[PAGE_SIZE - 1]


def test_a_fault_of_the_server_passes(sandbox: Sandbox, waits: list[float]) -> None:
    refuse(sandbox, "Something went wrong", skip=1, times=2)
    run = read(sandbox)
    assert run.exit_code == 0
    assert ids(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)
    assert len(waits) == 2


def test_a_message_without_a_result_is_a_fault_of_the_server(sandbox: Sandbox, cryptolens: CryptolensSandbox) -> None:
    cryptolens.error_style = "message_only"
    cryptolens.permissions -= {PATH}
    # "Access denied" would say more, but this style is documented as a fault of the server with any message.
    sandbox.faults.add(Fault(path=PATH, times=None, body=b'{"message": "Out of order"}'))
    run = read(sandbox)
    assert run.exit_code == 1
    assert len(requests_for(sandbox, WEB_API_LOG)) == TRIES
    assert "the server has a problem (the vendor says: 'Out of order')" in run.log


@pytest.mark.parametrize("body", [{"result": 1, "message": "Something went wrong"}, {"message": "Too many requests"}])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    sandbox: Sandbox, waits: list[float], status: int, body: dict[str, t.Any]
) -> None:
    sandbox.faults.add(Fault(path=PATH, status=status, body=json.dumps(body).encode(), headers={"Retry-After": "33"}))
    run = read(sandbox)
    assert run.exit_code == 0
    assert [33 <= wait <= 34 for wait in waits] == [True]


@pytest.mark.parametrize(("status", "said"), [(401, "not accepted"), (403, "do not allow"), (404, "not accepted")])
def test_a_refusal_that_is_not_in_the_vendors_form_is_not_tried_again(
    sandbox: Sandbox, waits: list[float], status: int, said: str
) -> None:
    body = b'{"Message": "Authorization has been denied for this request."}'
    sandbox.faults.add(Fault(path=PATH, times=None, status=status, body=body))
    run = read(sandbox)
    assert run.exit_code == 1
    assert said in run.log
    assert len(requests_for(sandbox, WEB_API_LOG)) == 1
    assert waits == []


@pytest.mark.parametrize(
    "body",
    [
        '{"result": 0, "message": null}',
        '{"result": 0, "rows": []}',
        '{"result": 0, "logs": {}}',
        '{"result": 0, "logs": false}',
        '{"result": 0, "logs": ""}',
        '{"result": 0, "logs": 0}',
        '{"result": 0, "logs": ["text"]}',
        "[]",
        "null",
    ],
)
def test_an_answer_without_a_list_of_rows_is_an_error_and_never_the_end(sandbox: Sandbox, body: str) -> None:
    sandbox.faults.add(Fault(path=PATH, skip=1, body=body.encode()))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "holds no list of rows" in run.log
    assert value(run, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)[PAGE_SIZE - 1]
    second = read(sandbox, run.state)
    assert second.exit_code == 0
    assert ids(run, WEB_API_LOG) + ids(second, WEB_API_LOG) == row_ids(sandbox, WEB_API_LOG)


def test_a_web_page_for_ever_is_an_error(sandbox: Sandbox) -> None:
    html = {"Content-Type": "text/html"}
    sandbox.faults.add(Fault(path=PATH, times=None, body=b"<html>canary-in-a-body</html>", headers=html))
    run = read(sandbox)
    assert run.exit_code == 1
    assert len(requests_for(sandbox, WEB_API_LOG)) == TRIES
    assert "is not JSON" in run.log
    assert "canary-in-a-body" not in run.log


def test_a_redirect_does_not_take_the_token_elsewhere(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(times=None, status=307, headers={"Location": f"{sandbox.url}/elsewhere"}))
    run = read(sandbox)
    assert run.exit_code == 1
    assert "redirect" in run.log
    assert {request.vendor for request in sandbox.requests} == {"cryptolens"}


@pytest.mark.parametrize(
    "entry",
    [
        {"replication_key": "id", "replication_key_value": "5"},
        {"replication_key": "id", "replication_key_value": -1},
        {"replication_key": "id", "replication_key_value": True},
        {"replication_key": "id", "replication_key_value": 1.5},
        {"replication_key": "id", "replication_key_value": 2**63},
        {"replication_key": "time", "replication_key_value": 5},
        {"replication_key_value": 5, "progress": {"start": "soon"}},
        {"replication_key_value": 5, "progress": {"start": 5}},
        {"replication_key_value": 5, "progress": 5},
        {"replication_key_value": 5, "notes": {"read_on": "yesterday"}},
        {"replication_key_value": 5, "notes": {"read_on": 20261120}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_state_that_cannot_be_understood_is_refused_in_one_line(
    sandbox: Sandbox, stream: str, entry: dict[str, t.Any]
) -> None:
    state: State = {"bookmarks": {stream: entry}}
    run = read(sandbox, state)
    assert run.exit_code == 1
    assert run.stdout == b""
    errors = [line for line in run.log.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert f"The bookmark of `{stream}` in the state cannot be used" in errors[0]
    assert not sandbox.requests
