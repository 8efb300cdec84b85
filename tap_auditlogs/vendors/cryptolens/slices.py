"""Which rows of a page are emitted now, and how far the bookmark may move: no I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_BELIEVABLE_SECONDS = 86_400.0
"""A row dated further ahead of the vendor's clock is misdated; waiting for it would hold the stream up for ever."""


class Row(t.NamedTuple):
    """A row as far as the cut is concerned.

    Attributes:
        id: Its id.
        time: Unix seconds; None if it has no usable time.
        data: The row.
    """

    id: int
    time: float | None
    data: dict[str, t.Any]


@dataclass
class Cut:
    """What of a page is emitted.

    Attributes:
        emitted: The rows to emit.
        passed: The id up to which every row is settled and before the end; None if the first one is not.
        passed_time: The time of the row with that id.
        finished: Whether nothing further is wanted.
    """

    emitted: list[Row] = field(default_factory=list)
    passed: int | None = None
    passed_time: float | None = None
    finished: bool = False


@dataclass
class Cutter:
    """Cuts pages that come in the order of their ids.

    Attributes:
        start: Rows before this time are left out; Unix seconds.
        end: Rows at or after this time are left out, and the bookmark stays before the first of them.
        settle_seconds: Rows younger than this are left for the next run, with all that follow them: a row with a
            lower id may not be visible yet.
    """

    start: float | None
    end: float | None
    settle_seconds: float
    _held: bool = False

    def hold(self) -> None:
        """Keep the bookmark before the next page, which has to be read again."""
        self._held = True

    def cut(self, rows: Iterable[Row], now: float) -> Cut:
        """Cut one page.

        Args:
            rows: The page.
            now: The vendor's time in Unix seconds.

        Returns:
            What to emit and how far to move.
        """
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
            # What cannot be dated cannot be known to be settled: only a settled row behind it passes it.
            if not self._held and row.time is not None and row.time <= now:
                cut.passed = row.id
                cut.passed_time = row.time
        # Times do not follow ids exactly: a page may still hold rows from before the end behind one after it.
        cut.finished = self._held and not any_before_end
        return cut

    def cut_backward(self, rows: Iterable[Row], now: float, top: int | None) -> tuple[list[Row], int | None]:
        """Cut a page of descending ids.

        Args:
            rows: The page.
            now: The vendor's time in Unix seconds.
            top: What this returned for the page before.

        Returns:
            The rows to emit, and the highest id below which every row so far is settled and before the end.
        """
        emitted = []
        for row in rows:
            if self._is_young(row, now) or self._is_behind_end(row):
                top = None  # what was above it has to be read again
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
