"""The OAuth 1.0a login of the imitated OpenX, headless: initiate, login/process, token.

The signatures are verified by oauthlib's server side.
"""

from __future__ import annotations

import hmac
import typing as t
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from oauthlib.oauth1 import (  # type: ignore[import-untyped] # oauthlib ships no types
    SIGNATURE_HMAC_SHA1,
    AccessTokenEndpoint,
    RequestTokenEndpoint,
    RequestValidator,
)
from werkzeug.wrappers import Response

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from auditlogs_sandbox.vendors.openx.account import Account

SESSION_COOKIE: t.Final = "PHPSESSID"

_OUT_OF_BAND: t.Final = "oob"
_DUMMY: t.Final = "dummy" * 5
_FORM: t.Final = "application/x-www-form-urlencoded"
_LOGIN_PAGE: t.Final = "<!DOCTYPE html><html><body>The e-mail or password is not correct.</body></html>"


@dataclass
class _RequestToken:
    secret: str
    session: str = ""
    verifier: str = ""


class OAuth1Login:
    """Handles the three steps."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._validator = _Validator(account)
        self._initiate = RequestTokenEndpoint(self._validator, self._make_token)
        self._token = AccessTokenEndpoint(self._validator, self._make_token)

    def initiate(self, request: Request) -> Response:
        """Hand out a request token, and the cookie of the login that it begins."""
        if request.headers.get("Content-Length") != "0":  # vendor page: an empty body
            return Response("Length Required", 411)
        _, body, status = self._initiate.create_request_token_response(*_parts(request))
        response = Response(body, status, content_type=_FORM)
        if status == Response.default_status:
            token = self._validator.request_tokens[parse_qs(body)["oauth_token"][0]]
            token.session = self._account.make_secret("php_session")
            response.set_cookie(SESSION_COOKIE, token.session, path="/")
        return response

    def process(self, request: Request) -> Response:
        """Log the user in. A failure is an HTML page with status 200."""
        form = request.form
        token = self._validator.request_tokens.get(form.get("oauth_token", ""))
        session = request.cookies.get(SESSION_COOKIE)
        same_session = token is not None and token.session == session
        if token is None or not same_session or not self._account.accepts(form.get("email"), form.get("password")):
            return Response(_LOGIN_PAGE, content_type="text/html; charset=utf-8")
        token.verifier = self._account.make_secret("verifier")
        answer = urlencode({"oauth_token": form["oauth_token"], "oauth_verifier": token.verifier})
        return Response(f"{_OUT_OF_BAND}?{answer}", content_type="text/html; charset=utf-8")

    def token(self, request: Request) -> Response:
        """Hand out the access token."""
        _, body, status = self._token.create_access_token_response(
            *_parts(request), credentials={"email": self._account.email}
        )
        return Response(body, status, content_type=_FORM)

    def _make_token(self) -> str:
        return self._account.make_secret("oauth1")


class _Validator(RequestValidator):  # type: ignore[misc] # oauthlib ships no types
    """Validator for oauthlib, with the customer's keys."""

    dummy_client = dummy_request_token = _DUMMY
    enforce_ssl = False  # the sandbox is on loopback
    allowed_signature_methods = (SIGNATURE_HMAC_SHA1,)  # vendor page: HMAC-SHA1

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.request_tokens: dict[str, _RequestToken] = {}
        self._account = account
        self._nonces: set[tuple[str, str]] = set()

    @property
    def realms(self) -> list[str]:
        return [self._account.realm]

    def get_default_realms(self, _client_key: str, _request: t.Any) -> list[str]:
        return self.realms

    def get_realms(self, _token: str, _request: t.Any) -> list[str]:
        return self.realms

    def validate_requested_realms(self, _client_key: str, _realms: list[str], _request: t.Any) -> bool:
        return True  # `check_realms` has refused any other than `realms`

    def validate_redirect_uri(self, _client_key: str, redirect_uri: str, _request: t.Any) -> bool:
        return redirect_uri == _OUT_OF_BAND

    def validate_client_key(self, client_key: str, _request: t.Any) -> bool:
        return hmac.compare_digest(client_key, self._account.consumer_key)

    def get_client_secret(self, client_key: str, _request: t.Any) -> str:
        return _DUMMY if client_key == _DUMMY else self._account.consumer_secret

    def validate_timestamp_and_nonce(
        self, _client_key: str, timestamp: str, nonce: str, _request: t.Any, **_tokens: str | None
    ) -> bool:
        fresh = (timestamp, nonce) not in self._nonces
        self._nonces.add((timestamp, nonce))
        return fresh

    def save_request_token(self, token: dict[str, str], _request: t.Any) -> None:
        self.request_tokens[token["oauth_token"]] = _RequestToken(token["oauth_token_secret"])

    def validate_request_token(self, _client_key: str, token: str, _request: t.Any) -> bool:
        return token in self.request_tokens

    def get_request_token_secret(self, _client_key: str, token: str, _request: t.Any) -> str:
        known = self.request_tokens.get(token)
        return _DUMMY if known is None else known.secret

    def validate_verifier(self, _client_key: str, token: str, verifier: str, _request: t.Any) -> bool:
        known = self.request_tokens.get(token)
        return known is not None and known.verifier != "" and hmac.compare_digest(verifier, known.verifier)

    def invalidate_request_token(self, _client_key: str, request_token: str, _request: t.Any) -> None:
        del self.request_tokens[request_token]

    def save_access_token(self, token: dict[str, str], _request: t.Any) -> None:
        self._account.admit_cookie(token["oauth_token"])


def _parts(request: Request) -> tuple[str, str, str, dict[str, str]]:
    return request.url, request.method, request.get_data(as_text=True), dict(request.headers)
