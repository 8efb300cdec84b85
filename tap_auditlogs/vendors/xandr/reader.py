"""Reads Xandr's lists and change logs, page by page."""

from __future__ import annotations

import typing as t

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.sweep import OffsetPage, OffsetReader

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.core.http import ApiResponse, HttpClient
    from tap_auditlogs.core.sweep import Row

# Vendor page on API semantics: the default and the maximum; more is cut without a word.
PAGE_SIZE = 100

_NO_ROWS = frozenset({"status", "count", "start_element", "num_elements", "dbg_info", "id"})


class Reader(OffsetReader):
    """Reads below one base URL.

    Args:
        rows_key: Under which key answers have their rows; None to find it in each answer.
    """

    vendor = "xandr"

    def __init__(self, client: HttpClient, api_url: str, *, rows_key: str | None = None) -> None:
        self._client = client
        self._rows_key = rows_key
        self._api_url = api_url.rstrip("/")

    @override
    def read_page(self, path: str, params: Mapping[str, t.Any], offset: int, what: str) -> OffsetPage[Row]:
        paging = {"start_element": offset, "num_elements": PAGE_SIZE}
        response = self.send(path, {**params, **paging}, what=what)
        rows = rows_of(response, self._rows_key, what)
        return OffsetPage(rows, _has_more(response, offset, len(rows), what))

    def send(self, path: str, params: Mapping[str, t.Any], *, what: str) -> ApiResponse:
        """Send one request; `what` is for messages."""
        request = requests.Request("GET", f"{self._api_url}/{path}", params=dict(params))
        return self._client.send(request, what=what)


def rows_of(response: ApiResponse, rows_key: str | None, what: str) -> list[Row]:
    """Take the rows out of an answer.

    A single one may be an object under the singular key instead of a list (public clients). xandr-18

    Raises:
        ProtocolError: If the answer holds no list of rows.
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
    # xandr-20
    debug_info = envelope.get("dbg_info")
    term = debug_info.get("output_term") if isinstance(debug_info, dict) else None
    if isinstance(term, str) and term in envelope:
        return term
    others = [key for key, value in envelope.items() if key not in _NO_ROWS and isinstance(value, list | dict)]
    return others[0] if len(others) == 1 else ""


def _has_more(response: ApiResponse, offset: int, rows: int, what: str) -> bool:
    """Compare with the vendor's count, which may change while pages are read; without one, rows promise more."""
    count = response.json()["response"].get("count")
    if count is None:
        return rows > 0
    if not isinstance(count, int) or isinstance(count, bool):
        raise ProtocolError("the answer's `count` is not a number", where=f"xandr: {what}", answer=response.describe())
    return offset + rows < count
