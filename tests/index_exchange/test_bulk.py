from __future__ import annotations

import random
import typing as t
from decimal import Decimal

import pytest

from tap_auditlogs.vendors.index_exchange import bulk
from tap_auditlogs.vendors.index_exchange.bulk import blocks, tables, totals
from tests.index_exchange.files import PROPERTIES, packed, read_in_bulk, read_ordinarily

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
    form = bulk.RowFormat(*_FORM)
    rows: list[dict[str, t.Any]] = []
    conversion = tables.table_pieces(packed(text), form, most_rows=7)
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
    conversion = tables.table_pieces(packed(text), bulk.RowFormat(*_FORM), most_rows=100)
    assert [rows for rows, _ in conversion.results()] == [1]
    rest = conversion.rest()
    assert rest is not None
    assert len(list(rest.rows)) == 1


def test_totals_are_those_of_the_ordinary_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 500)
    monkeypatch.setattr(totals, "_FIRST_GROUPS", 2)
    monkeypatch.setattr(totals, "_FIRST_KEY_BYTES", 1)
    from tap_auditlogs.vendors.index_exchange import hourly  # noqa: PLC0415 - next to what it is compared with

    source = random.Random(9)  # noqa: S311 - not cryptography
    cells = ["", "1", "-1", "007", "XXXXX", "0.25", "0.1", "a"]
    for odd in ([], ["1e5"], ["+1"], ["0.0000000000000000001"]):
        rows = [[source.choice([*cells, *odd]) for _ in range(6)] for _ in range(300)]
        text = "\n".join([HEADER.replace("timestamp", "gross_revenue"), *(",".join(row) for row in rows)])
        dimensions = ["partner_id", "campaign_name", "site_id"]
        found = bulk.total_rows(packed(text), dimensions)
        expected = hourly.total_rows(packed(text), dimensions)
        assert found == expected
        assert sum(group.rows for group in found.values()) == 300
        assert any(group.net_revenue > Decimal(0) for group in found.values())


def _form() -> tuple[t.Any, ...]:
    from tap_auditlogs.vendors.index_exchange.columns import COLUMNS  # noqa: PLC0415
    from tests.index_exchange.files import FIXED  # noqa: PLC0415

    return COLUMNS, FIXED, PROPERTIES


_FORM = _form()
