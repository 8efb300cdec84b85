"""How much there is to read, and how long it will take."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Pace:
    """How fast a vendor may be asked.

    Attributes:
        requests: The most requests in a window; None if no limit is known.
        per_seconds: The length of the window.
        concurrency: How many requests the tap sends at once.
        origin: Where the limit is from, such as `documented`.
    """

    requests: int | None = None
    per_seconds: float = 60.0
    concurrency: int = 1
    origin: str = "none is documented"

    def minutes(self, requests: float, mean_seconds: float) -> float:
        """Return how long requests will take, the vendor's limit kept."""
        by_answers = requests * mean_seconds / self.concurrency
        beyond_first_window = 0 if self.requests is None else max(0, math.ceil(requests / self.requests) - 1)
        return max(by_answers, beyond_first_window * self.per_seconds) / 60

    def describe(self) -> str:
        """Describe the limit."""
        if self.requests is None:
            return f"rate limit: {self.origin}"
        return f"rate limit: {self.requests} requests in {self.per_seconds:g} s ({self.origin})"


@dataclass(frozen=True)
class Load:
    """What one run reads."""

    rows: int
    requests: int


@dataclass(frozen=True)
class Estimate:
    """The estimate for one stream.

    Attributes:
        stream: The stream; streams that are read with the same requests are named together.
        first_run: From `start_date`, or from all that the vendor keeps.
        hourly_run: One hour later, the look-back included.
        how: How it was estimated.
    """

    stream: str
    first_run: Load
    hourly_run: Load
    how: str


def total(loads: Iterable[Load]) -> Load:
    """Return the sum."""
    rows, requests = 0, 0
    for load in loads:
        rows += load.rows
        requests += load.requests
    return Load(rows, requests)
