"""Compiled functions against the ordinary path's, on memory that ends where they may not go on."""

from __future__ import annotations

import ctypes
import itertools
import json
import mmap
import re
import typing as t
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tap_auditlogs.vendors.index_exchange.bulk import cells, intrinsics, tables
from tap_auditlogs.vendors.index_exchange.reading import convert_cell, to_decimal

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes

REGION = 16 * mmap.PAGESIZE
CANARY = 0xA5
NEIGHBOURS = st.sampled_from([b"", b"9", b"0", b".", b"e5", b"Z"])

thorough = settings(derandomize=True, max_examples=300, deadline=None, database=None)


def _protected_region() -> Bytes:
    """Memory behind which there is a page that nobody may touch: the process ends if one does."""
    memory = mmap.mmap(-1, REGION + mmap.PAGESIZE)
    region = np.frombuffer(memory, np.uint8)
    last_page = ctypes.c_void_p(region.ctypes.data + REGION)
    assert ctypes.CDLL(None).mprotect(last_page, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    return region[:REGION]


READ, WRITTEN = _protected_region(), _protected_region()


def placed(data: bytes) -> Bytes:
    """Put bytes where the memory ends, so that no byte behind them can be read."""
    array = READ[REGION - len(data) :]
    array[:] = np.frombuffer(data, np.uint8)
    return array


def room(size: int) -> Bytes:
    """Take as much memory, at the end of it."""
    array = WRITTEN[REGION - size :]
    array[:] = CANARY
    return array


@pytest.mark.parametrize("left", [0, 1, 31, 32, 40])
def test_copies(left: int) -> None:
    for size in range(70):
        text = bytes(range(1, size + 1))
        for behind_source, behind_target in ((left, 0), (0, left), (left, left)):
            target = room(size + 2 + behind_target)
            assert intrinsics.copy(placed(text + bytes(behind_source)), 0, size, target, 2) == size + 2
            assert target[: size + 2].tobytes() == bytes([CANARY] * 2) + text


# Digits


def _near(limit: int) -> st.SearchStrategy[str]:
    return st.integers(limit - 2, limit + 2).map(str)


def _digits(most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", max_size=most) | st.integers(0, most).map("9".__mul__)


SIGNS = st.sampled_from(["", "", "-", "+", "+-", " "])
ZEROS = st.sampled_from(["", "", "0", "00000", "0" * 20])
INTEGERS = st.one_of(
    st.tuples(SIGNS, ZEROS, _digits(21) | _near(2**63) | _near(10**18) | _near(10**19)).map("".join),
    st.tuples(SIGNS, st.integers(3980, 4002).map("0".__mul__), _digits(20)).map("".join),
    st.text("+-0123456789. e\u0661", max_size=22),
)
EXPONENTS = st.one_of(st.just(""), st.tuples(st.sampled_from("eE"), SIGNS, _digits(4)).map("".join))
NUMBERS = st.one_of(
    st.tuples(SIGNS, ZEROS, _digits(20), st.sampled_from(["", ".", ".."]), _digits(20), EXPONENTS).map("".join),
    st.tuples(SIGNS, _digits(66), st.sampled_from(["", "."]), _digits(66), EXPONENTS).map(
        lambda parts: "".join(parts)[:66]
    ),
    st.text("+-0123456789.eE nan", max_size=12),
)


def convert(function: Callable[..., int], text: str, around: bytes) -> bytes | int:
    """Write a cell as JSON; returns a negative outcome as it is."""
    cell = text.encode()
    data = placed(around + cell + around)
    start, stop = len(around), len(around) + len(cell)
    out = room(cells.TYPED_SIZE + 3)
    end = function(data, start, stop, out, 3)
    assert (out[:3] == CANARY).all()
    assert end <= out.size
    return out[3:end].tobytes() if end >= 0 else end


@thorough
@given(INTEGERS.filter(bool), NEIGHBOURS)
def test_integers(text: str, around: bytes) -> None:
    expected = convert_cell("integer")(text)
    data = placed(around + text.encode() + around)
    fits, value = cells.parse_integer(data, len(around), len(data) - len(around))
    assert (value if fits else None) == expected
    if len(text) <= 40:  # longer ones are mostly zeros, which are left out
        written = convert(cells.write_integer, text, around)
        assert (None if written == cells.MISFIT else json.loads(t.cast("bytes", written))) == expected


@thorough
@given(NUMBERS.filter(bool), NEIGHBOURS)
def test_numbers(text: str, around: bytes) -> None:
    expected = to_decimal(text)
    written = convert(cells.write_number, text, around)
    if expected is None:
        assert written == cells.MISFIT
        return
    found = json.loads(t.cast("bytes", written), parse_float=Decimal, parse_int=Decimal)
    assert found.as_tuple() == expected.as_tuple()


@thorough
@given(NUMBERS.filter(bool), NEIGHBOURS)
@example("999999999999999999.999999999999999999", b"")
@example("-0.000000000000000001", b"9")
@example("0e999", b"")
@example("1e18", b"")
@example("1e-19", b"")
def test_decimals(text: str, around: bytes) -> None:
    data = placed(around + text.encode() + around)
    outcome, units, parts = cells.parse_decimal(data, len(around), len(data) - len(around))
    expected = to_decimal(text)
    if expected is None:
        assert outcome == cells.MISFIT
        return
    sign, digits, exponent = expected.as_tuple()
    powers = [int(exponent) + place for place, digit in enumerate(reversed(digits)) if digit]
    if any(not -cells.SCALE <= power < cells.SCALE for power in powers):
        assert outcome == cells.IRREGULAR
        return
    assert outcome == 0
    magnitude = sum(
        digit * 10 ** (int(exponent) + place + cells.SCALE) for place, digit in enumerate(reversed(digits)) if digit
    )
    whole, fraction = divmod(magnitude, 10**cells.SCALE)
    assert (units, parts) == ((-whole, -fraction) if sign else (whole, fraction))


AMOUNTS = st.integers(0, 10**18 - 1) | st.integers(0, 63).map(lambda bits: min((1 << bits) + 1, 10**18 - 1))


@thorough
@given(AMOUNTS, AMOUNTS, st.sampled_from([1, -1]))
@example(0, 0, 1)
@example(10**18 - 1, 10**18 - 1, -1)
def test_the_two_parts_of_a_decimal_are_joined_to_128_bits(units: int, parts: int, sign: int) -> None:
    low, high = tables._join(sign * units, sign * parts)  # noqa: SLF001 - no decimal of a file gets to all its limits
    assert (high << 64) + low % 2**64 == sign * (units * 10**18 + parts)


@thorough
@given(_digits(18).map(lambda digits: int(digits or "0")) | _near(10**18).map(int))
@example(2**63 - 1)
def test_row_numbers(number: int) -> None:
    out = room(len(str(number)) + 1)
    assert cells.write_row_number(number, out, 1) == out.size
    assert out[0] == CANARY
    assert out[1:].tobytes() == str(number).encode()


# Times


def _of(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(choices)


TIMES = st.tuples(
    _of("0000", "0001", "1900", "2000", "2023", "2024", "2100", "9999", "2O24"),
    _of("-", "-", "-", "/"),
    _of("00", "01", "02", "02", "02", "04", "06", "11", "12", "13", "99"),
    _of("-", "-", "-", ""),
    _of("00", "01", "28", "29", "29", "30", "31", "32"),
    _of(" ", "T", "T", "t", "x"),
    _of("00", "05", "23", "24", "25", "-1"),
    _of(":", ":", ":", "."),
    _of("00", "59", "60"),
    _of(":", ":", ":", ""),
    _of("00", "59", "60", "61", " 1"),
    st.just("") | _digits(10).map(".".__add__),
    _of("", "", "Z", "Z", "z", "+00:00", "-0530", "+24:00", "+", " ", "ZZ", "\u0661"),
).map("".join)
GOOD_TIMES = st.tuples(
    st.datetimes().map(lambda moment: moment.isoformat(" ", timespec="seconds")),
    st.just("")
    | st.integers(0, 10**9 - 1).flatmap(lambda number: st.integers(1, 9).map(lambda size: f".{number:09}"[: 1 + size])),
    _of("", "Z"),
).map("".join)


@thorough
@given(TIMES | GOOD_TIMES, NEIGHBOURS)
@example("2024-02-29 23:59:59.999999999Z", b"9")
@example("2100-02-29 00:00:00", b"")
@example("0000-01-01 00:00:00", b"")
@example("9999-12-31T23:59:59", b".")
def test_times(text: str, around: bytes) -> None:
    written = convert(cells.write_time, text, around)
    if written == cells.IRREGULAR:
        assert text[11:13] == "24" or "+" in text[19:] or "-" in text[19:]
        return
    expected = convert_cell("timestamp")(text)
    assert (None if written == cells.MISFIT else json.loads(t.cast("bytes", written))) == expected


# Text

TEXTS = st.lists(
    st.sampled_from(['"', '""', "\\", "\n", "\r\n", "\0", "\x1f", "\x7f", "é", "€", "\ufeff", "\U0001f680", "a" * 61])
    | st.characters(codec="utf-8"),
    max_size=12,
).map("".join)


@thorough
@given(TEXTS.filter(bool), st.booleans(), st.booleans())
def test_texts(text: str, has_quotes: bool, is_first: bool) -> None:
    has_quotes = has_quotes or any(mark in text for mark in '",\r\n')
    before = b"" if is_first else b","
    quote = b'"' * has_quotes
    cell = (text.replace('"', '""') if has_quotes else text).encode()
    data = placed(before + quote + cell + quote)
    start = len(before + quote)
    stop = start + len(cell)

    out = room(len(text.encode()) + 1)
    assert cells.copy_text(data, start, stop, out, 1) == out.size
    assert (out[0], out[1:].tobytes()) == (CANARY, text.encode())

    plain = not cells.has_to_escape(data)
    out = room(cells.LARGEST_ESCAPE * len(cell) + 3)
    end = cells.write_text(data, start, stop, out, 1, plain)
    assert json.loads(out[1:end].tobytes()) == text
    assert (out[end:] == CANARY).all()
    assert out[0] == CANARY


# Rows

FRAGMENTS = [
    b"a",
    b",",
    b'"',
    b'""',
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b'","',
    b'"\n',
    *(b"x" * size for size in range(58, 67)),
]
ODD_BYTES = [b"\xc3", b"\xa9", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x9a", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xff"]
CHARACTERS = [
    text.encode() for text in ("é", "€", "\U0001f680", "\ud7ff", "\U0010ffff", "\u0800", "\U00010000", "\x7f")
]


def _joined(*fragments: bytes, most: int = 24) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(fragments), max_size=most).map(b"".join)


CELLS = st.one_of(
    _joined(b"a", b"\0", "é".encode(), b"x" * 30, b"x" * 63, most=3),
    _joined(b"a", b'""', b",", b"\n", b"\r", b"\r\n", b"x" * 30, b"x" * 61, most=6).map(
        lambda text: b'"' + text + b'"'
    ),
)
ROWS = st.tuples(st.lists(CELLS, min_size=1, max_size=4).map(b",".join), _of("\n", "\r\n").map(str.encode)).map(
    b"".join
)
DATA = (
    _joined(*FRAGMENTS) | st.lists(ROWS, max_size=6).map(b"".join) | st.tuples(ROWS, _joined(*FRAGMENTS)).map(b"".join)
)

_CELL = rb'(?>"(?:[^"]|"")*+"|[^",\r\n]*+)'


@thorough
@given(DATA)
def test_the_last_whole_row(data: bytes) -> None:
    end = rows = 0
    for place, byte in enumerate(data):
        if byte == ord("\n") and data.count(b'"', 0, place) % 2 == 0:
            end, rows = place + 1, rows + 1
    assert cells.find_rows(placed(data)) == (end, rows)


@thorough
@given(DATA.filter(bool), st.integers(1, 5), st.integers(0, 130))
def test_the_cells_of_a_row(data: bytes, width: int, offset: int) -> None:
    at = min(offset, len(data) - 1)
    row = re.compile(_CELL + rb"(?:," + _CELL + rb"){%d}\r?\n" % (width - 1)).match(data, at)
    places = room(width * 16).view(np.int64).reshape(2, width) if REGION % 8 == 0 else np.empty((2, width), np.int64)
    end = cells.split_row(placed(data), at, places[0], places[1])
    assert end == (row.end() if row else cells.IRREGULAR)
    if row:
        found = [data[start:stop] for start, stop in zip(*places.tolist(), strict=True)]
        expected = re.findall(rb"(?:^|,)(" + _CELL + rb")", row[0].rstrip(b"\r\n"))
        assert found == [cell[1:-1] if cell.startswith(b'"') else cell for cell in expected]


@pytest.mark.parametrize(
    ("row", "is_regular"),
    [
        *((b'"%s",\n', True), (b',"%s"\n', True), (b',"%s"\r\n', True), (b'%s,"y"\n', True)),
        *((b'"%s""y",\n', True), (b'"""%s",\n', True), (b'"%s"",y\n",\n', True)),
        *((b'"%s"a,\n', False), (b'a"%s",\n', False), (b'%sa"y",\n', False), (b'"%s""",y"\n', False)),
        *((b'"%s"\ra,\n', False), (b'"%s""y,\n', False), (b'"%s" ,\n', False)),
    ],
)
def test_what_stands_beside_quotes_wherever_a_mask_ends(row: bytes, is_regular: bool) -> None:
    places = np.empty((2, 2), np.int64)
    for size in range(130):
        data = row % (b"x" * size)
        end = cells.split_row(placed(data), 0, places[0], places[1])
        assert end == (len(data) if is_regular else cells.IRREGULAR)


@thorough
@given(
    _joined(*CHARACTERS, *(b"x" * size for size in range(58, 67)), b"a", most=8),
    _joined(*ODD_BYTES, b"\0", b"", most=1),
    DATA,
)
def test_where_text_ends(before: bytes, odd: bytes, after: bytes) -> None:
    data = before + odd + after
    nul = data.find(b"\0")
    end = _find_end_of_utf_8(data)
    assert cells.find_text_end(placed(data)) == (end if nul < 0 else min(end, nul))


def test_every_way_that_a_character_may_begin() -> None:
    for first, second in itertools.product(range(0xBE, 0x100), range(1, 0x100)):
        for rest in (b"", b"\x80", b"\x80A", b"\x80\xbf"):
            data = bytes([first, second]) + rest
            assert cells.find_text_end(placed(data)) == _find_end_of_utf_8(data), data


def _find_end_of_utf_8(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


@thorough
@given(DATA)
def test_what_json_escapes(data: bytes) -> None:
    assert cells.has_to_escape(placed(data)) == bool(re.search(rb"[\\\0-\x1f]", re.sub(rb"[\r\n]", b"", data)))
