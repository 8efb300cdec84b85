"""How Xandr pages, and where its answers keep their rows."""

from __future__ import annotations

import typing as t

import requests

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.sweep import OffsetPage, read_by_offset

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from tap_auditlogs.core.http import ApiResponse, HttpClient

    Row: t.TypeAlias = "dict[str, t.Any]"

TItem = t.TypeVar("TItem")

# Vendor page on API semantics: the default and the maximum; more is cut without a word.
PAGE_SIZE = 100

_NO_ROWS = frozenset({"status", "count", "start_element", "num_elements", "dbg_info", "id"})


class Reader:
    """Reads rows of one API address after the other."""

    def __init__(self, client: HttpClient, api_url: str) -> None:
        """Keep what requests need.

        Args:
            client: The client.
            api_url: The base URL.
        """
        self._client = client
        self._api_url = api_url.rstrip("/")

    def read_all(  # noqa: PLR0913 - keyword-only but for the request itself
        self,
        path: str,
        params: Mapping[str, t.Any],
        *,
        take: Callable[[Row], TItem],
        key: Callable[[TItem], Hashable],
        rows_key: str | None,
        what: str,
    ) -> list[TItem]:
        """Read all pages.

        Transactions and objects may vanish while they are read, as the vendor removes old ones.

        Args:
            path: Below the base URL.
            params: The query, without the paging.
            take: Takes out of a row what is wanted of it; all of these are held in memory.
            key: Tells these apart.
            rows_key: Where the rows are; None if it depends on the service.
            what: What is read, for messages.

        Returns:
            What was taken of all rows.

        Raises:
            ApiError: If a page cannot be read.
        """

        def fetch(offset: int) -> OffsetPage[TItem]:
            paging = {"start_element": offset, "num_elements": PAGE_SIZE}
            response = self.send(path, {**params, **paging}, what=what)
            rows = rows_of(response, rows_key, what)
            return OffsetPage([take(row) for row in rows], _has_more(response, offset + len(rows)))

        return read_by_offset(fetch, key, where=f"xandr: {what}")

    def send(self, path: str, params: Mapping[str, t.Any], *, what: str) -> ApiResponse:
        """Send one request.

        Args:
            path: Below the base URL.
            params: The query.
            what: What is read, for messages.

        Returns:
            The answer.

        Raises:
            ApiError: If it cannot be had.
        """
        request = requests.Request("GET", f"{self._api_url}/{path}", params=dict(params))
        return self._client.send(request, what=what)


def rows_of(response: ApiResponse, rows_key: str | None, what: str) -> list[Row]:
    """Take the rows out of an answer.

    A single one may be an object under the singular key instead of a list (public clients).

    Args:
        response: The answer.
        rows_key: Where the rows are; None to find the key: `dbg_info.output_term`, else the only one that is left.
        what: What is read, for messages.

    Returns:
        The rows.

    Raises:
        ProtocolError: If there are none to be found.
    """
    payload = response.json()
    envelope = payload.get("response") if isinstance(payload, dict) else None
    if isinstance(envelope, dict):
        found = envelope.get(rows_key or _rows_key(envelope), [] if envelope.get("count") == 0 else None)
        rows = [found] if isinstance(found, dict) else found
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
    raise ProtocolError("the answer holds no list of rows", where=f"xandr: {what}", answer=response.describe())


def _rows_key(envelope: Mapping[str, t.Any]) -> str:
    debug_info = envelope.get("dbg_info")
    term = debug_info.get("output_term") if isinstance(debug_info, dict) else None
    if isinstance(term, str) and term in envelope:
        return term
    others = [key for key, value in envelope.items() if key not in _NO_ROWS and isinstance(value, list | dict)]
    return others[0] if len(others) == 1 else ""


def _has_more(response: ApiResponse, received: int) -> bool:
    """Compare with the vendor's count, which may move while pages are read; without one, rows promise more."""
    envelope = response.json()["response"]
    count = envelope.get("count")
    if isinstance(count, int):
        return received < count
    return received > int(envelope.get("start_element") or 0)
