"""Xandr's tokens: one for all streams and threads, renewed only when the vendor says so or its day is over."""

from __future__ import annotations

import typing as t

import requests
from typing_extensions import override

from tap_auditlogs.core.http import Throttle, Token, TokenAuthenticator, token_text

if t.TYPE_CHECKING:
    from tap_auditlogs.core.http import HttpClient
    from tap_auditlogs.core.vendor import Settings

WHAT = "login"
LOGIN_PATH = "/auth"

# Vendor page on authentication: a token lives two hours from its latest use, and 24 hours at most.
TOKEN_LIFETIME_SECONDS = 24 * 3600.0

# Vendor page on usage constraints: ten logins in five minutes. One is left for another process of the same user.
LOGINS_PER_WINDOW = 9
LOGIN_WINDOW_SECONDS = 300.0


class SessionAuthenticator(TokenAuthenticator):
    """Logs in with user name and password, through the client whose requests it signs.

    So that the login counts towards the client's pace and its requests in flight.
    """

    def __init__(self, settings: Settings) -> None:
        """Set up; nothing is sent."""
        super().__init__()
        self._settings = settings
        self._throttle = Throttle(LOGINS_PER_WINDOW, per_seconds=LOGIN_WINDOW_SECONDS)
        self._client: HttpClient | None = None

    def login_through(self, client: HttpClient) -> None:
        """Name the client to log in through."""
        self._client = client

    @override
    def fetch_token(self) -> Token:
        assert self._client is not None, "login_through comes first"  # noqa: S101 - a fault of this code only  # nosec B101
        self._throttle.wait()
        request = requests.Request(
            "POST",
            self._settings["api_url"].rstrip("/") + LOGIN_PATH,
            json={"auth": {"username": self._settings["username"], "password": self._settings["password"]}},
        )
        response = self._client.send(request, what=WHAT, authenticated=False)
        token = token_text(response, "response", "token", where=f"xandr: {WHAT}")
        return Token(token, TOKEN_LIFETIME_SECONDS)

    @override
    def sign(self, request: requests.PreparedRequest, token: str) -> None:
        request.headers["Authorization"] = token
