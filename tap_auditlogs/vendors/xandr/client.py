"""HTTP client for Xandr, and the meaning of its answers."""

from __future__ import annotations

import typing as t
from http import HTTPStatus
from urllib.parse import urlsplit

from tap_auditlogs.core.errors import ApiError, CredentialsError, RefusedError, TransientError
from tap_auditlogs.core.http import HttpClient, HttpOptions, Throttle
from tap_auditlogs.core.http.retry import answered_at, parse_retry_after
from tap_auditlogs.core.redaction import redact
from tap_auditlogs.vendors.xandr.auth import LOGIN_PATH, SessionAuthenticator

if t.TYPE_CHECKING:
    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.vendor import Settings

# What to wait where the vendor throttles without saying how long. Unknown; its window is thought to be a minute.
# xandr-23
DEFAULT_WAIT_SECONDS = 60.0

# Likewise for a login: the window of its limit is five minutes; a public client waits this long. xandr-24
LOGIN_WAIT_SECONDS = 150.0

_WHERE = "xandr"
_LONGEST_QUOTE = 120
_LOGIN_FAULTS = {
    "NOAUTH": ("the login or its token is not accepted", "Check xandr.username and xandr.password"),
    "NOAUTH_EXPIRED": ("the password has expired", "Set a new one and put it into xandr.password"),
    "NOAUTH_DISABLED": ("the user is disabled", "Ask the vendor or use another user"),
}
_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})


class NotUnderstoodError(ApiError):
    """The vendor calls a request malformed; so it does, among others, for a service that it does not support."""


def connect(settings: Settings, options: HttpOptions) -> HttpClient:
    """Make the client."""
    authenticator = SessionAuthenticator(settings)
    client = HttpClient(
        _WHERE,
        options,
        authenticator=authenticator,
        throttle=Throttle(settings["requests_per_minute"], per_seconds=60.0),
        check_answer=check_answer,
        check_status=check_status,
        connections=settings["max_concurrency"],
    )
    authenticator.login_through(client)
    return client


def check_answer(response: ApiResponse) -> None:
    """Raise what the vendor means as an error: it may come with HTTP 200 (xandr-04).

    Vendor page on API semantics: the classes of errors in `error_id`; `error_code` tells throttling apart.

    Raises:
        CredentialsError: For a token or a login that is not accepted.
        RefusedError: For an object or a service that this user may not read.
        NotUnderstoodError: For a request that the vendor calls malformed.
        TransientError: For throttling and faults of the server.
        ApiError: For anything else that the vendor names.
    """
    envelope = _error_in(response.json())
    if envelope is None:
        return  # judged by its HTTP status, and then by its rows
    if envelope.get("error_code") == "RATE_EXCEEDED":
        raise _throttled(response)
    error_id = str(envelope.get("error_id"))
    answer = f"the vendor says: {_quote(envelope.get('error_id'))} {_quote(envelope.get('error'))}"
    status = response.status_code
    match "NOT_FOUND" if _is_not_found(envelope) else error_id:
        case "NOAUTH" | "NOAUTH_EXPIRED" | "NOAUTH_DISABLED":
            msg, advice = _LOGIN_FAULTS[error_id]
            raise CredentialsError(msg, where=_WHERE, answer=answer, status=status, advice=advice)
        case "NOT_FOUND":
            raise RefusedError("this is not there", where=_WHERE, answer=answer, status=status)
        case "UNAUTH":
            raise RefusedError("the user may not read this", where=_WHERE, answer=answer, status=status)
        case "SYNTAX" if status not in _MISSING:
            raise NotUnderstoodError("the request is not understood", where=_WHERE, answer=answer, status=status)
        case "INTEGRITY" | "LIMIT":
            raise ApiError("the request was not accepted", where=_WHERE, answer=answer, status=status)
        case _ if error_id == "SYSTEM" or status < HTTPStatus.BAD_REQUEST:
            # SERVICE_UNAVAILABLE or UNKNOWN, too many requests at once, and what is not on any page.
            raise TransientError("the server has a problem", where=_WHERE, answer=answer, status=status)
        case _:
            return  # judged by its HTTP status


def _error_in(payload: t.Any) -> dict[str, t.Any] | None:
    envelope = payload.get("response") if isinstance(payload, dict) else None
    if not isinstance(envelope, dict):
        return None
    is_error = {"error", "error_id"} & envelope.keys() or envelope.get("status") == "error"
    return envelope if is_error else None


def _is_not_found(envelope: dict[str, t.Any]) -> bool:
    """Tell an object that is gone from a request that is malformed: recorded answers give both as SYNTAX."""
    details = envelope.get("dbg_info")
    return (
        (isinstance(details, dict) and details.get("output_term") == "not_found")
        or str(envelope.get("error_code")).startswith("NOTFOUND")
        or "not found" in str(envelope.get("error")).lower()
    )


def check_status(response: ApiResponse) -> None:
    """Raise what an HTTP status means here.

    Vendor page on throttling: 429 for the user's limit, 503 with `x-ratelimit-code` for an overloaded service; 405 is
    the legacy of 429 (the vendor's own JS client). A missing object gave 404, or 422 (a public client).

    Raises:
        TransientError: For throttling.
        RefusedError: For an object that is not there.
    """
    status, headers = response.status_code, response.headers
    if (
        status == HTTPStatus.TOO_MANY_REQUESTS
        or (status == HTTPStatus.SERVICE_UNAVAILABLE and "x-ratelimit-code" in headers)
        or (status == HTTPStatus.METHOD_NOT_ALLOWED and "Retry-After" in headers)
    ):
        raise _throttled(response)
    if status in _MISSING:
        raise RefusedError("this is not there", where=_WHERE, answer=response.describe(), status=status)


def _throttled(response: ApiResponse) -> TransientError:
    told = parse_retry_after(response.headers.get("Retry-After"), answered_at(response))
    unless_told = LOGIN_WAIT_SECONDS if urlsplit(response.url).path.endswith(LOGIN_PATH) else DEFAULT_WAIT_SECONDS
    return TransientError(
        "too many requests",
        where=_WHERE,
        answer=response.describe(),
        status=HTTPStatus.TOO_MANY_REQUESTS,
        retry_after=unless_told if told is None else told,
    )


def _quote(text: object) -> str:
    """Show a vendor's word safely: one line, short, without secrets."""
    return ascii(redact(str(text))[:_LONGEST_QUOTE]) if text else ""
