"""How Cryptolens pages: rows after an id, in the order of their ids."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.pagination import SafePaginator

if t.TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_auditlogs.core.http import ApiResponse


class IdPaginator(SafePaginator[int]):
    """Asks for the rows after the last id until there are none.

    The answers have no flag for more; a short page is a hint only, an empty one is the end.
    """

    def __init__(self, after: int, last_id: Callable[[ApiResponse], int | None]) -> None:
        """Start after a row.

        Args:
            after: Its id; 0 for the first row there is.
            last_id: Reads the id of a page's last row; None for an empty page.
        """
        super().__init__(after)
        self._last_id = last_id

    def get_next(self, response: requests.Response) -> int | None:
        """Read where the next page starts.

        Args:
            response: A page.

        Returns:
            The id of its last row, or None at the end.
        """
        return self._last_id(t.cast("ApiResponse", response))
