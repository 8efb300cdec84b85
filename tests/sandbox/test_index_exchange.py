from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import random
import typing as t
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from auditlogs_sandbox.vendors.index_exchange import create
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.rows import COLUMNS
from auditlogs_sandbox.world import World
from tests.sandbox.index_exchange_client import API, TOKEN, ApiClient

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.sandbox.conftest import Clock

HOUR = timedelta(hours=1)
LISTS = ["downloads", "downloads/bidevents"]
MAPPINGS = [f"mappings/{name}" for name in ("dsps", "buyers", "deals", "sites", "partners", "campaigns")]
DOCUMENTS = [*LISTS, *MAPPINGS, "exchange-rates"]


@pytest.fixture
def vendor(clock: Clock) -> IndexExchangeSandbox:
    return create(World(seed=7, size=400, clock=clock))


@pytest.fixture
def client(vendor: IndexExchangeSandbox) -> ApiClient:
    client = ApiClient(vendor)
    client.log_in()
    return client


@pytest.fixture
def newest(vendor: IndexExchangeSandbox) -> HourKey:
    return HourKey(vendor.hours[-1])


def files(vendor: IndexExchangeSandbox) -> dict[tuple[t.Any, ...], dict[str, t.Any]]:
    rows = vendor.truth()["index_exchange_files"]
    return {(row["event_type"], row["subscription_id"], row["hour"], row["part"]): row for row in rows}


def rows_of(vendor: IndexExchangeSandbox, key: HourKey) -> list[dict[str, t.Any]]:
    hour = f"{key.hour:%Y-%m-%dT%H:%M:%SZ}"
    rows = vendor.truth()[f"index_exchange_{key.event_type}"]
    return [row for row in rows if (row["hour"], row["subscription_id"]) == (hour, key.subscription_id)]


# Tokens.


def test_a_token_for_a_key(vendor: IndexExchangeSandbox) -> None:
    response = ApiClient(vendor).ask_token()
    body = response.get_json()
    assert response.status_code == 200
    assert (body["expires_in"], body["token_type"]) == (3600, "Bearer")
    assert body["access_token"] in vendor.secrets()
    claims = body["access_token"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["exp"] - decoded["iat"] == 3600


def test_the_key_is_handed_out_encoded(vendor: IndexExchangeSandbox) -> None:
    identity = vendor.identity.client
    assert base64.b64decode(vendor.config("http://x")["client_key"]).decode() == f"{identity.id}:{identity.secret}"
    assert {identity.key, identity.secret} <= set(vendor.secrets())


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"headers": {}}, 401, "invalid_client"),
        ({"headers": {"Authorization": "Basic bm90OnRoaXM="}}, 401, "invalid_client"),
        ({"method": "GET"}, 405, None),
        ({"data": {}}, 415, None),
        ({"data": {"a": "b"}}, 400, "invalid_request"),
        ({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"data": {"grant_type": ["client_credentials"] * 2}}, 400, "invalid_request"),
        ({"data": {"grant_type": "client_credentials", "client_id": "x"}}, 400, "invalid_request"),
        ({"query_string": "grant_type=client_credentials"}, 400, "invalid_request"),
        ({"data": '{"grant_type": "client_credentials"}', "content_type": "application/json"}, 415, None),
    ],
)
def test_a_request_for_a_token_must_be_as_documented(
    vendor: IndexExchangeSandbox, changes: dict[str, t.Any], status: int, error: str | None
) -> None:
    response = ApiClient(vendor).ask_token(**changes)
    assert response.status_code == status
    assert error is None or response.get_json()["error"] == error
    assert not vendor.identity.tokens


def test_the_scheme_of_the_key_must_be_basic(vendor: IndexExchangeSandbox) -> None:
    client = ApiClient(vendor)
    for header in (client.key, f"Bearer {client.key}", f"Basic {vendor.identity.client.secret}"):
        assert client.ask_token(headers={"Authorization": header}).status_code == 401


def test_wrong_credentials_can_be_refused_with_400(vendor: IndexExchangeSandbox) -> None:
    vendor.identity.refusal_status = 400
    assert ApiClient(vendor).ask_token(headers={}).status_code == 400


@pytest.mark.parametrize("announced", [None, 0, "3600", -5, 59.5, 10**12])
def test_an_answer_can_announce_any_lifetime(vendor: IndexExchangeSandbox, announced: object) -> None:
    vendor.identity.announcement = {"expires_in": announced, "access_token_note": "x"}
    body = ApiClient(vendor).ask_token().get_json()
    assert body.get("expires_in") == announced
    assert body["access_token_note"] == "x"


def test_an_answer_can_lack_the_token(vendor: IndexExchangeSandbox) -> None:
    vendor.identity.announcement = {"access_token": None}
    assert "access_token" not in ApiClient(vendor).ask_token().get_json()


def test_a_token_expires(vendor: IndexExchangeSandbox, clock: Clock) -> None:
    vendor.identity.token_lifetime = timedelta(seconds=90)
    client = ApiClient(vendor)
    assert client.ask_token().get_json()["expires_in"] == 90
    client.log_in()
    clock.move(timedelta(seconds=89))
    client.get("downloads")
    clock.move(timedelta(seconds=1))
    assert client.ask(f"{API}/downloads").status_code == 401
    client.log_in()
    client.get("downloads")


def test_a_token_can_end_after_so_many_calls(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.identity.token_calls = 2
    client.get("downloads")
    client.get("mappings/dsps")
    assert client.ask(f"{API}/downloads").status_code == 401
    client.log_in()
    client.get("downloads")


def test_tokens_can_be_revoked(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.identity.revoke_tokens()
    assert client.ask(f"{API}/downloads").status_code == 401
    client.log_in()
    client.get("downloads")


@pytest.mark.parametrize("path", [*DOCUMENTS, "files/7310442"])
def test_every_call_needs_the_token(client: ApiClient, path: str) -> None:
    assert client.ask(f"{API}/{path}").status_code == 200
    for header in ("", "Bearer", "Bearer x", f"bearer {client.token}", f"Basic {client.key}", client.token):
        response = client.ask(f"{API}/{path}", headers={"Authorization": header} if header else {})
        assert response.status_code == 401
        assert list(response.get_json()) == ["message"]


def test_the_settings_are_complete(vendor: IndexExchangeSandbox) -> None:
    assert vendor.config("http://127.0.0.1:1/index_exchange") == {
        "client_key": vendor.identity.client.key,
        "auth_url": f"http://127.0.0.1:1/index_exchange{TOKEN}",
        "api_url": f"http://127.0.0.1:1/index_exchange{API}",
        "event_types": ["impressions", "bids"],
    }


# Paths, methods, parameters.


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", API, f"{API}/", f"{API}/downloads/", f"{API}/mappings", f"{API}/mappings/brands"),
        *(f"{API}/files", f"{API}/files/", f"{API}/files/1", f"{API}/files/x", f"{API}/files/../downloads"),
        *("/api/cal/v2/downloads", f"/x{API}/downloads", f"{API}/files/\u0667", "/storage/7310442"),
    ],
)
def test_other_paths_are_not_found(client: ApiClient, path: str) -> None:
    assert client.ask(path).status_code == 404


@pytest.mark.parametrize("path", [*DOCUMENTS, "files/7310442"])
def test_everything_is_read_with_get(client: ApiClient, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert client.ask(f"{API}/{path}", method=method).status_code == 405


@pytest.mark.parametrize("path", [*DOCUMENTS, "files/7310442"])
def test_parameters_that_no_page_knows_are_refused(client: ApiClient, path: str) -> None:
    assert client.ask(f"{API}/{path}?page=1").status_code in {400, 403}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_key_may_lack_an_entitlement(vendor: IndexExchangeSandbox, client: ApiClient, path: str) -> None:
    vendor.forbidden = {path}
    assert client.ask(f"{API}/{path}").status_code == 403
    for other in DOCUMENTS:
        if other != path:
            client.get(other)


def test_the_truth_knows_what_is_forbidden(vendor: IndexExchangeSandbox) -> None:
    vendor.forbidden = {"mappings/dsps", "exchange-rates", "downloads/bidevents"}
    truth = vendor.truth()
    assert not truth["index_exchange_dsps"]
    assert not truth["index_exchange_exchange_rates"]
    assert not truth["index_exchange_bids"]
    assert {row["event_type"] for row in truth["index_exchange_files"]} == {"impressions"}
    assert {row["dsp_name"] for row in truth["index_exchange_hourly"]} == {None}
    assert len({row["buyer_name"] for row in truth["index_exchange_hourly"]}) > 1


# Lists.


def test_the_entries_of_impressions_are_as_documented(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    for key, entry in client.entries().items():
        assert list(entry) == [
            *("subscriptionID", "subscriptionName", "hour", "dateCreated", "expires"),
            *("fileSize", "downloadURL", "md5sum", "downloadStatus"),
        ]
        created, expires = (datetime.fromisoformat(entry[name]) for name in ("dateCreated", "expires"))
        assert key.hour + HOUR <= created <= vendor.world.now()
        assert expires == key.hour + timedelta(days=14)
        assert entry["hour"].endswith(":00:00Z")
        assert entry["fileSize"] == vendor.file(key).content.size
        assert entry["md5sum"] == vendor.file(key).content.md5sum
        assert entry["downloadStatus"] == "new"


def test_the_entries_of_bids_have_parts(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    entries = client.entries("downloads/bidevents")
    assert {len(entry["parts"]) for entry in entries.values()} == {1, 2, 3}
    for key, entry in entries.items():
        assert list(entry) == ["subscriptionID", "subscriptionName", "hour", "parts"]
        for part, listed in enumerate(entry["parts"]):
            assert list(listed) == ["dateCreated", "expires", "fileSize", "downloadURL", "md5sum", "downloadStatus"]
            assert client.download(listed["downloadURL"]).data == vendor.file(key, part).content.source


def test_bid_hours_can_have_the_old_form_and_bare_parts(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    key = HourKey(vendor.hours[0], "bids")
    vendor.library.hours[key].has_parts = False
    vendor.parts_are_bare = True
    entries = client.entries("downloads/bidevents")
    assert "parts" not in entries[key]
    assert entries[key]["md5sum"] == vendor.file(key).content.md5sum
    other = HourKey(vendor.hours[1], "bids")
    assert {tuple(part) for part in entries[other]["parts"]} == {("downloadURL", "md5sum")}


def test_the_list_has_every_file_once_in_no_order(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    orders = [list(client.entries()) for _ in range(4)]
    listed = {key for key in vendor.library.hours if key.event_type == "impressions"}
    assert all(set(order) == listed for order in orders)
    assert len(set(map(tuple, orders))) == 4
    assert sorted(orders[0]) not in orders


def test_there_are_two_subscriptions_and_a_file_without_events(vendor: IndexExchangeSandbox) -> None:
    keys = [key for key in vendor.library.hours if key.event_type == "impressions"]
    assert {key.subscription_id for key in keys} == {41, 57}
    assert [] in [vendor.file(key).content.rows for key in keys]
    assert len({key.hour for key in keys}) < len(keys)


def test_some_hours_are_missing_at_first(vendor: IndexExchangeSandbox) -> None:
    hours = vendor.hours
    gaps = [later - earlier for earlier, later in itertools.pairwise(hours) if later - earlier > HOUR]
    assert gaps == [2 * HOUR] * 2


def test_the_status_is_kept_for_each_credential(
    vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey
) -> None:
    other = ApiClient(vendor)
    other.key = vendor.identity.other_client.key
    other.log_in()

    def statuses() -> list[str]:
        return [asking.entries()[newest]["downloadStatus"] for asking in (client, other)]

    assert statuses() == ["new", "new"]
    client.fetch(newest)
    assert statuses() == ["downloaded", "new"]
    vendor.republish(newest, 90)
    assert statuses() == ["updated", "new"]
    other.fetch(newest)
    assert statuses() == ["updated", "downloaded"]
    client.fetch(newest)
    assert statuses() == ["downloaded", "downloaded"]


def test_the_status_can_be_misspelled(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.has_status_misspelled = True
    for entry in client.entries().values():
        assert "downloadStatus" not in entry
        assert entry["downloadStats"] == "new"


def test_lists_and_entries_can_have_other_keys(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.list_changes = {"count": 1000, "next": "/downloads?page=2"}
    vendor.entry_changes = {"region": "eu"}
    answer = client.get("downloads")
    assert (answer["count"], answer["next"]) == (1000, "/downloads?page=2")
    assert {entry["region"] for entry in answer["availableDownloads"]} == {"eu"}


def test_generation_can_be_paused(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.generation_paused = True
    vendor.advance()
    for path in LISTS:
        assert client.get(path) == {"count": 0, "availableDownloads": []}
    assert not vendor.truth()["index_exchange_files"]
    vendor.generation_paused = False
    assert len(client.entries()) == 10


def test_generation_pauses_without_calls_and_goes_on_with_one(
    vendor: IndexExchangeSandbox, client: ApiClient, clock: Clock
) -> None:
    client.get("downloads")
    clock.move(timedelta(days=35, seconds=1))
    vendor.advance()
    client.ask_token(headers={})
    vendor.advance()
    assert not files(vendor)
    client.log_in()
    assert not client.entries()
    vendor.advance()
    assert {key.hour > clock() - timedelta(hours=36) for key in client.entries()} == {True}


@pytest.mark.parametrize("status", [404, 410])
def test_files_expire(
    vendor: IndexExchangeSandbox, client: ApiClient, clock: Clock, status: t.Literal[404, 410]
) -> None:
    vendor.expired_status = status
    first, second = (HourKey(hour) for hour in vendor.hours[:2])
    url = client.entries()[first]["downloadURL"]
    clock.move(first.hour + timedelta(days=14) - clock() - timedelta(seconds=1))
    client.log_in()
    assert first in client.entries()
    assert client.download(url).status_code == 200
    clock.move(timedelta(seconds=1))
    assert first not in client.entries()
    assert second in client.entries()
    assert client.download(url).status_code == status
    assert not rows_of(vendor, first)
    assert rows_of(vendor, second)


def test_all_hours_of_the_retention(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    vendor.clear()
    assert not client.entries()
    vendor.fill_retention(rows=1, parts=4)
    assert len(client.entries()) == 24 * 14 - 1  # of the 14 days, one hour is still going on
    bids = client.entries("downloads/bidevents").values()
    assert {len(entry["parts"]) for entry in bids} == {4}
    assert len(vendor.truth()["index_exchange_bids"]) == 4 * len(bids)


# Replaced files.


@pytest.mark.parametrize("change", [-20, -1, 1, 20])
def test_a_replaced_file_keeps_its_id_and_changes_the_rest(
    vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey, change: int
) -> None:
    before, old = client.entries()[newest], rows_of(vendor, newest)
    vendor.republish(newest, len(old) + change)
    after, new = client.entries()[newest], rows_of(vendor, newest)
    assert len(new) == len(old) + change
    assert after["downloadURL"] == before["downloadURL"]
    assert after["md5sum"] != before["md5sum"]
    assert after["dateCreated"] > before["dateCreated"]
    assert after["expires"] == before["expires"]
    ids = [{row["auction_id"] for row in rows} for rows in (old, new)]
    assert ids[0] >= ids[1] if change < 0 else ids[0] <= ids[1]
    assert new == sorted(new, key=lambda row: row["timestamp"])


def test_one_part_can_be_replaced_and_the_number_of_parts_can_change(vendor: IndexExchangeSandbox) -> None:
    key = next(key for key, hour in vendor.library.hours.items() if key.event_type == "bids" and len(hour.files) == 3)

    def parts() -> list[tuple[str, int]]:
        return [(row["md5sum"], row["parts"]) for place, row in files(vendor).items() if _is_of(place, key)]

    before = parts()
    vendor.republish(key, 3, part=1)
    after = parts()
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]
    vendor.set_parts(key, 1)
    assert parts() == [(before[0][0], 1)]
    vendor.set_parts(key, 4, rows=2)
    assert parts()[0] == (before[0][0], 4)
    assert len(set(parts())) == 4
    assert len([row for row in rows_of(vendor, key) if row["part"] == 3]) == 2


def _is_of(place: tuple[t.Any, ...], key: HourKey) -> bool:
    return place[:3] == (key.event_type, key.subscription_id, f"{key.hour:%Y-%m-%dT%H:%M:%SZ}")


def test_an_hour_can_be_replaced_with_other_parts(vendor: IndexExchangeSandbox) -> None:
    key = next(key for key, hour in vendor.library.hours.items() if key.event_type == "bids" and len(hour.files) == 3)
    for parts in (1, 4, 2):
        vendor.publish(key, 9, parts=parts)
        assert [place[3] for place in files(vendor) if _is_of(place, key)] == list(range(parts))
        assert len(rows_of(vendor, key)) == 9


def test_versions_have_rising_times_of_creation(vendor: IndexExchangeSandbox, newest: HourKey) -> None:
    created = []
    for _ in range(3):
        vendor.republish(newest, 9)
        created.append(vendor.file(newest).date_created)
    assert created == sorted(set(created))


def test_a_part_that_went_away_is_not_found(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    entries = client.entries("downloads/bidevents")
    key = next(key for key, entry in entries.items() if len(entry["parts"]) == 3)
    vendor.set_parts(key, 2)
    statuses = [client.download(part["downloadURL"]).status_code for part in entries[key]["parts"]]
    assert statuses == [200, 200, 404]


def test_an_hour_can_be_taken_back(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey) -> None:
    url = client.entries()[newest]["downloadURL"]
    vendor.withdraw(newest)
    assert newest not in client.entries()
    assert client.download(url).status_code == 404


# Advance.


def test_an_advance_brings_a_new_hour_a_late_one_and_a_shorter_one(vendor: IndexExchangeSandbox) -> None:
    def counts() -> dict[datetime, int]:
        return {hour: len(rows_of(vendor, HourKey(hour))) for hour in vendor.hours}

    before, known = counts(), files(vendor)
    vendor.advance()
    after = counts()
    added = sorted(after.keys() - before.keys())
    assert added == [max(before) - 7 * HOUR, max(before) + HOUR] or added == [
        max(before) - 4 * HOUR,
        max(before) + HOUR,
    ]
    assert added[0] > vendor.world.now() - timedelta(hours=36)
    [shorter] = [hour for hour, count in before.items() if after[hour] != count]
    assert 0 < after[shorter] < before[shorter]
    assert sum(after.values()) > sum(before.values())
    now = files(vendor)
    changed = [place for place, row in known.items() if now[place]["md5sum"] != row["md5sum"]]
    assert [place[2] for place in changed] == [f"{shorter:%Y-%m-%dT%H:%M:%SZ}"]
    assert known.keys() < now.keys()


def test_every_stream_grows_with_an_advance(vendor: IndexExchangeSandbox) -> None:
    for _ in range(3):
        before = vendor.truth()
        vendor.advance()
        after = vendor.truth()
        grown = {stream for stream, rows in before.items() if len(after[stream]) > len(rows)}
        assert grown == before.keys() - {"index_exchange_malformed_rows"}  # generated files are well-formed


def test_advances_never_reach_the_future(vendor: IndexExchangeSandbox, clock: Clock) -> None:
    for number in range(30):
        vendor.advance()
        clock.move(timedelta(minutes=number % 2))
    assert max(vendor.hours) + HOUR <= clock()
    assert all(row["date_created"] <= f"{clock():%Y-%m-%dT%H:%M:%SZ}" for row in files(vendor).values())


@pytest.mark.parametrize("size", [1, 2, 13, 300])
def test_any_size_is_possible(clock: Clock, size: int) -> None:
    vendor = create(World(seed=3, size=size, clock=clock))
    assert len(vendor.truth()["index_exchange_impressions"]) == size
    vendor.advance()
    assert len(vendor.truth()["index_exchange_impressions"]) > size


def test_the_same_seed_gives_the_same_bytes(clock: Clock) -> None:
    def everything(seed: int) -> str:
        vendor = create(World(seed=seed, size=200, clock=clock))
        client = ApiClient(vendor)
        client.log_in()
        vendor.advance()
        lists = [client.get(path) for path in DOCUMENTS]
        return json.dumps([lists, vendor.truth(), vendor.secrets()])

    assert everything(5) == everything(5)
    assert everything(5) != everything(6)


def test_looking_at_the_data_does_not_change_it(clock: Clock) -> None:
    seen, unseen = (create(World(seed=5, size=200, clock=clock)) for _ in range(2))
    seen.truth()
    seen.advance()
    unseen.advance()
    assert seen.truth() == unseen.truth()


# What the rows have.


def test_the_rows_have_what_clients_stumble_over(clock: Clock) -> None:
    rows = create(World(seed=1, size=3000, clock=clock)).truth()["index_exchange_impressions"]
    blanks = {name for row in rows for name, cell in row.items() if cell == ""}
    assert blanks >= {"site_id", "partner_id", "dsp_id", "trading_desk_id", "supply_source", "net_revenue"}
    masks = {(name, cell) for row in rows for name, cell in row.items() if cell in {"-1", "XXXXX"}}
    assert masks >= {("dsp_id", "-1"), ("site_id", "-1"), ("net_revenue", "-1"), ("campaign_id", "XXXXX")}
    assert masks >= {("a_domain", "XXXXX"), ("auction_id", "XXXXX")}
    text = "".join(row["creative_name"] for row in rows)
    assert all(character in text for character in '\n",É')
    assert any(row["billing_term_id"] == "omitted" for row in rows)
    assert any(row["dsp_id"] == "999983" for row in rows)
    for row in rows:
        assert row["timestamp"][:13] == row["hour"][:13].replace("T", " ")
        assert len(row["timestamp"]) == 19


def test_bids_share_auctions_and_have_a_stage(vendor: IndexExchangeSandbox) -> None:
    rows = vendor.truth()["index_exchange_bids"]
    assert len({row["auction_id"] for row in rows}) < len(rows) * 0.7
    assert "eligible" in {row["bid_stage"] for row in rows}


def test_the_rows_of_a_file_are_numbered_from_one(vendor: IndexExchangeSandbox) -> None:
    truth = vendor.truth()
    for stream in ("index_exchange_impressions", "index_exchange_bids"):
        numbers: dict[tuple[t.Any, ...], list[int]] = {}
        for row in truth[stream]:
            place = (row["subscription_id"], row["hour"], row["part"])
            numbers.setdefault(place, []).append(row["row_number"])
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


# Hourly sums.


def test_the_hourly_sums_leave_nothing_out(clock: Clock) -> None:
    truth = create(World(seed=1, size=3000, clock=clock)).truth()
    rows, groups = truth["index_exchange_impressions"], truth["index_exchange_hourly"]
    assert sum(group["impressions"] for group in groups) == len(rows)
    for name in ("net_revenue", "gross_revenue"):
        assert sum(Decimal(group[name]) for group in groups) == sum(Decimal(row[name] or 0) for row in rows)
    keys = [(group["subscription_id"], group["hour"], group["group_key"]) for group in groups]
    assert len(set(keys)) == len(keys)
    assert len(groups) < len(rows) * 0.8
    dsps = {group["dsp_id"] for group in groups}
    assert {None, "-1", "51"} <= dsps
    named = [group for group in groups if group["dsp_id"] == "51" and group["trading_desk_id"] == "302"]
    assert {(group["dsp_name"], group["buyer_name"]) for group in named} == {("Example DSP", "Desk 2 of 51")}
    assert {group["dsp_name"] for group in groups if group["dsp_id"] in {None, "-1", "999983"}} == {None}


def test_the_key_of_a_group_is_a_hash_of_its_dimensions(vendor: IndexExchangeSandbox) -> None:
    hashed = (
        '[["dsp_id", 51], ["partner_id", 184000], ["site_id", null], '
        '["supply_source", "header_bidding"], ["trading_desk_id", -1]]'
    )
    group = {"dsp_id": "51", "partner_id": "184000", "site_id": "", "trading_desk_id": "-1"}
    cells = ["" for _ in COLUMNS]
    for name, cell in {**group, "supply_source": "header_bidding"}.items():
        cells[COLUMNS.index(name)] = cell
    vendor.clear()
    vendor.library.publish(HourKey(vendor.world.now().replace(minute=0, second=0, microsecond=0) - HOUR), [[cells]])
    [row] = vendor.truth()["index_exchange_hourly"]
    assert row["group_key"] == hashlib.sha256(hashed.encode()).hexdigest()[:32]
    assert (row["impressions"], row["site_id"], row["net_revenue"]) == (1, None, "0")


def test_repeated_names_do_not_multiply_the_truth(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    before = vendor.truth()["index_exchange_hourly"]
    vendor.repeats_names = True
    assert len(client.get("mappings/dsps")["data"]) == 12
    assert len(client.get("mappings/buyers")["data"]) == 36
    assert vendor.truth()["index_exchange_hourly"] == before


# Mappings.


def test_the_mappings_are_as_documented(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    truth = vendor.truth()
    for path in MAPPINGS:
        answer = client.get(path)
        assert list(answer) == ["data"]
        assert answer["data"] == truth[f"index_exchange_{path.rpartition('/')[2]}"]
        assert len(answer["data"]) >= 3
    deal = client.get("mappings/deals")["data"][0]
    types = {name: type(value) for name, value in deal.items()}
    assert types == {
        "deal_id": str,
        "internal_deal_id": int,
        "deal_name": str,
        "dsp_id": int,
        "deal_type": int,
        "auction_type": str,
        "rate": float,
        "section_id": list,
        "status": str,
        "start_date": str,
        "end_date": str,
        "priority": int,
    }
    buyers = client.get("mappings/buyers")["data"]
    assert len({(buyer["dsp_id"], buyer["trading_desk_id"]) for buyer in buyers}) == len(buyers)
    assert len({buyer["trading_desk_id"] for buyer in buyers}) < len(buyers)


@pytest.mark.parametrize("key", ["creatives", "creative_id"])
def test_the_creatives_of_a_campaign_go_by_either_name(
    vendor: IndexExchangeSandbox, client: ApiClient, key: t.Literal["creatives", "creative_id"]
) -> None:
    vendor.creatives_key = key
    for campaign in client.get("mappings/campaigns")["data"]:
        assert list(campaign) == ["brand_id", "brand_name", "campaign_id", "campaign_name", key]
        assert {tuple(creative) for creative in campaign[key]} == {("creative_id", "creative_name")}


def test_exchange_rates_by_day_and_currency(vendor: IndexExchangeSandbox, client: ApiClient) -> None:
    every = client.get("exchange-rates")["data"]
    assert every == vendor.truth()["index_exchange_exchange_rates"]
    assert {tuple(rate) for rate in every} == {("base", "currency", "date", "rate")}
    assert len({(rate["currency"], rate["date"]) for rate in every}) == len(every) == 15
    day = every[0]["date"]
    assert client.get(f"exchange-rates?date={day}&currency=EUR")["data"] == [
        rate for rate in every if rate["date"] == day and rate["currency"] == "EUR"
    ]
    for query in ("date=yesterday", "date=2026-11-31", "currency=EUR&currency=CAD", "base=EUR"):
        assert client.ask(f"{API}/exchange-rates?{query}").status_code == 400
    vendor.bare_exchange_rates = True
    assert client.get("exchange-rates") == every


# Downloads that go wrong.


def test_the_md5_can_be_wrong_in_some_lists(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey) -> None:
    file = vendor.file(newest)
    true = file.content.md5sum
    file.wrong_md5_listings = 2
    listed = [client.entries()[newest]["md5sum"] for _ in range(4)]
    assert [md5sum == true for md5sum in listed] == [False, False, True, True]
    assert len(listed[0]) == 32
    assert rows_of(vendor, newest)
    file.wrong_md5_listings = math.inf
    assert all(client.entries()[newest]["md5sum"] != true for _ in range(4))
    assert not rows_of(vendor, newest)


def test_the_bytes_can_be_wrong_in_some_downloads(
    vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey
) -> None:
    file = vendor.file(newest)
    file.damaged_downloads = 2
    sent = [client.fetch(newest) for _ in range(4)]
    assert [data == file.content.source for data in sent] == [False, False, True, True]
    assert len(sent[0]) == len(sent[3])
    assert rows_of(vendor, newest)
    file.damaged_downloads = math.inf
    assert all(client.fetch(newest) != file.content.source for _ in range(4))
    assert not rows_of(vendor, newest)


@pytest.mark.parametrize("status", [403, 404, 410, 503])
def test_a_listed_file_can_be_refused(
    vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey, status: int
) -> None:
    vendor.file(newest).status = status
    assert client.download(client.entries()[newest]["downloadURL"]).status_code == status
    assert client.entries()[newest]["downloadStatus"] == "new"
    assert not rows_of(vendor, newest)
    assert len(files(vendor)) == 25


def test_a_download_can_be_redirected(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey) -> None:
    vendor.file(newest).redirect = "http://169.254.169.254/latest/meta-data"
    response = client.download(client.entries()[newest]["downloadURL"])
    assert (response.status_code, response.headers["Location"]) == (302, "http://169.254.169.254/latest/meta-data")
    assert not rows_of(vendor, newest)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x", "http://[::1]/", "https://user:pw@files.example.com/1"]
)
def test_the_list_can_give_any_url(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey, url: str) -> None:
    vendor.file(newest).download_url = url
    assert client.entries()[newest]["downloadURL"] == url
    assert not rows_of(vendor, newest)


def test_a_signed_link_must_come_back_byte_by_byte(
    vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey
) -> None:
    vendor.link_query = "z=1&blank=&a=%2C+,%20&X-Signature=ab/c%3D"
    url = client.entries()[newest]["downloadURL"]
    assert url.endswith(f"?{vendor.link_query}")
    path = url.partition("?")[0]
    assert client.ask(path, query_string=vendor.link_query).status_code == 200
    for wrong in ("", "z=1&a=%2C+,%20&X-Signature=ab/c%3D", vendor.link_query.replace(",", "%2C")):
        assert client.ask(path, query_string=wrong).status_code == 403


def test_a_storage_refuses_the_token(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey) -> None:
    vendor.links_to_storage = True
    vendor.link_query = "X-Signature=1"
    url = client.entries()[newest]["downloadURL"]
    assert client.download(url, headers={}).data == vendor.file(newest).content.source
    assert client.download(url).status_code == 400
    assert client.download(url.partition("?")[0], headers={}).status_code == 403
    assert client.download(url, headers={}, method="POST").status_code == 405
    vendor.storage_host = "files.example.com:8443"
    assert client.entries()[newest]["downloadURL"].startswith("http://files.example.com:8443/storage/")


def test_files_can_be_labelled_as_encoded(vendor: IndexExchangeSandbox, client: ApiClient, newest: HourKey) -> None:
    url = client.entries()[newest]["downloadURL"]

    def encoding(accepted: str | None) -> str | None:
        headers = {"Authorization": f"Bearer {client.token}"}
        response = client.download(url, headers=headers | ({"Accept-Encoding": accepted} if accepted else {}))
        assert response.data == vendor.file(newest).content.source
        return response.headers.get("Content-Encoding")

    assert encoding("gzip, deflate") is None
    vendor.labels_files_as_encoded = True
    assert encoding("gzip, deflate") == "gzip"
    assert encoding("identity") is None
    assert encoding(None) is None


def test_choices_do_not_depend_on_the_process(vendor: IndexExchangeSandbox) -> None:
    random.seed(1)
    first = vendor.truth()
    random.seed(2)
    assert create(vendor.world).truth() == first
