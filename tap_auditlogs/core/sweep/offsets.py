"""Reads a collection by offset, while others add and remove rows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_auditlogs.core.errors import ProtocolError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

MAX_FRUITLESS_PAGES = 5
"""So many pages in a row that promise more but bring no new row are taken for a fault of the vendor."""

MAX_SLIPS = 100
"""So many steps back are too many: the rows have no order that stays."""

TRow = t.TypeVar("TRow")


@dataclass(frozen=True)
class OffsetPage(t.Generic[TRow]):
    """A page.

    Attributes:
        rows: Its rows.
        more: Whether rows follow, as the vendor says.
    """

    rows: Sequence[TRow]
    more: bool


def read_by_offset(
    fetch: Callable[[int], OffsetPage[TRow]],
    key: Callable[[TRow], Hashable],
    *,
    where: str,
    rows_vanish: bool = True,
) -> list[TRow]:
    """Read all rows, each once.

    The offset moves by the rows received, whatever the page size asked for was. Rows that come in before the offset
    push known ones back in, which are left out. Rows that vanish before it would let others slip by unread: each page
    therefore begins with the last row of the one before, and where a page holds no known row, the reading steps back.

    Args:
        fetch: Reads the page at an offset, counted from 0.
        key: Tells rows apart.
        where: What is read, for messages.
        rows_vanish: Whether rows may vanish meanwhile; a log that is only added to needs no overlapping pages.

    Returns:
        The rows in the order in which they came.

    Raises:
        ProtocolError: If page after page promises more but brings nothing new.
    """
    rows: dict[Hashable, TRow] = {}
    offset = furthest = longest = fruitless = slips = 0
    overlapping = False
    while True:
        page = fetch(offset)
        keys = [key(row) for row in page.rows]
        slipped = overlapping and not any(found in rows for found in keys)
        known = len(rows)
        rows.update(_new(keys, page.rows, rows))
        if not page.more and not slipped:
            return list(rows.values())
        slips += slipped
        if len(rows) > known:
            fruitless = 0
        elif offset + len(page.rows) >= furthest:
            fruitless += 1
        if fruitless >= MAX_FRUITLESS_PAGES or slips > MAX_SLIPS:
            msg = f"page after page promises more but brings nothing new (at offset {offset})"
            raise ProtocolError(msg, where=where, advice="The next run tries again; if it stays, report it")
        longest = max(longest, len(page.rows))
        furthest = max(furthest, offset + len(page.rows))
        if slipped:
            offset = max(0, offset - longest)
            overlapping = offset > 0
        else:
            overlapping = rows_vanish and len(page.rows) > 1
            offset += len(page.rows) - overlapping


def _new(keys: list[Hashable], page: Sequence[TRow], rows: dict[Hashable, TRow]) -> dict[Hashable, TRow]:
    return {found: row for found, row in zip(keys, page, strict=True) if found not in rows}
