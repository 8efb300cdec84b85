from __future__ import annotations

import base64
import hashlib
import hmac
import time
import typing as t
from datetime import timedelta
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
import requests
from oauthlib.common import generate_token  # type: ignore[import-untyped] # oauthlib ships no types
from oauthlib.oauth2 import WebApplicationClient  # type: ignore[import-untyped] # oauthlib ships no types
from requests_oauthlib import OAuth1Session  # type: ignore[import-untyped] # requests-oauthlib ships no types

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.openx import OpenxSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.conftest import Clock

SCOPE = "openid email profile api"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=7, vendors=["openx"], size=600, clock=clock) as running:
        yield running


@pytest.fixture
def openx(sandbox: Sandbox) -> OpenxSandbox:
    return sandbox.vendor("openx", OpenxSandbox)


# OAuth 1.0a, walked by the library that the field uses.


@pytest.fixture
def config1(sandbox: Sandbox, openx: OpenxSandbox) -> dict[str, t.Any]:
    openx.auth_method = "oauth1"
    return t.cast("dict[str, t.Any]", sandbox.config["openx"])


@pytest.fixture
def oauth1(config1: dict[str, t.Any]) -> Iterator[OAuth1Session]:
    with OAuth1Session(config1["consumer_key"], config1["consumer_secret"], callback_uri="oob") as session:
        session.trust_env = False
        yield session


def initiate(oauth1: OAuth1Session, config1: dict[str, t.Any]) -> str:
    token = oauth1.fetch_request_token(f"{config1['sso_url']}/api/index/initiate")
    assert token["oauth_callback_confirmed"] == "true"
    return str(token["oauth_token"])


def process(http: requests.Session, config1: dict[str, t.Any], token: str, **changes: str) -> str:
    form = {"email": config1["email"], "password": config1["password"], "oauth_token": token, **changes}
    answer = http.post(f"{config1['sso_url']}/login/process", data=form, timeout=30)
    assert answer.status_code == 200
    return answer.text


def read_verifier(text: str) -> str:
    assert text.startswith("oob?")
    return parse_qs(text.removeprefix("oob?"))["oauth_verifier"][0]


def walk(oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any]) -> str:
    """Walk all three legs; the library's session is good for one login."""
    token = initiate(oauth1, config1)
    http.cookies.update(oauth1.cookies)
    verifier = read_verifier(process(http, config1, token))
    answer = oauth1.fetch_access_token(f"{config1['sso_url']}/api/index/token", verifier=verifier)
    assert answer["email"] == config1["email"]
    return str(answer["oauth_token"])


def ask_with_cookie(http: requests.Session, config1: dict[str, t.Any], token: str) -> int:
    cookies = {"openx3_access_token": token}
    return http.get(f"{config1['api_url']}/order", headers=JSON, cookies=cookies, timeout=30).status_code


def test_requests_oauthlib_walks_the_headless_login(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], openx: OpenxSandbox, sandbox: Sandbox
) -> None:
    token = walk(oauth1, http, config1)
    assert ask_with_cookie(http, config1, token) == 200
    assert ask_with_cookie(http, config1, "wrong") == 401
    assert openx.account.logins == 1
    assert token in sandbox.secrets()


def test_the_vendors_sample_signs_the_login_too(oauth1: OAuth1Session, config1: dict[str, t.Any]) -> None:
    token = initiate(oauth1, config1)
    text = process(oauth1, config1, token)  # signed, and with the cookie of the first step
    verifier = read_verifier(text)
    assert oauth1.fetch_access_token(f"{config1['sso_url']}/api/index/token", verifier=verifier)["oauth_token"]


@pytest.mark.parametrize("wrong", ["client_key", "client_secret", "callback_uri", "realm", "signature_method"])
def test_a_wrong_first_leg_is_refused(http: requests.Session, config1: dict[str, t.Any], wrong: str) -> None:
    arguments = {
        "client_key": config1["consumer_key"],
        "client_secret": config1["consumer_secret"],
        "callback_uri": "oob",
        "realm": config1["realm"],
        "signature_method": "HMAC-SHA1",
    }
    url = f"{config1['sso_url']}/api/index/initiate"

    def ask() -> int:
        realm = {"realm": [arguments["realm"]]}
        with OAuth1Session(**{key: value for key, value in arguments.items() if key != "realm"}) as session:
            session.trust_env = False
            session.auth.client.realm = realm["realm"][0]
            return int(session.post(url, timeout=30).status_code)

    assert ask() == 200
    arguments[wrong] = {"signature_method": "PLAINTEXT", "callback_uri": "https://example.com/"}.get(
        wrong, arguments[wrong][:-1] + "_"
    )
    assert ask() in {400, 401}
    assert http.post(url, timeout=30).status_code == 400


def sign(secret_key: str, method: str, url: str, parameters: dict[str, str]) -> str:
    """Sign by hand, after RFC 5849, section 3.4."""

    def escape(text: str) -> str:
        return quote(text, safe="-._~")

    normal = "&".join(f"{escape(name)}={escape(value)}" for name, value in sorted(parameters.items()))
    base = "&".join((method, escape(url), escape(normal)))
    return base64.b64encode(hmac.digest(secret_key.encode(), base.encode(), hashlib.sha1)).decode()


def signed_by_hand(config1: dict[str, t.Any], **changes: str) -> dict[str, str]:
    url = f"{config1['sso_url']}/api/index/initiate"
    parameters = {
        "oauth_callback": "oob",
        "oauth_consumer_key": config1["consumer_key"],
        "oauth_nonce": generate_token(24),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time())),
        "oauth_version": "1.0",
    } | changes
    signature = sign(f"{config1['consumer_secret']}&", "POST", url, parameters)
    sent = parameters | {"oauth_signature": signature}
    header = ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in sent.items())
    return {"Authorization": f"OAuth {header}"}


def test_a_signature_made_by_hand_is_good_once(http: requests.Session, config1: dict[str, t.Any]) -> None:
    url = f"{config1['sso_url']}/api/index/initiate"
    headers = signed_by_hand(config1)
    assert http.post(url, headers=headers, timeout=30).status_code == 200
    assert http.post(url, headers=headers, timeout=30).status_code == 401  # the nonce is used up
    tampered = {"Authorization": signed_by_hand(config1)["Authorization"].replace("1.0", "1.00")}
    assert http.post(url, headers=tampered, timeout=30).status_code in {400, 401}
    stale = signed_by_hand(config1, oauth_timestamp=str(int(time.time()) - 3600))
    assert http.post(url, headers=stale, timeout=30).status_code == 400
    assert http.get(url, headers=signed_by_hand(config1), timeout=30).status_code == 404


def test_the_first_leg_has_an_empty_body(http: requests.Session, config1: dict[str, t.Any]) -> None:
    url = f"{config1['sso_url']}/api/index/initiate"
    assert http.post(url, headers=signed_by_hand(config1), data=b"{}", timeout=30).status_code == 411


@pytest.mark.parametrize("wrong", [{"email": "nobody@example.com"}, {"password": "wrong"}, {"oauth_token": "wrong"}])
def test_a_failed_login_is_a_page_with_status_200(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], wrong: dict[str, str]
) -> None:
    token = initiate(oauth1, config1)
    http.cookies.update(oauth1.cookies)
    assert process(http, config1, token, **wrong).startswith("<!DOCTYPE html>")
    assert process(http, config1, token).startswith("oob?")


def test_the_second_leg_needs_the_cookie_of_the_first(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any]
) -> None:
    token = initiate(oauth1, config1)
    assert not process(http, config1, token).startswith("oob?")
    http.cookies.set("PHPSESSID", "wrong")
    assert not process(http, config1, token).startswith("oob?")


def test_an_expired_password_fails_the_login(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], openx: OpenxSandbox
) -> None:
    openx.account.password_expired = True
    token = initiate(oauth1, config1)
    http.cookies.update(oauth1.cookies)
    assert not process(http, config1, token).startswith("oob?")


def test_a_request_token_is_good_once_and_only_with_its_verifier(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any]
) -> None:
    url = f"{config1['sso_url']}/api/index/token"
    token = initiate(oauth1, config1)
    http.cookies.update(oauth1.cookies)
    verifier = read_verifier(process(http, config1, token))
    request_token = dict(oauth1.token)

    def ask(verifier: str, secret: str) -> int:
        with OAuth1Session(
            config1["consumer_key"],
            config1["consumer_secret"],
            resource_owner_key=request_token["oauth_token"],
            resource_owner_secret=secret,
            verifier=verifier,
        ) as session:
            session.trust_env = False
            return int(session.post(url, timeout=30).status_code)

    secret = request_token["oauth_token_secret"]
    assert ask(generate_token(28), secret) == 401
    assert ask(verifier, "wrong") == 401
    assert ask(verifier, secret) == 200
    assert ask(verifier, secret) == 401


def test_a_cookie_session_ends_two_hours_after_its_latest_use(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], clock: Clock, openx: OpenxSandbox
) -> None:
    token = walk(oauth1, http, config1)
    for _ in range(3):
        clock.move(timedelta(hours=1, minutes=59))
        assert ask_with_cookie(http, config1, token) == 200
    clock.move(timedelta(hours=2))
    assert ask_with_cookie(http, config1, token) == 401
    openx.expired_cookie_status = 403
    assert ask_with_cookie(http, config1, token) == 403


def test_a_session_can_be_ended_in_mid_run_and_by_logging_out(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], openx: OpenxSandbox
) -> None:
    token = walk(oauth1, http, config1)
    openx.account.expire_sessions()
    assert ask_with_cookie(http, config1, token) == 401
    with OAuth1Session(config1["consumer_key"], config1["consumer_secret"], callback_uri="oob") as again:
        again.trust_env = False
        token = walk(again, http, config1)
    cookies = {"openx3_access_token": token}
    url = f"{config1['api_url']}/session"
    assert http.get(url, headers=JSON, cookies=cookies, timeout=30).json()["user"]["email"] == config1["email"]
    assert http.delete(url, headers=JSON, cookies=cookies, timeout=30).json() == {}
    assert ask_with_cookie(http, config1, token) == 401


def test_each_base_has_its_own_credential(
    oauth1: OAuth1Session, http: requests.Session, config1: dict[str, t.Any], openx: OpenxSandbox, sandbox: Sandbox
) -> None:
    cookie = walk(oauth1, http, config1)
    openx.auth_method = "token"
    config = sandbox.config["openx"]
    bearer = {
        "Authorization": f"Bearer {config['access_token']}",
        "X-Openx-Instance": config["instance_host"],
        **JSON,
    }
    assert http.get(f"{config['api_url']}/order", headers=bearer, timeout=30).status_code == 200
    assert http.get(f"{config1['api_url']}/order", headers=bearer, timeout=30).status_code == 401
    assert ask_with_cookie(http, config, cookie) == 401


# OAuth 2.0.


class OAuth2:
    """Walks the five steps, with oauthlib making the PKCE challenge."""

    def __init__(self, config: dict[str, t.Any], http: requests.Session) -> None:
        self.config = config
        self.http = http
        self.client = WebApplicationClient(config["client_id"])
        self.verifier: str = self.client.create_code_verifier(64)
        self.challenge: str = self.client.create_code_challenge(self.verifier, "S256")
        self.redirect_uri = f"https://{config['instance_host']}"

    def sign_in(self, *, as_form: bool = False, key: str | None = None, **changes: object) -> requests.Response:
        body = {
            "email": self.config["email"],
            "password": self.config["password"],
            "returnSecureToken": "true" if as_form else True,
            **changes,
        }
        parameters = {"key": self.config["identity_api_key"] if key is None else key}
        url = f"{self.config['identity_url']}/accounts:signInWithPassword"
        if as_form:
            return self.http.post(url, params=parameters, data=t.cast("t.Any", body), timeout=30)
        return self.http.post(url, params=parameters, json=body, timeout=30)

    def authorize(self, **changes: object) -> requests.Response:
        parameters = {
            "scope": SCOPE,
            "response_type": "code",
            "client_id": self.config["client_id"],
            "redirect_uri": self.redirect_uri,
            "state": "some state",
            "nonce": "some nonce",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        url = f"{self.config['oauth2_url']}/authorize"
        return self.http.get(url, params=t.cast("t.Any", parameters), allow_redirects=False, timeout=30)

    def session_id(self) -> str:
        answer = self.authorize()
        assert answer.status_code == 302
        return parse_qs(urlsplit(answer.headers["Location"]).query)["session_id"][0]

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.sign_in().json()['idToken']}",
            "Origin": "https://login.openx.com",
        }

    def session_info(self, session_id: str, **changes: str) -> requests.Response:
        url = f"{self.config['oauth2_url']}/login/session-info"
        headers = self.headers() | changes
        return self.http.get(url, params={"session_id": session_id}, headers=headers, timeout=30)

    def consent(
        self, session_id: str, headers: dict[str, str] | None = None, changes: dict[str, str] | None = None
    ) -> requests.Response:
        form = {
            "consent": "true",
            "scope": SCOPE,
            "session_id": session_id,
            "instance_hostname": self.config["instance_host"],
            **(changes or {}),
        }
        url = f"{self.config['oauth2_url']}/login/consent"
        return self.http.post(url, data=form, headers=self.headers() | (headers or {}), timeout=30)

    def code(self) -> str:
        session_id = self.session_id()
        assert self.session_info(session_id).json()["scope"] == SCOPE
        return str(self.consent(session_id).json()["code"])

    def token(self, code: str, **changes: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.config["client_id"],
            "code_verifier": self.verifier,
            **changes,
        }
        return self.http.post(f"{self.config['oauth2_url']}/token", data=form, timeout=30)

    def ask(self, token: str, **changes: str | None) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Openx-Instance": self.config["instance_host"],
            **JSON,
            **changes,
        }
        url = f"{self.config['api_url']}/order"
        return self.http.get(url, headers=t.cast("t.Any", headers), timeout=30)


@pytest.fixture
def oauth2(sandbox: Sandbox, http: requests.Session) -> OAuth2:
    return OAuth2(sandbox.config["openx"], http)


def test_the_five_steps_give_a_token(oauth2: OAuth2, openx: OpenxSandbox, sandbox: Sandbox) -> None:
    answer = oauth2.token(oauth2.code()).json()
    assert oauth2.client.parse_request_body_response(oauth2.token(oauth2.code()).text)["expires_in"] == 3600
    assert answer["expires_in"] == 3600
    assert oauth2.ask(answer["access_token"]).status_code == 200
    assert openx.account.logins == 2
    assert answer["access_token"] in sandbox.secrets()


def test_the_challenge_is_the_s256_of_the_verifier(oauth2: OAuth2) -> None:
    digest = hashlib.sha256(oauth2.verifier.encode()).digest()
    assert oauth2.challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    # The vector of RFC 7636, appendix B.
    oauth2.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    oauth2.challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert oauth2.token(oauth2.code()).status_code == 200


@pytest.mark.parametrize("wrong", ["", "a" * 42, "a" * 64, "a" * 129, "challenge", "padded"])
def test_a_wrong_verifier_is_refused(oauth2: OAuth2, wrong: str) -> None:
    verifier = {"challenge": oauth2.challenge, "padded": f"{oauth2.verifier}="}.get(wrong, wrong)
    answer = oauth2.token(oauth2.code(), code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_verifier_that_is_too_short_is_refused_though_it_fits(oauth2: OAuth2) -> None:
    oauth2.verifier = "short"
    oauth2.challenge = oauth2.client.create_code_challenge("short", "S256")
    assert oauth2.token(oauth2.code()).status_code == 400


def test_a_code_is_good_once(oauth2: OAuth2) -> None:
    code = oauth2.code()
    assert oauth2.token(code).status_code == 200
    assert oauth2.token(code).json()["error"] == "invalid_grant"
    assert oauth2.token("").json()["error"] == "invalid_grant"
    failed = oauth2.code()
    assert oauth2.token(failed, code_verifier="a" * 43).status_code == 400
    assert oauth2.token(failed).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"grant_type": "password"}, 400),
        ({"client_id": "wrong"}, 401),
        ({"redirect_uri": "https://example.com"}, 400),
    ],
)
def test_a_wrong_token_request_is_refused(oauth2: OAuth2, wrong: dict[str, str], status: int) -> None:
    assert oauth2.token(oauth2.code(), **wrong).status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody@example.com"},
        {"password": "wrong"},
        {"password": None},
        {"key": "wrong"},
        {"key": ""},
    ],
)
def test_a_wrong_sign_in_is_refused(oauth2: OAuth2, wrong: dict[str, t.Any]) -> None:
    answer = oauth2.sign_in(**wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


def test_sign_in_takes_json_or_a_form(oauth2: OAuth2, openx: OpenxSandbox) -> None:
    assert oauth2.sign_in().json()["idToken"] in openx.secrets()
    assert oauth2.sign_in(as_form=True).json()["idToken"] in openx.secrets()
    assert "idToken" not in oauth2.sign_in(returnSecureToken=False).json()
    openx.account.password_expired = True
    assert oauth2.sign_in().status_code == 400


def test_authorize_redirects_to_a_page_that_is_of_no_use(oauth2: OAuth2, http: requests.Session) -> None:
    location = oauth2.authorize().headers["Location"]
    assert parse_qs(urlsplit(location).query).keys() == {"session_id", "state"}
    page = http.get(location, timeout=30)
    assert (page.status_code, "session_id" in page.text) == (200, False)


def test_authorize_may_redirect_several_times(oauth2: OAuth2, openx: OpenxSandbox, http: requests.Session) -> None:
    openx.oauth2.redirects = 3
    answer = oauth2.authorize()
    for _ in range(2):
        location = urljoin(answer.url, answer.headers["Location"])
        assert "session_id" not in parse_qs(urlsplit(location).query)
        assert requests.get(location, allow_redirects=False, timeout=30).status_code == 400, "without its cookie"
        answer = http.get(location, allow_redirects=False, timeout=30)
    assert parse_qs(urlsplit(answer.headers["Location"]).query).keys() == {"session_id", "state"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "openid"},
        {"response_type": "token"},
        {"client_id": "wrong"},
        {"redirect_uri": "https://example.com"},
        {"state": None},
        {"nonce": None},
        {"code_challenge": None},
        {"code_challenge": "too short"},
        {"code_challenge": "a" * 43 + "="},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
    ],
)
def test_a_wrong_authorization_is_refused(oauth2: OAuth2, wrong: dict[str, object]) -> None:
    answer = oauth2.authorize(**wrong)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_session_info_and_consent_need_the_identity_token_and_the_origin(oauth2: OAuth2) -> None:
    session_id = oauth2.session_id()

    def consent(session_id: str, **headers: str) -> requests.Response:
        return oauth2.consent(session_id, headers)

    for ask in (oauth2.session_info, consent):
        assert ask(session_id, Authorization="Bearer wrong").status_code == 401
        assert ask(session_id, Origin="https://example.com").status_code == 403
        assert ask("wrong").status_code == 400
    assert oauth2.session_info(session_id).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"consent": "false"}, {"scope": "openid"}, {"session_id": "wrong"}, {"instance_hostname": "example.com"}],
)
def test_a_wrong_consent_is_refused(oauth2: OAuth2, wrong: dict[str, str]) -> None:
    session_id = oauth2.session_id()
    assert oauth2.consent(wrong.get("session_id", session_id), changes=wrong).status_code == 400
    assert oauth2.consent(session_id).status_code == 200


def test_a_bearer_token_ends_after_its_lifetime(oauth2: OAuth2, clock: Clock, openx: OpenxSandbox) -> None:
    openx.account.token_lifetime = timedelta(seconds=90)
    answer = oauth2.token(oauth2.code()).json()
    assert answer["expires_in"] == 90
    clock.move(timedelta(seconds=89))
    assert oauth2.ask(answer["access_token"]).status_code == 200
    clock.move(timedelta(seconds=1))
    refused = oauth2.ask(answer["access_token"])
    assert refused.status_code == 401
    assert not refused.headers["Content-Type"].startswith("application/json")


def test_bearer_sessions_can_be_ended_in_mid_run(oauth2: OAuth2, openx: OpenxSandbox) -> None:
    token = oauth2.token(oauth2.code()).json()["access_token"]
    openx.account.expire_sessions()
    assert oauth2.ask(token).status_code == 401
    assert oauth2.ask(oauth2.token(oauth2.code()).json()["access_token"]).status_code == 200


def test_what_every_call_needs(oauth2: OAuth2) -> None:
    token = oauth2.token(oauth2.code()).json()["access_token"]
    assert oauth2.ask(token).status_code == 200
    assert oauth2.ask("wrong").status_code == 401
    assert oauth2.ask(token, Authorization=token).status_code == 401
    assert oauth2.ask(token, Authorization=None).status_code == 401
    instance = {"X-Openx-Instance": None}
    assert oauth2.ask(token, **instance).status_code == 403
    assert oauth2.ask(token, **{"X-Openx-Instance": "other.example"}).json()["type"] == "Permission"
    assert oauth2.ask(token, **{"Content-Type": None}).status_code == 415
    assert oauth2.ask(token, **{"Content-Type": "text/plain"}).status_code == 415


def test_a_ready_token_is_good_until_it_is_not(sandbox: Sandbox, http: requests.Session, openx: OpenxSandbox) -> None:
    openx.auth_method = "token"
    config = sandbox.config["openx"]
    assert "password" not in config
    oauth2 = OAuth2({"client_id": "", **config}, http)
    assert oauth2.ask(config["access_token"]).status_code == 200
    openx.account.expire_sessions()
    assert oauth2.ask(config["access_token"]).status_code == 401
