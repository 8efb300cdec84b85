"""Base class for paginators."""

from __future__ import annotations

import typing as t

from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError

if t.TYPE_CHECKING:
    import requests

MAX_EMPTY_PAGES = 100
"""The most consecutive empty pages with a next page; more are treated as an error of the vendor."""

TToken = t.TypeVar("TToken", bound=t.Hashable)


class SafePaginator(BaseAPIPaginator[TToken | None], t.Generic[TToken]):
    """A paginator that continues after empty pages, and raises on a repeated token or too many empty pages.

    Tokens are kept as hashes, to limit memory use.
    """

    def __init__(self, start_value: TToken | None = None) -> None:
        super().__init__(start_value)
        self._seen = {hash(start_value)}
        self._empty_pages = 0

    def count_rows(self, rows: int) -> None:
        """Count the rows of a page; raises ProtocolError after more than `MAX_EMPTY_PAGES` empty pages."""
        self._empty_pages = 0 if rows else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES:
            msg = f"{self._empty_pages} consecutive pages are empty, each with a next page"
            raise ProtocolError(msg, advice="Report this to the vendor; the next run tries again")

    @override
    def advance(self, response: requests.Response) -> None:
        try:
            super().advance(response)
        except RuntimeError:  # the SDK's own check, which compares consecutive tokens only
            repeated = True
        else:
            repeated = not self.finished and hash(self.current_value) in self._seen
        if repeated:
            msg = f"pagination loops: page {self.count} points back to a page already read"
            raise ProtocolError(msg, advice="Report this to the vendor; the next run tries again")
        self._seen.add(hash(self.current_value))
