"""The vendor's clock, as its answers tell it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

if t.TYPE_CHECKING:
    from collections.abc import Mapping


_PLAUSIBLE_YEARS = range(1970, 2200)
"""Times outside would also overflow when a look-back or a tolerance is applied to them."""


class ServerClock:
    """Keeps how far the vendor's clock is from this machine's. Clients of one vendor may share one.

    Attributes:
        is_known: Whether the vendor has told its time.
    """

    def __init__(self) -> None:
        self.is_known = False
        self._offset = timedelta()

    def now(self, at: datetime | None = None) -> datetime:
        """Return the time by the vendor's clock.

        Args:
            at: A moment by this machine's clock; now by default.

        Returns:
            The time in UTC; by this machine's clock while the vendor has told none.
        """
        return (at or datetime.now(UTC)) + self._offset

    def note(self, headers: Mapping[str, str]) -> None:
        """Take the time from an answer.

        Args:
            headers: Of the answer.
        """
        told = parse_http_date(headers.get("Date", ""))
        if told is not None and told.year in _PLAUSIBLE_YEARS:
            self._offset = told - datetime.now(UTC)
            self.is_known = True


def parse_http_date(text: str) -> datetime | None:
    """Read the date of a header.

    Args:
        text: What the header says; empty if there is none.

    Returns:
        The time; None if the text is no time, or one without a zone.
    """
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
