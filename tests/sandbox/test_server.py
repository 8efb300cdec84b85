from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress

import pytest
import requests
from werkzeug.wrappers import Request

from auditlogs_sandbox.control import Control
from auditlogs_sandbox.faults import Cut, Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.state import SandboxState
from tap_auditlogs.core.settings import config_jsonschema, secrets_of
from tap_auditlogs.vendors import VENDORS
from tests.sandbox.conftest import Clock

LOG = "/cryptolens/api/ai/GetWebAPILog"


def ask(sandbox: Sandbox, http: requests.Session, **form: object) -> requests.Response:
    token = sandbox.config["cryptolens"]["access_token"]
    return http.post(sandbox.url + LOG, data={"token": token, **form}, timeout=30)


# Data.


def test_the_same_seed_gives_the_same_data() -> None:
    def everything(seed: int) -> str:
        sandbox = Sandbox(seed=seed, size=300, clock=Clock())
        first = sandbox.truth()
        sandbox.advance()
        return json.dumps([first, sandbox.truth(), sandbox.secrets()])

    assert everything(5) == everything(5)
    assert everything(5) != everything(6)


def test_the_data_changes_only_by_advance(sandbox: Sandbox, http: requests.Session) -> None:
    before = sandbox.truth()
    for _ in range(3):
        ask(sandbox, http, Limit=1000)
        http.get(f"{sandbox.url}/_sandbox/truth", timeout=30)
    assert sandbox.truth() == before
    sandbox.advance()
    after = sandbox.truth()
    grown = {stream for stream, rows in before.items() if len(after[stream]) > len(rows)}
    assert grown == before.keys() - {"index_exchange_malformed_rows"}  # generated files are well-formed
    assert sandbox.truth() == after


@pytest.mark.parametrize("size", [1, 2, 13, 3000])
def test_the_size_is_what_was_asked_for(size: int) -> None:
    truth = Sandbox(size=size, clock=Clock()).truth()
    assert len(truth["pigment_audit_events"]) == size
    assert len(truth["cryptolens_web_api_log"]) == size


def test_only_the_vendors_asked_for(http: requests.Session) -> None:
    with Sandbox(vendors=["pigment"], size=5) as sandbox:
        assert list(sandbox.config) == ["pigment"]
        assert list(sandbox.truth()) == ["pigment_audit_events"]
        assert http.post(sandbox.url + LOG, timeout=30).status_code == 404
    with pytest.raises(ValueError, match="unknown vendor fantasy"):
        Sandbox(vendors=["fantasy"])


# The server.


def test_nothing_is_left_behind(http: requests.Session) -> None:
    before = set(threading.enumerate())
    with Sandbox(size=5) as sandbox:
        assert ask(sandbox, http).status_code == 200
        port = int(sandbox.url.rpartition(":")[2])
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before  # threads of other tests may have ended
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def ask_in_vain(sandbox: Sandbox, http: requests.Session) -> None:
    with suppress(requests.ConnectionError):
        ask(sandbox, http)


def test_a_waiting_answer_does_not_hold_up_the_end(http: requests.Session) -> None:
    with Sandbox(size=5) as sandbox:
        sandbox.faults.add(Fault(delay=60))
        waiting = threading.Thread(target=ask_in_vain, args=(sandbox, http))
        waiting.start()
        while not sandbox.requests:
            time.sleep(0.01)
        begin = time.monotonic()
    assert time.monotonic() - begin < 4
    waiting.join()


def test_connections_are_kept(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"GET /_sandbox/truth HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_taken_port_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"), Sandbox(size=5, port=int(sandbox.url.rpartition(":")[2])):
        pass


def test_the_date_is_of_the_sandboxs_clock(sandbox: Sandbox, http: requests.Session) -> None:
    assert ask(sandbox, http).headers["Date"] == "Fri, 20 Nov 2026 12:34:56 GMT"


def test_requests_are_remembered(sandbox: Sandbox, http: requests.Session) -> None:
    ask(sandbox, http, Limit=3)
    http.get(f"{sandbox.url}/pigment/api/audit/v1/events?a=1", headers={"X-Mark": "m"}, timeout=30)
    first, second = sandbox.requests
    assert (first.vendor, first.method, first.path, first.form["Limit"]) == ("cryptolens", "POST", LOG, "3")
    assert b"Limit=3" in first.body
    assert (second.vendor, second.query, second.headers["X-Mark"], second.status) == (
        "pigment",
        "a=1",
        "m",
        401,
    )
    assert abs(second.time - time.time()) < 60


def test_every_credential_is_named(sandbox: Sandbox) -> None:
    handed_out = set(secrets_of(sandbox.config, config_jsonschema(VENDORS)))
    assert handed_out
    assert handed_out <= set(sandbox.secrets())


# Control from another process.


def test_control_urls(sandbox: Sandbox, http: requests.Session) -> None:
    control = f"{sandbox.url}/_sandbox"
    counts = http.get(f"{control}/truth", timeout=30).json()
    assert counts == {stream: len(rows) for stream, rows in sandbox.truth().items()}
    assert http.get(f"{control}/truth?rows=1", timeout=30).json() == sandbox.truth()
    assert http.get(f"{control}/advance", timeout=30).status_code == 405
    assert http.post(f"{control}/advance", timeout=30).json() != counts
    ask(sandbox, http, Limit=4)
    assert [request["form"]["Limit"] for request in http.get(f"{control}/requests", timeout=30).json()] == ["4"]
    assert http.get(f"{control}/else", timeout=30).status_code == 404


def test_control_needs_no_server() -> None:
    state = SandboxState(size=5, vendors=["cryptolens"])
    answer = Control(state).handle(Request.from_values("/truth?rows=1"))
    assert answer.get_json() == state.truth()


def test_faults_by_url(sandbox: Sandbox, http: requests.Session) -> None:
    url = f"{sandbox.url}/_sandbox/faults"
    rule = {
        "vendor": "cryptolens",
        "status": 503,
        "body": "busy",
        "times": None,
        "headers": {"Retry-After": "3"},
    }
    assert http.post(url, json=[rule], timeout=30).json() == {"faults": 1}
    answer = ask(sandbox, http)
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "3")
    for wrong in ([{"statuses": 1}], [{"callback": "x"}], [{"cut": {"bytes": 1}}], [3], 3):
        assert http.post(url, json=wrong, timeout=30).status_code == 400
    assert http.post(url, data="{", timeout=30).status_code == 400
    assert ask(sandbox, http).status_code == 503
    http.post(url, json=[{"cut": {"keep": 5, "framing": "cut_length"}}], timeout=30)
    assert ask(sandbox, http).text == '{"log'
    http.post(url, json=[], timeout=30)
    assert ask(sandbox, http).json()["result"] == 0


# Faults.


def test_a_rule_skips_strikes_and_ends(sandbox: Sandbox, http: requests.Session) -> None:
    fault = sandbox.faults.add(Fault(vendor="cryptolens", path="GetWebAPI", skip=1, times=2, status=500))
    assert [ask(sandbox, http).status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert fault.hits == 5


def test_rules_meet_only_what_they_name(sandbox: Sandbox, http: requests.Session) -> None:
    for fault in (
        Fault(vendor="pigment", status=500, times=None),
        Fault(path="GetEvents", status=500, times=None),
        Fault(parameters={"startingafter": "5"}, status=418, times=None),
    ):
        sandbox.faults.add(fault)
    assert ask(sandbox, http).status_code == 200
    assert ask(sandbox, http, StartingAfter=6).status_code == 200
    assert ask(sandbox, http, StartingAfter=5).status_code == 418
    url = f"{sandbox.url}/cryptolens/api/ai/x?STARTINGAFTER=5"
    assert http.get(url, timeout=30).status_code == 418


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault(status=429, headers={"Retry-After": "soon"}), 429, b""),
        (Fault(status=301, headers={"Location": "http://127.0.0.1:9/"}), 301, b""),
        (Fault(body=b"<html>maintenance", headers={"Content-Type": "text/html"}), 200, b"<html>maintenance"),
        (Fault(body=b'{"error":"no"}'), 200, b'{"error":"no"}'),
        (Fault(body=b"{"), 200, b"{"),
        (Fault(body=b""), 200, b""),
        (Fault(status=204), 204, b""),
    ],
)
def test_a_rule_can_answer_instead(
    sandbox: Sandbox, http: requests.Session, fault: Fault, status: int, body: bytes
) -> None:
    sandbox.faults.add(fault)
    token = sandbox.config["cryptolens"]["access_token"]
    answer = http.post(sandbox.url + LOG, data={"token": token}, timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.content) == (status, body)
    assert fault.headers.items() <= answer.headers.items()
    assert ask(sandbox, http).json()["result"] == 0


def test_a_rule_can_repeat_the_credentials(sandbox: Sandbox, http: requests.Session) -> None:
    sandbox.faults.add(Fault(echo_credentials=True, status=403, times=2))
    answer = ask(sandbox, http)
    assert answer.status_code == 403
    assert answer.json()["sent"]["token"] == sandbox.config["cryptolens"]["access_token"]
    headers = {"Authorization": "Bearer canary"}
    assert "Bearer canary" in http.get(f"{sandbox.url}/pigment/x", headers=headers, timeout=30).text


def test_a_rule_can_delay(sandbox: Sandbox, http: requests.Session) -> None:
    sandbox.faults.add(Fault(delay=0.3))
    begin = time.monotonic()
    assert ask(sandbox, http).json()["result"] == 0
    assert time.monotonic() - begin >= 0.3


def test_a_rule_can_run_code_between_requests(sandbox: Sandbox, http: requests.Session) -> None:
    seen: list[Request] = []

    def grow(request: Request) -> None:
        seen.append(request)
        sandbox.advance()

    before = len(sandbox.truth()["cryptolens_web_api_log"])
    sandbox.faults.add(Fault(skip=1, callback=grow))
    ask(sandbox, http)
    assert len(sandbox.truth()["cryptolens_web_api_log"]) == before
    last = sandbox.truth()["cryptolens_web_api_log"][-1]["id"]
    assert len(ask(sandbox, http, StartingAfter=last, Limit=100).json()["logs"]) == 60
    assert len(seen) == 1


def test_a_rule_can_drop_the_connection(sandbox: Sandbox, http: requests.Session) -> None:
    sandbox.faults.add(Fault(drop=True))
    with pytest.raises(requests.ConnectionError):
        ask(sandbox, http)
    assert ask(sandbox, http).json()["result"] == 0


def test_a_rule_can_break_the_body_off(sandbox: Sandbox, http: requests.Session) -> None:
    whole = ask(sandbox, http, Limit=100).content
    sandbox.faults.add(Fault(cut=Cut(keep=100)))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(sandbox, http, Limit=100)
    sandbox.faults.add(Fault(cut=Cut(keep=100, framing="chunked")))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(sandbox, http, Limit=100)
    sandbox.faults.add(Fault(cut=Cut(keep=100, framing="cut_length")))
    assert ask(sandbox, http, Limit=100).content == whole[:100]
    assert ask(sandbox, http, Limit=100).content == whole
