"""The base of each vendor's `doctor` module."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass, field
from http import HTTPStatus

from tap_auditlogs.core.errors import ApiError, CredentialsError, RefusedError, TransientError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import requests

    from tap_auditlogs.core.http import ApiResponse, HttpClient
    from tap_auditlogs.core.stream import AuditStream
    from tap_auditlogs.core.vendor import Settings
    from tap_auditlogs.doctor.assumptions import Assumption
    from tap_auditlogs.doctor.checks import Check
    from tap_auditlogs.doctor.estimates import Estimate, Pace
    from tap_auditlogs.doctor.request_log import RequestLog

Row: t.TypeAlias = "Mapping[str, t.Any]"


@dataclass(frozen=True)
class Sample:
    """One page of a stream.

    Attributes:
        rows: The rows under the vendor's names.
        page_size: How many rows were asked for, or a full page has; None if there is no such number.
    """

    rows: Sequence[Row]
    page_size: int | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a probe: accepted with a response, or refused with an error."""

    response: ApiResponse | None
    error: ApiError | None = None

    @property
    def accepted(self) -> bool:
        """Whether the vendor did what was asked."""
        return self.error is None

    @property
    def code(self) -> int | None:
        """The HTTP status."""
        return self.error.status if self.error else self.response.status_code if self.response is not None else None

    @property
    def status(self) -> str:
        """The HTTP status, for a reason."""
        return f"HTTP {self.code}"

    @property
    def told(self) -> str:
        """What the vendor did and with which status, for a reason."""
        return f"{'accepted' if self.accepted else 'refused'} with {self.status}"


@dataclass
class VendorDoctor(abc.ABC):
    """Asks one vendor.

    A vendor's module `doctor` has a subclass named `Doctor`. Its requests go through the client that the tap uses,
    which counts them and refuses more than 40 and those that change anything.

    Attributes:
        assumptions: All assumptions about this vendor.
        reading_posts: The ends of the paths to which a POST changes nothing, such as a login.
        enumerations: For some streams, the known values of some of the vendor's fields.
        log: The requests so far.
        samples: One page of each stream that could be read, by the stream's name.
    """

    assumptions: t.ClassVar[Sequence[Assumption[t.Any]]]
    reading_posts: t.ClassVar[Collection[str]] = ()
    enumerations: t.ClassVar[Mapping[str, Mapping[str, Collection[t.Any]]]] = {}

    settings: Settings
    client: HttpClient
    streams: Mapping[str, AuditStream]
    log: RequestLog
    samples: dict[str, Sample] = field(default_factory=dict)

    @property
    @abc.abstractmethod
    def pace(self) -> Pace:
        """How fast the tap may ask."""

    @abc.abstractmethod
    def sample(self, stream: str) -> Sample:
        """Request one page of a stream as the tap does; raises a `TapError` if it cannot be read."""

    def permission(self, stream: str) -> str:
        """Name the permission that a stream needs, for when it is refused."""
        return f"permission to read `{stream}`"

    def checks(self) -> Iterable[Check]:
        """Check what only this vendor has, such as the expiry of the account, or settings that cannot work."""
        return ()

    @abc.abstractmethod
    def estimates(self) -> Iterable[Estimate]:
        """Estimate each stream that could be read. A vendor is asked last for this, with the requests that are left."""

    def rows(self, stream: str) -> Sequence[Row]:
        """Return the rows of a stream's sample; none if it could not be read."""
        sample = self.samples.get(stream)
        return sample.rows if sample else ()

    def ask(self, request: requests.Request, *, what: str = "a probe", authenticated: bool = True) -> Answer:
        """Send a probe; raises as `answer` does."""
        return self.answer(lambda: self.client.send(request, what=what, authenticated=authenticated))

    def answer(self, send: Callable[[], ApiResponse]) -> Answer:
        """Send a probe in the tap's own way.

        Raises:
            ApiError: For an answer that says nothing about the probe: none, throttling, a fault of the server, wrong
                credentials or a missing permission.
        """
        try:
            return Answer(send())
        except ApiError as error:
            failure = first_failure(error)
            if self.is_refusal(failure):
                return Answer(None, failure)
            raise

    def answer_or_error(self, send: Callable[[], Answer]) -> Answer:
        """Send a probe for which any status counts; raises for throttling, outages and wrong credentials."""
        try:
            return send()
        except ApiError as error:
            if isinstance(error, CredentialsError) or _says_nothing(first_failure(error)):
                raise
            return Answer(None, error)

    def ask_without_credentials(self, request: requests.Request) -> Answer:
        """Send a probe likewise, for which it also counts that credentials are missing."""
        try:
            return self.answer_or_error(lambda: self.ask(request, authenticated=False))
        except CredentialsError as error:
            return Answer(None, error)

    def is_refusal(self, error: ApiError) -> bool:
        """Return whether an error means that the vendor refuses the parameters of a request."""
        if isinstance(error, CredentialsError | RefusedError | TransientError) or error.status is None:
            return False
        return HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR


def _says_nothing(error: ApiError) -> bool:
    """Return whether an error tells of throttling or an outage, whatever was asked; 500 may be due to the request."""
    if error.status is None:
        return True
    return isinstance(error, TransientError) and error.status != HTTPStatus.INTERNAL_SERVER_ERROR


def first_failure(error: ApiError) -> ApiError:
    """Return the error without what the client adds when it gives up: the doctor tries only once."""
    cause = error.__cause__
    return cause if isinstance(cause, TransientError) else error
