from __future__ import annotations

import typing as t
from contextlib import ExitStack

import pytest
import requests

from tap_auditlogs.core.http import ApiResponse, HttpClient, HttpOptions
from tests.support.raw_server import RawServer

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.support.raw_server import Answer


class StartServer(t.Protocol):
    def __call__(self, *answers: Answer, tls: ssl.SSLContext | None = None, host: str = ...) -> RawServer: ...


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers that end with the test."""
    with ExitStack() as servers:
        yield lambda *answers, tls=None, host="127.0.0.1": servers.enter_context(
            RawServer(*answers, tls=tls, host=host)
        )


def make_client(*, timeout: float = 5.0, max_wait: float = 900.0, **rules: t.Any) -> HttpClient:
    return HttpClient("acme", HttpOptions("tests/1", timeout, max_wait), **rules)


def get(client: HttpClient, url: str, **parts: t.Any) -> ApiResponse:
    return client.send(requests.Request(parts.pop("method", "GET"), url, **parts), what="events")
