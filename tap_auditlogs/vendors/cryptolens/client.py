"""HTTP client for Cryptolens, and the meaning of its error messages."""

from __future__ import annotations

import typing as t
from functools import partial
from http import HTTPStatus

from tap_auditlogs.core.errors import ApiError, CredentialsError, RefusedError, TransientError
from tap_auditlogs.core.http import HttpClient, HttpOptions
from tap_auditlogs.core.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.vendor import Settings

_LONGEST_QUOTE = 120


class BadParametersError(ApiError):
    """Cryptolens rejects this request; one with other parameters may succeed."""


# cryptolens-16
_NO_PERMISSION = (
    RefusedError,
    "the access token lacks a permission",
    "It needs Get Web API Log, Get Events and Get Object Log, and no key lock",
)
_REFUSALS: tuple[tuple[str, type[ApiError], str, str], ...] = (
    (
        "unable to authenticate",
        CredentialsError,
        "the access token is not accepted",
        "Check cryptolens.access_token",
    ),
    ("no active subscription", CredentialsError, "the account has no active subscription", "Ask the vendor"),
    ("access denied", *_NO_PERMISSION),
    ("not enough permission", *_NO_PERMISSION),
    (
        "input parameters were incorrect",
        BadParametersError,
        "the request was not accepted",
        "Check cryptolens.product_id",
    ),
)
"""Errors by a part of the vendor's message, in lower case; none is retried."""


def connect(settings: Settings, options: HttpOptions) -> HttpClient:
    """Create the client; the token is a form field of each request, so there is no authenticator."""
    del settings
    return HttpClient("cryptolens", options, check_answer=check_answer)  # cryptolens-08: no throttle


def check_answer(response: ApiResponse) -> None:
    """Raise if the body reports an error, whatever the HTTP status.

    Cryptolens docs: `result` is 0 for success and 1 for an error, explained in `message`; rarely there is only
    `message`, which is a server error.

    Raises:
        CredentialsError: If the token is unknown or the account has no subscription.
        RefusedError: If the token lacks a permission.
        TransientError: For a server error.
        BadParametersError: For any other error.
    """
    payload = response.json()  # cryptolens-07
    if not isinstance(payload, dict):
        return  # the HTTP status and the rows are checked later
    envelope = with_lower_keys(payload)
    if envelope.get("result") == 0:
        return
    message = str(envelope.get("message") or "")
    status = response.status_code
    failed = partial(_failed, answer=f"the vendor says: {_quote(message)}", status=status)
    for text, kind, problem, advice in _REFUSALS:
        if text in message.lower():
            raise failed(kind, problem, advice)
    if status >= HTTPStatus.TOO_MANY_REQUESTS:
        return  # the HTTP status and `Retry-After` decide
    if "something went wrong" in message.lower() or ("result" not in envelope and status < HTTPStatus.BAD_REQUEST):
        raise failed(TransientError, "the server has a problem", "")
    if "result" in envelope:
        raise failed(BadParametersError, "the request failed", "")
    # Anything else is not in the vendor's format: the HTTP status decides.


def _failed(kind: type[ApiError], problem: str, advice: str, *, answer: str, status: int) -> ApiError:
    return kind(problem, where="cryptolens", answer=answer, advice=advice, status=status)


def with_lower_keys(payload: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an object with its keys in lower case (Cryptolens docs: keys are case-insensitive)."""
    return {key.lower(): value for key, value in payload.items()}


def _quote(message: str) -> str:
    """Return a vendor's message on one line, shortened and without secrets."""
    return ascii(redact(message)[:_LONGEST_QUOTE])
