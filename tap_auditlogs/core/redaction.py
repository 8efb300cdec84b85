"""Masks secrets in every log line, whichever library writes it."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import typing as t
from urllib.parse import quote, quote_plus

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
SHORTEST_SECRET = 6
"""Masking shorter texts would spoil ordinary words, and the text could be guessed from what is left."""


class Redactor:
    """Masks the secrets of this process, raw or encoded, in any text."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, *secrets: str) -> None:
        """Mask these credentials or tokens from now on."""
        forms = {form for secret in secrets for form in _forms(secret.strip())}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """Return the text with `***` in place of each secret."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms of a secret: raw, escaped, in a URL, in base64."""
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
    for shift in range(3):  # base64 differs with the position within a group of three bytes
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode()
            start = (0, 2, 3)[shift]
            end = len(text) - (0, 3, 2)[(shift + len(raw)) % 3]
            if end - start >= SHORTEST_SECRET:
                yield text[start:end]


redact = Redactor()
"""The process's one instance, since logging is shared by the whole process."""


class RedactionFilter(logging.Filter):
    """Masks secrets in a record's message, traceback and extra fields."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = _message(record)
        masked = redact(message)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            if (masked_trace := redact(trace)) != trace:
                # As text in the message: formatters would print `exc_info` unmasked.
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
    except Exception:  # noqa: BLE001 - a library's mistake, which must not end the run
        record.msg, record.args = f"{record.msg} [the arguments do not fit this message]", None
        return str(record.msg)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - likewise
        return ""


_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__)


def redact_all_logging() -> None:
    """Add the filter to every handler, and turn off the HTTP library's own logging of URLs."""
    masking = RedactionFilter()
    for handler in _handlers():
        if not any(isinstance(existing, RedactionFilter) for existing in handler.filters):
            handler.addFilter(masking)
    # Below ERROR urllib3 logs URLs with their queries; `HttpClient` logs requests without them.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _handlers() -> Iterable[logging.Handler]:
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    return {handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers}
