"""The HTTP client: sends one request and returns a complete, accepted answer or raises what the operator can read."""

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

from tap_auditlogs.core.errors import ApiError, CredentialsError, ProtocolError, RefusedError, TransientError
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
"""No page of any vendor comes near; a decompression bomb does, perhaps in each of several threads at once."""

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


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the library's signature
        """Look at no `Location`: the library reads it even where it is not to be followed, and fails on nonsense."""
        return


class HttpClient:
    """One vendor's HTTP: one session with its connections, credentials, pace and rules.

    No redirect is followed, the environment's proxies and CA bundle are honoured, `.netrc` is not.

    Attributes:
        vendor: The vendor's name for messages.
        clock: The vendor's clock.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, each one a rule of its own
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
        """Set up; nothing is sent.

        Args:
            vendor: The vendor's name for messages.
            options: What the operator has set.
            authenticator: Signs each request.
            throttle: Asked before each request.
            check_answer: Raises an `ApiError` for an answer that the vendor means as an error; called for every
                answer whose body is JSON, before its HTTP status is looked at.
            check_status: Raises an `ApiError` for a status that has a meaning of its own with this vendor; called
                for every answer that `check_answer` has let pass, whatever its body.
            rate_limit_window: The vendor's rate limit window in seconds, for a 429 that names no time.
            connections: How many requests may be in flight at once.
            keep_cookies: Whether to return the cookies that servers set. An API is spoken to with credentials only.
            clock: The vendor's clock, if another client shares it.
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
        self._session.trust_env = False  # would read .netrc, and the environment anew for each request
        adapter = DeadlineAdapter(pool_maxsize=connections, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers["User-Agent"] = options.user_agent
        if not keep_cookies:
            self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def server_time(self) -> datetime:
        """Return the time by the vendor's clock, as its last answer told it.

        Returns:
            The time in UTC; by this machine's clock while the vendor has told none.
        """
        return self.clock.now()

    def log_in(self) -> None:
        """Obtain a token now, where the vendor has tokens, instead of with the first request.

        Raises:
            ApiError: If there is none to be had.
        """
        if isinstance(self._authenticator, TokenAuthenticator):
            self._authenticator.current()

    def send(
        self, request: requests.Request, *, what: str, authenticated: bool = True, expect: Expected = "json"
    ) -> ApiResponse:
        """Send a request until it is answered, and check the answer.

        Args:
            request: The request without credentials.
            what: What is being asked for, for messages, such as `audit events`.
            authenticated: Whether to sign the request; an authenticator asks for its token without.
            expect: What a good answer is: `json`, status 2xx and a JSON body; `text`, status 2xx and any body;
                `redirect`, status 3xx, which the caller reads and never follows blindly.

        Returns:
            An answer as expected that the vendor does not mean as an error.

        Raises:
            CredentialsError: If the vendor does not accept the credentials, renewed once where that is possible.
            RefusedError: If the vendor does not allow this request.
            ApiError: If the answer is an error, or there is none after the tries and waits that are allowed.
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
        """Make attempts until one succeeds, or tries and waits are used up."""
        budget = RetryBudget(self._options.max_retry_wait_seconds, rate_limit_window=self._rate_limit_window)
        retrying = backoff.on_exception(
            budget.waits,
            TransientError,
            max_tries=tries,
            jitter=None,  # the budget has its own: nothing may be added to what it counts
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
        """Make an attempt; where the vendor has tokens, a refused one is renewed once."""
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
        """Sign a request, and refuse what HTTP cannot carry, such as a credential pasted with a line break."""
        try:
            prepared = self._session.prepare_request(request)
        except ValueError as error:  # the base of the library's errors about URLs
            msg = f"the request cannot be sent: {type(error).__name__}"
            raise ApiError(msg, where=where, advice="Check the URL and user_agent in the settings") from error
        if authenticator is not None:
            prepared = authenticator(prepared)
        for name, value in prepared.headers.items():
            if not _is_header_value(value):
                msg = f"the request cannot be sent: its header {name} would hold a line break or a character that HTTP "
                msg += "cannot carry"
                raise ApiError(msg, where=where, advice="Check the credentials and user_agent in the settings")
        return prepared

    def _exchange(
        self, prepared: requests.PreparedRequest, where: str, read_body: Callable[[requests.Response, str], bytes]
    ) -> ApiResponse:
        """Send and read the whole body within the time allowed."""
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
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
            msg = f"no complete answer within {self._read_seconds:g} s"
            raise TransientError(msg, where=where) from error
        # The messages of these errors show the URL with its query: only their kind is told.
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            link = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else "the connection"
            msg = f"{link} failed: {_root_cause(error)}"
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
            msg = "the answer is not the redirect that belongs here"
            raise ProtocolError(msg, where=where, answer=response.describe(), status=response.status_code)
        if payload_error is not None and expect == "json":
            is_deep = isinstance(payload_error.__cause__, RecursionError)
            msg = "the answer is nested too deep to be read" if is_deep else "the answer is not JSON"
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


def _is_header_value(value: str | bytes) -> bool:
    text = value if isinstance(value, str) else value.decode("latin-1")
    return all(ord(character) < 256 and character not in "\r\n\0" for character in text)  # noqa: PLR2004 - Latin-1


def _is_bad_certificate(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _root_cause(error: BaseException) -> str:
    """Name the innermost error, such as `ConnectionRefusedError` or `NameResolutionError`."""
    *_, last = _causes(error)
    kind = type(last)
    return kind.__name__ if kind.__name__ != "error" else f"{kind.__module__}.error"


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
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                msg = f"{name} in the environment names a CA bundle that is not there"
                raise ApiError(msg, advice="Correct the path, or unset the variable")
            return path
    return True
