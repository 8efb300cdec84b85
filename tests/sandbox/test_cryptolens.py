from __future__ import annotations

import json
import typing as t
from collections import Counter
from datetime import timedelta

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox

if t.TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Clock

INCORRECT = "The input parameters were incorrect"
Row: t.TypeAlias = "dict[str, t.Any]"


class Client:
    """Calls the methods with the parameters given, and nothing else."""

    def __init__(self, sandbox: Sandbox, http: requests.Session) -> None:
        self.config = sandbox.config["cryptolens"]
        self.http = http

    def call(self, method: str, **parameters: object) -> dict[str, t.Any]:
        form = {"token": self.config["access_token"], **parameters}
        response = self.http.post(f"{self.config['api_url']}/ai/{method}", data=form, timeout=30)
        assert response.status_code == 200
        content: dict[str, t.Any] = response.json()
        return content

    def rows(self, method: str, **parameters: object) -> list[Row]:
        answer = self.call(method, **parameters)
        assert answer["result"] == 0, answer
        rows: list[Row] = answer["logs" if method == "GetWebAPILog" else "events"]
        return rows

    def walk(self, method: str, limit: int) -> list[Row]:
        rows: list[Row] = []
        while page := self.rows(method, Limit=limit, StartingAfter=rows[-1]["id"] if rows else 0):
            rows += page
        return rows


@pytest.fixture
def vendors() -> list[str]:
    return ["cryptolens"]


@pytest.fixture
def cryptolens(sandbox: Sandbox) -> CryptolensSandbox:
    return sandbox.vendor("cryptolens", CryptolensSandbox)


@pytest.fixture
def client(sandbox: Sandbox, http: requests.Session) -> Client:
    return Client(sandbox, http)


@pytest.fixture
def web_api_log(sandbox: Sandbox) -> list[Row]:
    return sandbox.truth()["cryptolens_web_api_log"]


METHODS = [
    ("GetWebAPILog", "cryptolens_web_api_log", 1000),
    ("GetEvents", "cryptolens_events", 100),
    ("GetObjectLog", "cryptolens_object_log", 100),
]


# How to ask.


@pytest.mark.parametrize(("method", "stream", "limit"), METHODS)
def test_a_walk_sees_every_row_in_order(client: Client, sandbox: Sandbox, method: str, stream: str, limit: int) -> None:
    rows = client.walk(method, limit)
    assert rows == sandbox.truth()[stream]
    assert len(rows) > limit


def test_get_with_a_query_works_as_well_and_names_have_any_case(client: Client, web_api_log: list[Row]) -> None:
    url = f"{client.config['api_url']}/AI/getwebapilog"
    query = {"TOKEN": client.config["access_token"], "limit": "2", "startingAFTER": str(web_api_log[0]["id"])}
    answer = client.http.get(url, params=query, timeout=30).json()
    assert answer == {"logs": web_api_log[1:3], "result": 0, "message": ""}


def test_a_token_elsewhere_than_in_the_parameters_is_not_seen(client: Client) -> None:
    url, token = f"{client.config['api_url']}/ai/GetEvents", client.config["access_token"]
    refused = {"result": 1, "message": "Unable to authenticate"}
    assert client.http.post(url, headers={"token": token}, timeout=30).json() == refused
    assert client.http.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).json() == refused
    assert client.http.post(url, json={"token": token}, timeout=30).json() == refused
    assert client.http.post(url, params={"token": token}, timeout=30).json() == refused
    assert client.http.post(url, data={"token": token[:-1]}, timeout=30).json() == refused


def test_other_paths_and_methods_do_not_exist(client: Client) -> None:
    url = client.config["api_url"]
    assert client.http.post(f"{url}/ai/GetNothing", timeout=30).status_code == 404
    assert client.http.post(f"{url}/ai/GetEvents/", timeout=30).status_code == 404
    assert client.http.post(f"{url}/GetEvents", timeout=30).status_code == 404
    assert client.http.put(f"{url}/ai/GetEvents", timeout=30).status_code == 405


def test_each_method_has_its_permission(client: Client, cryptolens: CryptolensSandbox) -> None:
    for method, _, _ in METHODS:
        cryptolens.permissions = {name for name, _, _ in METHODS} - {method}
        assert client.call(method) == {"result": 1, "message": "Access denied"}
        cryptolens.permissions = {method}
        assert client.call(method)["result"] == 0


@pytest.mark.parametrize(("method", "stream", "limit"), METHODS)
def test_the_limit_is_10_by_default_and_has_a_maximum(client: Client, method: str, stream: str, limit: int) -> None:
    assert stream
    assert len(client.rows(method)) == 10
    assert len(client.rows(method, Limit=limit)) == limit
    assert client.call(method, Limit=limit + 1) == {"result": 1, "message": INCORRECT}


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("GetWebAPILog", {"Limit": 0}),
        ("GetWebAPILog", {"Limit": -1}),
        ("GetWebAPILog", {"Limit": "ten"}),
        ("GetWebAPILog", {"Limit": "1.0"}),
        ("GetWebAPILog", {"StartingAfter": "x"}),
        ("GetWebAPILog", {"StartingAfter": -1}),
        ("GetWebAPILog", {"OrderBy": "State"}),
        ("GetWebAPILog", {"OrderBy": "Id sideways"}),
        ("GetWebAPILog", {"States": "1010"}),
        ("GetWebAPILog", {"States": "[1010"}),
        ("GetWebAPILog", {"Time": '{"after":1}'}),
        ("GetWebAPILog", {"Time": '{"gte":"1"}'}),
        ("GetWebAPILog", {"Time": "2026-11-01"}),
        ("GetWebAPILog", {"Key": "AAAAA-BBBBB-CCCCC-DDDDD"}),
        ("GetWebAPILog", {"Page": 2}),
        ("GetWebAPILog", {"Limit": 5, "limit": 5}),
        ("GetEvents", {"OrderBy": "Id"}),
        ("GetEvents", {"States": "[1010]"}),
        ("GetEvents", {"Time": '{"gte":1}', "StartingAfter": 5}),
        ("GetObjectLog", {"EndingBefore": 5}),
        ("GetObjectLog", {"ProductId": 1}),
        ("GetObjectLog", {"Time": "1"}),
    ],
)
def test_wrong_parameters_are_refused(client: Client, method: str, parameters: dict[str, object]) -> None:
    assert client.call(method, **parameters) == {"result": 1, "message": INCORRECT}


def test_parameters_without_a_value_are_not_set(client: Client, web_api_log: list[Row]) -> None:
    unset = {"ProductId": 0, "Key": "", "MachineCode": "", "FriendlyName": "", "OrderBy": "", "States": ""}
    rows = client.rows("GetWebAPILog", **unset, Time="", StartingAfter=0, EndingBefore=0, Limit=3, v=1)
    assert rows == web_api_log[:3]


# Cursors and order.


@pytest.mark.parametrize("method", ["GetWebAPILog", "GetEvents"])
def test_ending_before_looks_back_and_wins(client: Client, sandbox: Sandbox, method: str) -> None:
    rows = sandbox.truth()[{name: stream for name, stream, _ in METHODS}[method]]
    middle = rows[50]["id"]
    assert client.rows(method, EndingBefore=middle, Limit=5) == rows[49:44:-1]
    assert client.rows(method, EndingBefore=middle, StartingAfter=rows[60]["id"], Limit=5) == rows[49:44:-1]
    assert client.rows(method, StartingAfter=middle, Limit=5) == rows[51:56]


def test_order_by(client: Client, web_api_log: list[Row]) -> None:
    assert client.rows("GetWebAPILog", OrderBy="Id", Limit=5) == web_api_log[:5]
    assert client.rows("GetWebAPILog", OrderBy="id ascending", Limit=5) == web_api_log[:5]
    assert client.rows("GetWebAPILog", OrderBy="Id descending", Limit=5) == web_api_log[:-6:-1]
    assert client.rows("GetWebAPILog", OrderBy="Time descending", Limit=5) == web_api_log[:-6:-1]


def test_filters_of_the_web_api_log(client: Client, web_api_log: list[Row]) -> None:
    row = next(row for row in web_api_log if row["machineCode"] and row["friendlyName"])
    product, key = row["productId"], row["key"]
    for parameters, same in (
        ({"ProductId": product}, lambda other: other["productId"] == product),
        (
            {"ProductId": product, "Key": key},
            lambda other: (other["productId"], other["key"]) == (product, key),
        ),
        ({"MachineCode": row["machineCode"]}, lambda other: other["machineCode"] == row["machineCode"]),
        ({"FriendlyName": "LOVElace"}, lambda other: other["friendlyName"] == "Ada Lovelace"),
        ({"States": "[1010, 2024]"}, lambda other: other["state"] in {1010, 2024}),
        ({"Time": json.dumps({"gte": row["time"]})}, lambda other: other["time"] >= row["time"]),
        ({"Time": str(row["time"])}, lambda other: other["time"] == row["time"]),
    ):
        expected = [other for other in web_api_log if same(other)]
        assert client.rows("GetWebAPILog", **parameters, Limit=1000) == expected[:1000], parameters
        assert expected
    assert client.rows("GetWebAPILog", MachineCode=row["machineCode"].upper()) == []
    refused = client.call("GetWebAPILog", ProductId=product, Key="AAAAA-BBBBB-CCCCC-DDDDD")
    assert refused["message"] == "Not enough permission and/or key not found"


def test_with_a_filter_on_time_the_cursor_is_a_time(client: Client, web_api_log: list[Row]) -> None:
    moment = web_api_log[100]["time"]
    expected = [row for row in web_api_log if row["time"] > moment]
    rows = client.rows("GetWebAPILog", Time='{"gte":1}', StartingAfter=moment, Limit=1000)
    assert rows == expected[:1000]
    assert client.rows("GetWebAPILog", Time='{"gte":1}', StartingAfter=web_api_log[100]["id"]) == []


# Data.


def test_events_and_object_log_are_kept_30_days(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    before = sandbox.truth()
    oldest = int((clock() - timedelta(days=30)).timestamp())
    assert min(row["time"] for row in client.walk("GetEvents", 100)) >= oldest
    assert min(row["created"] for row in client.walk("GetObjectLog", 100)) >= oldest
    assert before["cryptolens_web_api_log"][0]["time"] < oldest - 300 * 86_400
    clock.move(timedelta(days=10))
    for method, stream, limit in METHODS[1:]:
        rows = client.rows(method, StartingAfter=before[stream][0]["id"], Limit=limit)
        assert rows == sandbox.truth()[stream][:limit]
        assert len(sandbox.truth()[stream]) < len(before[stream])
    assert sandbox.truth()["cryptolens_web_api_log"] == before["cryptolens_web_api_log"]


def test_the_rows_have_what_clients_stumble_over(sandbox: Sandbox) -> None:
    truth = sandbox.truth()
    log, events, objects = (truth[stream] for _, stream, _ in METHODS)
    ids = [row["id"] for row in log]
    assert ids == sorted(set(ids))
    assert ids[0] > 2**31
    assert ids[-1] - ids[0] > len(ids)
    assert [row["time"] for row in log] == sorted(row["time"] for row in log)
    assert Counter(row["time"] for row in log).most_common(1)[0][1] >= 600
    assert Counter(row["time"] for row in events).most_common(1)[0][1] > 100
    assert max(row["doId"] for row in log) > 2**32
    assert {row["friendlyName"] for row in log} >= {"", None}
    assert {row["machineCode"] for row in log} >= {"", None}
    assert any((row["machineCode"] or "").startswith("floating:") for row in log)
    assert {row["state"] for row in log} >= {1010, 2011, 2014, 2015, 2024, 3010, 6011, 9010, 0}
    assert any("countryCode" in row for row in log)
    assert any("productId" not in row for row in events)
    assert {row["metadata"] for row in events} >= {None, "", "not json"}
    assert {type(row["performedByUserId"]) for row in objects} == {int, str, type(None)}


def test_the_burst_of_the_default_size_is_larger_than_a_page(clock: Clock) -> None:
    for stream, page in (
        ("cryptolens_web_api_log", 1000),
        ("cryptolens_events", 100),
        ("cryptolens_object_log", 100),
    ):
        key = "created" if stream == "cryptolens_object_log" else "time"
        rows = Sandbox(vendors=["cryptolens"], clock=clock).truth()[stream]
        assert Counter(row[key] for row in rows).most_common(1)[0][1] > page


def test_an_advance_brings_rows_with_higher_ids_and_tied_times(sandbox: Sandbox, clock: Clock) -> None:
    before = sandbox.truth()
    sandbox.advance()
    after = sandbox.truth()
    for _, stream, _ in METHODS:
        key = "created" if stream == "cryptolens_object_log" else "time"
        new = after[stream][len(before[stream]) :]
        assert after[stream][: len(before[stream])] == before[stream]
        assert len(new) >= 8
        assert new[0][key] == before[stream][-1][key]
        assert max(Counter(row[key] for row in new).values()) >= 4
        assert max(row[key] for row in new) <= clock().timestamp()


# Levers.


def test_errors_can_come_as_http_400_or_with_a_message_only(client: Client, cryptolens: CryptolensSandbox) -> None:
    url = f"{client.config['api_url']}/ai/GetEvents"
    cryptolens.error_style = "status_400"
    answer = client.http.post(url, timeout=30)
    assert (answer.status_code, answer.json()) == (400, {"result": 1, "message": "Unable to authenticate"})
    cryptolens.error_style = "message_only"
    assert client.http.post(url, timeout=30).json() == {"message": "Unable to authenticate"}


def test_an_empty_list_can_be_null(client: Client, cryptolens: CryptolensSandbox) -> None:
    assert client.call("GetEvents", StartingAfter=10**15) == {"events": [], "result": 0, "message": None}
    cryptolens.null_when_empty = True
    assert client.call("GetEvents", StartingAfter=10**15) == {"events": None, "result": 0, "message": None}


def test_ids_can_be_strings(client: Client, cryptolens: CryptolensSandbox, web_api_log: list[Row]) -> None:
    cryptolens.ids_as_strings = True
    assert client.rows("GetWebAPILog", Limit=1) == [{**web_api_log[0], "id": str(web_api_log[0]["id"])}]


def test_the_order_after_a_cursor_can_be_wrong(
    client: Client, cryptolens: CryptolensSandbox, web_api_log: list[Row]
) -> None:
    after = web_api_log[9]["id"]
    cryptolens.web_api_log.order = "descending"
    assert client.rows("GetWebAPILog", StartingAfter=after, Limit=20) == web_api_log[:-21:-1]
    cryptolens.web_api_log.order = "shuffled"
    rows = client.rows("GetWebAPILog", StartingAfter=after, Limit=20)
    assert rows != web_api_log[10:30]
    assert sorted(rows, key=lambda row: int(row["id"])) == web_api_log[10:30]


def test_answers_can_have_fewer_rows_than_the_limit(client: Client, cryptolens: CryptolensSandbox) -> None:
    cryptolens.events.most_rows = 7
    assert len(client.rows("GetEvents", Limit=100)) == 7


def test_the_key_of_the_rows_can_be_another(client: Client, cryptolens: CryptolensSandbox) -> None:
    cryptolens.object_log.rows_key = "objectLogs"
    assert len(client.call("GetObjectLog")["objectLogs"]) == 10


def test_rows_can_be_young_or_from_the_future(
    client: Client, cryptolens: CryptolensSandbox, web_api_log: list[Row], clock: Clock
) -> None:
    young = cryptolens.add_row(cryptolens.web_api_log, age=timedelta(seconds=20), key="CANARY")
    future = cryptolens.add_row(cryptolens.web_api_log, age=-timedelta(days=365 * 73))
    rows = client.rows("GetWebAPILog", StartingAfter=web_api_log[-1]["id"])
    assert rows == [young, future]
    assert young["time"] == int(clock().timestamp()) - 20
    assert young["key"] == "CANARY"
    assert future["time"] > 4_070_908_800
    cryptolens.advance()
    rows = client.rows("GetWebAPILog", StartingAfter=future["id"], Limit=100)
    assert len(rows) == 60
    assert max(row["time"] for row in rows) <= clock().timestamp()


def test_a_row_can_appear_after_rows_with_higher_ids(
    client: Client, cryptolens: CryptolensSandbox, web_api_log: list[Row]
) -> None:
    held = cryptolens.begin_row(cryptolens.web_api_log, age=timedelta(minutes=2))
    shown = cryptolens.add_row(cryptolens.web_api_log)
    assert client.rows("GetWebAPILog", StartingAfter=web_api_log[-1]["id"]) == [shown]
    cryptolens.commit_rows()
    rows = client.rows("GetWebAPILog", StartingAfter=web_api_log[-1]["id"])
    assert [row["id"] for row in rows] == [held, shown["id"]]
    assert held < shown["id"]
