"""Encodes rows as the bytes of a file: well-formed, unusual, or damaged.

Each shape is a function in `SHAPES`, named like the `shape` it is asked for by.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import typing as t
import zlib
from dataclasses import dataclass

from auditlogs_sandbox.vendors.index_exchange.rows import MASK, NUMERIC_MASK

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from auditlogs_sandbox.vendors.index_exchange.rows import Cells

Header: t.TypeAlias = "tuple[str, ...]"
NamedCells: t.TypeAlias = "dict[str, str]"

BOMB_BYTES: t.Final = 64 * 1024 * 1024
LONG_FIELD: t.Final = 200_000  # the csv module refuses more than 131,072 characters unless told otherwise
NEW_COLUMN: t.Final = "privacy_signal"
DROPPED_COLUMNS: t.Final = ("dma", "video_placement_type")

_NOT_A_PAGE: t.Final = b"<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>\n"


@dataclass(frozen=True)
class Content:
    """The bytes of a file, and what they say.

    Attributes:
        source: The bytes, or where they are on the disk.
        size: How many bytes.
        md5sum: The MD5 of the bytes, as 32 hex digits.
        rows: The rows that can be read from them, cells by column; None when that is not known or makes no sense.
        sound: Whether every reader of gzip and CSV agrees on these rows.
    """

    source: bytes | Path
    size: int
    md5sum: str
    rows: Sequence[NamedCells] | None
    sound: bool = True


def shaped(shape: str, header: Header, rows: Sequence[Cells]) -> Content:
    """Write rows in a shape.

    Raises:
        KeyError: There is no such shape.
    """
    return SHAPES[shape](header, rows)


def _csv(header: Iterable[str], rows: Iterable[Cells], *, end: str = "\n", quoting: t.Literal[0, 1] = 0) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


def _named(header: Header, rows: Iterable[Cells]) -> list[NamedCells]:
    return [dict(zip(header, row, strict=False)) for row in rows]


def _content(data: bytes, rows: Sequence[NamedCells] | None, *, sound: bool = True) -> Content:
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Content(data, len(data), digest, rows, sound)


def _with_cells(header: Header, rows: Sequence[Cells], **cells: str) -> list[Cells]:
    """Set cells in every second row, beginning with the first."""
    changed = []
    for number, row in enumerate(rows):
        values = dict(zip(header, row, strict=True))
        changed.append(list((values | (cells if number % 2 == 0 else {})).values()))
    return changed


# Sound shapes.


def _plain(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(_csv(header, rows)), _named(header, rows))


def _header_only(header: Header, _rows: Sequence[Cells]) -> Content:
    return _plain(header, ())


def _bom(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(b"\xef\xbb\xbf" + _csv(header, rows)), _named(header, rows))


def _crlf(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(_csv(header, rows, end="\r\n")), _named(header, rows))


def _no_final_newline(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(_csv(header, rows).removesuffix(b"\n")), _named(header, rows))


def _all_quoted(header: Header, rows: Sequence[Cells]) -> Content:
    """Every cell is quoted, numbers and blanks too."""
    return _content(_gzip(_csv(header, rows, quoting=csv.QUOTE_ALL)), _named(header, rows))


def _quoted_newlines(header: Header, rows: Sequence[Cells]) -> Content:
    text = "first\nsecond\r\nthird\rfourth,\n"
    return _plain(header, _with_cells(header, rows, creative_name=text, auction_id="\n"))


def _doubled_quotes(header: Header, rows: Sequence[Cells]) -> Content:
    return _plain(header, _with_cells(header, rows, creative_name='""', campaign_name='",', brand_name='"'))


def _long_field(header: Header, rows: Sequence[Cells]) -> Content:
    return _plain(header, _with_cells(header, rows[:3], creative_name="é" * LONG_FIELD) + list(rows[3:]))


def _masked(header: Header, rows: Sequence[Cells]) -> Content:
    """Whole columns are masked, ids and revenue among them."""
    masks = {
        "auction_id": MASK,
        "partner_id": NUMERIC_MASK,
        "site_id": "XXXX",
        "dsp_id": MASK,
        "trading_desk_id": NUMERIC_MASK,
        "gross_revenue": MASK,
        "net_revenue": NUMERIC_MASK,
        "event_opportunity": MASK,
    }
    return _plain(header, _with_cells(header, rows, **masks))


def _blank(header: Header, rows: Sequence[Cells]) -> Content:
    """Every second row is blank but for id and time, hence in every dimension."""
    blanks = dict.fromkeys((name for name in header if name not in {"auction_id", "timestamp"}), "")
    return _plain(header, _with_cells(header, rows, **blanks))


def _new_column(header: Header, rows: Sequence[Cells]) -> Content:
    """A column more, without notice, somewhere in the middle."""
    place = len(header) // 2
    wider = [[*row[:place], f"1{'Y' * (number % 3)}-", *row[place:]] for number, row in enumerate(rows)]
    return _plain((*header[:place], NEW_COLUMN, *header[place:]), wider)


def _missing_column(header: Header, rows: Sequence[Cells]) -> Content:
    kept = [place for place, name in enumerate(header) if name not in DROPPED_COLUMNS]
    return _plain(tuple(header[place] for place in kept), [[row[place] for place in kept] for row in rows])


def _reordered(header: Header, rows: Sequence[Cells]) -> Content:
    return _plain(header[::-1], [row[::-1] for row in rows])


def _two_members(header: Header, rows: Sequence[Cells]) -> Content:
    """Two gzip members, which a reader has to join; the first ends within a row."""
    data = _csv(header, rows)
    middle = len(data) // 2
    return _content(_gzip(data[:middle]) + _gzip(data[middle:]), _named(header, rows))


def _trailing_zeros(header: Header, rows: Sequence[Cells]) -> Content:
    """Padded with zeros, as the gzip tools allow."""
    return _content(_gzip(_csv(header, rows)) + bytes(512), _named(header, rows))


# CSV on which readers do not agree.


def _invalid_utf8(header: Header, rows: Sequence[Cells]) -> Content:
    mark = "\N{REPLACEMENT CHARACTER}"
    damaged = _with_cells(header, rows, creative_name=f"a{mark}b", domain=mark)
    data = _csv(header, damaged).replace(mark.encode(), b"\xff")
    return _content(_gzip(data), _named(header, damaged), sound=False)


def _nul(header: Header, rows: Sequence[Cells]) -> Content:
    damaged = _with_cells(header, rows, creative_name="a\0b", domain="\0")
    return _content(_gzip(_csv(header, damaged)), _named(header, damaged), sound=False)


def _utf16(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(_csv(header, rows).decode().encode("utf-16")), None, sound=False)


def _duplicate_header(header: Header, rows: Sequence[Cells]) -> Content:
    names = list(header)
    names[header.index("dsp_id")] = "site_id"
    return _content(_gzip(_csv(names, rows)), None, sound=False)


def _short_row(header: Header, rows: Sequence[Cells]) -> Content:
    """The row in the middle ends early; a reader may take the cells that are missing as blank."""
    cut = list(rows)
    cut[len(cut) // 2] = cut[len(cut) // 2][:-3]
    return _content(_gzip(_csv(header, cut)), _named(header, cut), sound=False)


def _long_row(header: Header, rows: Sequence[Cells]) -> Content:
    """The row in the middle has two cells more than there are columns."""
    grown = list(rows)
    grown[len(grown) // 2] = [*grown[len(grown) // 2], "surplus", "7"]
    return _content(_gzip(_csv(header, grown)), _named(header, grown), sound=False)


def _repeated_header(header: Header, rows: Sequence[Cells]) -> Content:
    """Two files joined into one, each with its header."""
    middle = len(rows) // 2
    data = _gzip(_csv(header, rows[:middle])) + _gzip(_csv(header, rows[middle:]))
    return _content(data, _named(header, rows), sound=False)


def _loosely_named(header: Header, rows: Sequence[Cells]) -> Content:
    """The names of the columns have spaces around them and other case."""
    names = [f" {name.upper()} " if number % 2 else name.title() for number, name in enumerate(header)]
    return _content(_gzip(_csv(names, rows)), _named(header, rows), sound=False)


def _no_revenue(header: Header, rows: Sequence[Cells]) -> Content:
    """Neither revenue has a column."""
    kept = [place for place, name in enumerate(header) if name not in {"net_revenue", "gross_revenue"}]
    return _plain(tuple(header[place] for place in kept), [[row[place] for place in kept] for row in rows])


def _huge_amount(header: Header, rows: Sequence[Cells]) -> Content:
    return _plain(header, _with_cells(header, rows, net_revenue="1e200"))


def _stray_quote(header: Header, rows: Sequence[Cells]) -> Content:
    """In the row in the middle, a quote ends before its cell does: that row is not CSV, the others are."""
    middle = len(rows) // 2
    marked = list(rows)
    marked[middle] = list(dict(zip(header, rows[middle], strict=True), domain="STRAY").values())
    data = _csv(header, marked).replace(b"STRAY", b'"exam"ple.com')
    return _content(_gzip(data), None, sound=False)


def _unterminated_quote(header: Header, rows: Sequence[Cells]) -> Content:
    """A quote opens in the middle and never closes: lax readers take the rest of the file as one cell."""
    middle = len(rows) // 2
    swallowed = _csv(rows[middle], rows[middle + 1 :]).replace(b'"', b"")
    return _content(_gzip(_csv(header, rows[:middle]) + b'"' + swallowed), None, sound=False)


def _empty_csv(_header: Header, _rows: Sequence[Cells]) -> Content:
    return _content(_gzip(b""), None, sound=False)


# Bytes that are no good gzip; the MD5 in the list is true to them.


def _truncated(header: Header, rows: Sequence[Cells]) -> Content:
    data = _gzip(_csv(header, rows))
    return _content(data[: len(data) // 2], None, sound=False)


def _truncated_trailer(header: Header, rows: Sequence[Cells]) -> Content:
    """All rows are there; the CRC and the length after them are not."""
    return _content(_gzip(_csv(header, rows))[:-8], _named(header, rows), sound=False)


def _truncated_length(header: Header, rows: Sequence[Cells]) -> Content:
    """All rows and the CRC are there; the length after them is not."""
    return _content(_gzip(_csv(header, rows))[:-4], _named(header, rows), sound=False)


def _trailing_junk(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_gzip(_csv(header, rows)) + b"not a gzip member", _named(header, rows), sound=False)


def _bit_flip(header: Header, rows: Sequence[Cells]) -> Content:
    """Every row can be read, but the CRC says that they are not what was written."""
    data = bytearray(_gzip(_csv(header, rows)))
    data[-8] ^= 1
    return _content(bytes(data), None, sound=False)


def _bomb(header: Header, rows: Sequence[Cells]) -> Content:
    """A few kilobytes that unpack to `BOMB_BYTES`, in one cell."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [compressor.compress(_csv(header, rows[:1]))]
    zeros = b"0" * (1024 * 1024)
    packed += [compressor.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))]
    return _content(b"".join([*packed, compressor.flush()]), None, sound=False)


def _html(_header: Header, _rows: Sequence[Cells]) -> Content:
    return _content(_NOT_A_PAGE, None, sound=False)


def _not_compressed(header: Header, rows: Sequence[Cells]) -> Content:
    return _content(_csv(header, rows), _named(header, rows), sound=False)


def _zero_bytes(_header: Header, _rows: Sequence[Cells]) -> Content:
    return _content(b"", None, sound=False)


SHAPES: t.Final[dict[str, Callable[[Header, Sequence[Cells]], Content]]] = {
    make.__name__.removeprefix("_"): make
    for make in (
        *(_plain, _header_only, _bom, _crlf, _no_final_newline, _all_quoted, _quoted_newlines, _doubled_quotes),
        *(_long_field, _masked, _blank, _new_column, _missing_column, _reordered, _two_members, _trailing_zeros),
        *(_repeated_header, _loosely_named, _no_revenue, _huge_amount, _stray_quote),
        *(_invalid_utf8, _nul, _utf16, _duplicate_header, _short_row, _long_row, _unterminated_quote, _empty_csv),
        *(_truncated, _truncated_trailer, _truncated_length, _trailing_junk, _bit_flip, _bomb, _html),
        *(_not_compressed, _zero_bytes),
    )
}
