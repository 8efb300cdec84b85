"""The vendor's clock, read from the `Date` headers of its answers."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

if t.TYPE_CHECKING:
    from collections.abc import Mapping


_PLAUSIBLE_YEARS = range(1970, 2200)
"""Times outside would also overflow when a look-back or a tolerance is applied to them."""


class ServerClock:
    """The offset of the vendor's clock from this machine's, shared by the clients of one vendor.

    Attributes:
        is_known: Whether any answer had a usable `Date`.
    """

    def __init__(self) -> None:
        self.is_known = False
        self._offset = timedelta()

    def now(self, at: datetime | None = None) -> datetime:
        """Convert a time of this machine's clock, now by default, to the vendor's; unchanged while that is unknown."""
        return (at or datetime.now(UTC)) + self._offset

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the time from the headers of an answer."""
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
