"""What all paginators must never do: turn in circles."""

from __future__ import annotations

import typing as t

from singer_sdk.pagination import BaseAPIPaginator

from tap_auditlogs.core.errors import ProtocolError

if t.TYPE_CHECKING:
    import requests

MAX_EMPTY_PAGES = 100
"""So many pages in a row without a row, each promising more, are taken for a fault of the vendor."""

TToken = t.TypeVar("TToken", bound=t.Hashable)


class SafePaginator(BaseAPIPaginator[TToken | None], t.Generic[TToken]):
    """A paginator that goes on over empty pages and ends with an error instead of reading for ever.

    A token that came before, however many pages ago, is an error; so is a long run of empty pages.
    Tokens are kept as hashes, so that memory stays small over a million pages.
    """

    def __init__(self, start_value: TToken | None = None) -> None:
        """Start paging.

        Args:
            start_value: The token to begin with; None for the first page.
        """
        super().__init__(start_value)
        self._seen = {hash(start_value)}
        self._empty_pages = 0

    def count_rows(self, rows: int) -> None:
        """Note how many rows a page had.

        Args:
            rows: The number of rows.

        Raises:
            ProtocolError: If too many pages in a row were empty.
        """
        self._empty_pages = 0 if rows else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES:
            msg = f"{self._empty_pages} empty pages in a row, each promising more"
            raise ProtocolError(msg, advice="Report this to the vendor; the next run tries again")

    def advance(self, response: requests.Response) -> None:
        """Move to the next page.

        Args:
            response: The page just read.

        Raises:
            ProtocolError: If the vendor's next token came before.
        """
        try:
            super().advance(response)
        except RuntimeError:  # the SDK's own check, of two equal tokens in a row only
            repeated = True
        else:
            repeated = not self.finished and hash(self.current_value) in self._seen
        if repeated:
            msg = f"pagination turns in a circle: page {self.count} points back to a page already read"
            raise ProtocolError(msg, advice="Report this to the vendor; the next run tries again")
        self._seen.add(hash(self.current_value))
