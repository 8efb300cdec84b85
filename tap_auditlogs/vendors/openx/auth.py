"""How OpenX's API requests are signed. The two ways to obtain a token are in `oauth1` and `oauth2`."""

from __future__ import annotations

import re
import typing as t
from http import HTTPStatus

from requests.auth import AuthBase
from typing_extensions import override

from tap_auditlogs.core.errors import CredentialsError
from tap_auditlogs.core.http import HttpClient, TokenAuthenticator
from tap_auditlogs.core.redaction import redact

if t.TYPE_CHECKING:
    import requests

    from tap_auditlogs.core.http import ApiResponse, HttpOptions, ServerClock
    from tap_auditlogs.core.vendor import Settings

_TRIED_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_ERROR_WORD = re.compile(r"[A-Za-z_]{3,60}")


class ReadyTokenAuthenticator(AuthBase):
    """Sends a token that was obtained elsewhere."""

    def __init__(self, token: str, instance_host: str) -> None:
        """Keep what is sent."""
        self._token = token
        self._instance_host = instance_host

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sign_for_gateway(request, self._token, self._instance_host)
        return request


class LoginAuthenticator(TokenAuthenticator):
    """What the two ways to log in have in common."""

    def __init__(self, settings: Settings, options: HttpOptions, server_clock: ServerClock) -> None:
        """Set up; nothing is sent."""
        super().__init__()
        self._server_clock = server_clock
        self._settings = settings
        self._options = options

    def login_client(self) -> HttpClient:
        """Make the client for the steps of a login; it keeps the cookies that belong to them."""
        return HttpClient(
            "openx", self._options, check_status=_check_status, keep_cookies=True, clock=self._server_clock
        )


def sign_for_gateway(request: requests.PreparedRequest, token: str, instance_host: str) -> None:
    """Sign as the current gateway wants it."""
    request.headers["Authorization"] = f"Bearer {token}"
    request.headers["X-Openx-Instance"] = instance_host


def login_refused(what: str, answer: str, status: int | None = None) -> CredentialsError:
    """Make the error for a login that is not accepted."""
    return CredentialsError(
        "the login is not accepted",
        where=f"openx: {what}",
        answer=answer,
        status=status,
        advice="Check openx.email and password (they expire after about six months) and the client's credentials",
    )


def keep_secret(text: str) -> str:
    """Mask a value in all logging from here on.

    Args:
        text: Something that a step of a login has handed out.
    """
    redact.add(text)
    return text


def _check_status(response: ApiResponse) -> None:
    """Take every refusal during a login as one of the credentials: it is never tried again."""
    status = response.status_code
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _TRIED_AGAIN:
        raise login_refused("login", ", ".join(filter(None, (response.describe(), _error_word(response)))), status)


def _error_word(response: ApiResponse) -> str:
    """Read the error's name, such as `INVALID_PASSWORD` or `invalid_client`; nothing else of a body is shown."""
    try:
        payload = response.json()
    except ValueError:
        return ""
    error = payload.get("error") if isinstance(payload, dict) else None
    word = error.get("message") if isinstance(error, dict) else error
    return word if isinstance(word, str) and _ERROR_WORD.fullmatch(word) else ""
