"""The vendor's clock, from the `Date` headers of its responses."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

if t.TYPE_CHECKING:
    from collections.abc import Mapping


_PLAUSIBLE_YEARS = range(1970, 2200)
"""Times outside could overflow when a look-back is subtracted."""


class ServerClock:
    """The offset of the vendor's clock from this machine's; `is_known` after the first valid `Date`."""

    def __init__(self) -> None:
        self.is_known = False
        self._offset = timedelta()

    def now(self, at: datetime | None = None) -> datetime:
        """Convert a time of this machine's clock, by default now, to the vendor's; unchanged while that is unknown."""
        return (at or datetime.now(UTC)) + self._offset

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the time from the headers of a response."""
        moment = parse_http_date(headers.get("Date", ""))
        if moment is not None and moment.year in _PLAUSIBLE_YEARS:
            self._offset = moment - datetime.now(UTC)
            self.is_known = True


def parse_http_date(text: str) -> datetime | None:
    """Parse an HTTP date; None if the text is not a time with a zone."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
