"""Pagination by an opaque cursor."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.pagination import SafePaginator

if t.TYPE_CHECKING:
    import requests


class EventPaginator(SafePaginator[str]):
    """Follows `nextEventsCursor` while `hasMoreEvents` is true.

    Pigment docs: newest events first. An empty page is not the end (pigment-17).
    """

    @override
    def has_more(self, response: requests.Response) -> bool:
        """Return `hasMoreEvents`, or without it whether there is a cursor.

        Raises:
            ProtocolError: If `hasMoreEvents` is not a boolean.
        """
        page = response.json()  # pigment-09
        match page.get("hasMoreEvents"):
            case bool(more):
                return more
            case None:
                return bool(page.get("nextEventsCursor"))
            case _:
                msg = "`hasMoreEvents` is neither true nor false"
                raise ProtocolError(msg, where="pigment: audit events")

    @override
    def get_next(self, response: requests.Response) -> str:
        """Return the cursor.

        Raises:
            ProtocolError: If there is none although more events follow.
        """
        cursor = response.json().get("nextEventsCursor")
        if not isinstance(cursor, str) or not cursor:
            msg = "the answer says that more events follow but gives no cursor to reach them"
            raise ProtocolError(msg, where="pigment: audit events", advice="The next run reads the window again")
        return cursor
