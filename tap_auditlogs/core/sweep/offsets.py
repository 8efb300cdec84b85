"""Reads a collection by offset, while others add and remove rows."""

from __future__ import annotations

import abc
import logging
import typing as t
from dataclasses import dataclass

from tap_auditlogs.core.errors import ProtocolError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

logger = logging.getLogger(__name__)

MAX_FRUITLESS_PAGES = 5
"""After so many pages in a row that promise more but bring no new row, the vendor is at fault."""

MAX_STEPS_BACK = 100
"""After so many steps back, the rows have no stable order."""

Row: t.TypeAlias = "dict[str, t.Any]"
TRow = t.TypeVar("TRow")


@dataclass(frozen=True)
class OffsetPage(t.Generic[TRow]):
    """A page, and whether more rows follow, as the vendor says."""

    rows: Sequence[TRow]
    more: bool


class OffsetReader(abc.ABC):
    """Reads all rows of an address that pages by offset."""

    vendor: t.ClassVar[str]

    @abc.abstractmethod
    def read_page(self, path: str, params: Mapping[str, t.Any], offset: int, what: str) -> OffsetPage[Row]:
        """Read the page at an offset, counted from 0; `what` is for messages."""

    def read_all(
        self,
        path: str,
        params: Mapping[str, t.Any],
        *,
        take: Callable[[Row], TRow],
        key: Callable[[TRow], Hashable],
        what: str,
    ) -> list[TRow]:
        """Read all pages.

        Args:
            path: Below the base URL.
            params: The query, without the paging.
            take: Returns what is wanted of a row; only this is kept in memory.
            key: Tells these apart.
            what: What is read, for messages.

        Raises:
            ApiError: If a page cannot be read.
        """

        def fetch(offset: int) -> OffsetPage[TRow]:
            page = self.read_page(path, params, offset, what)
            return OffsetPage([take(row) for row in page.rows], page.more)

        return read_by_offset(fetch, key, where=f"{self.vendor}: {what}")


def read_by_offset(
    fetch: Callable[[int], OffsetPage[TRow]], key: Callable[[TRow], Hashable], *, where: str
) -> list[TRow]:
    """Read all rows, each once, in the order in which they came.

    The offset moves by the rows received, whatever page size was asked for. Rows that are added before the offset push
    known ones back in, which are left out. Rows that vanish before it would let others slip by unread: each page
    therefore begins with the last row of the one before, and where a page holds no known row, reading steps back, at
    most to the start, until it meets one.

    Raises:
        ProtocolError: If page after page promises more but brings nothing new.
    """
    rows: dict[Hashable, TRow] = {}
    offset = furthest = longest = fruitless = steps_back = 0
    overlapping = False
    while True:
        page = fetch(offset)
        keys = [key(row) for row in page.rows]
        slipped = overlapping and not any(found in rows for found in keys)
        known = len(rows)
        rows.update(_new(keys, page.rows, rows))
        if not page.more and not slipped:
            return list(rows.values())
        if slipped and not steps_back:
            logger.info("%s: rows vanished while they were read; a part is read again.", where)
        steps_back += slipped
        if len(rows) > known:
            fruitless = 0
        elif offset + len(page.rows) >= furthest:
            fruitless += 1
        if fruitless >= MAX_FRUITLESS_PAGES or steps_back > MAX_STEPS_BACK:
            msg = f"page after page promises more but brings nothing new (at offset {offset})"
            raise ProtocolError(msg, where=where)
        longest = max(longest, len(page.rows))
        furthest = max(furthest, offset + len(page.rows))
        if slipped:
            offset = max(0, offset - longest)
            overlapping = offset > 0
        else:
            overlapping = len(page.rows) > 1
            offset += len(page.rows) - overlapping


def requests_for(rows: int, page_size: int) -> int:
    """Return how many pages `read_by_offset` requests for so many rows: each after the first repeats one row."""
    return 1 + max(0, -(-(rows - page_size) // max(1, page_size - 1)))


def _new(keys: list[Hashable], page: Sequence[TRow], rows: dict[Hashable, TRow]) -> dict[Hashable, TRow]:
    return {found: row for found, row in zip(keys, page, strict=True) if found not in rows}
