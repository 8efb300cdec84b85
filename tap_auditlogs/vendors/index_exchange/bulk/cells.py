"""Converts cells with the outcomes of the row-by-row parser."""

from __future__ import annotations

import json
import typing as t
from decimal import Decimal

import msgspec
import polars as pl

from tap_auditlogs.vendors.index_exchange.bulk.regular import IrregularFileError
from tap_auditlogs.vendors.index_exchange.log_file import convert_cell, to_decimal
from tap_auditlogs.vendors.index_exchange.totals import EXACT

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.columns import Kind

# Cells that are written alike in CSV and in JSON, between quotes if they are text.
_PLAIN: Mapping[Kind, str] = {
    "string": r'^[^"\\\x00-\x1f]+$',
    "integer": r"^(?:0|-?[1-9][0-9]{0,17})$",
    "number": r"^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,31})?$",
    "timestamp": r"[^\s\S]",  # none
}
_FEW = 0.25
"""Up to this share of distinct cells, a column is parsed as categories."""
_MOST_KEPT = 50_000
_MOST_COMBINATIONS = 1 << 7

_NULL = pl.Series([None], dtype=pl.String)
_encode = msgspec.json.Encoder(decimal_format="number").encode

_DECIMAL = pl.Decimal(38, 18)
TYPES: Mapping[Kind, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": _DECIMAL,
    "timestamp": pl.String(),  # in the fixed-width form, as in records
}
"""What `convert` makes of the cells of a column."""
_PLAIN_DECIMAL = r"^-?[0-9]{1,20}(?:\.[0-9]{1,18})?$"


def convert(cells: pl.Series, kind: Kind) -> pl.Series:
    """Convert a column; blank cells, and cells that are not of its type, become null.

    Raises:
        IrregularFileError: If a number does not fit a decimal of 38 digits, 18 of them behind the point.
    """
    match kind:
        case "string":
            return cells
        case "integer":
            return cells.cast(pl.Int64, strict=False)
        case "number":
            return to_decimals(cells)
        case "timestamp":
            distinct = cells.drop_nulls().unique()
            values = pl.Series(map(convert_cell(kind), distinct.to_list()), dtype=pl.String)
            return cells.replace_strict(distinct, values, default=None)


def to_decimals(cells: pl.Series, largest: int = 10**20) -> pl.Series:
    """Convert numbers; cells that are not numbers become null.

    Raises:
        IrregularFileError: If a number is `largest` or larger, or has more than 18 digits behind the point.
    """
    is_plain = cells.str.contains(_PLAIN_DECIMAL)
    numbers = pl.select(pl.when(is_plain).then(cells)).to_series().cast(_DECIMAL)
    odd = cells.filter(~is_plain).unique()
    if len(odd):
        values = pl.Series([_to_small_decimal(text) for text in odd.to_list()], dtype=_DECIMAL)
        numbers = numbers.fill_null(cells.replace_strict(odd, values, default=None))
    least, most = t.cast("Decimal | None", numbers.min()), t.cast("Decimal | None", numbers.max())
    if least is not None and most is not None and max(-least, most) >= largest:
        raise IrregularFileError
    return numbers.alias(cells.name)


def _to_small_decimal(text: str) -> Decimal | None:
    value = to_decimal(text)
    if not value:
        return None if value is None else Decimal(0)
    if abs(value) >= 10**20 or EXACT.remainder(value, Decimal("1e-18")):
        raise IrregularFileError
    return value


class Members(t.NamedTuple):
    """The cells of a column as members of JSON objects, such as `"site_id":7`.

    Attributes:
        by_row: Members of the record, one for each row.
        extra: Members of `additional_properties`, null for rows without one; None if no row has one.
    """

    by_row: pl.Expr
    extra: pl.Expr | None


class CodedMembers(t.NamedTuple):
    """Members of which each is that of many rows; `codes` tells which of `distinct` a row has."""

    distinct: pl.Series
    codes: pl.Expr
    extra: pl.Expr | None

    @property
    def by_row(self) -> pl.Expr:
        """As in `Members`."""
        return pl.lit(self.distinct).gather(self.codes)

    def joined(self, other: CodedMembers) -> CodedMembers | None:
        """Join the members of two columns by all combinations of their codes; None if these would be too many."""
        width = len(other.distinct)
        combinations = len(self.distinct) * width
        if combinations > _MOST_COMBINATIONS:
            return None
        number = pl.int_range(combinations, eager=True)
        left, right = self.distinct.gather(number // width), other.distinct.gather(number % width)
        return CodedMembers(left + "," + right, self.codes * width + other.codes, None)


class MemberColumn:
    """Encodes the cells of a column; its kind is None if they belong in `additional_properties`.

    Most columns of a log have few distinct cells. They are parsed as categories, and each category is encoded once. Of
    other columns, cells that JSON writes alike are copied, and the rest is encoded one by one.
    """

    def __init__(self, name: str, kind: Kind | None) -> None:
        self.name = name
        self._kind = kind
        self._key = f"{json.dumps(name, ensure_ascii=False)}:"
        self._blank = pl.Series([f"{self._key}null"])
        self._kept: dict[str, tuple[str, str | None]] = {}
        self._has_few: bool | None = None

    def new_type(self) -> pl.DataType:
        """Return the type to parse a block with; categories are not shared between blocks."""
        return pl.Categorical(pl.Categories.random()) if self._has_few else pl.String()

    def encode(self, cells: pl.Series) -> Members | CodedMembers:
        """Encode the cells of a block."""
        if cells.dtype == pl.String:
            if self._has_few is None:
                self._has_few = cells.n_unique() <= _FEW * len(cells)
            return self._encode_texts(cells)
        distinct = t.cast("pl.Categorical", cells.dtype).categories.to_series()
        self._has_few = len(distinct) <= _FEW * len(cells)
        members, extras = self._encode_one_by_one(distinct.to_list())
        codes = pl.lit(cells).to_physical().fill_null(len(distinct))
        extra = None if extras is None else pl.lit(extras.append(_NULL)).gather(codes)
        return CodedMembers(members.append(self._blank), codes, extra)

    def _encode_texts(self, cells: pl.Series) -> Members:
        is_plain = cells.str.contains(_PLAIN[self._kind or "string"])
        quote = '"' if self._kind in {"string", None} else ""
        members = pl.concat_str(pl.lit(f"{self._key}{quote}"), pl.lit(cells), pl.lit(quote))
        extras = None if self._kind else members
        odd = cells.filter(~is_plain).unique()
        if len(odd):
            odd_members, odd_extras = self._encode_one_by_one(odd.to_list())
            members = pl.lit(cells).replace_strict(odd, odd_members, default=members)
            if odd_extras is not None:
                extras = pl.lit(cells).replace_strict(odd, odd_extras, default=extras)
        return Members(members.fill_null(self._blank.item()), extras)

    def _encode_one_by_one(self, texts: Sequence[str]) -> tuple[pl.Series, pl.Series | None]:
        if len(self._kept) > _MOST_KEPT:
            self._kept = {}
        encoded = [self._kept.get(text) or self._encode_cell(text) for text in texts]
        members = pl.Series([member for member, _ in encoded], dtype=pl.String)
        extras = pl.Series([extra for _, extra in encoded], dtype=pl.String)
        return members, extras if extras.null_count() < len(extras) else None

    def _encode_cell(self, text: str) -> tuple[str, str | None]:
        value = convert_cell(self._kind)(text) if self._kind else None
        extra = f"{self._key}{_encode(text).decode()}" if value is None else None
        encoded = self._kept[text] = f"{self._key}{_encode(value).decode()}", extra
        return encoded


def join_extras(extras: Sequence[pl.Expr]) -> pl.Expr:
    """Join members of `additional_properties` to JSON objects; null for rows without any."""
    if not extras:
        return pl.lit(None, dtype=pl.String)
    members = pl.concat_str(extras, separator=",", ignore_nulls=True)
    return pl.when(members != "").then(pl.concat_str(pl.lit("{"), members, pl.lit("}")))


def join_members(columns: Iterable[Members | CodedMembers]) -> Iterator[pl.Expr]:
    """Join members of neighbouring columns with few combinations, which takes fewer texts by row; yields these."""
    joined: CodedMembers | None = None
    for column in columns:
        if isinstance(column, Members):
            if joined:
                yield joined.by_row
            yield column.by_row
            joined = None
        elif joined and (both := joined.joined(column)):
            joined = both
        else:
            if joined:
                yield joined.by_row
            joined = column
    if joined:
        yield joined.by_row
