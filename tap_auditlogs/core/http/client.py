"""The HTTP client: returns a complete, checked response, or raises an error for the operator."""

from __future__ import annotations

import logging
import os
import ssl
import time
import typing as t
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit

import backoff
import requests
import urllib3
from typing_extensions import override

from tap_auditlogs.core.errors import (
    AnswerTimeoutError,
    ApiError,
    CredentialsError,
    ProtocolError,
    RefusedError,
    TransientError,
)
from tap_auditlogs.core.http.auth import TokenAuthenticator
from tap_auditlogs.core.http.clock import ServerClock
from tap_auditlogs.core.http.deadline import DeadlineAdapter
from tap_auditlogs.core.http.response import ApiResponse
from tap_auditlogs.core.http.retry import MAX_TRIES, RetryBudget, parse_retry_after

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from requests.auth import AuthBase

    from tap_auditlogs.core.http.throttle import Throttle

    Attempt: t.TypeAlias = Callable[[requests.Request, str, AuthBase | None], ApiResponse]
    Expected: t.TypeAlias = t.Literal["json", "text", "redirect"]

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_READ_BYTES = 65_536
_LARGEST_BODY = 128 * 1024 * 1024
"""Far above any vendor's page size; limits decompression bombs, of which each thread could receive one."""

_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 530)})


class HttpObserver(t.Protocol):
    """Sees the requests of a vendor's clients."""

    def before(self, request: requests.PreparedRequest) -> None:
        """Called before a request is sent; an `ApiError` raised here keeps it from being sent."""

    def answered(self, request: requests.PreparedRequest, response: ApiResponse) -> None:
        """Called with a complete response, whatever its status."""

    def failed(self, error: ApiError) -> None:
        """Called if there is no complete response."""


@dataclass(frozen=True)
class HttpOptions:
    """The HTTP settings common to all vendors.

    Attributes:
        timeout_seconds: The time limit for a complete response.
        max_retry_wait_seconds: The limit for all waits of one request together.
        observer: Sees every request, of logins and downloads too.
    """

    user_agent: str
    timeout_seconds: float
    max_retry_wait_seconds: float
    observer: HttpObserver | None = None


class _Session(requests.Session):
    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Ignore `Location`: requests parses it even with redirects off, and raises on malformed values."""
        return


class HttpClient:
    """HTTP client for one vendor.

    Redirects are not followed. Proxies and the CA bundle are taken from the environment; `.netrc` is ignored.
    """

    def __init__(  # noqa: PLR0913 - keyword-only and independent of each other
        self,
        vendor: str,
        options: HttpOptions,
        *,
        authenticator: AuthBase | None = None,
        throttle: Throttle | None = None,
        check_answer: Callable[[ApiResponse], None] | None = None,
        check_status: Callable[[ApiResponse], None] | None = None,
        rate_limit_window: float = 60.0,
        connections: int = 1,
        keep_cookies: bool = False,
        clock: ServerClock | None = None,
    ) -> None:
        """Set up without sending anything.

        Args:
            vendor: The vendor's name for messages.
            options: The common HTTP settings.
            authenticator: Signs each request.
            throttle: Limits the rate of requests.
            check_answer: Raises an `ApiError` if a JSON body reports an error; called before the status is checked.
            check_status: Raises an `ApiError` for a status with a special meaning for this vendor; called for every
                response that passes `check_answer`.
            rate_limit_window: The vendor's rate limit window in seconds, for a 429 without `Retry-After`.
            connections: The most concurrent requests.
            keep_cookies: Whether to send cookies back.
            clock: The vendor's clock, if shared with another client.
        """
        self.vendor = vendor
        self.clock = clock or ServerClock()
        self._options = options
        self._authenticator = authenticator
        self._throttle = throttle
        self._check_answer = check_answer
        self._check_own_status = check_status
        self._rate_limit_window = rate_limit_window
        self._read_seconds = options.timeout_seconds
        self._session = _Session()
        self._session.trust_env = False  # else requests reads .netrc, and the environment for each request
        adapter = DeadlineAdapter(pool_maxsize=connections, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers["User-Agent"] = options.user_agent
        if not keep_cookies:
            self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def server_time(self) -> datetime:
        """Return the vendor's time in UTC, or this machine's while that is unknown."""
        return self.clock.now()

    def log_in(self) -> None:
        """Obtain a token now instead of with the first request, if the vendor uses tokens."""
        if isinstance(self._authenticator, TokenAuthenticator):
            self._authenticator.current()

    def send(
        self, request: requests.Request, *, what: str, authenticated: bool = True, expect: Expected = "json"
    ) -> ApiResponse:
        """Send a request, with retries, and check the response.

        Args:
            request: The request without credentials.
            what: What is requested, for messages, such as `audit events`.
            authenticated: Whether to sign the request; false for a token request.
            expect: `json`, status 2xx with a JSON body; `text`, status 2xx with any body; `redirect`, status 3xx.

        Raises:
            CredentialsError: If the vendor rejects the credentials, after one renewal of the token.
            RefusedError: If the vendor forbids this request.
            ApiError: For any other error, or if all tries fail.
        """
        attempt = partial(self._send_once, expect=expect)
        return self._until_answered(attempt, request, f"{self.vendor}: {what}", authenticated=authenticated)

    def _until_answered(
        self,
        attempt: Attempt,
        request: requests.Request,
        where: str,
        *,
        authenticated: bool = True,
        tries: int = MAX_TRIES,
    ) -> ApiResponse:
        """Retry until an attempt succeeds or the budget of tries and waits is spent."""
        budget = RetryBudget(self._options.max_retry_wait_seconds, rate_limit_window=self._rate_limit_window)
        retrying = backoff.on_exception(
            budget.waits,
            TransientError,
            max_tries=tries,
            jitter=None,  # RetryBudget already adds jitter
            on_backoff=lambda details: logger.warning(
                "%s. Trying again in %.1f s.", details.get("exception"), details.get("wait", 0.0)
            ),
            logger=None,
        )
        try:
            if not authenticated:
                return retrying(attempt)(request, where, None)
            return retrying(self._authenticated)(attempt, request, where)
        except TransientError as error:
            message = (
                f"{error}. Gave up after {budget.tries} tries and {budget.waited:.0f} s of waiting"
                + (f"; the vendor asks to wait {error.retry_after:.0f} s" if error.retry_after else "")
                + ". Run again later; max_retry_wait_seconds allows longer waits."
            )
            raise ApiError(message, status=error.status) from error

    def _authenticated(self, attempt: Attempt, request: requests.Request, where: str) -> ApiResponse:
        """Make an attempt; if the token is rejected, renew it and try once more."""
        authenticator = self._authenticator
        if not isinstance(authenticator, TokenAuthenticator):
            return attempt(request, where, authenticator)
        token = authenticator.current()
        try:
            response = attempt(request, where, authenticator)
        except CredentialsError:
            if not authenticator.discard(token):
                raise
            logger.info("%s: the token is no longer accepted; renewing it once.", where)
            token = authenticator.current()
            response = attempt(request, where, authenticator)
        authenticator.note_accepted(token)
        return response

    def _send_once(
        self, request: requests.Request, where: str, authenticator: AuthBase | None, *, expect: Expected
    ) -> ApiResponse:
        if self._throttle is not None:
            self._throttle.wait()
        prepared = self._prepare(request, where, authenticator)
        started = time.monotonic()
        response = self._exchange(prepared, where, self._read_body)
        logger.debug(
            "%s: %s answered %s after %.2f s", where, prepared.method, response.describe(), time.monotonic() - started
        )
        self.clock.note(response.headers)
        self._check(response, where, expect)
        return response

    def _prepare(
        self, request: requests.Request, where: str, authenticator: AuthBase | None
    ) -> requests.PreparedRequest:
        """Sign a request; raises if a header is invalid, for example a credential with a line break."""
        try:
            prepared = self._session.prepare_request(request)
        except ValueError as error:  # base class of requests' URL errors
            msg = f"the request cannot be sent: {type(error).__name__}"
            raise ApiError(msg, where=where, advice="Check the URL and user_agent in the settings") from error
        if authenticator is not None:
            prepared = authenticator(prepared)
        for name, value in prepared.headers.items():
            if not _is_header_value(value):
                msg = f"the request cannot be sent: a line break or a character outside Latin-1 in its header {name}"
                raise ApiError(msg, where=where, advice="Check the credentials and user_agent in the settings")
        return prepared

    def _exchange(
        self, prepared: requests.PreparedRequest, where: str, read_body: Callable[[requests.Response, str], bytes]
    ) -> ApiResponse:
        """Send a request and read the complete response; the observer sees both."""
        observer = self._options.observer
        if observer is None:
            return self._transmit(prepared, where, read_body)
        observer.before(prepared)
        try:
            response = self._transmit(prepared, where, read_body)
        except ApiError as error:
            observer.failed(error)
            raise
        observer.answered(prepared, response)
        return response

    def _transmit(
        self, prepared: requests.PreparedRequest, where: str, read_body: Callable[[requests.Response, str], bytes]
    ) -> ApiResponse:
        url = t.cast("str", prepared.url)
        try:
            response = self._session.send(
                prepared,
                stream=True,
                timeout=(_CONNECT_SECONDS, self._read_seconds),
                allow_redirects=False,
                proxies=_proxies(urlsplit(url).scheme, urlsplit(url).netloc),
                verify=_ca_bundle(),
            )
            with response:
                return ApiResponse.complete(response, read_body(response, where))
        except requests.exceptions.SSLError as error:
            if not _is_bad_certificate(error):
                raise TransientError("the TLS connection broke", where=where) from error
            msg = "the server's certificate is not trusted"
            advice = "If a proxy in between has its own CA, name its bundle in REQUESTS_CA_BUNDLE"
            raise ApiError(msg, where=where, advice=advice) from error
        except requests.exceptions.ConnectTimeout as error:
            msg = f"no connection within {_CONNECT_SECONDS:g} s"
            raise AnswerTimeoutError(msg, where=where) from error
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
            msg = f"no complete answer within {self._read_seconds:g} s"
            raise AnswerTimeoutError(msg, where=where) from error
        # The messages of these errors contain the URL with its query, so only their types are logged.
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            link = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else "the connection"
            msg = f"{link} failed: {root_cause(error)}"
            raise TransientError(msg, where=where) from error

    @staticmethod
    def _read_body(response: requests.Response, where: str) -> bytes:
        body = bytearray()
        while data := response.raw.read1(_READ_BYTES, decode_content=True):
            body += data
            if len(body) > _LARGEST_BODY:
                msg = f"the answer is larger than {_LARGEST_BODY >> 20} MiB"
                raise ApiError(msg, where=where)
        return bytes(body)

    def _check(self, response: ApiResponse, where: str, expect: Expected) -> None:
        payload_error: ValueError | None = None
        try:
            response.json()
        except ValueError as error:
            payload_error = error
        else:
            if self._check_answer is not None:
                self._check_answer(response)
        if self._check_own_status is not None:
            self._check_own_status(response)
        if expect == "redirect" and response.is_redirect:
            return
        self._check_status(response, where)
        if expect == "redirect":
            msg = "the answer is not the expected redirect"
            raise ProtocolError(msg, where=where, answer=response.describe(), status=response.status_code)
        if payload_error is not None and expect == "json":
            is_deep = isinstance(payload_error.__cause__, RecursionError)
            msg = "the JSON of the answer is nested too deep" if is_deep else "the answer is not JSON"
            raise TransientError(
                msg, where=where, answer=response.describe(), status=response.status_code
            ) from payload_error

    def _check_status(self, response: ApiResponse, where: str) -> None:
        status = response.status_code
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        answer = response.describe()
        if status in _RETRIED_STATUSES:
            retry_after = parse_retry_after(response.headers.get("Retry-After"), self.server_time())
            problem = "too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "the server has a problem"
            raise TransientError(problem, where=where, answer=answer, status=status, retry_after=retry_after)
        if status == HTTPStatus.UNAUTHORIZED:
            msg = "the credentials are not accepted"
            advice = f"Check the {self.vendor} credentials in the settings: they are wrong, expired or revoked"
            raise CredentialsError(msg, where=where, answer=answer, status=status, advice=advice)
        if status == HTTPStatus.FORBIDDEN:
            msg = "the credentials do not allow this"
            advice = "Ask the vendor's administrator for the permission, or check an IP allow list"
            raise RefusedError(msg, where=where, answer=answer, status=status, advice=advice)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            msg = "the API answered with a redirect, which is not followed"
            raise ProtocolError(msg, where=where, answer=answer, status=status, advice="Check the URL in the settings")
        raise ApiError("the request was not accepted", where=where, answer=answer, status=status)


def _is_header_value(value: str | bytes) -> bool:
    text = value if isinstance(value, str) else value.decode("latin-1")
    return all(ord(character) < 256 and character not in "\r\n\0" for character in text)  # noqa: PLR2004 - Latin-1


def _is_bad_certificate(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def root_cause(error: BaseException) -> str:
    """Return the type of the innermost error, such as `ConnectionRefusedError` or `NameResolutionError`."""
    *_, last = _causes(error)
    kind = type(last)
    return kind.__name__ if kind.__name__ != "error" else f"{kind.__module__}.error"


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """Yield an error and its causes, including those in `args` and `reason`, where urllib3 keeps them."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        reason = getattr(current, "reason", None)
        inner = [value for value in (reason, *current.args) if isinstance(value, BaseException)]
        current = inner[0] if inner else current.__cause__ or current.__context__


@lru_cache
def _proxies(scheme: str, host: str) -> dict[str, str]:
    """Return the environment's proxies for a host."""
    return requests.utils.get_environ_proxies(f"{scheme}://{host}/")


@lru_cache
def _ca_bundle() -> str | bool:
    """Return the CA bundle named in the environment, or True for the default of requests."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                msg = f"{name} in the environment names a CA bundle that does not exist"
                raise ApiError(msg, advice="Correct the path, or unset the variable")
            return path
    return True
