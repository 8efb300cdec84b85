"""The vendor's clock, as its answers tell it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

if t.TYPE_CHECKING:
    from collections.abc import Mapping


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
        try:
            told = parsedate_to_datetime(headers["Date"])
        except (KeyError, ValueError, OverflowError):
            return
        if told.tzinfo is not None:
            self._offset = told - datetime.now(UTC)
            self.is_known = True
