"""The hourly sums of an impression file, made row by row with exact decimals."""

from __future__ import annotations

import typing as t
from decimal import Context, Decimal, InvalidOperation

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.index_exchange.shapes import NamedCells

DIMENSIONS: t.Final = ("partner_id", "site_id", "supply_source", "dsp_id", "trading_desk_id")

_REVENUES: t.Final = ("net_revenue", "gross_revenue")
_EXACT: t.Final = Context(prec=2_000)


class Names:
    """Names by id; when an id repeats, the first entry of a mapping counts."""

    def __init__(self, dsps: Iterable[Row], buyers: Iterable[Row]) -> None:
        self._dsps: dict[str, str] = {}
        self._buyers: dict[tuple[str, str], str] = {}
        for dsp in dsps:
            self._dsps.setdefault(str(dsp["dsp_id"]), dsp["dsp_name"])
        for buyer in buyers:
            key = (str(buyer["dsp_id"]), str(buyer["trading_desk_id"]))
            self._buyers.setdefault(key, buyer["buyer_name"])

    def of(self, group: Mapping[str, str | None]) -> Row:
        """Return the names for a group."""
        dsp, desk = str(group["dsp_id"]), str(group["trading_desk_id"])
        return {"dsp_name": self._dsps.get(dsp), "buyer_name": self._buyers.get((dsp, desk))}


def hourly_sums(rows: Sequence[NamedCells], names: Names) -> list[Row]:
    """Add up the rows of a file by the default dimensions.

    A blank and a mask are groups of their own, and no row is left out. A revenue that is blank or no number adds
    nothing.
    """
    groups: dict[tuple[str | None, ...], tuple[int, list[Decimal]]] = {}
    for row in rows:
        key = tuple(row.get(name) or None for name in DIMENSIONS)
        count, sums = groups.get(key, (0, [Decimal(0), Decimal(0)]))
        amounts = [_amount(row.get(name)) for name in _REVENUES]
        groups[key] = count + 1, [_EXACT.add(*pair) for pair in zip(sums, amounts, strict=True)]
    result = []
    for key, (count, sums) in groups.items():
        group = dict(zip(DIMENSIONS, key, strict=True))
        totals = zip(_REVENUES, sums, strict=True)
        revenues = {name: format(total, "f") if name in rows[0] else None for name, total in totals}
        result.append({**group, "impressions": count, **revenues, **names.of(group)})
    return result


def _amount(cell: str | None) -> Decimal:
    try:
        return Decimal(cell or 0)
    except InvalidOperation:
        return Decimal(0)
