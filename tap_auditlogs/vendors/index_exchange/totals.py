"""Counts and sums per hour and dimensions, exact, with no row left out.

It stands for the vendor's second sample script, with these differences: the hour is the file's, not taken from each
row's timestamp; a blank in a dimension is a group of its own instead of dropping the row; names are looked up, so
that an id that a mapping holds twice does not count twice; sums are decimal.
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
from tap_auditlogs.vendors.index_exchange.reading import (
    convert_cell,
    to_decimal,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_auditlogs.vendors.index_exchange.reading import Record

MEASURES = ("net_revenue", "gross_revenue")

Group: t.TypeAlias = "tuple[str | None, ...]"
"""The cells of the dimensions as they are in the file; None for a blank."""

EXACT = decimal.Context(
    prec=2_500,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
)
"""Holds the sum of any numbers that a file can hold (64 characters, three of them of an exponent) without rounding."""

_MOST_DIGITS = 200
"""A sum with more digits, when written without an exponent, is left as text: no target has a number for it."""


@dataclass
class Totals:
    """What is known of a group.

    Attributes:
        rows: How many rows it has.
        net_revenue: The sum of its numbers; text and blanks count nothing.
        gross_revenue: Likewise.
    """

    rows: int = 0
    net_revenue: Decimal = Decimal(0)
    gross_revenue: Decimal = Decimal(0)

    def add(self, other: Totals) -> None:
        """Take another group in.

        Args:
            other: Its totals.
        """
        self.rows += other.rows
        self.net_revenue = EXACT.add(self.net_revenue, other.net_revenue)
        self.gross_revenue = EXACT.add(self.gross_revenue, other.gross_revenue)


@dataclass(frozen=True)
class Names:
    """Names from the mappings.

    Attributes:
        dsps: By dsp_id.
        buyers: By dsp_id and trading_desk_id.
    """

    dsps: Mapping[int, str | None]
    buyers: Mapping[tuple[int, int], str | None]


def total_rows(rows: Iterable[list[str]], header: Sequence[str], dimensions: Sequence[str]) -> dict[Group, Totals]:
    """Group rows.

    Args:
        rows: The rows after the header.
        header: The names of the columns.
        dimensions: The columns to group by.

    Returns:
        The groups by their cells.
    """
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
    """Make the records of an hour.

    Args:
        groups: The groups by the cells as they are in the file.
        dimensions: The names of those cells.
        fixed: The properties that all records of the file have in common.
        names: From the mappings.
        missing: The measures whose column the file lacks: their sums are null.

    Returns:
        The records, in the order of their keys. A sum that is too long for a number is null, and text in
        `additional_properties`.
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
    """Return the measures of which a sum is too long for a number."""
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
    """Give a cell the value that its column's type gives it, or leave it text."""
    if cell is None:
        return None
    kind = COLUMNS[name][0] if name in COLUMNS else "string"
    value = convert_cell(kind)(cell)
    return cell if value is None else value


def _group_key(values: Mapping[str, t.Any]) -> str:
    """Hash names and values; which order the dimensions are configured in does not matter."""
    text = json.dumps(sorted((name, _plain(value)) for name, value in values.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: t.Any) -> t.Any:
    return ["number", str(value.normalize(EXACT))] if isinstance(value, Decimal) else value
