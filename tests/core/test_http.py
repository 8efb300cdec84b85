"""What the HTTP client makes of everything a server can do wrong."""

from __future__ import annotations

import base64
import json
import logging
import socket
import time
import typing as t
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from tap_auditlogs.core.errors import ApiError, CredentialsError, ProtocolError, RefusedError, TransientError
from tap_auditlogs.core.http import BearerAuthenticator, client
from tests.core.conftest import get, make_client
from tests.support.raw_server import RawServer, answer, drip, gzipped, hang, json_answer, raw, reset
from tests.support.secret_scan import leaks

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import StartServer

OK = json_answer({"rows": [1]})
SECRET = "c4n4ry/+=Sécret"
WHOLE = b'{"rows": [1, 2, 3]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


# What is tried again.


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 522, 529])
def test_a_passing_failure_is_tried_again(start_server: StartServer, waits: list[float], status: int) -> None:
    server = start_server(answer("busy", status), json_answer({"error": "x"}, status), OK)
    assert get(make_client(), server.url).json() == {"rows": [1]}
    assert len(server.requests) == 3
    assert len(waits) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 422, 501, 505, 530, 600])
def test_a_lasting_failure_is_not(start_server: StartServer, waits: list[float], status: int) -> None:
    server = start_server(json_answer({"error": "x"}, status), OK)
    with pytest.raises(ApiError, match=f"HTTP {status}") as failure:
        get(make_client(), server.url)
    assert failure.value.status == status
    assert not isinstance(failure.value, TransientError)
    assert len(server.requests) == 1
    assert waits == []


def test_a_request_is_tried_five_times_and_no_more(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("down", 503))
    with pytest.raises(ApiError, match=r"acme: events: .*HTTP 503.*Gave up after 5 tries") as failure:
        get(make_client(), server.url)
    assert not isinstance(failure.value, TransientError)
    assert len(server.requests) == 5
    assert len(waits) == 4
    assert waits == sorted(waits)
    assert waits[0] >= 1
    assert waits[3] >= 8


def test_the_waits_never_exceed_their_budget(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("down", 503))
    with pytest.raises(ApiError, match=r"Gave up after 3 tries and \d s of waiting"):
        get(make_client(max_wait=5), server.url)
    assert len(server.requests) == 3
    assert sum(waits) <= 5


def test_without_a_budget_there_is_one_try(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("down", 503))
    with pytest.raises(ApiError, match="Gave up after 1 tries"):
        get(make_client(max_wait=0), server.url)
    assert len(server.requests) == 1
    assert waits == []


# Retry-After.


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_honoured(start_server: StartServer, waits: list[float], status: int) -> None:
    server = start_server(answer("", status, {"Retry-After": "7"}), OK)
    get(make_client(), server.url)
    assert 7 <= waits[0] <= 8


def test_retry_after_as_a_date_counts_from_the_clock_of_the_server(
    start_server: StartServer, waits: list[float]
) -> None:
    headers = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": "Sun, 06 Nov 1994 09:51:37 +0100"}
    server = start_server(answer("", 503, headers), OK)
    get(make_client(), server.url)
    assert 119 <= waits[0] <= 121


@pytest.mark.parametrize("value", ["Sun, 06 Nov 1994 08:00:00 GMT", "0"])
def test_a_retry_after_in_the_past_means_now(start_server: StartServer, waits: list[float], value: str) -> None:
    headers = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": value}
    server = start_server(answer("", 503, headers), OK)
    get(make_client(), server.url)
    assert 0 <= waits[0] <= 1


def test_the_longer_of_two_joined_retry_afters_counts(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("", 429, {"Retry-After": "3, 11"}), OK)
    get(make_client(), server.url)
    assert 11 <= waits[0] <= 12


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "nan",
        "",
        "7;8",
        "Mon, 1 Jan 99999999999 00:00:00 GMT",
        "Fri, 31 Dec 1999 23:59:59 +99999999999999",
        "x" * 5000,
    ],
)
def test_a_retry_after_that_says_nothing_is_ignored(start_server: StartServer, waits: list[float], value: str) -> None:
    server = start_server(answer("", 503, {"Retry-After": value, "Date": value}), OK)
    get(make_client(), server.url)
    assert 1 <= waits[0] <= 1.25


@pytest.mark.parametrize("value", ["86400", "1e9", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_beyond_the_budget_ends_the_stream_at_once(
    start_server: StartServer, waits: list[float], value: str
) -> None:
    server = start_server(answer("", 429, {"Retry-After": value}), OK)
    with pytest.raises(ApiError, match=r"the vendor asks to wait \d+ s.*max_retry_wait_seconds"):
        get(make_client(), server.url)
    assert len(server.requests) == 1
    assert waits == []


def test_throttling_without_a_word_spreads_the_tries_over_the_window(
    start_server: StartServer, waits: list[float]
) -> None:
    server = start_server(answer("", 429))
    with pytest.raises(ApiError):
        get(make_client(rate_limit_window=300), server.url)
    assert sum(waits) >= 300


# Broken answers.


@pytest.mark.case("D18")
@pytest.mark.case("G5")
@pytest.mark.case("G6")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(reset(), id="reset before the answer"),
        pytest.param(reset(HEAD % len(WHOLE) + WHOLE[:7]), id="reset in the body"),
        pytest.param(raw(), id="closed before the answer"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), id="closed in the head"),
        pytest.param(raw(HEAD % len(WHOLE) + WHOLE[:7]), id="shorter than announced"),
        pytest.param(raw(HEAD % 7 + WHOLE[:7]), id="cut with the length of the cut"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n\r\n" + WHOLE[:7]), id="cut without a length"),
        pytest.param(raw(CHUNKED + b"7\r\n" + WHOLE[:7] + b"\r\n"), id="chunks without an end"),
        pytest.param(raw(CHUNKED + b"zz\r\n"), id="no chunk size"),
        pytest.param(gzipped({"rows": list(range(5000))}, keep=900), id="gzip cut with the length of the cut"),
        pytest.param(answer(WHOLE, headers={"Content-Encoding": "gzip"}), id="gzip that is none"),
        pytest.param(raw(b"220 mail.example.com ESMTP\r\n"), id="another protocol"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n{}"), id="a header of 70 kB"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n{}"), id="5000 headers"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}"), id="two lengths"),
        pytest.param(answer("<html>Sign in</html>", headers={"Content-Type": "text/html"}), id="a login page"),
        pytest.param(answer("", 204), id="no content"),
        pytest.param(answer(""), id="an empty body"),
        pytest.param(answer(b'{"a": "\xff"}'), id="no UTF-8"),
        pytest.param(answer(WHOLE + b"trailing"), id="something behind the JSON"),
        pytest.param(answer("[" * 20_000 + "]" * 20_000), id="nested 20,000 deep"),
        pytest.param(answer('{"a": ' + "9" * 5000 + "}"), id="a number of 5,000 digits"),
        pytest.param(answer('{"a": 1e99999999999999999999}'), id="an exponent beyond all bounds"),
    ],
)
def test_a_broken_answer_is_never_taken_for_a_page(
    start_server: StartServer, waits: list[float], broken: t.Any
) -> None:
    server = start_server(broken, broken, OK)
    assert get(make_client(), server.url).json() == {"rows": [1]}
    assert len(server.requests) == 3
    assert len(waits) == 2


def test_a_page_that_is_no_json_is_described_but_not_shown(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("<html>Sign in, Zaphod</html>", headers={"Content-Type": "text/html; charset=x"}))
    with pytest.raises(ApiError, match=r"is not JSON \(HTTP 200, 28 bytes of text/html\)") as failure:
        get(make_client(), server.url)
    assert "Zaphod" not in str(failure.value)
    assert len(waits) == 4


def test_a_decompression_bomb_does_not_fill_the_memory(
    start_server: StartServer, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LARGEST_BODY", 2_000_000)
    server = start_server(gzipped("0" * 8_000_000))
    with pytest.raises(ApiError, match="larger than"):
        get(make_client(), server.url)
    assert waits == []


@pytest.mark.case("G3")
@pytest.mark.case("G4")
@pytest.mark.case("G5")
@pytest.mark.case("G8")
@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("null", None),
        ("[]", []),
        ('{"a": NaN, "b": -Infinity, "c": 1}', {"a": None, "b": None, "c": 1}),
        ('{"a": 1e999}', {"a": Decimal("1e999")}),
        ('{"a": 0.123456789012345678901234567890}', {"a": Decimal("0.123456789012345678901234567890")}),
        ('{"a": 1.10}', {"a": Decimal("1.10")}),
        ('{"a": 12345678901234567890123}', {"a": 12345678901234567890123}),
        (r'{"a": "x\ud800y", "\udc00": 1}', {"a": "x\ufffdy", "\ufffd": 1}),
        (r'{"a": "\ud83d\ude80", "b": "\u0000"}', {"a": "🚀", "b": "\0"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("\ufeff{}", {}),
    ],
)
def test_unusual_json_is_read_without_losing_a_digit(start_server: StartServer, body: str, value: object) -> None:
    response = get(make_client(), start_server(answer(body)).url)
    assert response.json() == value
    assert repr(response.json()) == repr(value)
    assert response.json() is response.json()


def test_a_gzip_encoded_answer_is_read(start_server: StartServer) -> None:
    assert get(make_client(), start_server(gzipped({"rows": ["é"] * 50_000})).url).json() == {"rows": ["é"] * 50_000}


@pytest.mark.case("D19")
def test_a_connection_that_died_between_pages_costs_no_wait(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("{}", keep_alive=True))
    one = make_client()
    get(one, server.url)
    server.wait_until_idle()
    get(one, server.url)
    assert len(server.requests) == 2
    assert waits == []


# Time limits.


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(hang, id="no answer"),
        pytest.param(drip(HEAD % 10_000, b" ", every=0.02), id="body"),
        pytest.param(drip(CHUNKED + b"5", b"0", every=0.02), id="chunk size"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", every=0.02), id="one header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.02), id="many headers"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.02), id="interim answers"),
        pytest.param(
            # The name in a gzip header: bytes come in, and never a byte comes out of the decoder.
            drip(
                HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection") % 10_000
                + b"\x1f\x8b\x08\x08\0\0\0\0\0\x03",
                b"a",
                every=0.02,
            ),
            id="compressed body",
        ),
    ],
)
def test_an_answer_must_be_complete_within_the_timeout(
    start_server: StartServer, waits: list[float], slow: t.Any
) -> None:
    server = start_server(slow)
    started = time.monotonic()
    with pytest.raises(ApiError, match=r"no complete answer within 0\.3 s"):
        get(make_client(timeout=0.3, max_wait=1.5), server.url)
    assert time.monotonic() - started < 2.0
    assert len(server.requests) == 2
    assert len(waits) == 1


def test_a_connection_that_is_not_made_in_time_is_told_with_its_own_timeout(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    def time_out(*_args: object, **_options: object) -> t.NoReturn:
        raise requests.exceptions.ConnectTimeout

    monkeypatch.setattr(requests.Session, "send", time_out)
    with pytest.raises(ApiError, match="no connection within 10 s"):
        get(make_client(timeout=300, max_wait=1.5), "https://vendor.example")
    assert waits


def test_a_tls_handshake_that_hangs_is_told_as_a_connection_not_made(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr("tap_auditlogs.core.http.client._CONNECT_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(ApiError, match=r"no connection within 0\.2 s"),
    ):
        get(make_client(timeout=300, max_wait=1.5), f"https://127.0.0.1:{mute.getsockname()[1]}")
    assert waits


def test_the_next_request_has_its_whole_time_again(start_server: StartServer, waits: list[float]) -> None:
    slow_but_complete = raw(HEAD % 2, b"{", b"}", every=0.1)
    server = start_server(slow_but_complete)
    one = make_client(timeout=0.6)
    for _ in range(3):
        get(one, server.url)
    assert waits == []


# Redirects, credentials and other hosts.


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(start_server: StartServer, waits: list[float], status: int, method: str) -> None:
    elsewhere = start_server(OK, host="localhost")
    server = start_server(answer("[]" if status != 304 else "", status, {"Location": elsewhere.url + "/x?token=abc"}))
    with pytest.raises(ProtocolError, match=f"redirect.*HTTP {status}") as failure:
        get(make_client(authenticator=BearerAuthenticator("k3y")), server.url, method=method, data={"token": "t"})
    assert len(server.requests) == 1
    assert elsewhere.requests == []
    assert elsewhere.url not in str(failure.value)
    assert waits == []


@pytest.mark.case("D14")
@pytest.mark.parametrize("location", ["http://h/caf\xe9", "http://[", "//", ""])
def test_a_redirect_to_nonsense_is_an_error_like_any_other(
    start_server: StartServer, waits: list[float], location: str
) -> None:
    server = start_server(answer("[]", 302, {"Location": location}))
    with pytest.raises(ProtocolError, match=r"HTTP 302.*Check the URL in the settings"):
        get(make_client(), server.url)
    assert waits == []


@pytest.mark.case("J8")
def test_netrc_is_not_read(start_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = start_server(OK)
    get(make_client(), server.url)
    get(make_client(authenticator=BearerAuthenticator("k3y")), server.url)
    assert "Authorization" not in server.requests[0].headers
    assert server.requests[1].headers["Authorization"] == "Bearer k3y"


@pytest.mark.case("J13")
@pytest.mark.parametrize("key", ["line\nbreak", "carriage\rreturn", "nul\0", "three…dots"])
def test_a_credential_that_no_header_can_carry_is_refused_in_one_message(
    start_server: StartServer, waits: list[float], key: str
) -> None:
    server = start_server(OK)
    with pytest.raises(ApiError, match=r"Authorization.*Check the credentials") as failure:
        get(make_client(authenticator=BearerAuthenticator(key)), server.url)
    assert leaks(str(failure.value), [key]) == []
    assert server.requests == []
    assert waits == []


@pytest.mark.case("E13")
@pytest.mark.parametrize("key", ['percent%20&amp+plus"quote', "é-latin", "with space", "a=b=="])
def test_a_credential_is_sent_exactly(start_server: StartServer, key: str) -> None:
    server = start_server(OK)
    get(make_client(authenticator=BearerAuthenticator(key)), server.url, method="POST", data={"token": key})
    assert server.requests[0].headers["Authorization"].encode("latin-1").decode("latin-1") == f"Bearer {key}"


@pytest.mark.parametrize("url", ["https://exa mple.com/", "https://", "https://[::1", "nonsense"])
def test_a_malformed_url_is_reported(waits: list[float], url: str) -> None:
    with pytest.raises(ApiError, match=r"cannot be sent.*Check the URL"):
        get(make_client(), url)
    assert waits == []


def test_401_fails_at_once(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(json_answer({"error": SECRET}, 401))
    with pytest.raises(CredentialsError, match="Check the acme credentials"):
        get(make_client(authenticator=BearerAuthenticator("k3y")), server.url)
    assert len(server.requests) == 1
    assert waits == []


def test_403_fails_at_once(start_server: StartServer, waits: list[float]) -> None:
    server = start_server(answer("denied", 403))
    with pytest.raises(RefusedError, match="permission"):
        get(make_client(authenticator=BearerAuthenticator("k3y")), server.url)
    assert len(server.requests) == 1
    assert waits == []


# Messages.


def test_a_refused_connection_is_reported_without_the_url(waits: list[float]) -> None:
    with RawServer(OK) as server:
        url = server.url
    with pytest.raises(ApiError, match=r"acme: events: the connection failed: ConnectionRefusedError") as failure:
        get(make_client(), url, params={"token": SECRET})
    assert leaks(str(failure.value), [SECRET]) == []
    assert len(waits) == 4


@pytest.mark.case("D17")
def test_a_name_that_does_not_resolve_is_reported(waits: list[float]) -> None:
    with pytest.raises(ApiError, match=r"the connection failed: (gaierror|NameResolutionError)"):
        get(make_client(max_wait=0), "http://nowhere.invalid/")
    assert waits == []


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500])
def test_what_the_vendor_echoes_is_never_shown(
    start_server: StartServer, waits: list[float], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    del waits
    caplog.set_level(logging.DEBUG, "tap_auditlogs")
    hidden = base64.b64encode(SECRET.encode()).decode()
    echo = {"Location": f"http://h/?token={SECRET}", "X-Echo": hidden}
    server = start_server(answer("<p>" + json.dumps([SECRET, hidden]), status, echo))
    with pytest.raises(ApiError) as failure:
        get(make_client(), server.url, params={"token": SECRET})
    assert leaks(str(failure.value) + caplog.text, [SECRET]) == []


def test_the_body_decides_before_the_status(start_server: StartServer, waits: list[float]) -> None:
    def check(response: t.Any) -> None:
        if response.json().get("status") == "ERROR":
            raise CredentialsError("by its body")

    server = start_server(json_answer({"status": "ERROR"}), json_answer({"status": "ERROR"}, 500))
    for _ in range(2):
        with pytest.raises(CredentialsError, match="by its body"):
            get(make_client(check_answer=check), server.url)
    assert waits == []


def test_the_user_agent_is_sent(start_server: StartServer) -> None:
    server = start_server(OK)
    get(make_client(), server.url)
    assert server.requests[0].headers["User-Agent"] == "tests/1"


def test_the_clock_of_the_server_is_known_after_an_answer(start_server: StartServer) -> None:
    server = start_server(answer("{}", headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}))
    one = make_client()
    assert one.server_time().year > 2000
    get(one, server.url)
    assert one.server_time().year == 1994


# Proxies.


def test_a_proxy_of_the_environment_is_used(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = start_server(OK)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:pr0xy-pass@"))
    get(make_client(), "http://acme.invalid/events")
    assert proxy.requests[0].target == "http://acme.invalid/events"
    assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")


def test_no_proxy_is_honoured(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = start_server(OK), start_server(OK)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    get(make_client(), server.url)
    assert proxy.requests == []
    assert len(server.requests) == 1


@pytest.mark.case("J11")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_reported_without_its_password(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, waits: list[float], scheme: str
) -> None:
    del waits
    proxy = start_server(answer("who are you", 407, {"Proxy-Authenticate": "Basic"}))
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url.replace("//", "//user:pr0xy-pass@"))
    with pytest.raises(ApiError, match=r"the proxy failed|HTTP 407") as failure:
        get(make_client(), f"{scheme}://acme.invalid/events")
    assert leaks(str(failure.value), ["pr0xy-pass"]) == []


def test_a_proxy_cannot_hold_the_run_up(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    del waits
    proxy = start_server(drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.02))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    started = time.monotonic()
    with pytest.raises(ApiError, match="no complete answer"):
        get(make_client(timeout=0.3, max_wait=0), "http://acme.invalid/events")
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 1900 00:00:00 GMT"])
def test_a_date_that_no_clock_can_show_is_ignored(start_server: StartServer, date: str) -> None:
    client = make_client()
    get(client, start_server(answer("{}", headers={"Date": date})).url)
    assert not client.clock.is_known
    assert client.server_time() + timedelta(days=180) > datetime.now(UTC)


HEADERS = (
    *("Date", "Retry-After", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"),
    *("Connection", "Location", "Set-Cookie"),
)


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    "value", ["", "-1", "9" * 400, "9" * 5000, "1e400", "nan", "\xb2\xb9", ", ,", "Fri, 31 Dec 9999 23:59:59 -2359"]
)
def test_whatever_a_header_says_there_is_an_answer_or_an_error_that_explains_itself(
    start_server: StartServer, value: str, status: int
) -> None:
    for name in HEADERS:
        client = make_client(timeout=0.2, max_wait=0)
        server = start_server(answer("{}", status, {name: value}))
        with suppress(ApiError):  # any other exception would be a header's value used unchecked
            assert get(client, server.url).json() == {}
