from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import typing as t
import zlib

import pytest

from auditlogs_sandbox.faults import Cut, Fault
from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.index_exchange import create
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.generator import HOUR, generate_file
from auditlogs_sandbox.vendors.index_exchange.rows import COLUMNS, HEADERS
from auditlogs_sandbox.vendors.index_exchange.shapes import BOMB_BYTES, SHAPES
from auditlogs_sandbox.world import World
from tests.sandbox.index_exchange_client import ApiClient

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

    from tests.sandbox.conftest import Clock

ROWS = 21
SOUND = [
    *("plain", "header_only", "bom", "crlf", "no_final_newline", "all_quoted", "quoted_newlines", "doubled_quotes"),
    *("long_field", "masked", "blank", "new_column", "missing_column", "reordered", "two_members", "trailing_zeros"),
    *("no_revenue", "huge_amount"),
]
DAMAGED_TEXT = ["invalid_utf8", "nul", "utf16", "duplicate_header", "short_row", "long_row", "unterminated_quote"]
DAMAGED_TEXT += ["empty_csv", "bomb", "repeated_header", "loosely_named", "stray_quote"]
PLAIN_CSV = {"nul", "duplicate_header", "bomb", "repeated_header", "loosely_named"}
DAMAGED_GZIP = ["truncated", "truncated_trailer", "truncated_length", "trailing_junk", "bit_flip", "html"]
DAMAGED_GZIP += ["not_compressed"]


@pytest.fixture
def vendor(clock: Clock) -> IndexExchangeSandbox:
    return create(World(seed=7, size=400, clock=clock))


class Shaped(t.NamedTuple):
    data: bytes
    rows: list[dict[str, t.Any]]
    readable: t.Sequence[dict[str, str]] | None


@pytest.fixture
def shape(vendor: IndexExchangeSandbox) -> t.Callable[[str], Shaped]:
    """Publish an hour in a shape, and download it; the MD5 in the list is that of the bytes."""

    def publish(name: str) -> Shaped:
        key = HourKey(vendor.hours[-1])
        vendor.publish(key, ROWS, shape=name)
        client = ApiClient(vendor)
        client.log_in()
        data = client.fetch(key)
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == client.entries()[key]["md5sum"]
        assert len(data) == client.entries()[key]["fileSize"]
        hour = f"{key.hour:%Y-%m-%dT%H:%M:%SZ}"
        rows = vendor.truth()["index_exchange_impressions"]
        own = [row for row in rows if (row["hour"], row["subscription_id"]) == (hour, 41)]
        return Shaped(data, own, vendor.file(key).content.rows)

    return publish


def parse(data: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """Read a file as a careful reader does."""
    text = gzip.decompress(data).decode("utf-8-sig")
    previous = csv.field_size_limit(10**6)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    finally:
        csv.field_size_limit(previous)
    return lines[0], [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_every_shape_is_tested() -> None:
    assert sorted([*SOUND, *DAMAGED_TEXT, *DAMAGED_GZIP, "zero_bytes"]) == sorted(SHAPES)


def test_the_columns_are_the_documented_ones() -> None:
    assert len(COLUMNS) == len(set(COLUMNS)) == 39
    assert COLUMNS[:3] == ("auction_id", "timestamp", "country")
    assert [COLUMNS[place - 1] for place in (14, 20, 24, 33, 36, 39)] == [
        *("app_bundle", "event_opportunity", "trading_desk_id"),
        *("cookie_match_status", "billing_term_id", "video_placement_type"),
    ]
    assert HEADERS["bids"] == (*COLUMNS, "bid_stage")


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_shape_has_the_rows_of_the_truth(shape: t.Callable[[str], Shaped], name: str) -> None:
    data, rows, readable = shape(name)
    header, read = parse(data)
    assert read == readable
    assert len(rows) == len(read) == (0 if name == "header_only" else ROWS)
    for number, (row, cells) in enumerate(zip(rows, read, strict=True), start=1):
        assert row["row_number"] == number
        assert cells.items() <= row.items()
        assert [name for name in row if name in cells] == header


def _text(data: bytes) -> bytes:
    return gzip.decompress(data)


@pytest.mark.parametrize(
    ("name", "is_so"),
    [
        ("plain", lambda text: text.startswith(b"auction_id,timestamp,") and b"\r" not in text),
        ("header_only", lambda text: text.count(b"\n") == 1),
        ("bom", lambda text: text.startswith(codecs.BOM_UTF8 + b"auction_id")),
        ("crlf", lambda text: text.count(b"\r\n") == ROWS + 1),
        ("no_final_newline", lambda text: not text.endswith(b"\n")),
        ("all_quoted", lambda text: text.startswith(b'"auction_id","timestamp"') and b'"",""' in text),
        ("quoted_newlines", lambda text: b'"first\nsecond\r\nthird\rfourth,\n"' in text and b'\n"\n",' in text),
        ("doubled_quotes", lambda text: b',"""""",' in text and b',""",",' in text and b',"""",' in text),
        ("long_field", lambda text: "é".encode() * 200_000 in text),
        ("masked", lambda text: text.count(b",XXXX,") > ROWS // 2 and text.count(b"XXXXX,-1,") >= ROWS // 2),
        ("blank", lambda text: text.count(b"," * 37) == ROWS // 2 + 1),
        ("new_column", lambda text: b",event_type,privacy_signal,event_opportunity," in text),
        ("missing_column", lambda text: b",dma," not in text and b"video_placement_type" not in text),
        ("reordered", lambda text: text.startswith(b"video_placement_type,discount_amount,")),
        ("no_revenue", lambda text: b"_revenue" not in text),
        ("huge_amount", lambda text: text.count(b",1e200,") == ROWS // 2 + 1),
        ("repeated_header", lambda text: text.count(b"auction_id,timestamp,") == 2),
        ("loosely_named", lambda text: text.startswith(b"Auction_Id, TIMESTAMP ,")),
        ("stray_quote", lambda text: text.count(b',"exam"ple.com,') == 1),
    ],
)
def test_a_shape_is_what_it_says(shape: t.Callable[[str], Shaped], name: str, is_so: t.Callable[[bytes], bool]) -> None:
    assert is_so(_text(shape(name).data))


def test_two_members_and_padding(shape: t.Callable[[str], Shaped]) -> None:
    reader = zlib.decompressobj(31)
    first = reader.decompress(shape("two_members").data)
    assert reader.eof
    assert reader.unused_data.startswith(b"\x1f\x8b")
    assert not first.endswith(b"\n")
    assert shape("trailing_zeros").data.endswith(bytes(500))


@pytest.mark.parametrize("name", [*DAMAGED_TEXT, *DAMAGED_GZIP, "zero_bytes"])
def test_the_truth_has_no_rows_of_a_damaged_file(shape: t.Callable[[str], Shaped], name: str) -> None:
    assert shape(name).rows == []


@pytest.mark.parametrize("name", [name for name in DAMAGED_TEXT if name not in PLAIN_CSV])
def test_a_careful_reader_rejects_damaged_text(shape: t.Callable[[str], Shaped], name: str) -> None:
    data = shape(name).data
    assert gzip.decompress(data) is not None
    with pytest.raises((UnicodeDecodeError, csv.Error, ValueError, IndexError)):
        parse(data)


def test_damaged_text_is_what_it_says(shape: t.Callable[[str], Shaped]) -> None:
    assert _text(shape("invalid_utf8").data).count(b"\xff") == 2 * (ROWS // 2 + 1)
    assert b"\0" in _text(shape("nul").data)
    assert _text(shape("utf16").data).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    header, _ = parse(shape("duplicate_header").data)
    assert header.count("site_id") == 2
    assert _text(shape("empty_csv").data) == b""


@pytest.mark.parametrize(("name", "difference"), [("short_row", -3), ("long_row", 2)])
def test_one_row_in_the_middle_is_irregular(shape: t.Callable[[str], Shaped], name: str, difference: int) -> None:
    data, _, readable = shape(name)
    lines = list(csv.reader(io.StringIO(_text(data).decode(), newline="")))
    lengths = [len(line) - 39 for line in lines]
    assert lengths.count(0) == ROWS
    assert lengths.index(difference) == ROWS // 2 + 1
    assert readable is not None
    assert len(readable) == ROWS


def test_a_lax_reader_swallows_the_rest_after_an_open_quote(shape: t.Callable[[str], Shaped]) -> None:
    text = _text(shape("unterminated_quote").data).decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert len(lines) == ROWS // 2 + 2
    with pytest.raises(csv.Error, match="unexpected end of data"):
        list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("name", DAMAGED_GZIP)
def test_the_gzip_module_rejects_damaged_gzip(shape: t.Callable[[str], Shaped], name: str) -> None:
    with pytest.raises((EOFError, gzip.BadGzipFile, zlib.error)):
        gzip.decompress(shape(name).data)


@pytest.mark.parametrize("name", ["truncated_trailer", "truncated_length"])
def test_a_careless_reader_takes_a_truncated_trailer(shape: t.Callable[[str], Shaped], name: str) -> None:
    data, _, readable = shape(name)
    reader = zlib.decompressobj(31)
    assert readable is not None
    assert len(list(csv.reader(io.StringIO(reader.decompress(data).decode(), newline="")))) == len(readable) + 1
    assert not reader.eof


def test_damaged_bytes_are_what_they_say(shape: t.Callable[[str], Shaped]) -> None:
    assert shape("zero_bytes").data == b""
    assert shape("html").data.startswith(b"<!DOCTYPE html>")
    assert shape("not_compressed").data.startswith(b"auction_id,")


def test_a_bomb_unpacks_to_a_thousandfold(shape: t.Callable[[str], Shaped]) -> None:
    data = shape("bomb").data
    assert len(data) * 900 < BOMB_BYTES
    unpacked = 0
    reader = zlib.decompressobj(31)
    rest = data
    while rest:
        unpacked += len(reader.decompress(rest, 1024 * 1024))
        rest = reader.unconsumed_tail
    assert unpacked > BOMB_BYTES


def test_a_shape_that_does_not_exist(vendor: IndexExchangeSandbox) -> None:
    with pytest.raises(KeyError):
        vendor.publish(HourKey(vendor.hours[0]), shape="round")


# The generator.


def test_a_generated_file_is_as_it_says(tmp_path: Path) -> None:
    made = generate_file(tmp_path / "a.gz", 20_000, seed=3)
    data = made.path.read_bytes()
    text = gzip.decompress(data)
    assert (made.size, made.csv_size, made.rows) == (len(data), len(text), 20_000)
    assert made.md5sum == hashlib.md5(data, usedforsecurity=False).hexdigest()
    header, rows = parse(data)
    assert tuple(header) == COLUMNS
    assert len(rows) == 20_000
    assert len({row["auction_id"] for row in rows}) == 20_000
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times)
    assert (times[0], times[-1]) == ("2026-11-20 05:00:00", "2026-11-20 05:59:59")
    assert {"", "-1"} < {row["dsp_id"] for row in rows}
    assert "XXXXX" in {row["campaign_id"] for row in rows}
    assert all(0 <= float(row["net_revenue"]) <= float(row["gross_revenue"]) < 0.02 for row in rows)
    assert len({row["gross_revenue"] for row in rows}) > 19_900
    # What repeats comes in another order in each block.
    assert [row["site_id"] for row in rows[:3000]] != [row["site_id"] for row in rows[16_384 : 16_384 + 3000]]


def test_generated_files_follow_from_their_arguments(tmp_path: Path) -> None:
    first, second, third = (
        generate_file(tmp_path / f"{number}.gz", 2000, seed=seed) for number, seed in enumerate((1, 1, 2))
    )
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.md5sum != third.md5sum


@pytest.mark.parametrize("columns", [1, 2, 21, 24, 39, 45])
@pytest.mark.parametrize("rows", [0, 1, 50])
def test_a_generated_file_has_the_columns_and_rows_asked_for(tmp_path: Path, rows: int, columns: int) -> None:
    header, read = parse(generate_file(tmp_path / "a.gz", rows, columns=columns).path.read_bytes())
    assert len(header) == len(set(header)) == columns
    assert tuple(header[:39]) == COLUMNS[:columns]
    assert len(read) == rows


# Over a socket.


@pytest.fixture
def running(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=7, vendors=["index_exchange"], size=400, clock=clock) as sandbox:
        yield sandbox


def _bearer(running: Sandbox, http: requests.Session) -> dict[str, str]:
    settings = running.config["index_exchange"]
    response = http.post(
        settings["auth_url"],
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {settings['client_key']}"},
        timeout=30,
    )
    return {"Authorization": f"Bearer {response.json()['access_token']}", "Accept-Encoding": "identity"}


def test_a_file_from_the_disk_is_streamed(running: Sandbox, http: requests.Session, tmp_path: Path) -> None:
    vendor = running.vendor("index_exchange", IndexExchangeSandbox)
    made = generate_file(tmp_path / "big.gz", 30_000, hour=vendor.hours[0])
    file = vendor.publish_file(made)
    headers = _bearer(running, http)
    api_url = running.config["index_exchange"]["api_url"]
    listed = http.get(f"{api_url}/downloads", headers=headers, timeout=30).json()["availableDownloads"]
    [entry] = [entry for entry in listed if entry["md5sum"] == made.md5sum]
    assert entry["fileSize"] == made.size > 3 * 256 * 1024
    with http.get(entry["downloadURL"], headers=headers, timeout=30, stream=True) as response:
        assert response.headers["Content-Length"] == str(made.size)
        assert hashlib.md5(response.raw.read(), usedforsecurity=False).hexdigest() == made.md5sum
    file.damaged_downloads = 1
    damaged = http.get(entry["downloadURL"], headers=headers, timeout=30).content
    assert len(damaged) == made.size
    assert sum(a != b for a, b in zip(damaged, made.path.read_bytes(), strict=True)) == 1
    assert made.hour.strftime("%Y-%m-%dT%H:%M:%SZ") in {row["hour"] for row in vendor.truth()["index_exchange_files"]}
    assert HOUR not in vendor.hours


def test_a_fault_can_break_a_download_off(running: Sandbox, http: requests.Session) -> None:
    vendor = running.vendor("index_exchange", IndexExchangeSandbox)
    headers = _bearer(running, http)
    api_url = running.config["index_exchange"]["api_url"]
    file = vendor.file(HourKey(vendor.hours[0]))
    url = f"{api_url}/files/{file.id}"
    running.faults.add(Fault(path="/files/", cut=Cut(keep=100, framing="cut_length")))
    assert http.get(url, headers=headers, timeout=30).content == t.cast("bytes", file.content.source)[:100]
    assert http.get(url, headers=headers, timeout=30).content == file.content.source


def test_the_control_url_gives_the_truth(running: Sandbox, http: requests.Session) -> None:
    answer = http.get(f"{running.url}/_sandbox/truth?rows=1", timeout=30).json()
    assert answer == running.truth()
    assert list(answer) == [
        *("index_exchange_files", "index_exchange_impressions", "index_exchange_bids", "index_exchange_hourly"),
        "index_exchange_malformed_rows",
        *(f"index_exchange_{name}" for name in ("dsps", "buyers", "deals", "sites", "partners", "campaigns")),
        "index_exchange_exchange_rates",
    ]
