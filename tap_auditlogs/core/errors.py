"""The tap's own errors: each says what failed, where, what the vendor answered and what to do."""

from __future__ import annotations

import logging
import traceback
import typing as t
from pathlib import Path

logger = logging.getLogger(__name__)

_ADVICE_ON_STRANGE_ANSWERS = "Run again later. If the error persists, check the URL in the settings"


class TapError(Exception):
    """An expected failure, told in one message; its traceback would add nothing for the operator."""


class StateError(TapError):
    """A state that cannot be understood. It is refused, never taken for "no state"."""


class SkippedStreamError(TapError):
    """A stream that this account cannot have and that is not worth a failed run: told once, exit code 0."""


class OutputError(TapError):
    """Standard output takes no more messages: the target is gone or the disk is full."""


class ApiError(TapError):
    """A vendor's API did not give what was asked for.

    Attributes:
        status: The HTTP status, where there was an answer.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str = "",
        answer: str = "",
        advice: str = "",
        status: int | None = None,
    ) -> None:
        """Put the message together.

        Args:
            problem: What failed.
            where: The vendor, stream or object it concerns.
            answer: What the vendor said, in our words: never a body, a URL query or a secret.
            advice: What the operator can do.
            status: The HTTP status, where there was an answer.
        """
        self.status = status
        message = f"{where}: {problem}" if where else problem
        if answer:
            message += f" ({answer})"
        if advice:
            message += f". {advice}"
        super().__init__(message)


class CredentialsError(ApiError):
    """The vendor does not accept the credentials. Never tried again."""


class RefusedError(ApiError):
    """The vendor knows the credentials but does not allow this request. Never tried again."""


class ProtocolError(ApiError):
    """The vendor's answer contradicts what is known of its API; going on could lose records."""

    def __init__(self, problem: str, *, advice: str = "", **parts: t.Any) -> None:
        """Put the message together.

        Args:
            problem: What failed.
            advice: What the operator can do; by default what helps against any strange answer.
            **parts: As for `ApiError`.
        """
        super().__init__(problem, advice=advice or _ADVICE_ON_STRANGE_ANSWERS, **parts)


class TransientError(ApiError):
    """A failure that is worth another try.

    Attributes:
        retry_after: The seconds the vendor asks to wait, where it says so.
    """

    def __init__(self, problem: str, *, retry_after: float | None = None, **parts: t.Any) -> None:
        """Put the message together.

        Args:
            problem: What failed.
            retry_after: The seconds the vendor asks to wait, where it says so.
            **parts: As for `ApiError`.
        """
        super().__init__(problem, **parts)
        self.retry_after = retry_after


def unit_failure(error: Exception) -> TapError:
    """Return what to report for the unit (stream, file, object, page, mapping) that an exception ended.

    Call it in `except Exception`, then go on with the next unit. A `TapError` is returned as it is. Of any other
    exception, which is a fault of the tap or of its environment, the traceback is logged at debug level.

    Raises:
        OutputError: If this is the exception: without standard output there is no next unit.
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
