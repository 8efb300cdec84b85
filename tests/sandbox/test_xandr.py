from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.xandr import Throttle, XandrSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.sandbox.conftest import Clock

Row = dict[str, t.Any]


class Client:
    """Asks the API as the vendor's samples do."""

    def __init__(self, sandbox: Sandbox, http: requests.Session) -> None:
        self.config = sandbox.config["xandr"]
        self.http = http
        self.url = self.config["api_url"]
        self.token = ""

    def auth(self, **changes: str) -> Row:
        credentials = {"username": self.config["username"], "password": self.config["password"], **changes}
        return self.read(self.http.post(f"{self.url}/auth", json={"auth": credentials}, timeout=30))

    def log_in(self) -> None:
        self.token = self.auth()["token"]

    def get(self, path: str, **parameters: object) -> requests.Response:
        headers = {"Authorization": self.token} if self.token else {}
        return self.http.get(f"{self.url}/{path}", params=t.cast("t.Any", parameters), headers=headers, timeout=30)

    def post(self, path: str, body: object, **parameters: object) -> Row:
        headers = {"Authorization": self.token}
        url = f"{self.url}/{path}"
        return self.read(
            self.http.post(url, json=body, params=t.cast("t.Any", parameters), headers=headers, timeout=30)
        )

    def ask(self, path: str, **parameters: object) -> Row:
        return self.read(self.get(path, **parameters))

    @staticmethod
    def read(answer: requests.Response) -> Row:
        assert answer.status_code == 200, answer.text
        content: Row = answer.json()["response"]
        return content

    def error(self, path: str, **parameters: object) -> str:
        content = self.ask(path, **parameters)
        assert "status" not in content or content["status"] == "error"
        return str(content["error_id"])

    def log(self, service: str, resource_id: int, **parameters: object) -> list[Row]:
        content = self.ask("change-log", service=service, resource_id=resource_id, **parameters)
        assert content["status"] == "OK", content
        rows: list[Row] = content["change_logs"]
        return rows

    def detail(self, service: str, transaction_id: str, **parameters: object) -> Row:
        content = self.ask("change-log-detail", service=service, transaction_id=transaction_id, **parameters)
        (row,) = content["change_log_details"]
        return t.cast("Row", row)

    def ids(self, service: str, **parameters: object) -> list[int]:
        """Walk a list as public clients do: by the rows received, whatever key they come under."""
        found: list[int] = []
        while True:
            content = self.ask(service, start_element=len(found), **parameters)
            assert content["status"] == "OK", content
            if content["count"] == 0:
                return found
            (rows,) = (content[key] for key in (service, f"{service}s") if key in content)
            found += [int(row["id"]) for row in (rows if isinstance(rows, list) else [rows])]
            if len(found) >= content["count"]:
                return found


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=7, vendors=["xandr"], size=2500, clock=clock) as running:
        yield running


@pytest.fixture
def xandr(sandbox: Sandbox) -> XandrSandbox:
    return sandbox.vendor("xandr", XandrSandbox)


@pytest.fixture
def anonymous(sandbox: Sandbox, http: requests.Session) -> Client:
    return Client(sandbox, http)


@pytest.fixture
def client(anonymous: Client) -> Client:
    anonymous.log_in()
    return anonymous


def rows_of(sandbox: Sandbox, service: str) -> list[Row]:
    return [row for row in sandbox.truth()["xandr_change_log"] if row["service"] == service]


def long_line_item(sandbox: Sandbox) -> int:
    return int(rows_of(sandbox, "line-item")[0]["resource_id"])


# Who may ask.


def test_a_login_gives_an_opaque_token(anonymous: Client) -> None:
    content = anonymous.auth()
    assert content["status"] == "OK"
    anonymous.token = content["token"]
    assert anonymous.ask("advertiser")["status"] == "OK"


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "wrong"}])
def test_wrong_credentials_are_refused_with_status_200(anonymous: Client, wrong: dict[str, str]) -> None:
    content = anonymous.auth(**wrong)
    assert (content["error_id"], content["status"]) == ("NOAUTH", "error")
    assert "token" not in content


@pytest.mark.parametrize("body", ["", "[]", '{"auth": 1}', '{"auth": {"username": "x"}}', '{"username": "x"}'])
def test_a_malformed_login_is_a_syntax_error(anonymous: Client, body: str) -> None:
    answer = anonymous.http.post(f"{anonymous.url}/auth", data=body, timeout=30)
    assert anonymous.read(answer)["error_id"] == "SYNTAX"


@pytest.mark.parametrize("header", ["", "wrong", "Bearer {token}", "{token} "])
def test_only_the_bare_token_is_let_in(client: Client, header: str) -> None:
    token, client.token = client.token, header.format(token=client.token)
    # A trailing blank is no part of a header's value, says HTTP.
    assert client.ask("advertiser").get("error_id") == (None if header.strip() == "{token}" else "NOAUTH")
    client.token = token
    assert client.ask("advertiser")["status"] == "OK"


def test_ten_logins_in_five_minutes_and_no_more(anonymous: Client, xandr: XandrSandbox, clock: Clock) -> None:
    for _ in range(20):  # only successful ones count
        assert anonymous.auth(password="wrong")["error_id"] == "NOAUTH"
    tokens = {anonymous.auth()["token"] for _ in range(10)}
    assert len(tokens) == 10
    refused = anonymous.auth()
    assert (refused["error_id"], refused["error_code"]) == ("SYSTEM", "RATE_EXCEEDED")
    clock.move(timedelta(minutes=4, seconds=59))
    assert "token" not in anonymous.auth()
    clock.move(timedelta(seconds=1))
    assert anonymous.auth()["status"] == "OK"
    assert xandr.login.successes == 11


def test_a_token_ends_two_hours_after_its_latest_use(client: Client, clock: Clock) -> None:
    for _ in range(3):
        clock.move(timedelta(hours=1, minutes=59))
        assert client.ask("advertiser")["status"] == "OK"
    clock.move(timedelta(hours=2))
    assert client.error("advertiser") == "NOAUTH"
    client.log_in()
    assert client.ask("advertiser")["status"] == "OK"


def test_a_token_ends_after_a_day_whatever_its_use(client: Client, clock: Clock) -> None:
    for _ in range(23):
        clock.move(timedelta(hours=1))
        assert client.ask("advertiser")["status"] == "OK"
    clock.move(timedelta(minutes=59))
    assert client.ask("advertiser")["status"] == "OK"
    clock.move(timedelta(minutes=1))
    assert client.error("advertiser") == "NOAUTH"


def test_tokens_can_be_ended_in_mid_run(client: Client, xandr: XandrSandbox) -> None:
    xandr.login.expire_tokens()
    assert client.error("change-log", service="advertiser", resource_id=1) == "NOAUTH"
    assert client.auth()["status"] == "OK"


@pytest.mark.parametrize(
    ("account", "error"), [("password_expired", "NOAUTH_EXPIRED"), ("disabled", "NOAUTH_DISABLED")]
)
def test_an_account_can_be_off(
    client: Client, xandr: XandrSandbox, account: t.Literal["password_expired", "disabled"], error: str
) -> None:
    xandr.login.account = account
    assert client.error("advertiser") == error
    assert client.auth()["error_id"] == error
    assert client.auth(password="wrong")["error_id"] == "NOAUTH"


def test_errors_can_have_a_status_of_their_own(client: Client, xandr: XandrSandbox) -> None:
    xandr.errors_by_status = True
    xandr.change_log.unreadable_services.add("deal")
    xandr.change_log.missing_object = "status_422"
    statuses = {
        401: client.http.get(f"{client.url}/advertiser", timeout=30),
        403: client.get("change-log", service="deal", resource_id=1),
        400: client.get("change-log", service="advertiser"),
        422: client.get("change-log", service="advertiser", resource_id=1),
        404: client.get("unheard-of"),
    }
    assert {answer.status_code for answer in statuses.values()} == set(statuses)
    for status, answer in statuses.items():
        assert answer.status_code == status
        assert "error_id" in answer.json()["response"]


@pytest.mark.parametrize("by_status", [False, True])
def test_what_is_gone_answers_as_recorded(client: Client, xandr: XandrSandbox, *, by_status: bool) -> None:
    xandr.errors_by_status = by_status
    for service in ("creative", "line-item"):
        for number in range(1, 6):
            answer = client.get("change-log", service=service, resource_id=number)
            assert answer.status_code == 200
            envelope = answer.json()["response"]
            assert (envelope["error_id"], envelope["error"], envelope["error_code"]) == (
                "SYNTAX",
                "resource not found",
                None,
            )
            assert "status" not in envelope
            assert envelope["dbg_info"]["output_term"] == "not_found"
    envelope = client.get("placement", publisher_id=7).json()["response"]
    assert (envelope["error"], envelope["error_code"]) == ("publisher id not found: 7", "NOTFOUND_PUBLISHER")


# How much may be asked.


def test_a_throttled_user_is_told_to_wait(client: Client, xandr: XandrSandbox) -> None:
    xandr.throttle = Throttle(limit=2, window_seconds=60)
    assert [client.get("advertiser").status_code for _ in range(4)] == [200, 200, 429, 429]
    answer = client.get("advertiser")
    assert {"x-ratelimit-code", "x-ratelimit-count", "x-an-user-id"} <= {name.lower() for name in answer.headers}
    assert 58 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["x-ratelimit-code"] == "429"
    assert answer.json()["response"]["error_code"] == "RATE_EXCEEDED"
    assert xandr.throttle.refusals == 3
    xandr.throttle = None
    assert client.get("advertiser").status_code == 200


def test_a_throttle_ends_with_its_window(client: Client, xandr: XandrSandbox) -> None:
    xandr.throttle = Throttle(limit=1, window_seconds=0.15)
    assert client.get("advertiser").status_code == 200
    deadline = time.monotonic() + 5
    while client.get("advertiser").status_code != 200:
        assert time.monotonic() < deadline
    assert xandr.throttle.refusals >= 1


def test_an_overloaded_service_answers_503_with_a_ratelimit_code(client: Client, xandr: XandrSandbox) -> None:
    xandr.throttle = Throttle(limit=0, status=503)
    answer = client.get("advertiser")
    assert (answer.status_code, "x-ratelimit-code" in answer.headers) == (503, True)


def test_two_retry_after_headers_and_none(client: Client, xandr: XandrSandbox) -> None:
    xandr.throttle = Throttle(limit=0, window_seconds=24, smaller_retry_after=9)
    assert client.get("advertiser").headers["Retry-After"] in {"9, 24", "9, 23"}
    xandr.throttle = Throttle(limit=0, with_retry_after=False)
    assert "Retry-After" not in client.get("advertiser").headers


def ask_at_once(client: Client, xandr: XandrSandbox, count: int) -> list[Row]:
    """Have so many requests in work at one time, by letting none of them end before all have come."""
    xandr.max_in_flight = 0
    with ThreadPoolExecutor(count) as pool:
        with xandr.lock:
            asked = [pool.submit(client.ask, "advertiser", fields="id") for _ in range(count)]
            deadline = time.monotonic() + 30
            while xandr.max_in_flight < count and time.monotonic() < deadline:
                time.sleep(0.01)
        return [each.result() for each in asked]


def test_sixteen_requests_at_once_are_one_too_many(client: Client, xandr: XandrSandbox) -> None:
    contents = ask_at_once(client, xandr, 16)
    assert xandr.max_in_flight == 16
    assert [content["error_id"] for content in contents if content.get("status") != "OK"] == ["SYSTEM"]
    xandr.errors_by_status = True  # with status 200 even so
    assert [content.get("status") for content in ask_at_once(client, xandr, 16)].count("OK") == 15
    assert {content["status"] for content in ask_at_once(client, xandr, 15)} == {"OK"}
    assert xandr.max_in_flight == 15


def test_latency_is_per_request_and_not_in_line(client: Client, xandr: XandrSandbox) -> None:
    xandr.latency = 0.2
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.ask("advertiser", fields="id"), range(8)))
    assert 0.2 <= time.monotonic() - begin < 0.2 * 4


# Lists.


def test_a_list_is_cut_to_a_hundred_without_a_word(client: Client, xandr: XandrSandbox) -> None:
    xandr.fill({"line-item": 250}, changes=1)
    content = client.ask("line-item", num_elements=1000)
    assert (content["count"], content["start_element"], content["num_elements"]) == (250, 0, 100)
    assert len(content["line-items"]) == 100
    assert content["dbg_info"]["output_term"] == "line-items"
    assert len(client.ask("line-item", num_elements=7, start_element=248)["line-items"]) == 2
    assert client.ask("line-item", start_element=250)["line-items"] == []
    assert len(set(client.ids("line-item"))) == 250


def test_a_single_result_is_an_object_under_the_singular_key(client: Client, xandr: XandrSandbox) -> None:
    xandr.fill({"deal": 1, "line-item": 101}, changes=1)
    content = client.ask("deal")
    assert content["deal"]["id"] == client.ids("deal")[0]
    assert "deals" not in content
    assert content["dbg_info"]["output_term"] == "deal"
    assert isinstance(client.ask("line-item", start_element=100)["line-item"], dict)
    xandr.listing.single_as_object = False
    assert len(client.ask("deal")["deals"]) == 1


def test_some_ids_are_strings_and_some_answers_have_no_debug_info(client: Client) -> None:
    assert {type(row["id"]) for row in client.ask("creative")["creatives"]} == {str}
    assert {type(row["id"]) for row in client.ask("site")["sites"]} == {int}
    assert "dbg_info" not in client.ask("site")
    assert "dbg_info" in client.ask("creative")


def test_fields_sort_and_ids(client: Client) -> None:
    content = client.ask("line-item", fields="id,last_modified", sort="id.desc", add_mappings="false")
    rows = content["line-items"]
    assert all(set(row) == {"id", "last_modified"} for row in rows)
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    by_time = client.ask("line-item", sort="last_modified.asc")["line-items"]
    times = [row["last_modified"] for row in by_time]
    assert times == sorted(times)
    assert client.ids("line-item", id=f"{ids[0]},{ids[2]}") == [ids[2], ids[0]]


def test_min_id_is_a_keyset(client: Client, xandr: XandrSandbox) -> None:
    ids = client.ids("line-item")
    assert client.ids("line-item", min_id=ids[2]) == ids[2:]
    xandr.listing.min_id_inclusive = False
    assert client.ids("line-item", min_id=ids[2]) == ids[3:]


def test_min_last_modified_is_on_or_after(client: Client, xandr: XandrSandbox, clock: Clock) -> None:
    changed = client.ids("line-item")[1]
    xandr.change("line-item", changed, age=timedelta(minutes=30))
    moment = clock() - timedelta(minutes=30)
    assert client.ids("line-item", min_last_modified=moment.strftime("%Y-%m-%d %H:%M:%S")) == [changed]
    after = moment + timedelta(seconds=1)
    assert client.ids("line-item", min_last_modified=after.strftime("%Y-%m-%d %H:%M:%S")) == []


def test_a_filter_needs_its_field_among_the_fields(client: Client) -> None:
    since = "2026-01-01 00:00:00"
    assert client.error("line-item", fields="id", min_last_modified=since) == "SYNTAX"
    assert client.error("line-item", fields="name,last_modified", min_id=1, min_last_modified=since) == "SYNTAX"
    assert client.ask("line-item", fields="id,last_modified", min_last_modified=since)["status"] == "OK"


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_elements": 0},
        {"num_elements": -1},
        {"start_element": "a"},
        {"min_last_modified": "2026-01-01T00:00:00Z"},
        {"min_last_modified": "2026-02-30"},
        {"sort": "name.asc"},
        {"sort": "id"},
        {"fields": "id,unheard_of"},
        {"min_id": "x"},
        {"id": "1,x"},
        {"add_mappings": "False"},
        {"since": "2026-01-01"},
        {"id": [1, 2]},
    ],
)
def test_what_a_list_does_not_understand(client: Client, wrong: dict[str, object]) -> None:
    assert client.error("line-item", **wrong) == "SYNTAX"


@pytest.mark.parametrize(
    ("service", "parents"),
    [
        ("placement", {"publisher_id": "publisher"}),
        ("payment-rule", {"publisher_id": "publisher"}),
        ("profile", {"publisher_id": "publisher", "advertiser_id": "advertiser"}),
    ],
)
def test_a_scoped_service_is_listed_parent_by_parent(
    client: Client, sandbox: Sandbox, service: str, parents: dict[str, str]
) -> None:
    assert client.error(service) == "SYNTAX"
    found: list[int] = []
    for parameter, kind in parents.items():
        of_kind = [each for parent in client.ids(kind) for each in client.ids(service, **{parameter: parent})]
        assert of_kind
        found += of_kind
    assert len(found) == len(set(found))
    assert set(found) == {row["resource_id"] for row in rows_of(sandbox, service)}


def test_unscoped_services_can_be_listed_by_advertiser_where_the_pages_say_so(client: Client) -> None:
    advertisers = client.ids("advertiser")
    by_advertiser = [each for parent in advertisers for each in client.ids("line-item", advertiser_id=parent)]
    assert sorted(by_advertiser) == client.ids("line-item")
    assert client.error("site", publisher_id=1) == "SYNTAX"


def test_a_deal_writes_local_time(client: Client, xandr: XandrSandbox, clock: Clock) -> None:
    deal = client.ids("deal")[0]
    created = xandr.change("deal", deal, age=timedelta(seconds=1))["created_on"]
    row = client.ask("deal", id=deal)["deal"]
    behind = datetime.fromisoformat(created) - datetime.fromisoformat(row["last_modified"])
    assert behind == timedelta(hours=5)
    hour_ago = (clock() - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert client.ids("deal", min_last_modified=hour_ago) == []  # the trap
    day_ago = (clock() - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert client.ids("deal", min_last_modified=day_ago) == [deal]


def test_deleted_objects_are_in_no_list(client: Client, xandr: XandrSandbox, sandbox: Sandbox) -> None:
    kept, gone = client.ids("line-item")[:2]
    xandr.delete("line-item", gone)
    assert kept in client.ids("line-item")
    assert gone not in client.ids("line-item")
    assert client.ids("line-item", id=gone) == []
    assert {row["resource_id"] for row in rows_of(sandbox, "line-item")} == set(client.ids("line-item"))
    assert client.error("change-log", service="line-item", resource_id=gone) == "SYNTAX"
    xandr.change_log.missing_object = "empty"
    assert client.log("line-item", gone) == []


def test_a_service_may_not_be_listed(client: Client, xandr: XandrSandbox) -> None:
    xandr.listing.unlistable_services.add("site")
    assert client.error("site") == "UNAUTH"
    assert client.ask("pixel")["status"] == "OK"


# The change log.


def test_the_log_is_newest_first_unless_told(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    default = client.log("line-item", item)
    assert default == client.log("line-item", item, sort="created_on.desc")
    times = [row["created_on"] for row in default]
    assert times == sorted(times, reverse=True)
    ascending = client.log("line-item", item, sort="created_on.asc")
    assert [row["created_on"] for row in ascending] == sorted(row["created_on"] for row in ascending)
    assert set(default[0]) == {"transaction_id", "created_on", "resource_id"}
    assert isinstance(default[0]["resource_id"], int)


def test_the_log_is_cut_to_a_hundred_without_a_word(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    first = client.ask("change-log", service="line-item", resource_id=item, num_elements=5000)
    assert (first["count"], first["num_elements"], len(first["change_logs"])) == (120, 100, 100)
    assert "dbg_info" not in first
    second = client.ask("change-log", service="line-item", resource_id=item, start_element=100)
    assert (second["start_element"], len(second["change_logs"])) == (100, 20)
    ids = [row["transaction_id"] for row in first["change_logs"] + second["change_logs"]]
    assert len(set(ids)) == 120


def test_the_log_is_the_truth(client: Client, sandbox: Sandbox, xandr: XandrSandbox) -> None:
    truth = sandbox.truth()
    assert 300 > len(truth["xandr_change_log"]) > 100
    resources = {(row["service"], row["resource_id"]) for row in truth["xandr_change_log"]}
    assert {service for service, _ in resources} == set(client.config["services"])
    walked = []
    for service, resource in sorted(resources):
        for begin in (0, 100):
            found = client.log(
                service,
                resource,
                start_element=begin,
                additional_fields="user_id, request_source",
                sort="created_on.asc",
            )
            walked += [{"service": service, **row} for row in found]

    def key(row: Row) -> tuple[str, int, str]:
        return row["service"], row["resource_id"], row["transaction_id"]

    assert sorted(walked, key=key) == sorted(truth["xandr_change_log"], key=key)
    assert sorted(map(key, walked)) == sorted(xandr.truth_keys())
    assert len({key(row) for row in walked}) == len(walked)
    details = sorted(truth["xandr_change_log_detail"], key=key)
    assert list(map(key, details)) == sorted(map(key, walked))
    for row in details[::10]:
        asked = client.detail(row["service"], row["transaction_id"], previous_object="true")
        assert {"service": row["service"], **asked} == row


def test_bounds_are_exclusive_or_inclusive(client: Client, sandbox: Sandbox, xandr: XandrSandbox) -> None:
    item = long_line_item(sandbox)
    rows = client.log("line-item", item, sort="created_on.asc")
    low, high = rows[10]["created_on"], rows[20]["created_on"]
    assert low < high

    def inside() -> set[str]:
        found = client.log("line-item", item, min_timestamp=low, max_timestamp=high)
        return {row["created_on"] for row in found}

    everything = {row["created_on"] for row in rows if low <= row["created_on"] <= high}
    assert inside() == everything - {low, high}
    xandr.change_log.bounds = "inclusive"
    assert inside() == everything
    midnight = client.log("line-item", item, max_timestamp=high[:10])
    assert {row["created_on"] for row in midnight} == {
        row["created_on"] for row in rows if row["created_on"] <= f"{high[:10]} 00:00:00"
    }


def test_additional_fields(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    row = client.log("line-item", item, num_elements=1, additional_fields="request_source,user_id,object_json")[0]
    assert isinstance(row["user_id"], int)
    assert isinstance(row["request_source"], str)
    assert json.loads(row["object_json"])["id"] == item
    assert set(client.log("line-item", item, additional_fields="user_id")[0]) == {
        "transaction_id",
        "created_on",
        "resource_id",
        "user_id",
    }


@pytest.mark.parametrize("name", ["modified_by_admin", "modified_by_plugin", "transactions_with_changes"])
def test_the_vendors_filters(client: Client, sandbox: Sandbox, name: str) -> None:
    item = long_line_item(sandbox)

    def matches(row: Row) -> bool:
        detail = client.detail("line-item", row["transaction_id"], previous_object="true")
        return bool(
            {
                "modified_by_admin": detail["modified_by_admin"],
                "modified_by_plugin": detail["plugin_id"] not in {"", None},
                "transactions_with_changes": detail["num_of_changes"] > 0,
            }[name]
        )

    rows = client.log("line-item", item)
    chosen = client.log("line-item", item, **{name: "true"})
    assert [row for row in rows if matches(row)] == [row for row in chosen if row in rows]
    assert 0 < len(chosen) < 120
    assert client.log("line-item", item, **{name: "false"}) == rows


@pytest.mark.parametrize(
    "changes",
    [
        {"service": None},
        {"resource_id": None},
        {"service": "line_item"},
        {"service": "budget-splitter"},
        {"resource_id": "abc"},
        {"resource_id": 1},
        {"min_timestamp": "2026-01-01T00:00:00"},
        {"max_timestamp": "2026-01-01 00:00"},
        {"min_last_modified": "2026-01-01 00:00:00"},
        {"sort": "created_on"},
        {"sort": "transaction_id.asc"},
        {"num_elements": 0},
        {"start_element": -1},
        {"additional_fields": "user_id,unheard_of"},
        {"modified_by_admin": "True"},
        {"transactions_with_changes": "1"},
        {"service": ["line-item", "line-item"]},
    ],
)
def test_what_the_log_does_not_understand(client: Client, sandbox: Sandbox, changes: dict[str, object]) -> None:
    good: dict[str, object] = {"service": "line-item", "resource_id": long_line_item(sandbox)}
    assert client.ask("change-log", **good)["status"] == "OK"
    assert client.error("change-log", **{**good, **changes}) == "SYNTAX"


def test_the_log_does_not_know_all_services_that_can_be_listed(client: Client, xandr: XandrSandbox) -> None:
    segment = xandr.add("segment")
    assert client.ids("segment") == [segment]
    xandr.change_log.missing_object = "empty"
    for service in ("segment", "budget-splitter"):  # the latter is in the vendor's block-list
        assert client.error("change-log", service=service, resource_id=segment) == "SYNTAX"


def test_objects_and_services_that_may_not_be_read(client: Client, sandbox: Sandbox, xandr: XandrSandbox) -> None:
    refused, open_item = client.ids("line-item")[:2]
    transaction = client.log("line-item", refused)[0]["transaction_id"]
    xandr.change_log.unreadable.add(("line-item", refused))
    assert client.error("change-log", service="line-item", resource_id=refused) == "UNAUTH"
    assert client.error("change-log-detail", service="line-item", transaction_id=transaction) == "UNAUTH"
    assert client.log("line-item", open_item)
    assert refused not in {row["resource_id"] for row in rows_of(sandbox, "line-item")}
    xandr.change_log.unreadable_services.add("deal")
    assert client.error("change-log", service="deal", resource_id=client.ids("deal")[0]) == "UNAUTH"
    assert rows_of(sandbox, "deal") == []


def test_the_log_is_kept_half_a_year(client: Client, sandbox: Sandbox, xandr: XandrSandbox, clock: Clock) -> None:
    oldest = min(row["created_on"] for row in sandbox.truth()["xandr_change_log"])
    assert datetime.fromisoformat(oldest).replace(tzinfo=UTC) >= clock() - timedelta(days=184)
    count = len(list(xandr.truth_keys()))
    xandr.change_log.retention = timedelta(days=1000)
    assert len(list(xandr.truth_keys())) > count
    xandr.change_log.retention = timedelta(days=184)
    row = rows_of(sandbox, "line-item")[0]
    clock.move(timedelta(days=185))
    client.log_in()
    assert client.log("line-item", row["resource_id"]) == []


def test_the_log_by_post(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    rows = client.log("line-item", item, sort="created_on.asc")
    body = {
        "service": "line-item",
        "resource_id": str(item),
        "min_timestamp": rows[5]["created_on"],
        "additional_fields": ["user_id"],
    }
    content = client.post("change-log", {"change-log": body}, num_elements=2, sort="created_on.asc")
    assert [row["created_on"] for row in content["change_logs"]] == [
        row["created_on"] for row in rows if row["created_on"] > rows[5]["created_on"]
    ][:2]
    assert "user_id" in content["change_logs"][0]
    for wrong in ({**body, "modified_by_admin": True}, {**body, "num_elements": 2}, {**body, "additional_fields": "a"}):
        assert client.post("change-log", {"change-log": wrong})["error_id"] == "SYNTAX"
    assert client.post("change-log", body)["error_id"] == "SYNTAX"
    assert client.post("change-log", {"change-log": body}, service="line-item")["error_id"] == "SYNTAX"


# The details.


def test_previous_object_decides_what_is_compared(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    ascending = client.log("line-item", item, sort="created_on.asc")
    older, newer = ascending[60], ascending[61]
    forward = client.detail("line-item", older["transaction_id"])
    assert forward["changes"] == client.detail("line-item", older["transaction_id"], previous_object="false")["changes"]
    backward = client.detail("line-item", newer["transaction_id"], previous_object="true")
    assert forward["changes"] == backward["changes"]
    assert client.detail("line-item", older["transaction_id"], previous_object="true")["changes"] != forward["changes"]


def test_the_default_comparison_changes_when_another_transaction_comes(
    client: Client, sandbox: Sandbox, xandr: XandrSandbox
) -> None:
    item = long_line_item(sandbox)
    newest = client.log("line-item", item, num_elements=1)[0]["transaction_id"]
    by_default = client.detail("line-item", newest)
    immutable = client.detail("line-item", newest, previous_object="true")
    assert by_default["changes"] == []
    xandr.change("line-item", item)
    assert client.detail("line-item", newest)["changes"] != []
    assert client.detail("line-item", newest, previous_object="true") == immutable


def test_the_details_have_what_clients_stumble_over(sandbox: Sandbox) -> None:
    details = sandbox.truth()["xandr_change_log_detail"]
    values = [change[side] for row in details for change in row["changes"] for side in ("old_value", "new_value")]
    assert {type(value) for value in values} == {int, float, str, bool, type(None), list, dict}
    assert any(isinstance(value, int) and value > 2**63 for value in values)
    assert any(change["changed"] for row in details for change in row["changes"])
    for row in details:
        assert row["num_of_changes"] == sum(change["changed"] for change in row["changes"])
        assert all(change["changed"] == (change["old_value"] != change["new_value"]) for change in row["changes"])
        assert row["service"] in json.loads(row["raw_json"])
    assert any(row["num_of_changes"] == 0 for row in details)
    assert any(not change["changed"] for row in details for change in row["changes"])
    assert {"", None, 77} == {row["plugin_id"] for row in details}
    assert {row["method"] for row in details} == {"POST", "PUT", "put"}
    assert {row["modified_by_admin"] for row in details} == {True, False}
    assert any("serviceRevision" in row for row in details)
    assert any(not row["user_full_name"].isascii() for row in details)


def test_session_ids_are_credentials(sandbox: Sandbox, client: Client) -> None:
    acting = {row["session_id"] for row in sandbox.truth()["xandr_change_log_detail"]}
    assert len(acting) > 3
    assert acting <= set(sandbox.secrets())
    assert {client.token, client.config["password"]} <= set(sandbox.secrets())
    assert not {client.token} & acting


def test_raw_json_is_the_object_before_the_change(client: Client, sandbox: Sandbox) -> None:
    item = long_line_item(sandbox)
    newest = client.log("line-item", item)[0]["transaction_id"]
    detail = client.detail("line-item", newest, previous_object="true")
    before = json.loads(detail["raw_json"])["line-item"]
    assert {change["field_name"]: change["old_value"] for change in detail["changes"]} == before


def test_unknown_and_missing_details_are_empty(client: Client, sandbox: Sandbox, xandr: XandrSandbox) -> None:
    row = rows_of(sandbox, "line-item")[0]
    good = {"service": "line-item", "transaction_id": row["transaction_id"]}
    for wrong in (
        {"transaction_id": "0ee74310-f580-5001-8007-2f71f84a5454"},
        {"transaction_id": "17"},
        {"service": "campaign"},
        {"resource_id": row["resource_id"] + 7},
    ):
        assert client.ask("change-log-detail", **{**good, **wrong})["change_log_details"] == []
    assert client.ask("change-log-detail", **good, resource_id=row["resource_id"])["count"] == 1
    xandr.transactions.without_details.add(row["transaction_id"])
    assert client.ask("change-log-detail", **good)["change_log_details"] == []
    truth = sandbox.truth()
    assert len(truth["xandr_change_log"]) - len(truth["xandr_change_log_detail"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"service": None},
        {"transaction_id": None},
        {"service": "budget-splitter"},
        {"previous_object": "True"},
        {"sort": "created_on.asc"},
    ],
)
def test_what_the_details_do_not_understand(client: Client, sandbox: Sandbox, changes: dict[str, object]) -> None:
    good = {"service": "line-item", "transaction_id": rows_of(sandbox, "line-item")[0]["transaction_id"]}
    assert client.error("change-log-detail", **{**good, **changes}) == "SYNTAX"


@pytest.mark.parametrize("spelling", ["true", True])
def test_the_details_by_post(client: Client, sandbox: Sandbox, spelling: object) -> None:
    row = rows_of(sandbox, "line-item")[0]
    body = {"service": "line-item", "transaction_id": row["transaction_id"], "previous_object": spelling}
    content = client.post("change-log-detail", {"change-log-detail": body})
    assert content["change_log_details"] == [client.detail("line-item", row["transaction_id"], previous_object="true")]


def test_a_bulk_edit_is_one_transaction_of_several_objects(client: Client, xandr: XandrSandbox) -> None:
    items = client.ids("line-item")[:2]
    rows = xandr.bulk_edit("line-item", items)
    assert len({row["transaction_id"] for row in rows}) == 1
    transaction = rows[0]["transaction_id"]
    for item in items:
        assert client.log("line-item", item)[0]["transaction_id"] == transaction
        detail = client.detail("line-item", transaction, resource_id=item)
        assert detail["resource_id"] == item
    both = client.ask("change-log-detail", service="line-item", transaction_id=transaction)["change_log_details"]
    assert [row["resource_id"] for row in both] == items


# The data over time.


def test_a_change_bumps_its_object_or_not(client: Client, xandr: XandrSandbox, clock: Clock) -> None:
    bumped, silent = client.ids("line-item")[:2]
    xandr.change("line-item", bumped, age=timedelta(days=2))
    row = xandr.change("line-item", silent, age=timedelta(days=2), bump=False)
    since = (clock() - timedelta(days=2, minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert client.ids("line-item", min_last_modified=since) == [bumped]
    newest = client.log("line-item", silent)[0]
    assert {"service": "line-item", **newest}.items() <= row.items()


def test_an_advance_changes_some_objects_and_creates_one(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    before = {service: set(client.ids(service)) for service in ("advertiser", "line-item", "deal")}
    keys = {row["transaction_id"] for row in sandbox.truth()["xandr_change_log"]}
    sandbox.advance()
    new = [row for row in sandbox.truth()["xandr_change_log"] if row["transaction_id"] not in keys]
    assert {row["service"] for row in new} == set(client.config["services"])
    minute_ago = (clock() - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    now = clock().strftime("%Y-%m-%d %H:%M:%S")
    assert all(minute_ago < row["created_on"] < now for row in new)
    changed = {row["resource_id"] for row in new if row["service"] == "line-item"}
    assert set(client.ids("line-item", min_last_modified=minute_ago)) == changed
    assert len(client.ids("advertiser")) == len(before["advertiser"]) + 1
    assert set(client.ids("deal")) == before["deal"]
    sandbox.advance()
    again = {row["transaction_id"] for row in sandbox.truth()["xandr_change_log"]}
    assert again > keys


def test_an_advance_after_five_days_has_a_change_that_its_object_does_not_show(
    client: Client, sandbox: Sandbox, clock: Clock
) -> None:
    clock.move(timedelta(days=6))
    client.log_in()
    keys = {row["transaction_id"] for row in sandbox.truth()["xandr_change_log"]}
    sandbox.advance()
    day = (clock() - timedelta(days=5)).strftime("%Y-%m-%d %H:%M:%S")
    new = [row for row in sandbox.truth()["xandr_change_log"] if row["transaction_id"] not in keys]
    (unnoticed,) = [row for row in new if row["created_on"] == day]
    week_ago = (clock() - timedelta(days=6)).strftime("%Y-%m-%d %H:%M:%S")
    assert unnoticed["resource_id"] not in client.ids(unnoticed["service"], min_last_modified=week_ago)


def test_many_objects_are_made_up_quickly(client: Client, xandr: XandrSandbox, clock: Clock) -> None:
    begin = time.monotonic()
    xandr.fill({"line-item": 5000}, changes=10)
    assert time.monotonic() - begin < 2
    assert sum(1 for _ in xandr.truth_keys()) == 50_000
    assert client.ask("line-item")["count"] == 5000
    three_days_ago = (clock() - timedelta(days=3)).strftime("%Y-%m-%d %H:%M:%S")
    assert client.ask("line-item", min_last_modified=three_days_ago)["count"] == 0
    assert client.config["services"] != ["line-item"]
    assert xandr.config("http://127.0.0.1")["services"] == ["line-item"]


@pytest.mark.parametrize("size", [1, 13, 300, 4500])
def test_every_service_has_rows_whatever_the_size(size: int, clock: Clock) -> None:
    truth = Sandbox(vendors=["xandr"], size=size, clock=clock).truth()
    assert len({row["service"] for row in truth["xandr_change_log"]}) == 13
    assert len(truth["xandr_change_log"]) == len(truth["xandr_change_log_detail"]) < 500
