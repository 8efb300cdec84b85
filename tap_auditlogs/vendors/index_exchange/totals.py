"""Exact counts and sums by dimensions.

Differences to the vendor's second sample script: the hour is that of the file, not taken from each row; rows with a
blank dimension are kept as a group of their own; duplicate ids in a mapping do not duplicate rows; sums are decimal.
"""

from __future__ import annotations

import decimal
import hashlib
import json
import typing as t
from dataclasses import dataclass
from decimal import Decimal

from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.columns import COLUMNS
from tap_auditlogs.vendors.index_exchange.log_file import (
    convert_cell,
    to_decimal,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.log_file import Record

MEASURES = ("net_revenue", "gross_revenue")

Group: t.TypeAlias = "tuple[str | None, ...]"
"""The cells of the dimensions as they are in the file; None for a blank."""

EXACT = decimal.Context(
    prec=2_500,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
)
"""Large enough for the sum of any numbers of 64 characters with an exponent of three digits; never rounds."""

_MOST_DIGITS = 200
"""A longer sum (written without an exponent) stays text, since no target has a number type for it."""


@dataclass
class Totals:
    """The totals of a group; text and blanks in a revenue column add nothing."""

    rows: int = 0
    net_revenue: Decimal = Decimal(0)
    gross_revenue: Decimal = Decimal(0)

    def add(self, other: Totals) -> None:
        """Add the totals of another group."""
        self.rows += other.rows
        self.net_revenue = EXACT.add(self.net_revenue, other.net_revenue)
        self.gross_revenue = EXACT.add(self.gross_revenue, other.gross_revenue)


@dataclass(frozen=True)
class Names:
    """Names from the mappings, by dsp_id and by dsp_id and trading_desk_id."""

    dsps: Mapping[int, str | None]
    buyers: Mapping[tuple[int, int], str | None]


def total_rows(rows: Iterable[list[str]], header: Sequence[str], dimensions: Sequence[str]) -> dict[Group, Totals]:
    """Group the rows after the header; a dimension that the file lacks is blank in all rows."""
    positions = [header.index(name) if name in header else None for name in dimensions]
    net, gross = (header.index(name) if name in header else None for name in MEASURES)
    groups: dict[Group, Totals] = {}
    for row in rows:
        group = tuple(_cell(row, position) or None for position in positions)
        totals = groups.get(group)
        if totals is None:
            totals = groups[group] = Totals()
        totals.rows += 1
        totals.net_revenue = EXACT.add(totals.net_revenue, _amount(row, net))
        totals.gross_revenue = EXACT.add(totals.gross_revenue, _amount(row, gross))
    return groups


def _cell(row: Sequence[str], position: int | None) -> str:
    return row[position] if position is not None and position < len(row) else ""


def _amount(row: Sequence[str], position: int | None) -> Decimal:
    return to_decimal(_cell(row, position)) or Decimal(0)


def hourly_records(
    groups: Mapping[Group, Totals],
    dimensions: Sequence[str],
    fixed: Mapping[str, t.Any],
    names: Names,
    *,
    missing: Collection[str] = (),
) -> list[Record]:
    """Return the records of a file, sorted by key.

    Sums of `missing` columns are null; a sum that is too long for a number is text in `additional_properties`.
    """
    records: dict[str, Record] = {}
    totals_of: dict[str, Totals] = {}
    for group, totals in groups.items():
        values = {name: _value(name, cell) for name, cell in zip(dimensions, group, strict=True)}
        key = _group_key(values)
        totals_of.setdefault(key, Totals()).add(totals)  # `7` and `07` are one group
        records[key] = _record(key, values, fixed, names)
    for key, record in records.items():
        totals = totals_of[key]
        record["impressions"] = totals.rows
        for name in MEASURES:
            _set_sum(record, name, None if name in missing else getattr(totals, name))
    return [records[key] for key in sorted(records)]


def long_sums(records: Iterable[Record]) -> list[str]:
    """Return the revenue columns with a sum that is too long for a number."""
    extras = [extra for record in records if (extra := record[ADDITIONAL_PROPERTIES])]
    return [name for name in MEASURES if any(name in extra for extra in extras)]


def _set_sum(record: Record, name: str, amount: Decimal | None) -> None:
    record[name] = None
    if amount is None:
        return
    amount = amount.normalize(EXACT)
    exponent = t.cast("int", amount.as_tuple().exponent)
    if max(amount.adjusted(), 0) - min(exponent, 0) >= _MOST_DIGITS:
        record[ADDITIONAL_PROPERTIES] = {**(record[ADDITIONAL_PROPERTIES] or {}), name: str(amount)}
    else:
        record[name] = amount.quantize(Decimal(1), context=EXACT) if exponent > 0 else amount


def _record(key: str, values: Mapping[str, t.Any], fixed: Mapping[str, t.Any], names: Names) -> Record:
    record: Record = {**fixed, "group_key": key}
    extra: Record = {}
    for name, value in values.items():
        misfit = isinstance(value, str) and COLUMNS.get(name, ("string",))[0] in {"integer", "number"}
        record[name] = None if misfit else value
        if misfit:
            extra[name] = value
    record["dsp_name"] = names.dsps.get(record.get("dsp_id"))  # type: ignore[arg-type] # None is no key
    buyer = (record.get("dsp_id"), record.get("trading_desk_id"))
    record["buyer_name"] = names.buyers.get(buyer)  # type: ignore[arg-type] # likewise
    record[ADDITIONAL_PROPERTIES] = extra or None
    return record


def _value(name: str, cell: str | None) -> t.Any:
    """Convert a cell to the type of its column; text that does not fit stays text."""
    if cell is None:
        return None
    kind = COLUMNS[name][0] if name in COLUMNS else "string"
    value = convert_cell(kind)(cell)
    return cell if value is None else value


def _group_key(values: Mapping[str, t.Any]) -> str:
    """Hash the dimensions, independently of the order in which they are configured."""
    text = json.dumps(sorted((name, _plain(value)) for name, value in values.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: t.Any) -> t.Any:
    return ["number", str(value.normalize(EXACT))] if isinstance(value, Decimal) else value
