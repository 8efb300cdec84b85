from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.sandbox.conftest import Clock

Row = dict[str, t.Any]


class Client:
    """Asks the API with a ready token; parameters are written into the URL as the vendor's samples have them."""

    def __init__(self, sandbox: Sandbox, http: requests.Session) -> None:
        config = sandbox.vendor("openx", OpenxSandbox).config(f"{sandbox.url}/openx")
        self.http = http
        self.url = config["api_url"]
        self.types: list[str] = config["object_types"]
        self.headers = {
            "Authorization": f"Bearer {sandbox.vendor('openx', OpenxSandbox).account.access_token}",
            "X-Openx-Instance": config["instance_host"],
            "Content-Type": "application/json",
        }

    def get(self, path: str) -> requests.Response:
        return self.http.get(f"{self.url}/{path}", headers=self.headers, timeout=30)

    def page(self, path: str) -> Row:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        content: Row = answer.json()
        assert set(content) == {"has_more", "objects", "limit", "offset"}
        return content

    def rows(self, path: str) -> list[Row]:
        return t.cast("list[Row]", self.page(path)["objects"])

    def walk(self, path: str) -> list[Row]:
        """Walk pages by the rows received, until there are no more."""
        rows: list[Row] = []
        while True:
            page = self.page(f"{path}{'&' if '?' in path else '?'}limit=100&offset={len(rows)}")
            rows += page["objects"]
            if not page["has_more"]:
                return rows

    def refusal(self, path: str) -> tuple[int, str]:
        answer = self.get(path)
        body = answer.json()
        assert body["http_status"] == answer.status_code
        return answer.status_code, body["type"]

    def ids(self, obj_type: str) -> list[int]:
        return [int(row["id"]) for row in self.walk(obj_type)]

    def trail(self, obj_type: str, obj_id: int, more: str = "") -> str:
        return f"audittrail?obj_type={obj_type}&obj_id={obj_id}{more}"


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=7, vendors=["openx"], size=2500, clock=clock) as running:
        yield running


@pytest.fixture
def openx(sandbox: Sandbox) -> OpenxSandbox:
    return sandbox.vendor("openx", OpenxSandbox)


@pytest.fixture
def client(sandbox: Sandbox, http: requests.Session) -> Client:
    return Client(sandbox, http)


@pytest.fixture
def order(client: Client) -> int:
    """The order with more than a page of history."""
    return client.ids("order")[0]


# Lists.


def test_a_list_has_ten_rows_unless_told_and_a_hundred_at_most(client: Client, openx: OpenxSandbox) -> None:
    openx.fill({"order": 250}, changes=1)
    page = client.page("order")
    assert (len(page["objects"]), page["limit"], page["offset"], page["has_more"]) == (10, 10, 0, True)
    page = client.page("order?limit=1000&offset=100")
    assert (len(page["objects"]), page["limit"], page["offset"], page["has_more"]) == (100, 100, 100, True)
    page = client.page("order?limit=50&offset=200")
    assert (len(page["objects"]), page["has_more"]) == (50, False)
    assert client.page("order?offset=250")["objects"] == []
    assert len(set(client.ids("order"))) == 250
    openx.paging.most, openx.paging.default_limit = 30, 20
    assert client.page("order")["limit"] == 20
    assert client.page("order?limit=100")["limit"] == 30
    openx.paging.beyond_most = "refuse"
    assert client.refusal("order?limit=31") == (400, "Value Error")
    assert client.page("order?limit=30")["limit"] == 30


def test_the_rows_of_a_list(client: Client) -> None:
    row = client.rows("order")[0]
    assert {"id", "uid", "modified_date", "created_date", "revision", "deleted", "name"} <= set(row)
    assert {type(value) for name, value in row.items() if name not in {"revision", "targeting", "end_date"}} == {str}
    assert (type(row["revision"]), row["deleted"]) == (int, "0")


def test_the_same_ids_occur_in_all_types(client: Client) -> None:
    assert len(client.types) == 9
    assert len({client.ids(each)[0] for each in client.types}) == 1


def test_deleted_objects_are_in_no_list_but_have_a_history(
    client: Client, openx: OpenxSandbox, sandbox: Sandbox
) -> None:
    kept, gone = client.ids("lineitem")[:2]
    openx.delete("lineitem", gone)
    assert gone not in client.ids("lineitem")
    assert client.refusal(f"lineitem/{gone}") == (404, "Object Not Found")
    history = client.rows(client.trail("lineitem", gone))
    assert history[0]["action"] == "delete"
    assert {row["action"] for row in client.rows(client.trail("lineitem", kept))} <= {"create", "update"}
    ids = {row["obj_id"] for row in sandbox.truth()["openx_audit_trail"] if row["obj_type"] == "lineitem"}
    assert ids == {str(each) for each in client.ids("lineitem")}
    assert str(gone) not in ids


def test_a_new_object_can_shift_the_pages_of_a_list(client: Client, openx: OpenxSandbox) -> None:
    openx.listing.newest_first = True
    first = client.rows("order?limit=2")
    openx.add("order")
    assert client.rows("order?limit=2&offset=2")[0] == first[1]
    openx.listing.newest_first = False
    assert client.ids("order") == sorted(client.ids("order"))


def test_reading_one_object_gives_a_list_of_one(client: Client) -> None:
    row = client.rows("order")[0]
    assert client.get(f"order/{row['id']}").json() == [row]
    assert client.get(f"order/{row['uid']}").json() == [row]
    assert client.refusal("order/1") == (404, "Object Not Found")


@pytest.mark.parametrize("path", ["report", "report/1", "report/1/audittrail", "audittrail?obj_type=report&obj_id=1"])
def test_a_type_that_the_instance_does_not_know(client: Client, openx: OpenxSandbox, path: str) -> None:
    assert client.refusal(path) == (400, "Object Type")
    openx.paging.unknown_type_status = 404
    assert client.refusal(path) == (404, "Object Not Found")


def test_a_type_may_not_be_listed(client: Client, openx: OpenxSandbox) -> None:
    openx.listing.unlistable.add("deal")
    assert client.refusal("deal") == (403, "Permission")
    assert client.rows("order")


@pytest.mark.parametrize("query", ["sort=id", "modified_date>=2026-01-01", "pretty=1"])
def test_lists_have_no_filter_and_no_order(client: Client, query: str) -> None:
    assert client.refusal(f"order?{query}") == (400, "Unknown Field")


# History.


def test_both_forms_of_the_url_give_the_same(client: Client, order: int) -> None:
    for more in ("", "limit=30", "revision=1", "limit=30&timestamp>=2026-01-21", "sort=revision&offset=5"):
        nested = client.page(f"order/{order}/audittrail?{more}")
        assert client.page(client.trail("order", order, f"&{more}")) == nested
        assert nested["objects"]
    assert client.refusal(f"order/{order}/audittrail?obj_id={order}") == (400, "Unknown Field")


def test_history_is_newest_first_unless_told(client: Client, order: int) -> None:
    page = client.page(client.trail("order", order))
    assert (page["limit"], page["offset"], page["has_more"]) == (10, 0, True)
    assert [row["revision"] for row in page["objects"]] == list(range(120, 110, -1))
    descending = client.rows(client.trail("order", order, "&sort=-revision"))
    assert descending == page["objects"] == client.rows(client.trail("order", order, "&sort=-timestamp"))
    ascending = client.rows(client.trail("order", order, "&sort=revision"))
    assert [row["revision"] for row in ascending] == list(range(1, 11))


def test_the_pages_of_history(client: Client, order: int) -> None:
    page = client.page(client.trail("order", order, "&limit=500"))
    assert (page["limit"], len(page["objects"]), page["has_more"]) == (100, 100, True)
    rows = client.walk(client.trail("order", order, "&sort=revision"))
    assert [row["revision"] for row in rows] == list(range(1, 121))
    assert client.page(client.trail("order", order, "&limit=20&offset=100"))["has_more"] is False
    assert client.rows(client.trail("order", order, "&offset=120")) == []


def test_changes_at_the_head_shift_the_pages(client: Client, openx: OpenxSandbox, order: int) -> None:
    openx.audit_trail.head_inserts = 3
    rows = [row["revision"] for row in client.walk(client.trail("order", order))]
    assert rows[:100] == list(range(120, 20, -1))
    assert rows[100:] == list(range(23, 0, -1))
    openx.fill({"order": 1}, changes=120)
    rows = [row["revision"] for row in client.walk(client.trail("order", order, "&sort=revision"))]
    assert rows == list(range(1, 124))


def test_one_revision_is_one_record(client: Client, order: int) -> None:
    (row,) = client.rows(client.trail("order", order, "&revision=1"))
    assert (row["obj_type"], row["obj_id"], row["revision"]) == ("order", str(order), 1)
    assert (row["action"], row["type"]) == ("create", "audittrail")
    assert row["changes"]["new_value"]["id"] == str(order)
    assert "old_value" not in row["changes"]
    assert client.rows(client.trail("order", order, "&revision=121")) == []


def test_an_id_alone_finds_the_objects_of_all_types(client: Client, order: int) -> None:
    rows = client.walk(f"audittrail?&obj_id={order}")
    assert {row["obj_type"] for row in rows} == set(client.types)
    assert len({(row["obj_type"], row["revision"]) for row in rows}) == len(rows)


def test_history_is_of_one_user(client: Client, order: int) -> None:
    everything = client.walk(client.trail("order", order))
    email = "person4@example.com"
    found = client.walk(client.trail("order", order, f"&user={email}"))
    assert found == [row for row in everything if (row.get("user") or {}).get("email") == email]
    assert found
    assert client.rows(client.trail("order", order, "&user=person4+x@example.com")) == []


@pytest.mark.parametrize("precision", ["day", "midnight"])
@pytest.mark.parametrize("operator", [">", "<", "=", ">=", "<=", "!="])
def test_the_timestamp_filter(
    client: Client, openx: OpenxSandbox, order: int, precision: t.Literal["day", "midnight"], operator: str
) -> None:
    openx.audit_trail.timestamp_precision = precision
    everything = client.walk(client.trail("order", order))
    day = everything[60]["timestamp"][:10]
    found = client.walk(client.trail("order", order, f"&timestamp{operator}{day}"))

    def matches(moment: str) -> bool:
        compared, bound = (moment[:10], day) if precision == "day" else (moment, f"{day} 00:00:00")
        return {
            ">": compared > bound,
            "<": compared < bound,
            "=": compared == bound,
            ">=": compared >= bound,
            "<=": compared <= bound,
            "!=": compared != bound,
        }[operator]

    assert found == [row for row in everything if matches(row["timestamp"])]
    if precision == "day":
        assert 0 < len(found) < 120


def test_the_operator_may_stand_unescaped_in_the_place_of_the_equals_sign(client: Client, order: int) -> None:
    everything = client.walk(client.trail("order", order))
    day = everything[60]["timestamp"][:10]
    parts = urlsplit(f"{client.url}/{client.trail('order', order, f'&timestamp>{day}&limit=100')}")
    connection = HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=client.headers)
        found = json.load(connection.getresponse())["objects"]
    finally:
        connection.close()
    assert found == [row for row in everything if row["timestamp"][:10] > day]


def test_two_bounds_are_a_range(client: Client, order: int) -> None:
    everything = client.walk(client.trail("order", order))
    low, high = everything[80]["timestamp"][:10], everything[40]["timestamp"][:10]
    found = client.walk(client.trail("order", order, f"&timestamp>={low}&timestamp<={high}"))
    assert found == [row for row in everything if low <= row["timestamp"][:10] <= high]
    parameters = {"obj_type": "order", "obj_id": str(order), "timestamp>": low, "timestamp<": high, "limit": "100"}
    answer = client.http.get(f"{client.url}/audittrail", params=parameters, headers=client.headers, timeout=30)
    assert answer.json()["objects"] == found


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("timestamp>=2026-01-01 00:00:00", "Value Error"),
        ("timestamp>=2026-02-30", "Value Error"),
        ("timestamp>=20260101", "Value Error"),
        ("timestamp>2026-01-01=", "Value Error"),  # what a dictionary of parameters makes of a plain operator
        ("timestamp=>=2026-01-01", "Value Error"),
        ("limit=0", "Value Error"),
        ("limit=-1", "Value Error"),
        ("limit=all", "Value Error"),
        ("offset=-1", "Value Error"),
        ("sort=created", "Value Error"),
        ("sort=--revision", "Value Error"),
        ("revision=one", "Value Error"),
        ("limit=10&limit=20", "Value Error"),
        ("obj_ids=1", "Unknown Field"),
        ("since=2026-01-01", "Unknown Field"),
    ],
)
def test_what_the_history_does_not_understand(client: Client, order: int, query: str, kind: str) -> None:
    assert client.refusal(client.trail("order", order, f"&{query}")) == (400, kind)


@pytest.mark.parametrize(
    "path",
    [
        "audittrail",
        "audittrail?obj_type=order",
        "audittrail?timestamp>=2026-01-01",
        "audittrail?obj_type=order&obj_id=abc",
        "audittrail?obj_type=order&obj_id=60061321-c001-fff1-8123-b0769b",
    ],
)
def test_history_needs_the_id_of_an_object(client: Client, path: str) -> None:
    assert client.refusal(path) == (400, "Value Error")


def test_a_type_in_quotes_is_no_type(client: Client, order: int) -> None:
    assert client.refusal(f"audittrail?obj_type='order'&obj_id={order}") == (400, "Object Type")


def test_an_unknown_object_and_one_that_may_not_be_read(
    client: Client, openx: OpenxSandbox, sandbox: Sandbox, order: int
) -> None:
    assert client.refusal(client.trail("order", order + 1)) == (404, "Object Not Found")
    openx.audit_trail.unreadable.add(("order", order))
    assert client.refusal(client.trail("order", order)) == (403, "Permission")
    assert client.refusal(f"order/{order}/audittrail") == (403, "Permission")
    assert order in client.ids("order")
    assert client.rows(client.trail("deal", order))
    keys = [(row["obj_type"], row["obj_id"], row["revision"]) for row in sandbox.truth()["openx_audit_trail"]]
    assert ("order", str(order), 1) not in keys
    assert sorted(keys) == sorted(openx.truth_keys())


def test_the_history_is_the_truth(client: Client, sandbox: Sandbox, openx: OpenxSandbox) -> None:
    truth = sandbox.truth()["openx_audit_trail"]
    assert 100 < len(truth) < 400
    walked = [
        row
        for obj_type in client.types
        for obj_id in client.ids(obj_type)
        for row in client.walk(client.trail(obj_type, obj_id, "&sort=revision"))
    ]
    assert walked == truth
    keys = [(row["obj_type"], row["obj_id"], row["revision"]) for row in truth]
    assert keys == list(openx.truth_keys())
    assert len(set(keys)) == len(keys)


def test_the_records_have_what_clients_stumble_over(sandbox: Sandbox) -> None:
    rows = sandbox.truth()["openx_audit_trail"]
    assert {type(row["obj_id"]) for row in rows} == {str}
    assert any("user" not in row for row in rows)
    assert any(row.get("user", "") is None for row in rows)
    assert any("real_user" not in row for row in rows)
    people = [row for row in rows if row.get("user")]
    assert any(row["real_user"] != row["user"]["email"] for row in people)
    assert any(not row["user"]["name"].isascii() for row in people)
    assert any("requestId" in row for row in rows)
    updates = [row["changes"] for row in rows if row["action"] == "update"]
    assert {"old_value" in changes for changes in updates} == {True, False}
    assert any(value is None for changes in updates for value in changes["new_value"].values())
    assert all(len(row["timestamp"]) == 19 for row in rows)
    assert {row["reason"] for row in rows} == {"api", "ui", "bulk_upload", "system"}


# The data over time.


def test_a_change_bumps_its_object_or_not(client: Client, openx: OpenxSandbox) -> None:
    before = {row["id"]: row for row in client.walk("order")}
    bumped, silent = client.ids("order")[:2]
    new = openx.change("order", bumped, age=timedelta(days=1))
    unnoticed = openx.change("order", silent, age=timedelta(days=2), bump=False)
    after = {row["id"]: row for row in client.walk("order")}
    assert after[str(bumped)]["modified_date"] == new["timestamp"]
    assert after[str(bumped)]["revision"] == new["revision"] == before[str(bumped)]["revision"] + 1
    for name in ("modified_date", "revision"):
        assert after[str(silent)][name] == before[str(silent)][name]
    assert client.rows(client.trail("order", silent))[0] == unnoticed


def test_an_advance_changes_some_objects_and_creates_one(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    before = {(row["obj_type"], row["obj_id"], row["revision"]): row for row in sandbox.truth()["openx_audit_trail"]}
    orders = client.ids("order")
    sandbox.advance()
    after = {(row["obj_type"], row["obj_id"], row["revision"]): row for row in sandbox.truth()["openx_audit_trail"]}
    assert all(after[key] == row for key, row in before.items())
    new = [row for key, row in after.items() if key not in before]
    assert {row["obj_type"] for row in new} == set(client.types)
    minute_ago = (clock() - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert all(minute_ago < row["timestamp"] < clock().strftime("%Y-%m-%d %H:%M:%S") for row in new)
    shown = {row["id"] for row in client.walk("order") if row["modified_date"] > minute_ago}
    assert shown == {row["obj_id"] for row in new if row["obj_type"] == "order"}
    assert len(client.ids("order")) == len(orders) + 1


def test_an_advance_after_five_days_has_a_change_that_its_object_does_not_show(
    client: Client, sandbox: Sandbox, clock: Clock
) -> None:
    clock.move(timedelta(days=6))
    before = len(sandbox.truth()["openx_audit_trail"])
    sandbox.advance()
    rows = sandbox.truth()["openx_audit_trail"]
    assert len(rows) > before
    moment = (clock() - timedelta(days=5)).strftime("%Y-%m-%d %H:%M:%S")
    (unnoticed,) = [row for row in rows if row["timestamp"] == moment]
    (listed,) = client.get(f"{unnoticed['obj_type']}/{unnoticed['obj_id']}").json()
    assert listed["modified_date"] < moment
    assert listed["revision"] < unnoticed["revision"]


def test_the_quota_ends_with_the_clock_hour(client: Client, openx: OpenxSandbox, clock: Clock) -> None:
    openx.hourly_quota = 3
    statuses = [client.get("order").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert client.refusal("order") == (429, "Too Many Requests")
    assert "Retry-After" not in client.get("order").headers
    clock.move(timedelta(minutes=25, seconds=3))  # to 12:59:59
    assert client.get("order").status_code == 429
    clock.move(timedelta(seconds=1))
    assert client.get("order").status_code == 200


def test_latency_and_requests_in_flight(client: Client, openx: OpenxSandbox) -> None:
    openx.latency = 0.1
    begin = time.monotonic()
    client.get("order?limit=1")
    assert time.monotonic() - begin >= 0.1
    assert openx.max_in_flight == 1
    openx.latency = 0.0
    with ThreadPoolExecutor(4) as pool:
        with openx.lock:
            asked = [pool.submit(client.get, "order?limit=1") for _ in range(4)]
            deadline = time.monotonic() + 30
            while openx.max_in_flight < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert {each.result().status_code for each in asked} == {200}
    assert openx.max_in_flight == 4


def test_many_objects_are_made_up_quickly(client: Client, openx: OpenxSandbox, clock: Clock) -> None:
    begin = time.monotonic()
    openx.fill({"order": 5000}, changes=10)
    assert time.monotonic() - begin < 2
    assert sum(1 for _ in openx.truth_keys()) == 50_000
    rows = client.walk("order")
    assert len(rows) == 5000
    assert max(row["modified_date"] for row in rows) < (clock() - timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    assert openx.config("http://127.0.0.1")["object_types"] == ["order"]


@pytest.mark.parametrize("size", [1, 13, 300, 4500])
def test_every_type_has_rows_whatever_the_size(size: int, clock: Clock) -> None:
    rows = Sandbox(vendors=["openx"], size=size, clock=clock).truth()["openx_audit_trail"]
    assert len({row["obj_type"] for row in rows}) == 9
    assert len(rows) < 500


def test_paths_and_methods_that_are_not_there(client: Client) -> None:
    assert client.get("order/1/audittrail/2").status_code == 404
    url = client.url.removesuffix("/api/v1/ox/4.0")
    assert client.http.get(f"{url}/elsewhere", timeout=30).status_code == 404
    assert client.http.post(f"{client.url}/order", headers=client.headers, data="{}", timeout=30).status_code == 405
    assert client.http.get(f"{url}/oauth2/v1/token", timeout=30).status_code == 404
