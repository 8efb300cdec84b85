"""Tokens: obtained once, shared, renewed in time, and once more when the vendor refuses one."""

from __future__ import annotations

import itertools
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from tap_auditlogs.core.errors import ApiError, CredentialsError, ProtocolError, RefusedError, TransientError
from tap_auditlogs.core.http import Token, TokenAuthenticator, oauth2_token, token_text
from tap_auditlogs.core.redaction import redact
from tests.core.conftest import get, make_client
from tests.support.raw_server import answer, json_answer

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_auditlogs.core.http import ApiResponse
    from tests.core.conftest import StartServer
    from tests.support.raw_server import Talk

OK = json_answer({})


class Tokens(TokenAuthenticator):
    """Hands out `token-1`, `token-2` and so on, by a clock that the test moves."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        super().__init__(clock=lambda: self.now)
        self.now = 1000.0
        self.lifetime = lifetime
        self.failures: list[ApiError] = []
        self.fetched = 0

    def fetch_token(self) -> Token:
        self.fetched += 1
        if self.failures:
            raise self.failures.pop(0)
        return Token(f"token-{self.fetched}", self.lifetime)


def accepting(*tokens: str) -> Callable[[Talk], None]:
    """A server that accepts these tokens only."""

    def talk(talk: Talk) -> None:
        accepted = talk.request.headers["Authorization"].removeprefix("Bearer ") in tokens
        (OK if accepted else answer("no", 401))(talk)

    return talk


def test_one_token_serves_many_requests(start_server: StartServer) -> None:
    tokens = Tokens()
    server = start_server(OK)
    client = make_client(authenticator=tokens)
    for _ in range(4):
        get(client, server.url)
    assert tokens.fetched == 1
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer token-1"}


def test_a_refused_token_is_renewed_once_and_the_same_request_sent_again(
    start_server: StartServer, waits: list[float]
) -> None:
    tokens = Tokens()
    server = start_server(OK, OK, OK, accepting("token-2"))
    client = make_client(authenticator=tokens)
    for page in range(6):
        get(client, f"{server.url}/{page}")
    assert [request.target for request in server.requests] == ["/0", "/1", "/2", "/3", "/3", "/4", "/5"]
    assert tokens.fetched == 2
    assert waits == []


def test_a_second_refusal_is_final(start_server: StartServer, waits: list[float]) -> None:
    tokens = Tokens()
    server = start_server(accepting())
    with pytest.raises(CredentialsError, match="Check the acme credentials"):
        get(make_client(authenticator=tokens), server.url)
    assert len(server.requests) == 2
    assert tokens.fetched == 2
    assert waits == []


def test_403_renews_nothing(start_server: StartServer, waits: list[float]) -> None:
    tokens = Tokens()
    server = start_server(answer("no", 403))
    with pytest.raises(RefusedError):
        get(make_client(authenticator=tokens), server.url)
    assert len(server.requests) == 1
    assert tokens.fetched == 1
    assert waits == []


def test_wrong_credentials_are_not_tried_again(start_server: StartServer, waits: list[float]) -> None:
    tokens = Tokens()
    tokens.failures = [CredentialsError("check acme.password")]
    server = start_server(OK)
    with pytest.raises(CredentialsError, match=r"check acme\.password"):
        get(make_client(authenticator=tokens), server.url)
    assert tokens.fetched == 1
    assert server.requests == []
    assert waits == []


def test_a_passing_failure_of_the_token_endpoint_is_tried_again(start_server: StartServer, waits: list[float]) -> None:
    tokens = Tokens()
    tokens.failures = [TransientError("busy"), TransientError("busy", retry_after=20.0)]
    get(make_client(authenticator=tokens), start_server(OK).url)
    assert tokens.fetched == 3
    assert len(waits) == 2
    assert 20 <= waits[1] <= 21


def test_the_token_endpoint_shares_the_budget_of_the_request(start_server: StartServer, waits: list[float]) -> None:
    tokens = Tokens()
    tokens.failures = [TransientError("busy", retry_after=86_400.0)]
    with pytest.raises(ApiError, match=r"busy.*the vendor asks to wait 86400 s"):
        get(make_client(authenticator=tokens), start_server(OK).url)
    assert tokens.fetched == 1
    assert waits == []


@pytest.mark.case("E8", "openx", "index_exchange")
def test_a_token_is_renewed_a_minute_before_its_end() -> None:
    tokens = Tokens(lifetime=3600)
    tokens.current()
    tokens.now += 3539
    assert tokens.current() == "token-1"
    tokens.now += 1
    assert tokens.current() == "token-2"


@pytest.mark.parametrize("lifetime", [1.0, 20.0, 100.0])
def test_a_short_lived_token_is_used_for_half_of_its_life_at_least(lifetime: float) -> None:
    tokens = Tokens(lifetime)
    tokens.current()
    tokens.now += lifetime * 0.39
    assert tokens.current() == "token-1"
    tokens.now += lifetime * 0.61
    assert tokens.current() == "token-2"


@pytest.mark.parametrize("lifetime", [0.0, -5.0])
def test_a_token_without_a_life_is_not_kept(start_server: StartServer, lifetime: float) -> None:
    tokens = Tokens(lifetime)
    get(make_client(authenticator=tokens), start_server(OK).url)
    assert tokens.current() != tokens.current()


def test_the_time_that_fetching_takes_counts_as_life() -> None:
    tokens = Tokens(lifetime=600)
    fetch = tokens.fetch_token

    def slow_fetch() -> Token:
        tokens.now += 300
        return fetch()

    tokens.fetch_token = slow_fetch  # type: ignore[method-assign] # an endpoint that takes its time
    tokens.current()
    tokens.now += 241
    assert tokens.current() == "token-2"


@pytest.mark.case("E10", "openx", "xandr", "index_exchange")
def test_the_age_of_a_token_does_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnClock(Tokens):
        def __init__(self) -> None:
            TokenAuthenticator.__init__(self)
            self.lifetime, self.failures, self.fetched = 600.0, [], 0

    wall = itertools.count(2_000_000_000, -7200)
    monkeypatch.setattr("time.time", lambda: next(wall))
    tokens = OwnClock()
    assert [tokens.current() for _ in range(5)] == ["token-1"] * 5


def test_threads_share_one_token() -> None:
    tokens = Tokens()
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return tokens.current()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"token-1"}


def test_threads_refused_together_renew_once(start_server: StartServer) -> None:
    tokens = Tokens()
    tokens.current()
    server = start_server(accepting("token-2"))
    client = make_client(authenticator=tokens, connections=6)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: get(client, server.url), range(6)))
    assert tokens.fetched == 2


def test_discarding_an_old_token_keeps_the_new_one() -> None:
    tokens = Tokens()
    old = tokens.current()
    tokens.discard(old)
    new = tokens.current()
    tokens.discard(old)
    assert tokens.current() == new


def test_a_token_is_masked_from_the_moment_it_is_there() -> None:
    tokens = Tokens()
    tokens.fetch_token = lambda: Token("t0k3n-of-a-kind", 60.0)  # type: ignore[method-assign] # a telling name
    assert redact("the t0k3n-of-a-kind") == "the t0k3n-of-a-kind"
    tokens.current()
    assert redact("the t0k3n-of-a-kind") == "the ***"


# What a login's answer says.


def oauth2_answer(start_server: StartServer, payload: object) -> ApiResponse:
    return get(make_client(), start_server(json_answer(payload)).url)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        *((60, 60.0), ("60", 60.0), (0.5, 0.5), (10**400, 365 * 86_400.0), ("9" * 400, 365 * 86_400.0)),
        *((0, 3600.0), (-1, 3600.0), (None, 3600.0), (True, 3600.0), ([60], 3600.0), ("soon", 3600.0), ("nan", 3600.0)),
    ],
)
def test_a_token_lives_as_long_as_the_answer_says_if_that_is_usable(
    start_server: StartServer, expires_in: object, lifetime: float
) -> None:
    answer = oauth2_answer(start_server, {"access_token": "t0ken!", "expires_in": expires_in})
    assert oauth2_token(answer, where="acme: login", default_lifetime=3600.0) == Token("t0ken!", lifetime)


@pytest.mark.parametrize("payload", [[], "x", None, {}, {"a": None}, {"a": []}, {"a": {"b": ""}}, {"a": {"b": 5}}])
def test_an_answer_without_a_token_is_an_error_that_names_it(start_server: StartServer, payload: object) -> None:
    with pytest.raises(ProtocolError, match=r"acme: login: the answer holds no b \(HTTP 200"):
        token_text(oauth2_answer(start_server, payload), "a", "b", where="acme: login")
