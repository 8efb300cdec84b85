"""Estimates the rows of a log from a few of its pages: ids have gaps, and no answer tells a total."""

from __future__ import annotations

import typing as t
from itertools import pairwise

from tap_auditlogs.doctor.estimates import Load

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SOUNDINGS: t.Final = 4
_MOST_STEPS_TO_END: t.Final = 8
_CLOSE_ENOUGH: t.Final = 0.1
_SECONDS_PER_HOUR: t.Final = 3600.0


class Mark(t.NamedTuple):
    """The id of a row, and its time in Unix seconds."""

    id: int
    time: float


Page: t.TypeAlias = "Sequence[Mark]"


class LogSize:
    """The size of one log, whose ids ascend with time."""

    def __init__(
        self, first: Page, last: Page | None, page_after: Callable[[int], Page], *, now: float, page_size: int
    ) -> None:
        """Look into the log.

        Args:
            first: The first page.
            last: The last page, ascending; None if it is not known.
            page_after: Requests the page after an id.
            now: Unix seconds.
            page_size: The rows that a page may have.
        """
        self._page_after = page_after
        self._now = now
        self._first = first
        self._page_size = page_size
        self._marks = list(first)
        self.rows_per_hour = 0.0
        if not first:
            self.rows, self.how = 0, "the log is empty"
            return
        last = last or self._find_last_page()
        span = max(self._now - last[0].time, _SECONDS_PER_HOUR)
        self.rows_per_hour = len(last) / span * _SECONDS_PER_HOUR
        self._marks += last
        if last[-1].id <= first[-1].id:
            self.rows, self.how = len(first), "counted on one page"
            return
        self._page_size = len(first)  # more rows follow, so this is a full page
        pages = 1 + self._sound(last[-1].id)
        self.how = f"from the ids and times on {pages + 1} pages"

    def rows_since(self, start: float | None) -> int:
        """Return the rows from a time on, in Unix seconds."""
        if start is None or not self.rows:
            return self.rows
        marks = sorted(self._marks)
        low, high = marks[0], marks[-1]
        if start <= low.time:
            return self.rows
        if start > high.time:
            return 0
        first_id = float(high.id)
        for before, after in pairwise(marks):
            if before.time < start <= after.time:
                share = (start - before.time) / (after.time - before.time)
                first_id = before.id + share * (after.id - before.id)
                break
        return round(self.rows * (high.id - first_id) / max(1, high.id - low.id))

    def first_run(self, start: float | None) -> Load:
        """Return what a first run reads: a start date saves no request, since the id at a time is not known."""
        return Load(self.rows_since(start), self._requests(self.rows))

    def hourly_run(self) -> Load:
        """Return what a run reads an hour later."""
        rows = round(self.rows_per_hour)
        return Load(rows, max(2, self._requests(rows)))  # without new rows it makes sure of its bookmark

    def _requests(self, rows: int) -> int:
        return -(-rows // self._page_size) + 1  # the last page is empty

    def _sound(self, last_id: int) -> int:
        """Set the rows from the density of ids on pages in between; return their number."""
        begin = self._first[-1].id
        densities = [len(self._first) / max(1, begin - self._first[0].id + 1)]
        for number in range(1, _SOUNDINGS + 1):
            after = begin + (last_id - begin) * number // (_SOUNDINGS + 1)
            page = self._page_after(after)
            if page:
                densities.append(len(page) / (page[-1].id - after))
                self._marks += page
        density = sum(densities) / len(densities)
        self.rows = len(self._first) + round(density * (last_id - begin))
        return len(densities) - 1

    def _find_last_page(self) -> Page:
        """Find the end of the log, where it cannot be read backwards: by the time of a row, then by halves."""
        low, page = self._first[-1].id, self._first
        high: int | None = None
        for _ in range(_MOST_STEPS_TO_END):
            after = self._next_guess(low, high, page)
            found = self._page_after(after)
            if found:
                low, page = found[-1].id, found
                if len(found) < len(self._first):
                    break
                self._marks += found
            else:
                high = after
                if high - low <= _CLOSE_ENOUGH * (low - self._first[0].id):
                    break
        return page

    def _next_guess(self, low: int, high: int | None, page: Page) -> int:
        if high is not None:
            return (low + high) // 2
        ids, seconds = low - self._first[0].id, page[-1].time - self._first[0].time
        missing = self._now - page[-1].time
        ahead = ids * missing / seconds if seconds > 0 else float(ids)
        return low + min(max(0, int(ahead * 0.9)), 2**62)
