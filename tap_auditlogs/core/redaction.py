"""Secrets stay out of every log line, whichever library writes it."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import typing as t
from urllib.parse import quote, quote_plus

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
SHORTEST_SECRET = 6
"""Shorter texts would mask half of every message and still be easy to guess from what is left."""


class Redactor:
    """Knows the secrets of this process and masks them, raw or encoded, in any text."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, *secrets: str) -> None:
        """Mask these from now on.

        Args:
            *secrets: Configured credentials or tokens obtained with them.
        """
        forms = {form for secret in secrets for form in _forms(secret.strip())}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """Mask every known secret in a text.

        Args:
            text: Any text.

        Returns:
            The text with `***` in place of each secret.
        """
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def _forms(secret: str) -> Iterator[str]:
    """The shapes in which a secret turns up: as it is, escaped, in a URL, in base64."""
    if len(secret) < SHORTEST_SECRET:
        return
    raw = secret.encode(errors="surrogatepass")
    yield secret
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), encoded)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    for shift in range(3):  # base64 looks different at each of the three places in a group
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode()
            start = (0, 2, 3)[shift]
            end = len(text) - (0, 3, 2)[(shift + len(raw)) % 3]
            if end - start >= SHORTEST_SECRET:
                yield text[start:end]


redact = Redactor()
"""The process's one redactor: logging is shared by the whole process, so this has to be, too."""


class RedactionFilter(logging.Filter):
    """Masks secrets in a record's message, traceback and extra fields."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask in place; a record without secrets is left exactly as it was.

        Args:
            record: Any record.

        Returns:
            Always True.
        """
        message = _message(record)
        masked = redact(message)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            if (masked_trace := redact(trace)) != trace:
                # The text form goes into the message: formatters that print `exc_info` would print it raw.
                masked = f"{masked}\n{masked_trace}"
                record.exc_info = record.exc_text = None
        if masked != message:
            record.msg, record.args = masked, None
        for name, value in record.__dict__.items():
            if name not in _STANDARD_FIELDS and redact(text := _repr(value)) != text:
                setattr(record, name, redact(text))
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's mistake, which `logging` itself would survive
        record.msg, record.args = f"{record.msg} [the arguments do not fit this message]", None
        return str(record.msg)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - likewise
        return ""


_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__)


def redact_all_logging() -> None:
    """Put the filter on every handler there is, and keep the HTTP library's own URL logging off."""
    masking = RedactionFilter()
    for handler in _handlers():
        if not any(isinstance(existing, RedactionFilter) for existing in handler.filters):
            handler.addFilter(masking)
    # Below ERROR urllib3 writes URLs with their queries; our own client logs requests without them.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _handlers() -> Iterable[logging.Handler]:
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    return {handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers}
