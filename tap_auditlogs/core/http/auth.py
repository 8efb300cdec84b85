"""Authenticators; they set headers only, so that URLs contain no credentials."""

from __future__ import annotations

import abc
import threading
import time
import typing as t
from dataclasses import dataclass
from decimal import Decimal

from requests.auth import AuthBase
from typing_extensions import override

from tap_auditlogs.core.errors import CredentialsError, ProtocolError
from tap_auditlogs.core.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_auditlogs.core.http.response import ApiResponse

_RENEW_EARLY_SECONDS = 60.0
_LONGEST_LIFETIME = 365 * 86_400.0


class BearerAuthenticator(AuthBase):
    """Sends a fixed key as `Authorization: Bearer`."""

    def __init__(self, key: str) -> None:
        self._key = key

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


@dataclass(frozen=True)
class Token:
    """A token, with its lifetime counted from when it was requested."""

    value: str
    lifetime_seconds: float


def token_text(answer: ApiResponse, *path: str, where: str) -> str:
    """Return a non-empty string, such as a token, from the JSON of a login response.

    Args:
        answer: The response.
        *path: The keys that lead to the string.
        where: The vendor and the login step, for messages.
    """
    value = answer.json()
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"the answer holds no {path[-1]}", where=where, answer=answer.describe())
    return value


def oauth2_token(answer: ApiResponse, *, where: str, default_lifetime: float) -> Token:
    """Return the token of an OAuth 2.0 token response.

    Args:
        answer: The response, with `access_token` and optionally `expires_in`.
        where: The vendor and the login step, for messages.
        default_lifetime: Seconds, if `expires_in` is missing or invalid.
    """
    value = token_text(answer, "access_token", where=where)
    return Token(value, _lifetime_seconds(answer.json().get("expires_in"), default=default_lifetime))


def _lifetime_seconds(expires_in: object, *, default: float) -> float:
    """Parse `expires_in`, which some servers send as a string."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | Decimal | str):
        return default
    try:
        seconds = float(expires_in)
    except ValueError:
        return default
    except OverflowError:  # an integer of hundreds of digits
        return _LONGEST_LIFETIME
    return min(seconds, _LONGEST_LIFETIME) if seconds > 0 else default


class TokenAuthenticator(AuthBase, abc.ABC):
    """Obtains a token on first use, shares it between threads and renews it shortly before it expires."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._refusal: CredentialsError | None = None
        self._on_trial = False

    @abc.abstractmethod
    def fetch_token(self) -> Token:
        """Request a new token.

        Raises:
            CredentialsError: If the vendor rejects the credentials; no token is requested again in this run.
        """

    def sign(self, request: requests.PreparedRequest, token: str) -> None:
        """Add the token to a request; by default as `Authorization: Bearer`."""
        request.headers["Authorization"] = f"Bearer {token}"

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.sign(request, self.current())
        return request

    def current(self) -> str:
        """Return a token that has not expired.

        Raises:
            CredentialsError: If the vendor rejects the credentials. All threads and streams share one attempt,
                because some vendors lock an account after a few.
        """
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self._token is None or self._clock() >= self._renew_at:
                asked_at = self._clock()
                try:
                    token = self.fetch_token()
                except CredentialsError as error:
                    self._refusal = error
                    raise
                redact.add(token.value)
                # At most half of the lifetime, so that a short-lived token is not renewed for each request.
                margin = min(_RENEW_EARLY_SECONDS, token.lifetime_seconds / 2)
                self._renew_at = asked_at + token.lifetime_seconds - margin
                self._token = token
            return self._token.value

    def discard(self, value: str) -> bool:
        """Discard a token that the vendor has rejected; return whether to try another one.

        A replacement that was never accepted is kept, so that concurrent requests do not each renew it again.
        """
        with self._lock:
            if self._token is None or self._token.value != value:
                return True
            if self._on_trial:
                return False
            self._token = None
            self._on_trial = True
            return True

    def note_accepted(self, value: str) -> None:
        """Record that the vendor has accepted a token, so that it may be renewed if it is rejected later."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._on_trial = False
