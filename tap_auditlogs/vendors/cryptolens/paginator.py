"""Pagination by id."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_auditlogs.core.pagination import SafePaginator

if t.TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_auditlogs.core.http import ApiResponse


class IdPaginator(SafePaginator[int]):
    """Requests the rows after the last id until a page is empty; a short page is not the end."""

    def __init__(self, after: int, last_id: Callable[[ApiResponse], int | None]) -> None:
        """Start after an id.

        Args:
            after: The id; 0 to start at the first row.
            last_id: Returns the id of a page's last row, or None for an empty page.
        """
        super().__init__(after)
        self._last_id = last_id

    @override
    def get_next(self, response: requests.Response) -> int | None:
        return self._last_id(t.cast("ApiResponse", response))
