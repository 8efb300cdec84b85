"""How Pigment pages: an opaque cursor, and a flag that says whether more events follow."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.pagination import SafePaginator

if t.TYPE_CHECKING:
    import requests


class EventPaginator(SafePaginator[str]):
    """Follows `nextEventsCursor` while `hasMoreEvents` says that there is more.

    Events come newest first, and an empty page may have more behind it: only the vendor's word ends the paging.
    """

    def has_more(self, response: requests.Response) -> bool:
        """Read the vendor's word on whether more events follow; without it, a cursor says that they do.

        Args:
            response: A page.

        Returns:
            Whether there is a next page.

        Raises:
            ProtocolError: If the word is none.
        """
        page = response.json()
        match page.get("hasMoreEvents"):
            case bool(more):
                return more
            case None:
                return bool(page.get("nextEventsCursor"))
            case _:
                msg = "`hasMoreEvents` is neither true nor false"
                raise ProtocolError(msg, where="pigment: audit events")

    def get_next(self, response: requests.Response) -> str:
        """Read the cursor of the next page.

        Args:
            response: A page that has more behind it.

        Returns:
            The cursor.

        Raises:
            ProtocolError: If there is none: the older events of the window could not be reached.
        """
        cursor = response.json().get("nextEventsCursor")
        if not isinstance(cursor, str) or not cursor:
            msg = "the answer says that more events follow but gives no cursor to reach them"
            raise ProtocolError(msg, where="pigment: audit events", advice="The next run reads the window again")
        return cursor
