"""The current login: OAuth 2.0 with PKCE, behind a sign-in with e-mail and password at an identity service.

The steps are those of the vendor's sample client; its access token goes as Bearer.
"""

from __future__ import annotations

import secrets
import typing as t
from functools import cached_property
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.http import oauth2_token, token_text
from tap_auditlogs.vendors.openx.auth import LoginAuthenticator, keep_secret, sign_for_gateway

if t.TYPE_CHECKING:
    from tap_auditlogs.core.http import ApiResponse, HttpClient, Token

# `expires_in` counts where it comes; how long a token lives is not public. A refused one is renewed anyway.
# openx-21
DEFAULT_LIFETIME_SECONDS = 3600.0

SCOPE = "openid email profile api"
LOGIN_ORIGIN = "https://login.openx.com"
"""Sent as `Origin`, as the vendor's own login page does; nothing is sent there."""

MAX_REDIRECTS = 5
"""From `/authorize` to the page whose URL has the session: the vendor's samples follow as many as there are."""

_VERIFIER_LENGTH = 64
_PORTS = {"https": 443, "http": 80}


class GatewayAuthenticator(LoginAuthenticator):
    """Logs in without a browser and sends the token as Bearer, with the name of the instance."""

    @override
    def fetch_token(self) -> Token:
        # Only who logs in this way has to load it; it ships no types.
        from oauthlib.oauth2 import WebApplicationClient  # type: ignore[import-untyped]  # noqa: PLC0415 - as said

        client = self.login_client()
        pkce = WebApplicationClient(self._settings["client_id"])
        verifier = keep_secret(pkce.create_code_verifier(_VERIFIER_LENGTH))

        def ask(request: requests.Request, what: str, name: str) -> str:
            return token_text(client.send(request, what=what), name, where=f"openx: {what}")

        identity = keep_secret(ask(self._sign_in(), "login, step sign-in", "idToken"))
        what = "login, step authorize"
        challenge = pkce.create_code_challenge(verifier, code_challenge_method="S256")
        session = self._open_session(client, challenge, what)
        scope = ask(self._session_info(identity, session), "login, step session-info", "scope")
        code = keep_secret(ask(self._consent(identity, session, scope), "login, step consent", "code"))
        what = "login, step token"
        answer = client.send(self._exchange(code, verifier), what=what)
        return oauth2_token(answer, where=f"openx: {what}", default_lifetime=DEFAULT_LIFETIME_SECONDS)

    @override
    def sign(self, request: requests.PreparedRequest, token: str) -> None:
        sign_for_gateway(request, token, self._settings["instance_host"])

    @property
    def _oauth2_url(self) -> str:
        return t.cast("str", self._settings["oauth2_url"]).rstrip("/")

    @property
    def _redirect_uri(self) -> str:
        return f"https://{self._settings['instance_host']}"

    @cached_property
    def _configured_origins(self) -> frozenset[tuple[str, str | None, int | None]]:
        urls = (self._settings.get(name) for name in ("oauth2_url", "identity_url", "sso_url", "api_url"))
        return frozenset(_origin(url) for url in (*urls, self._redirect_uri) if url)

    # The steps

    def _open_session(self, client: HttpClient, challenge: str, what: str) -> str:
        """Read the session id from where the vendor sends a browser; it may do so in several redirects (openx-20)."""
        request = self._authorize(challenge)
        for _ in range(MAX_REDIRECTS):
            response = client.send(request, what=what, expect="redirect")
            location = _location(response, what)
            if session := parse_qs(urlsplit(location).query).get("session_id"):
                return keep_secret(session[0])
            if _origin(location) not in self._configured_origins:
                host = urlsplit(location).hostname
                msg = f"the redirect names no session_id, and its host {host!a:.80} is not one of the settings"
                raise ProtocolError(msg, where=f"openx: {what}", status=response.status_code)
            request = requests.Request("GET", location)
        msg = f"{MAX_REDIRECTS} redirects in a row name no session_id"
        raise ProtocolError(msg, where=f"openx: {what}")

    def _sign_in(self) -> requests.Request:
        return requests.Request(
            "POST",
            self._settings["identity_url"].rstrip("/") + "/accounts:signInWithPassword",
            params={"key": self._settings["identity_api_key"]},
            json={
                "email": self._settings["email"],
                "password": self._settings["password"],
                "returnSecureToken": True,
            },
        )

    def _authorize(self, challenge: str) -> requests.Request:
        query = {
            "scope": SCOPE,
            "response_type": "code",
            "client_id": self._settings["client_id"],
            "redirect_uri": self._redirect_uri,
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return requests.Request("GET", self._oauth2_url + "/authorize", params=query)

    def _session_info(self, identity: str, session: str) -> requests.Request:
        url = self._oauth2_url + "/login/session-info"
        return requests.Request("GET", url, params={"session_id": session}, headers=_login_headers(identity))

    def _consent(self, identity: str, session: str, scope: str) -> requests.Request:
        form = {
            "consent": "true",
            "scope": scope,
            "session_id": session,
            "instance_hostname": self._settings["instance_host"],
        }
        return requests.Request(
            "POST", self._oauth2_url + "/login/consent", data=form, headers=_login_headers(identity)
        )

    def _exchange(self, code: str, verifier: str) -> requests.Request:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._settings["client_id"],
            "code_verifier": verifier,
        }
        return requests.Request("POST", self._oauth2_url + "/token", data=form)


def _login_headers(identity: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {identity}", "Origin": LOGIN_ORIGIN}


def _location(response: ApiResponse, what: str) -> str:
    try:
        location = urljoin(response.url, response.headers["Location"])
        _origin(location)
    except ValueError as error:
        msg = "the redirect's Location is not a URL"
        raise ProtocolError(msg, where=f"openx: {what}", status=response.status_code) from error
    return location


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
