from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox, RateLimit

if t.TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Clock

PATH = "/api/audit/v1/events"
DAYS_OF_ALL = 179


class Client:
    """Asks the feed for pages, without any leniency."""

    def __init__(self, sandbox: Sandbox, http: requests.Session) -> None:
        config = sandbox.config["pigment"]
        self.http = http
        self.url = config["api_url"] + PATH
        self.headers = {"Authorization": f"Bearer {config['api_key']}"}
        self.since = (sandbox.world.now() - timedelta(days=DAYS_OF_ALL)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, **parameters: str) -> requests.Response:
        return self.http.get(self.url, params=parameters, headers=self.headers, timeout=30)

    def page(self, cursor: str | None = None) -> dict[str, t.Any]:
        parameters = {"ingestedSince": self.since} | ({} if cursor is None else {"cursor": cursor})
        response = self.get(**parameters)
        assert response.status_code == 200, response.text
        content: dict[str, t.Any] = response.json()
        return content

    def walk(self) -> list[dict[str, t.Any]]:
        page = self.page()
        events = list(page["events"])
        while page["hasMoreEvents"]:
            page = self.page(page["nextEventsCursor"])
            events += page["events"]
        return events


@pytest.fixture
def vendors() -> list[str]:
    return ["pigment"]


@pytest.fixture
def pigment(sandbox: Sandbox) -> PigmentSandbox:
    return sandbox.vendor("pigment", PigmentSandbox)


@pytest.fixture
def client(sandbox: Sandbox, http: requests.Session) -> Client:
    return Client(sandbox, http)


def ids(events: list[dict[str, t.Any]]) -> list[str]:
    return [event["eventId"] for event in events]


def ingested(event: dict[str, t.Any]) -> datetime:
    return datetime.fromisoformat(event["ingestionTimestamp"])


def truth(sandbox: Sandbox) -> list[dict[str, t.Any]]:
    return sandbox.truth()["pigment_audit_events"]


# Who may ask, and what.


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"X-Api-Key": "{key}"}, {"Authorization": "{key}"}]
)
def test_a_wrong_or_missing_key_is_unauthorized(client: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    key = sandbox.config["pigment"]["api_key"]
    client.headers = {name: value.format(key=key) for name, value in headers.items()}
    assert client.get(ingestedSince=client.since).status_code == 401


def test_the_key_can_be_forbidden(client: Client, pigment: PigmentSandbox) -> None:
    pigment.forbidden = True
    assert client.get(ingestedSince=client.since).status_code == 403


def test_only_get_and_only_this_path(client: Client) -> None:
    assert client.http.post(client.url, headers=client.headers, timeout=30).status_code == 405
    assert client.http.get(client.url + "/", headers=client.headers, timeout=30).status_code == 404
    assert client.http.get(client.url.upper(), headers=client.headers, timeout=30).status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ingestedSince": ""},
        {"ingestedSince": "2026-11-31"},
        {"ingestedSince": "2026-11-01T25:00:00Z"},
        {"ingestedSince": "2026-11-01T00:00:00"},
        {"ingestedSince": "2026-11-01 00:00:00Z"},
        {"ingestedSince": "20261101"},
        {"ingestedSince": "1793491200"},
        {"ingestedSince": "2026-11-01", "pageSize": "10"},
        {"ingestedSince": "2026-11-01", "ingestedUntil": "2026-11-02"},
        {"IngestedSince": "2026-11-01"},
        {"ingestedSince": "2026-11-01", "cursor": ""},
        {"ingestedSince": "2026-11-01", "cursor": "v1+/AAAA"},
    ],
)
def test_what_no_page_of_the_vendor_shows_is_a_bad_request(client: Client, parameters: dict[str, str]) -> None:
    assert client.get(**parameters).status_code == 400


@pytest.mark.parametrize(
    "since",
    ["2026-11-01", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.0000000Z", "2026-11-01T02:00:00+02:00"],
)
def test_a_date_means_midnight_in_utc(client: Client, sandbox: Sandbox, since: str) -> None:
    midnight = datetime.fromisoformat("2026-11-01T00:00:00Z")
    client.since = since
    events = client.walk()
    assert ids(events)[::-1] == ids([event for event in truth(sandbox) if ingested(event) >= midnight])
    assert 0 < len(events) < 2500


def test_the_lower_bound_is_inclusive(client: Client, pigment: PigmentSandbox, clock: Clock) -> None:
    moment = clock() - timedelta(minutes=1)
    event = pigment.add_event(moment)
    client.since = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert ids(client.walk()) == [event["eventId"]]
    client.since = (moment + timedelta(microseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert client.walk() == []


def test_a_parameter_given_twice_is_a_bad_request(client: Client) -> None:
    url = f"{client.url}?ingestedSince=2026-11-01&ingestedSince=2026-11-02"
    assert client.http.get(url, headers=client.headers, timeout=30).status_code == 400


def test_a_time_of_day_can_be_made_a_bad_request(client: Client, pigment: PigmentSandbox) -> None:
    pigment.dates_only = True
    assert client.get(ingestedSince="2026-11-01T00:00:00Z").status_code == 400
    assert client.get(ingestedSince="2026-11-01").status_code == 200


def test_more_than_180_days_ago_is_a_bad_request(client: Client, clock: Clock) -> None:
    edge = clock() - timedelta(days=180)
    assert client.get(ingestedSince=edge.strftime("%Y-%m-%dT%H:%M:%S.%fZ")).status_code == 200
    edge -= timedelta(microseconds=1)
    assert client.get(ingestedSince=edge.strftime("%Y-%m-%dT%H:%M:%S.%fZ")).status_code == 400
    assert client.get(ingestedSince=edge.strftime("%Y-%m-%d")).status_code == 400


def test_events_fall_out_of_the_look_back(sandbox: Sandbox, client: Client, clock: Clock) -> None:
    clock.move(timedelta(days=30))
    client.since = (clock() - timedelta(days=180)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert 0 < len(truth(sandbox)) < 2500
    assert ids(client.walk())[::-1] == ids(truth(sandbox))


# Limits.


@pytest.mark.parametrize("retry_after", [None, "seconds", "http_date"])
def test_the_rate_limit_refuses_until_its_window_resets(
    client: Client,
    pigment: PigmentSandbox,
    retry_after: t.Literal["seconds", "http_date"] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [100.0]
    monkeypatch.setattr("auditlogs_sandbox.vendors.pigment.time", SimpleNamespace(monotonic=lambda: seconds[0]))
    pigment.rate_limit = RateLimit(limit=2, window_seconds=1.0, retry_after=retry_after)
    answers = [client.get(ingestedSince=client.since) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    expected = {None: None, "seconds": "1", "http_date": "Fri, 20 Nov 2026 12:34:57 GMT"}[retry_after]
    assert answers[2].headers.get("Retry-After") == expected
    seconds[0] += 1.0
    assert client.get(ingestedSince=client.since).status_code == 200


def test_the_limit_is_500_requests_in_five_minutes(client: Client) -> None:
    statuses = [client.http.get(client.url, timeout=30).status_code for _ in range(501)]
    assert statuses == [401] * 500 + [429]


# Pages and cursors.


def test_pages_have_1000_events_newest_first(client: Client, sandbox: Sandbox) -> None:
    first = client.page()
    second = client.page(first["nextEventsCursor"])
    third = client.page(second["nextEventsCursor"])
    assert [len(page["events"]) for page in (first, second, third)] == [1000, 1000, 500]
    assert third["hasMoreEvents"] is False
    assert "nextEventsCursor" not in third
    events = [*first["events"], *second["events"], *third["events"]]
    assert sorted(events, key=ingested, reverse=True) == events
    assert ids(events)[::-1] == ids(truth(sandbox))


def test_one_instant_spans_two_pages(client: Client, pigment: PigmentSandbox) -> None:
    for pigment.order in ("descending", "ascending"):
        first = client.page()
        second = client.page(first["nextEventsCursor"])
        assert ingested(first["events"][-1]) == ingested(second["events"][0])


def test_one_instant_can_span_more_than_a_page(client: Client, pigment: PigmentSandbox, clock: Clock) -> None:
    tied = ids(pigment.add_tie(clock(), 1001))
    assert ids(client.page()["events"]) == tied[:0:-1]
    assert ids(client.walk())[:1001] == tied[::-1]


def test_a_cursor_needs_url_encoding(client: Client) -> None:
    cursor = client.page()["nextEventsCursor"]
    assert "+" in cursor
    url = f"{client.url}?ingestedSince={client.since}&cursor={cursor}"
    assert client.http.get(url, headers=client.headers, timeout=30).status_code == 400


def test_a_cursor_belongs_to_its_ingested_since(client: Client) -> None:
    cursor = client.page()["nextEventsCursor"]
    assert client.get(cursor=cursor).status_code == 400
    assert client.get(ingestedSince="2026-11-01", cursor=cursor).status_code == 400
    assert client.get(ingestedSince=client.since, cursor=cursor).status_code == 200


def test_a_cursor_cannot_be_made_up(client: Client) -> None:
    cursor = client.page()["nextEventsCursor"]
    for position in (0, 4, len(cursor) // 2):
        forged = cursor[:position] + ("B" if cursor[position] == "A" else "A") + cursor[position + 1 :]
        assert client.get(ingestedSince=client.since, cursor=forged).status_code == 400


def test_cursors_can_expire(client: Client, pigment: PigmentSandbox, clock: Clock) -> None:
    pigment.cursor_lifetime = timedelta(minutes=5)
    cursor = client.page()["nextEventsCursor"]
    clock.move(timedelta(minutes=5))
    assert client.get(ingestedSince=client.since, cursor=cursor).status_code == 200
    clock.move(timedelta(seconds=1))
    assert client.get(ingestedSince=client.since, cursor=cursor).status_code == 400
    cursor = client.page()["nextEventsCursor"]
    pigment.expire_cursors()
    assert client.get(ingestedSince=client.since, cursor=cursor).status_code == 400


def test_a_cursor_pages_over_the_events_of_the_first_page(client: Client, sandbox: Sandbox) -> None:
    before = ids(truth(sandbox))
    first = client.page()
    sandbox.advance()
    second = client.page(first["nextEventsCursor"])
    third = client.page(second["nextEventsCursor"])
    seen = ids([*first["events"], *second["events"], *third["events"]])
    assert seen[::-1] == before
    assert len(client.walk()) == 2560


def test_events_that_come_in_can_shift_the_pages(client: Client, sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.snapshot = False
    first = client.page()
    sandbox.advance()
    second = client.page(first["nextEventsCursor"])
    assert ids(second["events"])[:60] == ids(first["events"])[-60:]


def test_an_empty_page_can_come_before_more(client: Client, sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.empty_pages = {2}
    first = client.page()
    second = client.page(first["nextEventsCursor"])
    assert (second["events"], second["hasMoreEvents"]) == ([], True)
    assert ids(client.walk())[::-1] == ids(truth(sandbox))


def test_a_cursor_can_be_missing(client: Client, pigment: PigmentSandbox) -> None:
    pigment.page_without_cursor = 2
    second = client.page(client.page()["nextEventsCursor"])
    assert second["hasMoreEvents"] is True
    assert "nextEventsCursor" not in second


@pytest.mark.parametrize("length", [1, 2, 3])
def test_cursors_can_go_in_circles(client: Client, pigment: PigmentSandbox, length: int) -> None:
    pigment.page_size = 100
    pigment.cursor_loop = length
    cursors = []
    cursor: str | None = None
    for _ in range(3 * length):
        cursor = client.page(cursor)["nextEventsCursor"]
        cursors.append(cursor)
    assert cursors == cursors[:length] * 3
    assert len(set(cursors)) == length


def test_fresh_cursors_can_go_on_for_ever(client: Client, sandbox: Sandbox, pigment: PigmentSandbox) -> None:
    pigment.endless = True
    page = client.page()
    events, cursors = list(page["events"]), [page["nextEventsCursor"]]
    for _ in range(10):
        page = client.page(cursors[-1])
        events += page["events"]
        cursors.append(page["nextEventsCursor"])
    assert page == {"events": [], "hasMoreEvents": True, "nextEventsCursor": cursors[-1]}
    assert len(set(cursors)) == len(cursors)
    assert ids(events)[::-1] == ids(truth(sandbox))


# The data.


def test_the_events_have_what_clients_stumble_over(sandbox: Sandbox) -> None:
    events = truth(sandbox)
    assert len(set(ids(events))) == len(events)
    fractions = {len(event["ingestionTimestamp"].rstrip("Z").partition(".")[2].partition("+")[0]) for event in events}
    assert fractions == {0, 3, 6, 7, 9}
    assert any(event["ingestionTimestamp"].endswith("+02:00") for event in events)
    delays = [ingested(event) - datetime.fromisoformat(event["eventTimestamp"]) for event in events]
    assert max(delays) > timedelta(days=30)
    assert min(delays) >= timedelta(0)
    assert {event["actor"] is None for event in events} == {True, False}
    assert any("context" not in event for event in events)
    assert any(event.get("context", "absent") is None for event in events)
    assert any("traceId" in event for event in events)
    types = {event["eventType"] for event in events}
    assert types >= {"UserInvited", "UserAccountTypeUpdated", "UserDeactivated", "UserReactivated"}
    assert types >= {"UserPasswordChanged", "SnapshotTaken", "QuantumLedgerRotated"}


def test_an_advance_brings_late_and_tied_events(sandbox: Sandbox, clock: Clock) -> None:
    before = truth(sandbox)
    sandbox.advance()
    new = [event for event in truth(sandbox) if event["eventId"] not in set(ids(before))]
    assert len(new) == 60
    assert len([event for event in new if ingested(event) == ingested(before[-1])]) == 2
    assert min(map(ingested, new)) == ingested(before[-1])
    assert max(map(ingested, new)) <= clock()
    assert len({event["ingestionTimestamp"][:19] for event in new}) <= 51
    late = [
        event for event in new if ingested(event) - datetime.fromisoformat(event["eventTimestamp"]) > timedelta(days=1)
    ]
    assert len(late) >= 3


def test_an_event_from_the_future_does_not_draw_the_next_ones_after_it(
    sandbox: Sandbox, pigment: PigmentSandbox, clock: Clock
) -> None:
    future = pigment.add_event(clock() + timedelta(days=365 * 73))
    sandbox.advance()
    assert [event for event in truth(sandbox) if ingested(event) > clock()] == [future]


def test_many_slices_fit_before_now(clock: Clock) -> None:
    sandbox = Sandbox(seed=3, vendors=["pigment"], size=10, clock=clock)
    for _ in range(12):
        sandbox.advance()
    events = truth(sandbox)
    assert len(events) == 10 + 12 * 60
    assert max(map(ingested, events)) <= clock()
