"""Errors with a message for the operator: what failed, where, what the vendor answered and what to do."""

from __future__ import annotations

import logging
import traceback
import typing as t
from pathlib import Path

logger = logging.getLogger(__name__)

_DEFAULT_ADVICE = "Run again later. If the error persists, check the URL in the settings"


class TapError(Exception):
    """An expected failure: its message is logged without a traceback."""


class StateError(TapError):
    """The state cannot be understood; never treated as an empty state."""


class SkippedStreamError(TapError):
    """This account may not read the reference data: logged as a warning, and the run does not fail."""


class OutputError(TapError):
    """Standard output is closed or full: the target has ended, or the disk is full."""


class ApiError(TapError):
    """A request to a vendor's API failed."""

    def __init__(
        self,
        problem: str,
        *,
        where: str = "",
        answer: str = "",
        advice: str = "",
        status: int | None = None,
    ) -> None:
        """Build the message.

        Args:
            problem: What failed.
            where: The vendor, stream or object concerned.
            answer: A description of the answer; never a body, a URL query or a secret.
            advice: What the operator can do.
            status: The HTTP status; None without an answer.
        """
        self.status = status
        message = f"{where}: {problem}" if where else problem
        if answer:
            message += f" ({answer})"
        if advice:
            message += f". {advice}"
        super().__init__(message)


class CredentialsError(ApiError):
    """The vendor rejects the credentials. Never retried."""


class RefusedError(ApiError):
    """The vendor accepts the credentials but forbids this request. Never retried."""


class ProtocolError(ApiError):
    """The answer contradicts the vendor's API documentation; continuing could lose records."""

    def __init__(self, problem: str, *, advice: str = "", **parts: t.Any) -> None:
        super().__init__(problem, advice=advice or _DEFAULT_ADVICE, **parts)


class TransientError(ApiError):
    """A failure that is retried; `retry_after` is in seconds."""

    def __init__(self, problem: str, *, retry_after: float | None = None, **parts: t.Any) -> None:
        super().__init__(problem, **parts)
        self.retry_after = retry_after


class AnswerTimeoutError(TransientError):
    """The vendor did not answer in time."""


def unit_failure(error: Exception) -> TapError:
    """Return the error to report for the unit (stream, file, object, page, mapping) that failed.

    Call it in `except Exception`, then continue with the next unit. For an exception other than `TapError`, the
    traceback is logged at debug level.

    Raises:
        OutputError: If this is the exception, because no further unit can be written.
    """
    match error:
        case OutputError():
            raise error
        case TapError():
            return error
        case MemoryError():
            return TapError("out of memory. Allow the process more memory and run again")
    logger.debug("The traceback of an unexpected error:", exc_info=error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return TapError(
        f"unexpected {type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error!s:.300}. "
        "Set LOGLEVEL=debug to log the traceback"
    )
