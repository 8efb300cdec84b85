"""Certificates: what is trusted, and how a refusal is reported."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tap_auditlogs.core.errors import ApiError
from tests.core.conftest import get, make_client
from tests.support.raw_server import drip, json_answer

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import StartServer


OK = json_answer({"rows": []})


def server_side(ca: trustme.CA, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ends = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
    ca.issue_cert(name, not_after=ends).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "bundle.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def _trust(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)


@pytest.mark.case("J10")
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_ca_bundle_of_the_environment_is_trusted(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, bundle: str, variable: str
) -> None:
    monkeypatch.setenv(variable, bundle)
    server = start_server(OK, tls=server_side(ca))
    assert get(make_client(), server.url).json() == {"rows": []}


@pytest.mark.case("D20")
@pytest.mark.case("J9")
@pytest.mark.parametrize("fault", ["unknown CA", "expired", "another host"])
@pytest.mark.usefixtures("_trust")
def test_a_certificate_that_is_not_trusted_fails_at_once(
    start_server: StartServer, waits: list[float], ca: trustme.CA, fault: str
) -> None:
    contexts = {
        "unknown CA": lambda: server_side(trustme.CA()),
        "expired": lambda: server_side(ca, expired=True),
        "another host": lambda: server_side(ca, "acme.example.com"),
    }
    server = start_server(OK, tls=contexts[fault]())
    with pytest.raises(ApiError, match=r"certificate is not trusted.*REQUESTS_CA_BUNDLE"):
        get(make_client(), server.url, params={"token": "s3cr3t-token"})
    assert server.requests == []
    assert waits == []


def test_a_bundle_that_does_not_exist_is_reported_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(ApiError, match="REQUESTS_CA_BUNDLE in the environment names a CA bundle that does not exist"):
        get(make_client(), "https://127.0.0.1:9/")
    assert waits == []


def test_a_server_that_speaks_no_tls_is_tried_again(waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_at_once() -> None:
            for _ in range(5):
                connection, _address = listener.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = threading.Thread(target=answer_at_once)
        server.start()
        with pytest.raises(ApiError, match=r"the (TLS connection broke|connection failed)"):
            get(make_client(), f"https://127.0.0.1:{listener.getsockname()[1]}")
        server.join(timeout=10)
    assert len(waits) == 4


@pytest.mark.usefixtures("_trust")
def test_the_deadline_holds_within_tls(start_server: StartServer, waits: list[float], ca: trustme.CA) -> None:
    server = start_server(drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.02), tls=server_side(ca))
    started = time.monotonic()
    with pytest.raises(ApiError, match=r"no complete answer within 0\.3 s"):
        get(make_client(timeout=0.3, max_wait=0), server.url)
    assert time.monotonic() - started < 2.0
    assert waits == []
