"""The older login: OAuth 1.0 with HMAC-SHA1, three legs, headless. Its token goes into a cookie."""

from __future__ import annotations

import logging
import math
import typing as t
from urllib.parse import parse_qs

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.http import Token
from tap_auditlogs.vendors.openx.auth import LoginAuthenticator, keep_secret, login_refused

if t.TYPE_CHECKING:
    from requests.auth import AuthBase

# openx-22: the second step is not signed, and the realm may be left out.
# Vendor page on authentication: a session ends if it is not used for two hours. What an ended one is answered with
# is unknown; it is renewed when the vendor refuses it.
COOKIE = "openx3_access_token"

_OUT_OF_BAND = "oob"


class CookieAuthenticator(LoginAuthenticator):
    """Logs in without a browser and sends the token as a cookie."""

    @override
    def fetch_token(self) -> Token:
        client = self.login_client()
        sso_url = self._settings["sso_url"].rstrip("/")

        def post(path: str, what: str, *, auth: AuthBase | None = None, form: dict[str, str] | None = None) -> str:
            request = requests.Request("POST", sso_url + path, data=form, auth=auth)
            return client.send(request, what=what, expect="text").text

        what = "login, step initiate"
        request_token = _tokens(
            post("/api/index/initiate", what, auth=self._signature(callback_uri=_OUT_OF_BAND)), what
        )
        verifier = self._verifier(post("/login/process", "login, step process", form=self._credentials(request_token)))
        what = "login, step token"
        signature = self._signature(
            resource_owner_key=request_token["oauth_token"],
            resource_owner_secret=request_token["oauth_token_secret"],
            verifier=verifier,
        )
        return Token(_tokens(post("/api/index/token", what, auth=signature), what)["oauth_token"], math.inf)

    @override
    def sign(self, request: requests.PreparedRequest, token: str) -> None:
        request.headers["Cookie"] = f"{COOKIE}={token}"

    def _signature(self, **values: str) -> AuthBase:
        # At DEBUG they write what they sign: tokens, cookies and all.
        for library in ("oauthlib", "requests_oauthlib"):
            logging.getLogger(library).setLevel(logging.WARNING)
        # Only who logs in this way has to load it; it ships no types.
        from requests_oauthlib import OAuth1  # type: ignore[import-untyped]  # noqa: PLC0415 - as said

        return t.cast(
            "AuthBase",
            OAuth1(
                self._settings["consumer_key"],
                client_secret=self._settings["consumer_secret"],
                realm=self._settings.get("realm"),
                **values,
            ),
        )

    def _credentials(self, request_token: dict[str, str]) -> dict[str, str]:
        return {
            "email": self._settings["email"],
            "password": self._settings["password"],
            "oauth_token": request_token["oauth_token"],
        }

    @staticmethod
    def _verifier(answer: str) -> str:
        """Read the verifier. A login that failed is told by the body only, the HTTP status may be 200."""
        prefix, _, query = answer.strip().partition("?")
        verifier = parse_qs(query).get("oauth_verifier")
        if prefix != _OUT_OF_BAND or not verifier:
            raise login_refused("login, step process", "the answer holds no verifier")
        return keep_secret(verifier[0])


def _tokens(answer: str, what: str) -> dict[str, str]:
    """Read a form-encoded answer with a token and its secret."""
    fields = {name: values[0] for name, values in parse_qs(answer).items()}
    if not fields.get("oauth_token") or not fields.get("oauth_token_secret"):
        raise ProtocolError("the answer holds no token", where=f"openx: {what}")
    for name in ("oauth_token", "oauth_token_secret"):
        keep_secret(fields[name])
    return fields
