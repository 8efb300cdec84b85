from __future__ import annotations

import errno
import itertools
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import threading
import typing as t
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba.core.caching import IndexDataCacheFile

from tap_auditlogs.vendors.index_exchange import bulk
from tap_auditlogs.vendors.index_exchange import totals as one_by_one
from tap_auditlogs.vendors.index_exchange.bulk import blocks, cells, jit, lines, tables, totals
from tap_auditlogs.vendors.index_exchange.columns import COLUMNS
from tap_auditlogs.vendors.index_exchange.reading import UnreadableFileError, shape_rows
from tests.index_exchange.files import (
    FIXED,
    PROPERTIES,
    Read,
    Record,
    packed,
    read_in_bulk,
    read_ordinarily,
)

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
    "a time with an offset": (f"{ROW}\na,2026-11-20 05:00:00+02:00,,,,\n", False),
    "a time with an odd offset": (f"{ROW}\na,2026-11-20 05:00:00+2,,,,\n", False),
    "hour 24": (f"{ROW}\na,2026-11-20 24:00:00,,,,\n", False),
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
    ordinary = read_ordinarily(packed(text))
    in_bulk, rows_in_bulk = read_in_bulk(packed(text))
    assert in_bulk.fault == ordinary.fault
    if ordinary.fault is None:
        assert in_bulk.records == ordinary.records
    if is_regular:
        assert ordinary.fault is None
        assert rows_in_bulk == len(ordinary.records)
    else:
        assert ordinary.fault or rows_in_bulk < len(ordinary.records)


@pytest.mark.parametrize(
    "header",
    [
        "\ufeff" + HEADER,
        f'"{HEADER}"'.replace(",", '","'),
        HEADER + "\r",
        HEADER.replace("new_column", 'a "name"').replace('a "name"', '"a ""name"""'),
        HEADER.replace("new_column", "été"),
        HEADER.replace("new_column", "hour"),
        "net_revenue,new_column,campaign_name,auction_id,partner_id,timestamp",
        HEADER.replace("new_column", "partner_id"),
        "a,b,c,d,e,f",
        "auction_id",
    ],
)
def test_both_paths_take_headers_alike(header: str) -> None:
    text = f"{header}\n{ROW}\n{ROW}x\n"
    assert read_in_bulk(packed(text))[0] == read_ordinarily(packed(text))


@pytest.mark.case("F14", "index_exchange")
@pytest.mark.case("F18", "index_exchange")
def test_both_paths_agree_on_random_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 700)
    source = random.Random(4)  # noqa: S311 - not cryptography
    cells = [
        "",
        "",
        "1",
        "-1",
        "007",
        "XXXXX",
        "0.25",
        "1e5",
        '"q"',
        'a"b',
        "a,b",
        "a\nb",
        "é",
        "\\",
        "2026-11-20 05:00:00",
    ]
    for _ in range(40):
        rows = [[source.choice(cells) for _ in range(6)] for _ in range(source.randrange(60))]
        lines = [",".join(_quoted(cell, source) for cell in row) for row in rows]
        text = "\n".join([HEADER, *lines]) + source.choice(["", "\n"])
        in_bulk, rows_in_bulk = read_in_bulk(packed(text))
        assert in_bulk == read_ordinarily(packed(text))
        assert rows_in_bulk == len(rows)


def _quoted(cell: str, source: random.Random) -> str:
    if any(mark in cell for mark in ',"\n') or source.random() < 0.1:
        return '"' + cell.replace('"', '""') + '"'
    return cell


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
    in_bulk, rows = read_in_bulk(packed(text), selected)
    assert in_bulk == read_ordinarily(packed(text), selected)
    assert rows == 2


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
    content = packed("")
    content.seek(0)
    content.truncate()
    content.write(data)
    assert read_ordinarily(content).fault
    assert read_in_bulk(content)[0].fault


def test_a_table_has_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    text = f"{HEADER}\n" + (f'{ROW}\na,XXXXX,XXXXX,XXXXX,"x, y",new\nb,,-1,12345678901.000000001,,\n') * 30
    rows: list[dict[str, t.Any]] = []
    conversion = tables.table_pieces(packed(text), FORM, most_rows=7)
    for _, pieces in conversion.results():
        for count, table in pieces:
            assert count <= 7
            rows += table.to_pylist()
    assert conversion.rest() is None
    ordinary = read_ordinarily(packed(text)).records
    assert [_without_nulls(row) for row in rows] == [_without_nulls(row) for row in ordinary]


def _without_nulls(row: dict[str, t.Any]) -> dict[str, t.Any]:
    extra = {name: text for name, text in (row["additional_properties"] or {}).items() if text is not None} or None
    return {**row, "additional_properties": extra}


def test_a_table_leaves_numbers_of_too_many_digits_to_the_ordinary_path() -> None:
    text = f"{HEADER}\n{ROW}\na,,,0.{'1' * 19},,\n"
    conversion = tables.table_pieces(packed(text), FORM, most_rows=100)
    assert [rows for rows, _ in conversion.results()] == [1]
    rest = conversion.rest()
    assert rest is not None
    assert len(list(rest.rows)) == 1


def test_totals_are_those_of_the_ordinary_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 500)
    monkeypatch.setattr(totals, "_FIRST_GROUPS", 2)
    monkeypatch.setattr(totals, "_FIRST_KEY_BYTES", 1)
    source = random.Random(9)  # noqa: S311 - not cryptography
    cells = ["", "1", "-1", "007", "XXXXX", "0.25", "0.1", "a"]
    for odd in ([], ["1e5"], ["+1"], ["0.0000000000000000001"]):
        rows = [[source.choice([*cells, *odd]) for _ in range(6)] for _ in range(300)]
        text = "\n".join([HEADER.replace("timestamp", "gross_revenue"), *(",".join(row) for row in rows)])
        dimensions = ["partner_id", "campaign_name", "site_id"]
        found = bulk.total_rows(packed(text), dimensions)
        expected = one_by_one.total_rows(packed(text), dimensions)
        assert found == expected
        assert sum(group.rows for group in found.values()) == 300
        assert any(group.net_revenue > Decimal(0) for group in found.values())
        names = one_by_one.Names({}, {})
        spelled, as_expected = (
            [str(record["net_revenue"]) for record in one_by_one.hourly_records(groups, dimensions, {}, names)]
            for groups in (found, expected)
        )
        assert spelled == as_expected


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
with_small_blocks = st.sampled_from([1, 2, 7, 63, 64, 65, 100, 129, 1000, 10_000])


@thorough
@given(files(), with_small_blocks, st.sampled_from([1, 3_000, 10_000]))
@example(File(b"partner_id,domain\r7,a\r8,b\r", None), 1000, 1)
@example(File(b"partner_id,domain\r7,a\r8,b\n9,c\n", None), 1000, 1)
@example(File(b"\n\r\npartner_id,domain\n7,a\n", None), 1000, 1)
@example(File(b"\xef\xbb\xbf\npartner_id,domain\n7,a\n", None), 1000, 1)
@example(File(b'partner_id,"do\nmain"\n7,a\n', None), 1000, 1)
@example(File(b'partner_id,a"b\n7,a\n8,b\n', 2), 1000, 1)
@example(File(b'a"b,"c\nd",partner_id\n1,2,3\n', None), 1000, 1)
@example(File(b"partner_id,domain", None), 1, 1)
@example(File(b"", None), 1, 1)
def test_whole_files_in_lines(file: File, block_bytes: int, buffer_bytes: int) -> None:
    ordinary = read_ordinarily(packed(file.text))
    with patch.object(blocks, "BLOCK_BYTES", block_bytes), patch.object(lines, "BUFFER_BYTES", buffer_bytes):
        in_bulk, rows = read_in_bulk(packed(file.text))
    assert _comparable(in_bulk) == _comparable(ordinary)
    if file.rows is not None:
        assert (ordinary.fault, rows) == (None, file.rows)


@thorough
@given(files(), with_small_blocks)
def test_whole_files_in_tables(file: File, block_bytes: int) -> None:
    ordinary = read_ordinarily(packed(file.text))
    with patch.object(blocks, "BLOCK_BYTES", block_bytes):
        in_tables = _read_in_tables(packed(file.text))
    if ordinary.fault is None:
        ordinary = Read([_without_nulls(row) for row in ordinary.records], None)
    assert _comparable(in_tables) == _comparable(ordinary)


@thorough
@given(files(), with_small_blocks)
def test_whole_files_in_totals(file: File, block_bytes: int) -> None:
    expected = _total(one_by_one.total_rows, file.text)
    with (
        patch.object(blocks, "BLOCK_BYTES", block_bytes),
        patch.object(totals, "_FIRST_GROUPS", 1),
        patch.object(totals, "_FIRST_KEY_BYTES", 1),
    ):
        assert _total(bulk.total_rows, file.text) == expected


def _comparable(read: Read) -> tuple[list[Record] | None, str | None]:
    """Leave out what may differ: the rows before a fault, and the line of it if rows before have line breaks."""
    return (read.records, None) if read.fault is None else (None, re.sub(r"near line \d+", "", read.fault))


def _read_in_tables(content: t.BinaryIO) -> Read:
    records: list[Record] = []
    try:
        conversion = tables.table_pieces(content, FORM, most_rows=5)
        for _, pieces in conversion.results():
            for count, table in pieces:
                table.validate(full=True)
                assert 0 < table.num_rows == count <= 5
                records += [_without_nulls(row) for row in table.to_pylist()]
        if (rest := conversion.rest()) is not None:
            for page in shape_rows(rest.reader, rest.rows, rest.header, COLUMNS, FIXED, rows_before=rest.rows_before):
                records += [_without_nulls(row) for row in page]
    except UnreadableFileError as error:
        return Read([], str(error))
    return Read(records, None)


def _total(total_rows: t.Callable[..., dict[one_by_one.Group, one_by_one.Totals]], text: bytes) -> t.Any:
    try:
        return total_rows(packed(text), DIMENSIONS)
    except UnreadableFileError as error:
        return re.sub(r"near line \d+", "", str(error))


def test_blocks_behind_an_irregular_row_are_not_totalled_twice() -> None:
    grouper = totals._Grouper(["partner_id", "domain"], ["domain"])  # by itself: threads may hide it
    data = memoryview(b"7,a\n7\n7,a\n")
    first = grouper.convert(blocks.Block(data, 1, 3))
    assert (first.rows, first.stop) == (1, 4)
    second = grouper.convert(blocks.Block(memoryview(b"7,a\n"), 4, 1))
    assert (second.rows, second.stop) == (0, 0)
    assert [group.rows for group in grouper.groups().values()] == [1]


def test_rows_that_the_ordinary_path_finds_too_long_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LARGEST_BLOCK", 4096)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 500)
    for size in (4091, 4092):
        text = f'partner_id,domain\n7,a\n8,"{"x" * size}"\n9,c\n'  # with these, 4,096 bytes, or one more
        _, rows = read_in_bulk(packed(text.replace("x" * 100, "\n" * 100)))
        assert rows == (3 if size == 4091 else 1)
        in_bulk, rows = read_in_bulk(packed(text))
        assert in_bulk == read_ordinarily(packed(text))
        assert rows == (3 if size == 4091 else 1)


@pytest.mark.parametrize("width", [2, 3_000])
def test_files_may_be_narrow_or_wide(width: int) -> None:
    header = ",".join(["partner_id", *(f"column {number}" for number in range(1, width))])
    text = f"{header}\n" + ("7" + ",x" * (width - 1) + "\n") * 3 + "," * (width - 1) + "\n"
    in_bulk, rows = read_in_bulk(packed(text))
    assert in_bulk == read_ordinarily(packed(text))
    assert rows == 4
    assert _comparable(_read_in_tables(packed(text))) == _comparable(in_bulk)


# Memory


def test_blank_lines_take_no_places_in_a_table() -> None:
    width = 50
    data = memoryview(b"," * (width - 1) + b"\n" + b"\n" * 1000)
    found = tables._Cells(blocks.Block(data, 1, 1001), width)
    assert (found.rows, found.stop) == (1, width)
    assert found._starts.size <= len(data)


WORST = [
    *("\x01" * 500, '\x1f\\"' * 200, "é" * 200, "", "1" * 64, "." + "1" * 63, "-." + "1" * 62, "-" + "9" * 18),
    *("2026-11-20 05:00:00", "2026-11-20T05:00:00.123456789Z", "1", "X"),
]


def _plan_of(header: list[str], selected: list[str]) -> t.Any:
    form = bulk.RowFormat(COLUMNS, FIXED, selected)
    return lines._Liner(header, form, blocks.Memory(1), before="b", after="a")._plan


@pytest.mark.parametrize("selected", [PROPERTIES, ["row_number", "additional_properties"], ["row_number", "part"]])
@pytest.mark.parametrize("cell", WORST)
def test_lines_stay_within_their_buffer(cell: str, selected: list[str]) -> None:
    header = [*COLUMNS, "x", "new column"]
    row = ",".join([_in_csv(cell, always=False)] * len(header)).encode() + b"\n"
    first_row = 10**18
    plan = _plan_of(header, selected)
    data = np.frombuffer(3 * row, np.uint8)
    places, misfits = np.empty((2, len(header)), np.int64), np.empty(len(header), np.bool_)
    bound = plan.fixed_size + cells.LARGEST_ESCAPE * len(row)

    def write(size: int) -> tuple[int, int, int, int]:
        memory = np.full(size + 4096, 0xA5, np.uint8)
        memory[size + 1 :: 2] = 0x5A
        canary = memory[size:].copy()
        outcome = lines._write_rows(plan, data, 0, first_row, False, memory[:size], places, misfits)
        assert (memory[size:] == canary).all()
        return outcome

    outcome, at, row_number, needed = write(3 * bound)
    assert (outcome, at, row_number) == (lines._DONE, data.size, first_row + 3)
    assert needed <= 3 * bound
    one = needed // 3
    for size in {
        0,
        1,
        one - 1,
        one,
        one + 1,
        bound - 1,
        bound,
        bound + 1,
        one + bound - 1,
        one + bound,
        needed,
        2 * bound,
    }:
        outcome, at, row_number, written = write(size)
        done = 0 if size < bound else min(3, 1 + (size - bound) // one)
        assert written == done * one
        assert (at, row_number) == (done * len(row), first_row + done)
        assert outcome == (lines._DONE if done == 3 else lines._FULL)


def test_keys_stay_within_their_room() -> None:
    rows = [f'"{"x" * (number % 90)}",{number},"a""b"\n'.encode() for number in range(300)]
    data = np.frombuffer(b"".join(rows), np.uint8)
    dimensions, measures = np.array([0, 1, 2], np.int64), np.array([-1, 1], np.int64)
    places, amounts = np.empty((2, 3), np.int64), np.empty(4, np.int64)
    for groups, key_bytes in itertools.product([1, 64, 512], [*range(400), 60_000]):
        held = totals._make_groups(groups, key_bytes)
        memory = np.full(key_bytes + 4096, 0xA5, np.uint8)
        held = held._replace(keys=memory[:key_bytes])
        outcome, at, added = totals._add_rows(held, data, 0, dimensions, measures, places, amounts)
        assert (memory[key_bytes:] == 0xA5).all()
        assert at == sum(map(len, rows[:added]))
        assert added <= groups
        assert outcome == (totals._DONE if added == 300 else totals._FULL)
        larger = totals._enlarge(held, max(map(len, rows)) + 100)
        _, _, more = totals._add_rows(larger, data, at, dimensions, measures, places, amounts)
        assert added == 300 or more > 0
        grouper = totals._Grouper(["a", "net_revenue", "c"], ["a", "net_revenue", "c"])
        grouper._groups = larger
        assert {key[1] for key in grouper.groups()} == {str(number) for number in range(added + more)}


def test_no_index_is_out_of_bounds(tmp_path: Path) -> None:
    """Run the tests that have the oddest rows, with a check of each index compiled in."""
    if "NUMBA_BOUNDSCHECK" in os.environ:
        pytest.skip("it is running")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__),
            *("-k", "both_paths_say or whole_files or within"),
        ],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("compiled-*/*/*.nbc"))


# Threads


def test_an_interrupt_waits_for_workers_and_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    before = threading.active_count()
    text = f"{HEADER}\n" + f"{ROW}\n" * 2000
    results = t.cast("t.Generator[t.Any]", bulk.record_lines(packed(text), FORM, "s").results())
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert threading.active_count() == before


def test_a_fault_in_a_worker_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    before = threading.active_count()

    def fail(block: blocks.Block) -> blocks.Converted[int]:
        if block.first_row > 50:
            raise MemoryError
        return blocks.Converted(0, block.rows, len(block.data))

    conversion = blocks.Conversion(packed(f"{HEADER}\n" + f"{ROW}\n" * 2000), lambda _header: fail)
    with pytest.raises(MemoryError):
        for _ in conversion.results():
            pass
    assert 0 < conversion.rows <= 60
    assert threading.active_count() == before


def test_memory_is_used_again_only_when_its_content_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    used: list[int] = []
    conversion = blocks.Conversion(
        packed(f"{HEADER}\n" + f"{ROW}\n" * 200),
        lambda _header: lambda block: blocks.Converted(block.first_row, block.rows, len(block.data)),
        after_use=used.append,
    )
    given: list[int] = []
    for _, first_row in conversion.results():
        assert used == given
        given.append(first_row)
    assert used == given
    assert len(given) > 20


def test_memory_of_another_size_is_not_kept() -> None:
    memory = blocks.Memory(4)
    mine, larger = memory.take(), np.empty(8, np.uint8)
    memory.take_back([larger.data, memoryview(b"text"), mine.data[:1]])
    assert memory.take() is mine
    assert len(memory.take()) == 4


# Kept machine code


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, and no folder configured."""
    folder = tmp_path / "bulk"
    shutil.copytree(Path(jit.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(jit, "__file__", str(folder / "jit.py"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def test_changed_source_has_another_folder(source: Path) -> None:
    first = jit._cache_folder()
    assert first is not None
    assert first.parent == source / "__pycache__"
    assert jit._cache_folder() == first
    with (source / "cells.py").open("a") as file:
        file.write("\n")
    assert jit._cache_folder() not in {first, None}


def test_a_folder_is_found_that_can_be_written(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "no folder"))
    folder = jit._cache_folder()
    assert folder is not None
    assert folder.parent == source / "__pycache__"
    shutil.rmtree(source / "__pycache__")
    (source / "__pycache__").touch()
    folder = jit._cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "home" / ".cache" / "tap-auditlogs"
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert jit._cache_folder() is None


def test_a_folder_that_is_there_but_read_only_is_not_taken(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = jit._cache_folder()
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != folder)
    other = jit._cache_folder()
    assert other is not None
    assert other.parent != source / "__pycache__"


def test_a_user_without_a_home_has_no_folder(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_no_one(_user: int) -> t.Any:
        raise KeyError

    (source / "__pycache__").touch()
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", find_no_one)
    assert jit._cache_folder() is None


def _double(number: t.Any) -> t.Any:
    return number + number


def test_without_a_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jit, "_CACHE_FOLDER", None)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert jit.compiled(_double)(4) == 8
    assert not list(tmp_path.iterdir())


def test_a_folder_that_turns_out_to_be_of_no_use_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(_function: t.Any) -> t.Any:
        raise RuntimeError("no locator available")  # as numba does

    monkeypatch.setattr(jit, "_Cache", find_none)
    assert jit.compiled(_double)(4) == 8


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for machine code."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_full_disk_is_no_fault(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: t.Any) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", fail)
    function = jit.compiled(_double)
    assert function(4) == 8
    assert function(0.5) == 1
    assert not list(kept.rglob("*.nbc"))


@pytest.mark.parametrize("suffix", ["nbc", "nbi"])
@pytest.mark.parametrize("damage", [b"", b"\x80", b"damage"])
def test_damaged_files_are_compiled_anew(kept: Path, suffix: str, damage: bytes) -> None:
    assert jit.compiled(_double)(4) == 8
    (file,) = kept.rglob(f"*.{suffix}")
    file.write_bytes(damage)
    assert jit.compiled(_double)(4) == 8


def test_machine_code_is_found_again(kept: Path) -> None:
    for _ in range(2):
        function: t.Any = jit.compiled(_double)
        assert function(4) == 8
    assert sum(function.stats.cache_hits.values()) == 1
    assert list(kept.rglob("*.nbc"))


def test_files_that_processes_mixed_up_are_not_used(kept: Path) -> None:
    function = jit.compiled(_double)
    assert (function(4), function(0.5)) == (8, 1)
    first, second = kept.rglob("*.nbc")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    function = jit.compiled(_double)
    assert (repr(function(4)), repr(function(0.5))) == ("8", "1.0")


def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from tap_auditlogs.vendors.index_exchange.bulk import cells;"
        "print(cells.parse_decimal(np.frombuffer(b'-12.5', np.uint8), 0, 5))"
    )
    command = [sys.executable, "-c", program]
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in ("cold", "warm"):
        processes = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(2)]
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        assert outputs == [b"(0, -12, -500000000000000000)\n"] * 2
        assert [process.returncode for process in processes] == [0, 0]
