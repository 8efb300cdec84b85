"""Selects which rows of a page are emitted, and how far the bookmark may advance."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_BELIEVABLE_SECONDS = 86_400.0
"""A row further in the future has a wrong time; waiting for it would block the stream for years."""


class Row(t.NamedTuple):
    """A row with the values that decide whether it is emitted.

    Attributes:
        time: Unix seconds; None if the row has no usable time.
        data: The row as the vendor sent it.
    """

    id: int
    time: float | None
    data: dict[str, t.Any]


@dataclass
class Cut:
    """The selection from one page.

    Attributes:
        passed: The id to which the bookmark may advance, or None.
        passed_time: The time of the row with that id.
        finished: Whether no further page is needed.
    """

    emitted: list[Row] = field(default_factory=list)
    passed: int | None = None
    passed_time: float | None = None
    finished: bool = False


@dataclass
class Cutter:
    """Selects rows from pages in ascending order of id.

    Attributes:
        start: Rows before this time are omitted; Unix seconds.
        end: Rows at or after this time are omitted, and the bookmark stays before the first of them; Unix seconds.
        settle_seconds: The first row younger than this and all rows after it are left for the next run: a row with a
            lower id may not be visible yet.
    """

    start: float | None
    end: float | None
    settle_seconds: float  # cryptolens-09
    _held: bool = False

    def hold(self) -> None:
        """Stop advancing the bookmark, so that the next run reads the following pages again."""
        self._held = True

    def cut(self, rows: Iterable[Row], now: float) -> Cut:
        """Select from a page; `now` is the vendor's time in Unix seconds."""
        cut = Cut()
        any_before_end = False
        for row in rows:
            if self._is_young(row, now):
                cut.finished = True
                return cut
            if self._is_behind_end(row):
                self._held = True
                continue
            any_before_end = True
            if self._is_wanted(row):
                cut.emitted.append(row)
            # A row without a usable time may not have settled; only a settled row after it moves the bookmark past it.
            if not self._held and row.time is not None and row.time <= now:
                cut.passed = row.id
                cut.passed_time = row.time
        # Times are not strictly ascending: rows before the end may follow a row after it.
        cut.finished = self._held and not any_before_end
        return cut

    def cut_backward(self, rows: Iterable[Row], now: float, top: int | None) -> tuple[list[Row], int | None]:
        """Select from a page in descending order of id.

        Args:
            rows: The page.
            now: The vendor's time in Unix seconds.
            top: The second value returned for the previous page; None for the first.

        Returns:
            The rows to emit, and the highest id up to which all rows so far have settled and are before the end.
        """
        emitted = []
        for row in rows:
            if self._is_young(row, now) or self._is_behind_end(row):
                top = None  # the next run reads the rows above it again
                continue
            if self._is_wanted(row):
                emitted.append(row)
            if top is None and row.time is not None and row.time <= now:
                top = row.id
        return emitted, top

    def _is_young(self, row: Row, now: float) -> bool:
        return row.time is not None and now - self.settle_seconds < row.time <= now + _BELIEVABLE_SECONDS

    def _is_behind_end(self, row: Row) -> bool:
        return self.end is not None and row.time is not None and row.time >= self.end

    def _is_wanted(self, row: Row) -> bool:
        return self.start is None or row.time is None or row.time >= self.start
