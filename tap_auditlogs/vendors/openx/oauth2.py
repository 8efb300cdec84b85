"""The current login: OAuth 2.0 with PKCE, behind a sign-in with e-mail and password at an identity service.

The steps are those of the vendor's sample client; its access token goes as Bearer.
"""

from __future__ import annotations

import secrets
import typing as t
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.http import Token
from tap_auditlogs.core.http.auth import lifetime_seconds
from tap_auditlogs.vendors.openx.auth import LoginAuthenticator, keep_secret, sign_for_gateway

if t.TYPE_CHECKING:
    from tap_auditlogs.core.http import ApiResponse

# `expires_in` counts where it comes; how long a token lives is not public. A refused one is renewed anyway.
DEFAULT_LIFETIME_SECONDS = 3600.0

SCOPE = "openid email profile api"
LOGIN_ORIGIN = "https://login.openx.com"
"""Sent as `Origin`, as the vendor's own login page does; nothing is sent there."""

_VERIFIER_LENGTH = 64


class GatewayAuthenticator(LoginAuthenticator):
    """Logs in without a browser and sends the token as Bearer, with the name of the instance."""

    def fetch_token(self) -> Token:
        """Walk the five steps.

        Returns:
            The token.

        Raises:
            CredentialsError: If the login is not accepted.
            ApiError: If there is no token to be had.
        """
        # Only who logs in this way has to load it; it ships no types.
        from oauthlib.oauth2 import WebApplicationClient  # type: ignore[import-untyped]  # noqa: PLC0415 - as said

        client = self.login_client()
        pkce = WebApplicationClient(self._settings["client_id"])
        verifier = keep_secret(pkce.create_code_verifier(_VERIFIER_LENGTH))

        def ask(request: requests.Request, what: str) -> dict[str, t.Any]:
            return _object(client.send(request, what=what), what)

        what = "login, step sign-in"
        identity = _text(ask(self._sign_in(), what), "idToken", what)
        what = "login, step authorize"
        challenge = pkce.create_code_challenge(verifier, code_challenge_method="S256")
        session = _session_id(client.send(self._authorize(challenge), what=what, expect="redirect"), what)
        what = "login, step session-info"
        scope = _text(ask(self._session_info(identity, session), what), "scope", what, is_secret=False)
        what = "login, step consent"
        code = _text(ask(self._consent(identity, session, scope), what), "code", what)
        what = "login, step token"
        answer = ask(self._exchange(code, verifier), what)
        lifetime = lifetime_seconds(answer.get("expires_in"), default=DEFAULT_LIFETIME_SECONDS)
        return Token(_text(answer, "access_token", what), lifetime)

    def sign(self, request: requests.PreparedRequest, token: str) -> None:
        """Put the token into a request, with the name of the instance.

        Args:
            request: The request about to be sent.
            token: The token's value.
        """
        sign_for_gateway(request, token, self._settings["instance_host"])

    @property
    def _oauth2_url(self) -> str:
        return t.cast("str", self._settings["oauth2_url"]).rstrip("/")

    @property
    def _redirect_uri(self) -> str:
        return f"https://{self._settings['instance_host']}"

    # The steps

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


def _session_id(response: ApiResponse, what: str) -> str:
    """Read the session from where the vendor would send a browser. Nothing is sent there."""
    location = urljoin(response.url, response.headers["Location"])
    found = parse_qs(urlsplit(location).query).get("session_id")
    if not found:
        raise ProtocolError("the redirect names no session_id", where=f"openx: {what}", status=response.status_code)
    return keep_secret(found[0])


def _object(response: ApiResponse, what: str) -> dict[str, t.Any]:
    payload = response.json()
    if not isinstance(payload, dict):
        raise ProtocolError("the answer is no object", where=f"openx: {what}", answer=response.describe())
    return payload


def _text(answer: dict[str, t.Any], name: str, what: str, *, is_secret: bool = True) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"the answer holds no {name}", where=f"openx: {what}")
    return keep_secret(value) if is_secret else value
