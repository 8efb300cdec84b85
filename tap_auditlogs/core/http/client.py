"""The HTTP client: sends one request and returns a complete, accepted answer or raises what the operator can read."""

from __future__ import annotations

import logging
import os
import ssl
import time
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

import backoff
import requests
import urllib3
from requests.adapters import HTTPAdapter

from tap_auditlogs.core.errors import ApiError, CredentialsError, ProtocolError, RefusedError, TransientError
from tap_auditlogs.core.http.auth import TokenAuthenticator
from tap_auditlogs.core.http.response import ApiResponse
from tap_auditlogs.core.http.retry import MAX_TRIES, RetryBudget, parse_retry_after

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from requests.auth import AuthBase

    from tap_auditlogs.core.http.throttle import Throttle

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_READ_BYTES = 65_536
_LARGEST_BODY = 512 * 1024 * 1024
"""No page of any vendor comes near; a decompression bomb does."""

_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 530)})


@dataclass(frozen=True)
class HttpOptions:
    """What the operator can set for the HTTP of all vendors.

    Attributes:
        user_agent: Sent with every request.
        timeout_seconds: A response must be complete within this.
        max_retry_wait_seconds: The waits of one request may take this long together.
    """

    user_agent: str
    timeout_seconds: float
    max_retry_wait_seconds: float


class HttpClient:
    """One vendor's HTTP: one session with its connections, credentials, pace and rules.

    No redirect is followed, the environment's proxies and CA bundle are honoured, `.netrc` is not.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, each one a rule of its own
        self,
        vendor: str,
        options: HttpOptions,
        *,
        authenticator: AuthBase | None = None,
        throttle: Throttle | None = None,
        check_answer: Callable[[ApiResponse], None] | None = None,
        rate_limit_window: float = 60.0,
        connections: int = 1,
    ) -> None:
        """Set up; nothing is sent.

        Args:
            vendor: The vendor's name for messages.
            options: What the operator has set.
            authenticator: Signs each request.
            throttle: Asked before each request.
            check_answer: Raises an `ApiError` for an answer that the vendor means as an error; called for every
                answer whose body is JSON, before its HTTP status is looked at.
            rate_limit_window: The vendor's rate limit window in seconds, for a 429 that names no time.
            connections: How many threads may send at once.
        """
        self.vendor = vendor
        self._options = options
        self._authenticator = authenticator
        self._throttle = throttle
        self._check_answer = check_answer
        self._rate_limit_window = rate_limit_window
        self._clock_offset = timedelta()
        self._session = requests.Session()
        self._session.trust_env = False  # would read .netrc, and the environment anew for each request
        adapter = HTTPAdapter(pool_maxsize=connections, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers["User-Agent"] = options.user_agent

    def server_time(self) -> datetime:
        """Return the time by the vendor's clock, as its last answer told it.

        Returns:
            The time in UTC; by this machine's clock while the vendor has told none.
        """
        return datetime.now(UTC) + self._clock_offset

    def send(self, request: requests.Request, *, what: str) -> ApiResponse:
        """Send a request until it is answered, and check the answer.

        Args:
            request: The request without credentials.
            what: What is being asked for, for messages, such as `audit events`.

        Returns:
            An answer with status 2xx and a JSON body that the vendor does not mean as an error.

        Raises:
            CredentialsError: If the vendor does not accept the credentials, renewed once where that is possible.
            RefusedError: If the vendor does not allow this request.
            ApiError: If the answer is an error, or there is none after the tries and waits that are allowed.
        """
        where = f"{self.vendor}: {what}"
        budget = RetryBudget(self._options.max_retry_wait_seconds, rate_limit_window=self._rate_limit_window)
        retrying = backoff.on_exception(
            budget.waits,
            TransientError,
            max_tries=MAX_TRIES,
            jitter=None,  # the budget has its own: nothing may be added to what it counts
            on_backoff=lambda details: logger.warning(
                "%s. Trying again in %.1f s.", details.get("exception"), details.get("wait", 0.0)
            ),
            logger=None,
        )
        try:
            return retrying(self._send_once_authenticated)(request, where)
        except TransientError as error:
            message = (
                f"{error}. Gave up after {budget.tries} tries and {budget.waited:.0f} s of waiting"
                + (f"; the vendor asks to wait {error.retry_after:.0f} s" if error.retry_after else "")
                + ". Run again later; max_retry_wait_seconds allows longer waits."
            )
            raise ApiError(message, status=error.status) from error

    def _send_once_authenticated(self, request: requests.Request, where: str) -> ApiResponse:
        """Send; where the vendor has tokens, a refused one is renewed once."""
        authenticator = self._authenticator
        if not isinstance(authenticator, TokenAuthenticator):
            return self._send_once(request, where, authenticator)
        token = authenticator.current()
        try:
            return self._send_once(request, where, authenticator)
        except CredentialsError:
            logger.info("%s: the token is no longer accepted; renewing it once.", where)
            authenticator.discard(token)
            return self._send_once(request, where, authenticator)

    def _send_once(self, request: requests.Request, where: str, authenticator: AuthBase | None) -> ApiResponse:
        if self._throttle is not None:
            self._throttle.wait()
        prepared = self._session.prepare_request(request)
        if authenticator is not None:
            prepared = authenticator(prepared)
        started = time.monotonic()
        response = self._exchange(prepared, where)
        logger.debug(
            "%s: %s answered %s after %.2f s", where, prepared.method, response.describe(), time.monotonic() - started
        )
        self._note_server_time(response)
        self._check(response, where)
        return response

    def _exchange(self, prepared: requests.PreparedRequest, where: str) -> ApiResponse:
        """Send and read the whole body within the time allowed."""
        url = t.cast("str", prepared.url)
        deadline = time.monotonic() + self._options.timeout_seconds
        try:
            response = self._session.send(
                prepared,
                stream=True,
                timeout=(_CONNECT_SECONDS, self._options.timeout_seconds),
                allow_redirects=False,
                proxies=_proxies(urlsplit(url).scheme, urlsplit(url).netloc),
                verify=_ca_bundle(),
            )
            with response:
                return ApiResponse.complete(response, self._read_body(response, where, deadline))
        except requests.exceptions.SSLError as error:
            if not _is_bad_certificate(error):
                raise TransientError("the TLS connection broke", where=where) from error
            msg = "the server's certificate is not trusted"
            advice = "If a proxy in between has its own CA, name its bundle in REQUESTS_CA_BUNDLE"
            raise ApiError(msg, where=where, advice=advice) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            msg = f"the request cannot be sent: {type(error).__name__}"
            raise ApiError(msg, where=where, advice="Check the URL and credentials in the settings") from error
        except requests.exceptions.Timeout as error:
            msg = f"no answer within {self._options.timeout_seconds:g} s"
            raise TransientError(msg, where=where) from error
        # The messages of these errors show the URL with its query: only their kind is told.
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            msg = f"the connection failed: {_root_cause(error)}"
            raise TransientError(msg, where=where) from error

    def _read_body(self, response: requests.Response, where: str, deadline: float) -> bytes:
        body = bytearray()
        # `read1` returns what has arrived; `read` would wait for a full buffer, forever if bytes drip in.
        while data := response.raw.read1(_READ_BYTES, decode_content=True):
            body += data
            if len(body) > _LARGEST_BODY:
                msg = f"the answer is larger than {_LARGEST_BODY >> 20} MiB"
                raise ApiError(msg, where=where)
            if time.monotonic() > deadline:
                msg = f"the answer was not complete within {self._options.timeout_seconds:g} s"
                raise TransientError(msg, where=where)
        return bytes(body)

    def _check(self, response: ApiResponse, where: str) -> None:
        payload_error: ValueError | None = None
        try:
            response.json()
        except ValueError as error:
            payload_error = error
        else:
            if self._check_answer is not None:
                self._check_answer(response)
        self._check_status(response, where)
        if payload_error is not None:
            msg = "the answer is not JSON"
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
            advice = f"Check the {self.vendor} credentials in the settings: wrong, expired or revoked"
            raise CredentialsError(msg, where=where, answer=answer, status=status, advice=advice)
        if status == HTTPStatus.FORBIDDEN:
            msg = "the credentials do not allow this"
            advice = "Ask the vendor's administrator for the permission, or check an IP allow list"
            raise RefusedError(msg, where=where, answer=answer, status=status, advice=advice)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            msg = "the API answered with a redirect, which is never followed"
            raise ProtocolError(msg, where=where, answer=answer, status=status, advice="Check the URL in the settings")
        raise ApiError("the request was not accepted", where=where, answer=answer, status=status)

    def _note_server_time(self, response: requests.Response) -> None:
        try:
            told = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return
        if told.tzinfo is not None:
            self._clock_offset = told - datetime.now(UTC)


def _is_bad_certificate(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _root_cause(error: BaseException) -> str:
    """Name the innermost error, such as `ConnectionRefusedError` or `NameResolutionError`."""
    *_, last = _causes(error)
    return type(last).__name__


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """Walk from an error to what caused it, through `args` and `reason`, where urllib3 keeps causes."""
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
    """Look the environment's proxies up once per host."""
    return requests.utils.get_environ_proxies(f"{scheme}://{host}/")


@lru_cache
def _ca_bundle() -> str | bool:
    """Return the CA bundle that the environment names; True means the library's own."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((os.environ[name] for name in names if os.environ.get(name)), True)
