from __future__ import annotations

import pytest
import requests

from tap_auditlogs.core.errors import AnswerTimeoutError
from tap_auditlogs.doctor.request_log import MOST_REQUESTS, NotSentError, RequestLog

URL = "https://vendor.example/api/login"


def prepared(method: str, url: str = URL) -> requests.PreparedRequest:
    return requests.Request(method, url).prepare()


def test_no_more_than_forty_requests_are_sent() -> None:
    log = RequestLog(())
    for _ in range(MOST_REQUESTS):
        log.before(prepared("GET"))
    with pytest.raises(NotSentError, match="40 requests"):
        log.before(prepared("GET"))
    assert (log.sent, log.left) == (40, 0)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_request_that_would_change_something_is_held_back(method: str) -> None:
    log = RequestLog(())
    with pytest.raises(NotSentError, match=f"{method} would change"):
        log.before(prepared(method))
    assert log.sent == 0


def test_a_post_that_only_reads_is_sent_to_its_path_only() -> None:
    log = RequestLog(("/login",))
    log.before(prepared("POST"))
    log.before(prepared("POST", f"{URL}?next=/delete"))
    for url in (f"{URL}/delete", "https://vendor.example/delete?next=/login"):
        with pytest.raises(NotSentError):
            log.before(prepared("POST", url))
    with pytest.raises(NotSentError):
        log.before(prepared("DELETE"))
    assert log.sent == 2


def test_nothing_is_sent_after_a_silence() -> None:
    log = RequestLog(())
    log.before(prepared("GET"))
    log.failed(AnswerTimeoutError("no complete answer within 1 s"))
    with pytest.raises(NotSentError, match="had not answered in time"):
        log.before(prepared("GET"))
