"""How Cryptolens is spoken to, and what its answers mean."""

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
    """The vendor refuses the request for a reason that another request may not have."""


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
"""What the vendor's messages mean, by a part of their text in lower case; none of these is tried again."""


def connect(settings: Settings, options: HttpOptions) -> HttpClient:
    """Make the client. The token goes into each request's form, so there is no authenticator.

    Args:
        settings: Cryptolens' settings.
        options: The HTTP settings common to all vendors.

    Returns:
        A client that knows the vendor's errors.
    """
    del settings
    return HttpClient("cryptolens", options, check_answer=check_answer)


def check_answer(response: ApiResponse) -> None:
    """Raise what the vendor means as an error, whatever the HTTP status says.

    Vendor page: `result` is 0 for success and 1 for an error, told in `message`; in rare cases there is only a
    `message`, a fault of the server. The messages are those of the vendor's list of API errors.

    Args:
        response: An answer with a JSON body.

    Raises:
        CredentialsError: For a token that is unknown or without a subscription.
        RefusedError: For a token without the permission.
        TransientError: For a fault of the server.
        ApiError: For anything else the vendor calls an error.
    """
    payload = response.json()
    if not isinstance(payload, dict):
        return  # judged by its HTTP status, and then by its rows
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
        return  # judged by its status, and by the wait it asks for
    if "something went wrong" in message.lower() or ("result" not in envelope and status < HTTPStatus.BAD_REQUEST):
        raise failed(TransientError, "the server has a problem", "")
    if "result" in envelope:
        raise failed(BadParametersError, "the request failed", "")
    # What is left is no answer in the vendor's form: judged by its status.


def _failed(kind: type[ApiError], problem: str, advice: str, *, answer: str, status: int) -> ApiError:
    return kind(problem, where="cryptolens", answer=answer, advice=advice, status=status)


def with_lower_keys(payload: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Make the keys of an answer comparable: the vendor calls them case-insensitive.

    Args:
        payload: A JSON object.

    Returns:
        The same with keys in lower case.
    """
    return {key.lower(): value for key, value in payload.items()}


def _quote(message: str) -> str:
    """Show a vendor's message safely: one line, short, without secrets."""
    return ascii(redact(message)[:_LONGEST_QUOTE])
