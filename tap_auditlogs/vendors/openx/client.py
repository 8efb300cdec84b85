"""HTTP client for OpenX, and the meaning of its answers."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from tap_auditlogs.core.errors import ApiError, CredentialsError, RefusedError, TransientError
from tap_auditlogs.core.http import HttpClient, HttpOptions, ServerClock
from tap_auditlogs.core.http.retry import answered_at, parse_retry_after
from tap_auditlogs.vendors.openx.auth import ReadyTokenAuthenticator
from tap_auditlogs.vendors.openx.oauth1 import CookieAuthenticator
from tap_auditlogs.vendors.openx.oauth2 import GatewayAuthenticator

if t.TYPE_CHECKING:
    from requests.auth import AuthBase

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.vendor import Settings

SESSION_PATH = "/session"

_WHERE = "openx"
_GATEWAY_URL = "https://api.openx.com/api/v1/ox/4.0"


class NotUnderstoodError(ApiError):
    """The vendor calls a request wrong: an object type that it does not know, or a page that is too large."""


class BareForbiddenError(ApiError):
    """A 403 without the vendor's error body: a session that is over (openx-16), or an object that may not be read."""


def api_url(settings: Settings) -> str:
    """Say where the API is; that the current one serves the history is not shown anywhere (openx-19)."""
    instance_url = f"https://{settings['instance_host']}/ox/4.0"
    default = instance_url if settings["auth_method"] == "oauth1" else _GATEWAY_URL
    return t.cast("str", settings.get("api_url") or default).rstrip("/")


def connect(settings: Settings, options: HttpOptions) -> HttpClient:
    """Make the client."""
    server_clock = ServerClock()
    return HttpClient(
        _WHERE,
        options,
        authenticator=_authenticator(settings, options, server_clock),
        check_answer=check_answer,
        check_status=partial(check_status, longest_wait=options.max_retry_wait_seconds),
        connections=settings["max_concurrency"],
        clock=server_clock,
    )


def _authenticator(settings: Settings, options: HttpOptions, server_clock: ServerClock) -> AuthBase:
    match settings["auth_method"]:
        case "oauth1":
            return CookieAuthenticator(settings, options, server_clock)
        case "token":
            return ReadyTokenAuthenticator(settings["access_token"], settings["instance_host"])
        case _:
            return GatewayAuthenticator(settings, options, server_clock)


def check_answer(response: ApiResponse) -> None:
    """Raise what the vendor's error body means.

    Vendor page on response codes: HTTP 4xx with the class of the error in `type`, such as Permission (403), Object Not
    Found (404) or Value Error (400).

    Raises:
        RefusedError: For an object that may not be read or is not there.
        NotUnderstoodError: For a request that the vendor calls wrong.
    """
    payload = response.json()
    status = response.status_code
    kind = payload.get("type") if isinstance(payload, dict) else None
    if status < HTTPStatus.BAD_REQUEST or not isinstance(kind, str):
        return  # judged by its HTTP status, and then by its rows
    answer = f"HTTP {status}, {kind[:40]!a}"
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        raise RefusedError("this may not be read or is not there", where=_WHERE, answer=answer, status=status)
    if status == HTTPStatus.BAD_REQUEST:
        raise NotUnderstoodError("the request is not understood", where=_WHERE, answer=answer, status=status)


def check_status(response: ApiResponse, *, longest_wait: float) -> None:
    """Raise what an HTTP status means here.

    Args:
        response: An answer, whatever its body.
        longest_wait: The seconds that the waits of one request may take together.

    Raises:
        TransientError: For a quota that is used up.
        CredentialsError: For a session that is over, where that is certain.
        BareForbiddenError: Where it is not.
        RefusedError: For what is not there.
        NotUnderstoodError: For a request that the vendor calls wrong.
    """
    status, answer = response.status_code, response.describe()
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            told = parse_retry_after(response.headers.get("Retry-After"), answered_at(response))
            wait = _until_next_hour(response, longest_wait) if told is None else told
            raise TransientError("the quota is used up", where=_WHERE, answer=answer, status=status, retry_after=wait)
        case HTTPStatus.FORBIDDEN if _path(response).endswith(SESSION_PATH):
            msg, advice = "the session is not accepted", "Check the openx credentials in the settings"
            raise CredentialsError(msg, where=_WHERE, answer=answer, status=status, advice=advice)
        case HTTPStatus.FORBIDDEN:
            raise BareForbiddenError("the request is forbidden", where=_WHERE, answer=answer, status=status)
        case HTTPStatus.NOT_FOUND:
            raise RefusedError("this is not there", where=_WHERE, answer=answer, status=status)
        case HTTPStatus.BAD_REQUEST:
            raise NotUnderstoodError("the request is not understood", where=_WHERE, answer=answer, status=status)
        case _:
            return


def _until_next_hour(response: ApiResponse, longest_wait: float) -> float | None:
    """Say how long the quota stays used up: until the next clock hour. None, a short wait, if that is too long.

    openx-18
    """
    now = answered_at(response)
    next_hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    seconds = (next_hour - now).total_seconds() + 1
    return seconds if seconds + 1 <= longest_wait else None


def _path(response: ApiResponse) -> str:
    return urlsplit(response.url).path
