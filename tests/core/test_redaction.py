"""Nothing that a handler writes shows a secret, in whatever form it got into the log."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import typing as t
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.logging import ConsoleFormatter, StructuredFormatter

from tap_auditlogs.core import redaction
from tap_auditlogs.core.redaction import MASK, SHORTEST_SECRET, RedactionFilter, Redactor, redact_all_logging
from tests.support.secret_scan import leaks

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = 'c4n4ry/+="&%\\é\n…end'
SECRETS = (
    st.text(min_size=SHORTEST_SECRET, max_size=40).map(str.strip).filter(lambda text: len(text) >= SHORTEST_SECRET)
)


@pytest.fixture(autouse=True)
def own_redactor(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    """The process's redactor, for this test only."""
    own = Redactor()
    own.add(SECRET)
    monkeypatch.setattr(redaction, "redact", own)
    return own


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, Callable[[], str]]]:
    """A logger with a handler of its own, and what the handler has written."""
    yield from _logger(ConsoleFormatter())


@pytest.fixture
def structured_log() -> Iterator[tuple[logging.Logger, Callable[[], str]]]:
    yield from _logger(StructuredFormatter())


def _logger(formatter: logging.Formatter) -> Iterator[tuple[logging.Logger, Callable[[], str]]]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    handler.addFilter(RedactionFilter())
    logger = logging.Logger("own")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(handler)
    yield logger, written.getvalue


FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "in a URL": lambda secret: quote(secret, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "in lower-case escapes": lambda secret: re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
    "in a query": lambda secret: urlencode({"token": secret, "x": "y"}),
    "in JSON": json.dumps,
    "in JSON of UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in a list": lambda secret: repr([secret]),
    "in bytes": lambda secret: repr(secret.encode()),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in basic authentication": lambda secret: base64.b64encode(f"client:{secret}".encode()).decode(),
    "in base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"a:{secret}:b".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_every_form_is_masked(own_redactor: Redactor, form: str, before: str) -> None:
    text = f"before {FORMS[form](SECRET)} after"
    assert leaks(text, [SECRET])
    masked = own_redactor(text)
    assert leaks(masked, [SECRET]) == []
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    inner = FORMS[form](before + SECRET + before)
    assert leaks(own_redactor(inner), [SECRET]) == []


@given(SECRETS, st.sampled_from(list(FORMS)), st.text(max_size=5), st.text(max_size=5))
def test_any_secret_is_masked_in_any_form(secret: str, form: str, before: str, after: str) -> None:
    own = Redactor()
    own.add(secret)
    try:
        text = FORMS[form](before + secret + after)
    except UnicodeEncodeError:  # half a surrogate pair fits into few forms
        return
    masked = own(text)
    assert secret not in masked
    assert MASK in masked


def test_short_secrets_are_left_alone() -> None:
    own = Redactor()
    own.add("", "   ", "a", "12345", " 12345 ")
    text = "a 12345 and an abbreviation"
    assert own(text) == text


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    own = Redactor()
    own.add("secret", "secret-and-more")
    assert own("secret-and-more secret") == f"{MASK} {MASK}"


def test_secrets_can_be_added_at_any_time() -> None:
    own = Redactor()
    assert own("t0k3n-1 t0k3n-2") == "t0k3n-1 t0k3n-2"
    own.add("t0k3n-1")
    own.add("t0k3n-2")
    assert own("t0k3n-1 t0k3n-2") == f"{MASK} {MASK}"


# Records.


def fail(message: str, because: Exception | None = None) -> t.NoReturn:
    raise ValueError(message) from because


class Unprintable:
    def __repr__(self) -> str:
        raise AttributeError


@pytest.mark.parametrize("kind", ["log", "structured_log"])
@pytest.mark.parametrize("form", FORMS)
def test_messages_and_arguments_are_masked(request: pytest.FixtureRequest, kind: str, form: str) -> None:
    logger, written = request.getfixturevalue(kind)
    value = FORMS[form](SECRET)
    logger.debug("value %s", value)
    logger.debug("values %r", {"a": [value]})
    logger.debug("%(named)s", {"named": value})
    logger.debug(value.replace("%", "%%"), *())
    logger.debug(Exception(value))
    assert leaks(written(), [SECRET]) == []
    assert written().count("\n") >= 5


@pytest.mark.parametrize("kind", ["log", "structured_log"])
def test_tracebacks_and_their_causes_are_masked(request: pytest.FixtureRequest, kind: str) -> None:
    logger, written = request.getfixturevalue(kind)
    try:
        fail(f"https://h/?token={quote(SECRET)}", because=KeyError(SECRET))
    except ValueError:
        logger.exception("it failed")
        logger.exception("it failed again", stack_info=True)
    assert leaks(written(), [SECRET]) == []
    assert "ValueError" in written()
    assert "it failed again" in written()


def test_a_traceback_without_secrets_is_left_to_the_formatter(
    structured_log: tuple[logging.Logger, Callable[[], str]],
) -> None:
    logger, written = structured_log
    try:
        fail("harmless")
    except ValueError:
        logger.exception("it failed")
    assert json.loads(written())["exception"]["message"] == "harmless"


@pytest.mark.parametrize("value", [SECRET, {"deep": [SECRET]}, SECRET.encode(), Exception(SECRET), {SECRET: 1}])
def test_extra_fields_are_masked(structured_log: tuple[logging.Logger, Callable[[], str]], value: object) -> None:
    logger, written = structured_log
    logger.info("with context", extra={"context": value, "number": 5})
    assert leaks(written(), [SECRET]) == []
    assert json.loads(written())["extra"]["number"] == 5


def test_a_metric_is_left_to_the_formatter(structured_log: tuple[logging.Logger, Callable[[], str]]) -> None:
    from singer_sdk.metrics import Metric, Point  # noqa: PLC0415 - its one user

    logger, written = structured_log
    logger.info("METRIC: %s", Point(metric_type="counter", metric=Metric.RECORD_COUNT, value=5, tags={"stream": "x"}))
    assert json.loads(written())["metric_info"]["value"] == 5


def test_a_library_that_logs_wrongly_does_not_stop_the_run(log: tuple[logging.Logger, Callable[[], str]]) -> None:
    logger, written = log
    logger.info("%d of %d", "one")  # noqa: PLE1206 - the mistake
    logger.info("no place for it", SECRET)  # noqa: PLE1205 - the mistake
    logger.info("%(missing)s", {"given": SECRET})
    logger.info("%s", Unprintable(), extra={"context": Unprintable()})
    assert leaks(written(), [SECRET]) == []
    assert written().count("\n") == 4


def test_a_message_formatted_before_is_masked(log: tuple[logging.Logger, Callable[[], str]]) -> None:
    logger, written = log
    record = logger.makeRecord("x", logging.ERROR, "f", 1, "it failed", (), None)
    record.exc_text = f"ValueError: {SECRET}"
    logger.handle(record)
    assert leaks(written(), [SECRET]) == []
    assert "ValueError" in written()


def test_two_handlers_write_the_same(log: tuple[logging.Logger, Callable[[], str]]) -> None:
    logger, written = log
    second = io.StringIO()
    handler = logging.StreamHandler(second)
    handler.setFormatter(ConsoleFormatter())
    handler.addFilter(RedactionFilter())
    logger.addHandler(handler)
    try:
        fail(SECRET)
    except ValueError:
        logger.exception("it failed with %s", SECRET)
    assert second.getvalue() == written()
    assert leaks(second.getvalue(), [SECRET]) == []


def test_handlers_of_every_logger_are_covered_and_urls_of_the_http_library_are_not_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3"), "level", logging.NOTSET)
    written = io.StringIO()
    library = logging.getLogger("tests.some.library")
    handler = logging.StreamHandler(written)
    monkeypatch.setattr(library, "handlers", [handler])
    monkeypatch.setattr(library, "propagate", False)
    redact_all_logging()
    redact_all_logging()
    library.error("key %s", SECRET)
    assert written.getvalue() == f"key {MASK}\n"
    assert len(handler.filters) == 1
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.WARNING)
