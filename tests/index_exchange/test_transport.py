from __future__ import annotations

import socket
import typing as t

import pytest
import requests
from requests.adapters import BaseAdapter

from tap_auditlogs.core.http import HttpOptions
from tap_auditlogs.core.http.files import SpeedLimit
from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
from tap_auditlogs.vendors.index_exchange.transport import PublicHostsAdapter, UnsafeUrlError, is_own

API = "https://app.indexexchange.com/api/cal/v1"


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://app.indexexchange.com/api/cal/v1/files/1", True),
        ("https://APP.indexexchange.com:443/other?x=1", True),
        ("https://app.indexexchange.com:8443/files/1", False),
        ("https://bucket.s3.amazonaws.com/x?sig=a%2Fb", False),
        ("https://93.184.216.34/x", False),
        ("https://indexexchange.com/x", False),
    ],
)
def test_only_the_configured_host_and_port_get_the_token(url: str, own: bool) -> None:
    assert is_own(url, API) is own


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.s3.amazonaws.com/x",
        "http://app.indexexchange.com/files/1",
        "https://user:secret@app.indexexchange.com/files/1",
        "https://user@bucket.s3.amazonaws.com/x",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "https://100.64.0.1/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[64:ff9b::a00:1]/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://127.1/x",
        "https://localhost/x",
        "https://evil.localhost./x",
        "file:///etc/passwd",
        "ftp://bucket.example/x",
        "https:///x",
        "https://host:port/x",
        "//bucket.example/x",
        "x",
        "https://[::1",
    ],
)
def test_urls_that_lead_inside_are_refused(url: str) -> None:
    with pytest.raises(UnsafeUrlError) as refusal:
        is_own(url, API)
    assert "secret" not in str(refusal.value)


def test_loopback_is_allowed_where_it_is_the_configured_host_and_port() -> None:
    assert is_own("http://127.0.0.1:8080/files/1", "http://127.0.0.1:8080/api")
    with pytest.raises(UnsafeUrlError):
        is_own("http://127.0.0.1:8081/files/1", "http://127.0.0.1:8080/api")


def test_a_public_name_that_resolves_to_an_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_args: t.Any, **_options: t.Any) -> list[t.Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with requests.Session() as session:
        session.mount("https://", PublicHostsAdapter())
        with pytest.raises(UnsafeUrlError):
            session.get("https://bucket.example/x", timeout=5)


class _Recorder(BaseAdapter):
    """Answers every request and keeps it."""

    def __init__(self, *_args: t.Any, **_options: t.Any) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_args: t.Any, **_options: t.Any) -> requests.Response:
        self.requests.append(request)
        response = requests.Response()
        response.status_code = 302
        response.headers["Location"] = "https://169.254.169.254/"
        response.url = t.cast("str", request.url)
        response.raw = _NoBody()
        return response

    def close(self) -> None:
        """Have nothing to close."""


class _NoBody:
    def read(self, *_args: t.Any, **_options: t.Any) -> bytes:
        return b""

    def close(self) -> None:
        """Have nothing to close."""

    def release_conn(self) -> None:
        """Have nothing to release."""


@pytest.mark.case("F19", "index_exchange")
def test_another_host_is_asked_without_credentials_and_no_redirect_is_followed() -> None:
    settings = {
        "client_key": "c2VjcmV0OmtleQ==",
        "auth_url": "https://identity.example/token",
        "api_url": API,
        "max_concurrency": 1,
    }
    client = IndexExchangeClient(settings, HttpOptions("test", 5.0, 0.0))
    recorder = _Recorder()
    client._other_files._session.mount("https://", recorder)  # noqa: SLF001 - the only way to see what is sent
    url = "https://bucket.example/x?a=&sig=y%2Cz"
    with pytest.raises(Exception, match="redirect"):
        client.fetch_file(url, lambda: lambda _data: None, what="file", tries=1)
    (request,) = recorder.requests
    assert request.url == url
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("bytes_per_second", "broken"), [(9_000.0, True), (11_000.0, False), (0.0, True), (1e9, False)]
)
def test_the_least_speed_holds_over_any_minute(bytes_per_second: float, broken: bool) -> None:
    limit = SpeedLimit(0.0)
    found = [limit.is_missed(second, int(second * bytes_per_second)) for second in range(1, 200)]
    assert any(found) is broken
    assert not any(found[:58])


def test_a_download_that_stops_after_a_fast_start_is_too_slow() -> None:
    limit = SpeedLimit(0.0)
    found = [limit.is_missed(float(second), 10**9) for second in range(1, 130)]
    assert found.index(True) >= 59
