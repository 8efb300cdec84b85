"""The bulk path gives what the row-by-row parser gives, or leaves the file to it."""

from __future__ import annotations

import io
import json
import random
import re
import threading
import typing as t
from decimal import Decimal
from unittest.mock import patch

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tap_auditlogs.vendors.index_exchange import bulk
from tap_auditlogs.vendors.index_exchange import totals as row_by_row
from tap_auditlogs.vendors.index_exchange.bulk import cells, regular
from tap_auditlogs.vendors.index_exchange.columns import COLUMNS
from tap_auditlogs.vendors.index_exchange.log_file import LogFile, UnreadableFileError
from tests.index_exchange.files import FIXED, PROPERTIES, Record, packed, read_in_bulk, read_ordinarily

HEADER = "auction_id,timestamp,partner_id,net_revenue,campaign_name,new_column"
ROW = "a1,2026-11-20 05:00:00,7,0.1,Sale,"

ODD_INTEGERS = ["007", "+5", "-0", "9223372036854775807", "9223372036854775808", "1.0", " ", "  5", "5 ", "1_0", "1e3"]
ODD_NUMBERS = [
    *("1.10", "1e3", "1E-7", ".5", "5.", "+1", "-0.0", "nan", "inf", "0.10000000000000000000000000000000001"),
    *("123456789012345678901234567890.5", "1e9999", "00.5", " 1", "0x1", "1_000", "\u0661"),
]
ODD_TIMES = [
    *("2026-11-20", "2026-11-20T05:00:00Z", "2026-02-30 05:00:00", "2026-11-20 05:00:60"),
    *("2026-11-20 05:00:00.123456789", "0000-00-00 00:00:00"),
    *("2026-11-20 05:00:00.1", "2026-11-20 05:00:00.Z", "2026-11-20 05:00:00z", "2024-02-29 23:59:59Z"),
    *(
        "2100-02-29 00:00:00",
        "2026-13-01 00:00:00",
        "2026-11-20 25:00:00",
        "2026-11-20 05:60:00",
        "2026/11/20 05:00:00",
    ),
    *("2026-11-20x05:00:00", "2O26-11-20 05:00:00", "2026-11-20 05:00:00.1234567890", "2026-11-20 05:00:00 "),
]

FORM = bulk.RowFormat(COLUMNS, FIXED, PROPERTIES)

# Text after the header, and whether the bulk path is to do all of it itself.
FILES: dict[str, tuple[str | bytes, bool]] = {
    "one row": (f"{ROW}\n", True),
    "no rows": ("", True),
    "no line feed at the end": (f"{ROW}\n{ROW}", True),
    "blanks": (",,,,,\n,,,,,\n", True),
    "masks": ("XXXXX,XXXXX,XXXXX,XXXXX,XXXXX,XXXXX\na,2026-11-20 05:00:01,-1,-1,-1,-1\n", True),
    "unknown column": ('a,,1,1,,new\nb,,1,1,,\nc,,X,1,,"n""x"\n', True),
    "odd integers": ("".join(f"a,,{cell},,,\n" for cell in [*ODD_INTEGERS, "\u0661"]), True),
    "odd numbers": ("".join(f"a,,,{cell},,\n" for cell in ODD_NUMBERS), True),
    "odd times": ("".join(f"a,{cell},,,,\n" for cell in ODD_TIMES), True),
    "a time with an offset": (f"{ROW}\na,2026-11-20 05:00:00+02:00,,,,\n", True),
    "a time with an odd offset": (f"{ROW}\na,2026-11-20 05:00:00+2,,,,\n", True),
    "hour 24": (f"{ROW}\na,2026-11-20 24:00:00,,,,\n", True),
    "quotes": ('"a","2026-11-20 05:00:00","7","0.1","Sale, big",""\nb,,"","",\'"",""""""\n', False),
    "quoted cells": ('"a","2026-11-20 05:00:00","7","0.1","Sale, big",""\nb,,"","","""",""""""\n', True),
    "line feeds in quotes": ('a,,1,,"two\nlines",\nb,,1,,"\n\n",\nc,,1,,x,"\n,""\n"\n', True),
    "text that JSON escapes": ("a\\b,,1,,\ttab\x01\x1f\x7f/\u2028,é🚀\n", True),
    "CRLF": (f"{ROW}\r\n{ROW}\r\n", True),
    "CRLF and quotes": (f'{ROW}\r\n"a,b",,1,,"x\r\ny",\r\n', True),
    "CR": (f"{ROW}\r{ROW}\r", False),
    "CR in quotes": (f'{ROW}\na,,1,,"x\ry",\n', True),
    "NUL": (f"{ROW}\na\0b,,1,,,\n", False),
    "invalid UTF-8": (b"a,,1,,\xff\xfe,\nb,,2,,,\n", False),
    "lone surrogate": (b"a,,1,,\xed\xa0\x80,\n", False),
    "short row": (f"{ROW}\na,,1\n{ROW}\n", False),
    "long row": (f"{ROW}\na,,1,,,,surplus,more\n{ROW}\n", False),
    "short and long row": (f"{ROW}\na,,1\na,,1,,,,,,s\n", False),
    "blank lines": (f"{ROW}\n\n{ROW}\n\n\n", False),
    "quote within a cell": (f'{ROW}\na"b,,1,,c"",\n', False),
    "text behind a quote": (f'{ROW}\n"a"b,,1,,,\n', False),
    "quote not closed": (f'{ROW}\n"a,,1,,,\n{ROW}\n', False),
    "quote not closed at the end": (f'{ROW}\na,,1,,,"x', False),
    "spaces around": (" a , 2026-11-20 05:00:00,1 , 1, s ,  \n", True),
}


@pytest.mark.parametrize("name", FILES)
def test_both_paths_say_the_same(name: str) -> None:
    body, is_regular = FILES[name]
    text = f"{HEADER}\n".encode() + (body if isinstance(body, bytes) else body.encode())
    in_bulk = read_in_bulk(packed(text))
    assert in_bulk == (read_ordinarily(packed(text)).records if is_regular else None)


@pytest.mark.parametrize(
    ("header", "is_regular"),
    [
        ("\ufeff" + HEADER, True),
        (f'"{HEADER}"'.replace(",", '","'), True),
        (HEADER + "\r", True),
        (HEADER.upper(), True),
        (HEADER.replace("new_column", '"a ""name"""'), True),
        (HEADER.replace("new_column", "\u00e9t\u00e9"), True),
        (HEADER.replace("new_column", "hour"), True),
        (HEADER.replace("new_column", "*"), True),
        (HEADER.replace("new_column", "^.*$"), True),
        (HEADER.replace("new_column", ""), True),
        ("net_revenue,new_column,campaign_name,auction_id,partner_id,timestamp", True),
        (HEADER.replace("auction_id", "\u00e9t\u00e9"), False),
        (HEADER.replace("auction_id", '"a.""c"'), True),
        (HEADER.replace("auction_id", ""), True),
        (HEADER.replace("new_column", "partner_id"), False),
        ("a,b,c,d,e,f", False),
        ("auction_id", False),
    ],
)
def test_both_paths_take_headers_alike(header: str, is_regular: bool) -> None:
    text = f"{header}\n{ROW}\n{ROW}x\n"
    in_bulk = read_in_bulk(packed(text))
    assert in_bulk == (read_ordinarily(packed(text)).records if is_regular else None)


@pytest.mark.parametrize(
    "line",
    [HEADER, HEADER.upper(), "\ufeff" + HEADER, f'"{HEADER}"'.replace(",", '","'), f" {HEADER}", HEADER + "\r"],
)
def test_a_repeated_header_is_left_to_the_row_by_row_parser(line: str) -> None:
    assert read_in_bulk(packed(f"{HEADER}\n{ROW}\n{line}\n{ROW}\n")) is None
    assert read_in_bulk(packed(f"{HEADER}\n{line}\n")) is None


def test_the_name_of_the_first_column_may_be_a_value() -> None:
    text = f"{HEADER}\n{ROW}auction_id\n"
    assert read_in_bulk(packed(text)) == read_ordinarily(packed(text)).records


@pytest.mark.parametrize(
    "selected",
    [
        ["subscription_id", "hour", "part", "row_number"],
        ["subscription_id", "hour", "part", "row_number", "campaign_name", "additional_properties"],
        [name for name in PROPERTIES if name != "additional_properties"],
    ],
)
def test_only_selected_properties_leave(selected: list[str]) -> None:
    text = f"{HEADER}\n{ROW}new\na,,XXXXX,1,,\n"
    assert read_in_bulk(packed(text), selected) == read_ordinarily(packed(text), selected).records


@pytest.mark.case("F7", "index_exchange")
@pytest.mark.case("F8", "index_exchange")
@pytest.mark.case("F9", "index_exchange")
@pytest.mark.case("F15", "index_exchange")
@pytest.mark.case("F16", "index_exchange")
@pytest.mark.case("F17", "index_exchange")
@pytest.mark.parametrize("damage", ["half", "trailer", "junk", "flip", "nothing", "html"])
def test_both_paths_refuse_damaged_files(damage: str) -> None:
    data = bytearray(packed(f"{HEADER}\n" + f"{ROW}\n" * 5000).getvalue())
    match damage:
        case "half":
            del data[len(data) // 2 :]
        case "trailer":
            del data[-4:]
        case "junk":
            data += b"junk"
        case "flip":
            data[len(data) // 2] ^= 4
        case "nothing":
            data.clear()
        case "html":
            data[:] = b"<html>hello</html>"
    assert read_ordinarily(io.BytesIO(data)).fault
    assert read_in_bulk(io.BytesIO(data)) is None


def test_more_than_a_log_file_would_decompress_to_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "cap_size", lambda _compressed: 100)
    assert read_in_bulk(packed(f"{HEADER}\n" + f"{ROW}\n" * 5)) is None


# Whole files


class File(t.NamedTuple):
    """A file as it may come.

    Attributes:
        text: What it holds.
        rows: How many rows it has, if the bulk path is to do all of them itself.
    """

    text: bytes
    rows: int | None


CELLS = st.sampled_from(
    [
        *("", "", "", "1", "-1", "+007", "XXXXX", "0.25", "-0.10", "1e5", "a", "b", "\\", "\t", "é", "\U0001f680", " "),
        *('a "quote"', '"', ",", "a,b", "two\nlines", "two\r\nlines", "\r", "x" * 63, "x" * 64, "é" * 33),
        *("9223372036854775807", "9223372036854775808", "123456789.000000000000000001", "-999999999.999999999"),
        *("2026-11-20 05:00:00", "2024-02-29T23:59:59.1Z", "2023-02-29 00:00:00"),
    ]
)
ODD_CELLS = st.sampled_from(
    [
        "2026-11-20 24:00:00",
        "2026-11-20 05:00:00+02:00",
        "1e18",
        "1e-19",
        "1000000000",
        "0." + "1" * 19,
        "9" * 64,
        "9" * 65,
    ]
)
NAMES = [
    "auction_id",
    "timestamp",
    "partner_id",
    "net_revenue",
    "gross_revenue",
    "campaign_name",
    "domain",
    "hour",
    "a b",
    'ne"w',
]
DIMENSIONS = ["partner_id", "domain", "a b", "site_id"]
ODD_BYTES = st.sampled_from(
    [
        b'"',
        b",",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b'""',
        b'"\n',
    ]
)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Make a file; one in two is as it should be."""
    header = draw(st.permutations(NAMES))[: draw(st.integers(2, len(NAMES)))]
    is_regular = draw(st.booleans())
    some_cells = CELLS if is_regular else CELLS | ODD_CELLS
    rows = draw(st.lists(st.lists(some_cells, min_size=len(header), max_size=len(header)), max_size=12))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    always = draw(st.booleans())
    written = [",".join(_in_csv(cell, always=always) for cell in row) for row in [header, *rows]]
    text = line_end.join([*written, ""] if draw(st.booleans()) else written).encode()
    if draw(st.booleans()):
        text = b"\xef\xbb\xbf" + text
    if is_regular:
        return File(text, len(rows) if set(header) & set(COLUMNS) else None)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(ODD_BYTES) + text[place + draw(st.integers(0, 1)) :]
    return File(text, None)


def _in_csv(cell: str, *, always: bool) -> str:
    return '"' + cell.replace('"', '""') + '"' if always or re.search('[,"\r\n]', cell) else cell


thorough = settings(derandomize=True, max_examples=200, deadline=None, database=None)
block_sizes = st.sampled_from([1, 2, 7, 64, 65, 1000, 10_000])
shares = st.sampled_from([0, 0.25, 1])


@pytest.mark.slow
@thorough
@given(files(), block_sizes, shares, st.sampled_from([1, 10, 2_000]))
@example(File(b"partner_id,domain\r7,a\r8,b\r", None), 1000, 0, 10)
@example(File(b"partner_id,domain\r7,a\r8,b\n9,c\n", None), 1000, 0, 10)
@example(File(b"\n\r\npartner_id,domain\n7,a\n", None), 1000, 0, 10)
@example(File(b"\xef\xbb\xbf\npartner_id,domain\n7,a\n", None), 1000, 0, 10)
@example(File(b'partner_id,"do\nmain"\n7,a\n', None), 1000, 0, 10)
@example(File(b'partner_id,a"b\n7,a\n8,b\n', 2), 1000, 0, 10)
@example(File(b'partner_id,domain\n""7"",a\n', None), 1000, 0, 10)
@example(File(b'partner_id,domain\n"7"",a\n8,"b"\n', None), 1000, 0, 10)
@example(File(b"partner_id,domain\n7\n8,a,b\n", None), 1000, 0, 10)
@example(File(b"partner_id,domain\n\n8,a\n", None), 1000, 0, 10)
@example(File(b"partner_id,domain", None), 1, 0, 10)
@example(File(b"", None), 1, 0, 10)
def test_whole_files_in_lines(file: File, block_bytes: int, share: float, combinations: int) -> None:
    ordinary = read_ordinarily(packed(file.text))
    with (
        patch.object(regular, "BLOCK_BYTES", block_bytes),
        patch.object(cells, "_FEW", share),
        patch.object(cells, "_MOST_COMBINATIONS", combinations),
    ):
        in_bulk = read_in_bulk(packed(file.text))
    assert in_bulk is None or ordinary == (in_bulk, None)
    if file.rows is not None:
        assert in_bulk is not None
        assert len(in_bulk) == file.rows


@pytest.mark.slow
@thorough
@given(files(), block_sizes)
def test_whole_files_in_tables(file: File, block_bytes: int) -> None:
    ordinary = read_ordinarily(packed(file.text))
    with patch.object(regular, "BLOCK_BYTES", block_bytes):
        in_tables = _read_in_tables(packed(file.text))
    assert in_tables is None or ordinary == (in_tables, None)
    if file.rows is not None:
        assert in_tables is not None
        assert len(in_tables) == file.rows


@pytest.mark.slow
@thorough
@given(files(), block_sizes, st.sampled_from([2, 64]))
def test_whole_files_in_totals(file: File, block_bytes: int, most_parts: int) -> None:
    with patch.object(regular, "BLOCK_BYTES", block_bytes), patch.object(bulk.totals, "_MOST_PARTS", most_parts):
        in_bulk = _total_in_bulk(packed(file.text), DIMENSIONS)
    try:
        log_file = LogFile(packed(file.text))
        ordinary = row_by_row.total_rows(log_file.rows(), log_file.header, DIMENSIONS)
    except UnreadableFileError:
        assert in_bulk is None
    else:
        assert in_bulk in (None, ordinary)
    if file.rows is not None and in_bulk is not None:  # amounts may be too large
        assert sum(totals.rows for totals in in_bulk.values()) == file.rows


def _read_in_tables(content: t.BinaryIO) -> list[Record] | None:
    """Read Parquet files as records; their numbers and `additional_properties` are compared by value."""
    records: list[Record] = []
    try:
        for count, table in bulk.tables(bulk.RegularFile(content), FORM, 5):
            assert 0 < len(table) == count <= 5
            read = pq.read_table(io.BytesIO(bulk.to_parquet([table], gzip=False)))
            read.validate(full=True)
            records += read.to_pylist()
    except bulk.IrregularFileError:
        return None
    for record in records:
        if extra := record["additional_properties"]:
            record["additional_properties"] = json.loads(extra)
    return records


def _total_in_bulk(
    content: t.BinaryIO, dimensions: t.Sequence[str]
) -> dict[row_by_row.Group, row_by_row.Totals] | None:
    try:
        return bulk.total_rows(bulk.RegularFile(content), dimensions)
    except bulk.IrregularFileError:
        return None


# Columns with few and with many distinct cells

MANY = 3_000


@pytest.fixture
def large_text(monkeypatch: pytest.MonkeyPatch) -> str:
    """Several blocks, whose columns change from few distinct cells to many and back."""
    monkeypatch.setattr(regular, "BLOCK_BYTES", 16_384)
    source = random.Random(4)  # noqa: S311 - not cryptography
    some = ["", "1", "-1", "007", "XXXXX", "0.25", "1e5", '"q"', '"a ""b"", c"', '"a\nb"', "\u00e9", "\\"]
    texts = [HEADER]
    for number in range(MANY):
        many = [str(number), f"{number}.50", f"t{number}", f'"t ""{number}"""']
        texts.append(",".join(source.choice(many if 1000 < number < 2000 else some) for _ in range(6)))
    return "\n".join(texts)


@pytest.mark.case("F14", "index_exchange")
@pytest.mark.case("F18", "index_exchange")
def test_columns_may_change(large_text: str) -> None:
    assert read_in_bulk(packed(large_text)) == read_ordinarily(packed(large_text)).records


def test_kept_conversions_are_few(large_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_MOST_KEPT", 50)
    column = cells.MemberColumn("partner_id", "integer")
    for start in range(0, MANY, 10):
        column.encode(pl.Series([f"x{number}" for number in range(start, start + 10)]))
        assert len(column._kept) <= 60
    assert read_in_bulk(packed(large_text)) == read_ordinarily(packed(large_text)).records


def test_columns_with_few_distinct_cells_are_parsed_as_categories() -> None:
    column = cells.MemberColumn("domain", "string")
    assert column.new_type() == pl.String
    column.encode(pl.Series(["a"] * 10))
    assert isinstance(column.new_type(), pl.Categorical)
    column.encode(pl.Series([str(number) for number in range(10)], dtype=column.new_type()))
    assert column.new_type() == pl.String


# Numbers


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("99999999999999999999.999999999999999999", True),
        ("-0.000000000000000001", True),
        ("0e999", True),
        ("1.10000000000000000000000000", True),
        ("1e19", True),
        ("1e20", False),
        ("100000000000000000000", False),
        ("1e-19", False),
        ("1e200", False),
        ("-1e-999", False),
    ],
)
def test_numbers_that_do_not_fit_a_parquet_file_are_left_to_records(number: str, fits: bool) -> None:
    text = f"{HEADER}\n{ROW}\na,,,{number},,\n"
    in_tables = _read_in_tables(packed(text))
    assert in_tables == (read_ordinarily(packed(text)).records if fits else None)


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("999999999.999999999999999999", True),
        ("1e9", False),
        ("-1000000000", False),
        ("1e-19", False),
        ("1e200", False),
    ],
)
def test_only_amounts_whose_sum_is_exact_are_summed(number: str, fits: bool) -> None:
    text = f"{HEADER}\n{ROW}\na,,,{number},,\n" + f"a,,,-{'9' * 9},,\n" * 3
    totals = _total_in_bulk(packed(text), ["site_id"])
    if not fits:
        assert totals is None
        return
    assert totals is not None
    assert totals[(None,)].net_revenue == Decimal("0.1") + Decimal(number) - 3 * 999999999
    assert totals[(None,)].rows == 5


def test_sums_are_those_of_the_row_by_row_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "BLOCK_BYTES", 500)
    source = random.Random(9)  # noqa: S311 - not cryptography
    some = ["", "1", "-1", "007", "XXXXX", "0.25", "0.1", "a", "1e5", "+1", ".5"]
    rows = [",".join(source.choice(some) for _ in range(6)) for _ in range(300)]
    text = "\n".join([HEADER.replace("timestamp", "gross_revenue"), *rows])
    dimensions = ["partner_id", "campaign_name", "site_id"]
    found = _total_in_bulk(packed(text), dimensions)
    file = LogFile(packed(text))
    expected = row_by_row.total_rows(file.rows(), file.header, dimensions)
    assert found is not None
    assert found == expected
    names = row_by_row.Names({}, {})
    spelled, as_expected = (
        [str(record["net_revenue"]) for record in row_by_row.hourly_records(groups, dimensions, {}, names)]
        for groups in (found, expected)
    )
    assert spelled == as_expected


# Sizes


@pytest.mark.parametrize("width", [2, 100, 3_000])
def test_files_may_be_narrow_or_wide(width: int) -> None:
    header = ",".join(["partner_id", *(f"column {number}" for number in range(1, width))])
    text = f"{header}\n" + ("7" + ",x" * (width - 1) + "\n") * 3 + "," * (width - 1) + "\n"
    in_bulk = read_in_bulk(packed(text))
    assert in_bulk == (read_ordinarily(packed(text)).records if width < 3_000 else None)


def test_rows_that_the_row_by_row_parser_finds_too_long_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "LARGEST_BLOCK", 4096)
    monkeypatch.setattr(regular, "BLOCK_BYTES", 512)
    for size, is_regular in ((3_900, True), (4_092, False)):
        text = f'partner_id,domain\n7,a\n8,"{"x" * size}"\n9,c\n'
        assert read_in_bulk(packed(text)) == (read_ordinarily(packed(text)).records if is_regular else None)
    assert read_in_bulk(packed("partner_id," + "x" * 5_000 + "\n7,a\n")) is None


def test_line_feeds_in_an_open_quote_are_searched_once() -> None:
    buffer = bytearray(b'"' + b"\n" * (1 << 20))
    assert regular._end_of_last_row(buffer, len(buffer)) == 0


# Threads


def test_an_interrupt_waits_for_workers_and_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "BLOCK_BYTES", 300)
    before = threading.active_count()
    file = bulk.RegularFile(packed(f"{HEADER}\n" + f"{ROW}\n" * 2000))
    results = t.cast("t.Generator[t.Any]", bulk.record_lines(file, FORM, "s"))
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("index-exchange-bulk")]
    assert threading.active_count() <= before + 8  # polars keeps threads of its own


def test_results_are_in_order_and_few_inputs_are_taken_ahead() -> None:
    taken: list[int] = []

    def inputs() -> t.Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for number, result in enumerate(bulk.in_order(lambda value: value * 2, inputs())):
        assert result == number * 2
        assert len(taken) <= number + 4


def test_a_fault_in_a_worker_is_raised() -> None:
    def fail(number: int) -> int:
        if number > 5:
            raise MemoryError
        return number

    with pytest.raises(MemoryError):
        list(bulk.in_order(fail, range(100)))
