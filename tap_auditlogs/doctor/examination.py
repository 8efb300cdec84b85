"""Examines one vendor: host, clock, credentials, streams, shapes, assumptions, estimate."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from tap_auditlogs.core.errors import (
    AnswerTimeoutError,
    ApiError,
    CredentialsError,
    RefusedError,
    SkippedStreamError,
    TapError,
    TransientError,
    unit_failure,
)
from tap_auditlogs.doctor import shapes
from tap_auditlogs.doctor.assumptions import Finding, Outcome, not_observable
from tap_auditlogs.doctor.checks import Check, Status, counted
from tap_auditlogs.doctor.estimates import total
from tap_auditlogs.doctor.request_log import MOST_REQUESTS, NotSentError
from tap_auditlogs.doctor.vendor_doctor import first_failure

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.doctor.assumptions import Assumption
    from tap_auditlogs.doctor.estimates import Estimate, Load
    from tap_auditlogs.doctor.vendor_doctor import VendorDoctor

_TOLERATED_SKEW = timedelta(minutes=1)
_LIMIT_HEADER = re.compile(r"rate-?limit|retry-after|quota|throttl")
_UNKNOWN_NAME = (
    "The host's name is not known here: check the URL in the settings, the name server, and whether a proxy is needed "
    "(HTTPS_PROXY)"
)
_NEXT_STEPS = {
    "NameResolutionError": _UNKNOWN_NAME,
    "gaierror": _UNKNOWN_NAME,
    "ConnectionRefusedError": "Check the URL and port in the settings, and the firewall",
    "SSLCertVerificationError": "If a proxy in between has its own CA, name its bundle in REQUESTS_CA_BUNDLE",
}
_PROXY_STEP = "Check the proxy in HTTPS_PROXY or ALL_PROXY, and whether this host needs it (NO_PROXY)"
_SEE_MESSAGE = "The message above says what to do; attach the report to an issue if it does not help"
_TOO_MANY = "Wait some minutes and run the doctor again; other jobs may share the vendor's limit"
_VENDOR_FAULT = "The vendor has a problem: run the doctor again later"
_NOT_THE_API = (
    "Check the URL in the settings, and whether a proxy or a login page answers in the vendor's place; attach the "
    "report to an issue if it does not help"
)
_DEFAULT_STEP = "Check the URL in the settings, the network, the firewall and the proxy"


@dataclass
class Examination:
    """What was found out about one vendor.

    Attributes:
        reached: Whether the vendor answered and accepted the credentials, so that the rest could be asked.
    """

    doctor: VendorDoctor
    title: str
    checks: list[Check] = field(default_factory=list)
    findings: list[tuple[Assumption[t.Any], Finding]] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)
    reached: bool = False
    _lost: CredentialsError | None = field(default=None, init=False)

    @property
    def is_well(self) -> bool:
        """Whether every configured stream may be read and nothing is contradicted."""
        return self.reached and not (
            any(check.status is Status.FAILED for check in self.checks)
            or any(finding.outcome is Outcome.CONTRADICTED for _, finding in self.findings)
        )

    @property
    def first_run(self) -> Load:
        """The estimate for all streams of a first run."""
        return total(estimate.first_run for estimate in self.estimates)

    @property
    def hourly_run(self) -> Load:
        """The estimate for all streams of an hourly run."""
        return total(estimate.hourly_run for estimate in self.estimates)

    def minutes(self, load: Load) -> float:
        """Return how long a run will take: the time for answers as measured, and the vendor's limit."""
        return self.doctor.pace.minutes(load.requests, self.doctor.log.mean_seconds)

    def run(self) -> None:
        """Ask the vendor."""
        streams = list(self._read_streams())
        self.checks += self._check_host()
        self.checks += streams
        if self.reached:
            self.checks += self._compare_shapes()
            self.checks += self._vendor_checks()
            self.findings += [(it, self._probe(it)) for it in self.doctor.assumptions]
            self.checks += self._estimate()
            self.checks += self._check_credentials_last()
        else:
            unseen = not_observable("the vendor could not be asked")
            self.findings += [(it, unseen) for it in self.doctor.assumptions]
        self.checks += self._check_requests()

    def _read_streams(self) -> Iterator[Check]:
        """Read a page of each stream; yields the check of the credentials first."""
        try:
            self.doctor.client.log_in()
            results = [self._read_stream(name) for name in self.doctor.streams]
        except Exception as error:  # noqa: BLE001 - the other vendors are examined whatever it is
            yield self._failed_login(error)
            return
        self.reached = True
        if any(result.status is Status.OK for result in results):
            yield Check("credentials", Status.OK, "accepted")
        else:
            yield Check("credentials", Status.NOT_CHECKED, "no stream could be read, see below")
        yield from results

    def _failed_login(self, error: Exception) -> Check:
        failure = _direct(error)
        if not self.doctor.log.statuses:
            return Check("credentials", Status.NOT_CHECKED, "the vendor did not answer", detail=str(failure))
        if isinstance(failure, CredentialsError):
            step = "Check this vendor's credentials in the settings: they are wrong, expired or revoked"
            return Check("credentials", Status.FAILED, f"refused ({_kind(failure)})", step, str(failure))
        if isinstance(failure, TransientError):  # says nothing about the credentials
            reason = f"the login did not get through ({_kind(failure)})"
            return Check("credentials", Status.NOT_CHECKED, reason, _next_step(failure), str(failure))
        return Check("credentials", Status.FAILED, _kind(failure), _next_step(failure), str(failure))

    def _read_stream(self, name: str) -> Check:
        """Read one page.

        Raises:
            CredentialsError: If the credentials are not accepted, so that no stream can be read.
            Exception: If the vendor has not answered at all.
        """
        label = f"stream {name}"
        try:
            sample = self.doctor.sample(name)
        except CredentialsError:
            raise
        except SkippedStreamError as error:
            step = f"If you need it, ask the vendor's administrator for {self.doctor.permission(name)}"
            return Check(label, Status.WARNING, "may not be read; the tap skips it", step, str(error))
        except RefusedError as error:
            step = f"Ask the vendor's administrator for {self.doctor.permission(name)}"
            return Check(label, Status.FAILED, f"may not be read ({_kind(error)})", step, str(error))
        except Exception as error:
            if not self.doctor.log.statuses:
                raise
            failure = _direct(error)
            return Check(label, Status.FAILED, f"cannot be read ({_kind(failure)})", _next_step(failure), str(failure))
        self.doctor.samples[name] = sample
        rows = len(sample.rows)
        page = counted(rows, "row") + ("" if sample.page_size is None else f" of a page of {sample.page_size}")
        return Check(label, Status.OK, f"may be read; {page}", facts={"rows": rows, "page_size": sample.page_size})

    def _check_host(self) -> Iterator[Check]:
        log = self.doctor.log
        if log.first_failure is not None and not log.statuses:
            yield self._unreached_host(log.first_failure)
            return
        if log.last is None:
            return
        url = log.last.url or ""
        proxy = bool(requests.utils.get_environ_proxies(url))
        bundle = any(os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
        is_tls = urlsplit(url).scheme == "https"
        path = [
            "over TLS" if is_tls else "without TLS, on loopback",
            "through the environment's proxy" if proxy else "without a proxy",
            *(["with the environment's CA bundle"] if bundle else []),
        ]
        facts = {"tls": is_tls, "proxy": proxy, "ca_bundle": bundle, "mean_seconds": round(log.mean_seconds, 3)}
        yield Check("host", Status.OK, f"reached {', '.join(path)}", facts=facts)
        yield self._check_clock()

    def _unreached_host(self, failure: ApiError) -> Check:
        log = self.doctor.log
        detail = f"{log.first_failed_host}: {failure}"
        if log.is_proxy_failure:
            return Check("host", Status.FAILED, f"proxy not reached ({log.first_cause})", _PROXY_STEP, detail)
        if isinstance(failure, AnswerTimeoutError):
            return Check("host", Status.FAILED, f"no answer in time ({log.first_cause})", _DEFAULT_STEP, detail)
        step = _NEXT_STEPS.get(log.first_cause, _DEFAULT_STEP)
        return Check("host", Status.FAILED, f"not reached ({log.first_cause})", step, detail)

    def _check_clock(self) -> Check:
        skew = self.doctor.log.skew
        if skew is None:
            return Check("clock", Status.NOT_CHECKED, "no answer has a `Date`")
        seconds = round(skew.total_seconds())
        facts = {"vendor_ahead_seconds": seconds}
        if abs(skew) <= _TOLERATED_SKEW:
            return Check("clock", Status.OK, "as the vendor's, within a minute", facts=facts)
        direction = "behind" if seconds > 0 else "ahead of"
        return Check(
            "clock",
            Status.WARNING,
            f"this machine's is {abs(seconds)} s {direction} the vendor's",
            "Synchronise this machine's clock. The tap follows the vendor's clock, but signed logins and TLS may fail",
            facts=facts,
        )

    def _compare_shapes(self) -> Iterator[Check]:
        for name, sample in self.doctor.samples.items():
            known = self.doctor.enumerations.get(name, {})
            yield shapes.compare(self.doctor.streams[name], sample.rows, known).as_check()

    def _vendor_checks(self) -> Iterator[Check]:
        try:
            yield from self.doctor.checks()
        except Exception as error:  # noqa: BLE001 - the assumptions are probed whatever it is
            failure = self._noted(error)
            yield Check("account", Status.NOT_CHECKED, _kind(failure), detail=str(failure))

    def _probe(self, assumption: Assumption[t.Any]) -> Finding:
        try:
            return assumption.probe(self.doctor)
        except NotSentError as error:
            return not_observable(str(error))
        except TapError as error:
            return not_observable(f"the probe was not answered ({_kind(self._noted(error))})")
        except Exception as error:  # noqa: BLE001 - the next one is probed whatever it is
            return not_observable(f"the answers are not what the probe expects ({type(error).__name__})")

    def _estimate(self) -> Iterator[Check]:
        try:
            self.estimates += self.doctor.estimates()
        except Exception as error:  # noqa: BLE001 - likewise
            failure = self._noted(error)
            yield Check("estimate", Status.NOT_CHECKED, _kind(failure), detail=str(failure))

    def _noted(self, error: Exception) -> TapError:
        """Return the failure; one of the credentials, which were accepted before, becomes a check."""
        failure = _direct(error)
        if isinstance(failure, CredentialsError):
            self._lost = failure
        return failure

    def _check_credentials_last(self) -> Iterator[Check]:
        if self._lost is not None:
            reason = f"accepted at first, and later refused ({_kind(self._lost)})"
            step = "Check whether they have been revoked or have expired meanwhile, and run the doctor again"
            yield Check("credentials in use", Status.FAILED, reason, step, str(self._lost))

    def _check_requests(self) -> Iterator[Check]:
        log = self.doctor.log
        names = sorted(set(map(shapes.public_name, log.header_names)))
        limits = [name for name in names if _LIMIT_HEADER.search(name)]
        seen = f"headers about limits: {', '.join(limits)}" if limits else "no header about limits"
        facts = {"sent": log.sent, "limit": MOST_REQUESTS, "headers": names}
        reason = f"{log.sent} of at most {MOST_REQUESTS}; {seen}"
        if log.is_silent:
            step = "Check the network and the proxy; request_timeout_seconds allows longer answers"
            reason += "; one was not answered within request_timeout_seconds, and then nothing more was asked"
            yield Check("requests", Status.FAILED, reason, step, facts=facts)
        elif log.throttled:
            step = "Other jobs share the limit: run the doctor again later"
            yield Check("requests", Status.WARNING, f"{reason}; throttled: {len(log.throttled)}", step, facts=facts)
        else:
            yield Check("requests", Status.OK, reason, facts=facts)


def _direct(error: Exception) -> TapError:
    return first_failure(error) if isinstance(error, ApiError) else unit_failure(error)


def _next_step(error: TapError) -> str:
    """Return what the operator can do about an error other than a refusal."""
    match error:
        case ApiError(status=HTTPStatus.TOO_MANY_REQUESTS):
            return _TOO_MANY
        case ApiError(status=int(status)) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _VENDOR_FAULT
        case ApiError(status=HTTPStatus.OK | HTTPStatus.NOT_FOUND):
            return _NOT_THE_API
        case _:
            return _SEE_MESSAGE


def _kind(error: TapError) -> str:
    """Describe an error for the report, without its message."""
    match error:
        case NotSentError():
            return "not asked"
        case AnswerTimeoutError():
            return "no answer in time"
        case ApiError(status=HTTPStatus.OK) if not isinstance(error, CredentialsError | RefusedError):
            return "HTTP 200, but not the expected answer"
        case ApiError(status=int(status)):
            return f"HTTP {status}"
        case ApiError():
            return type(error).__name__
        case _:
            return "an unexpected error" if type(error) is TapError else type(error).__name__
