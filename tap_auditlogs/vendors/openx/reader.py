"""Reads OpenX's lists and histories, page by page."""

from __future__ import annotations

import typing as t

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError, RefusedError
from tap_auditlogs.core.sweep import OffsetPage, OffsetReader
from tap_auditlogs.vendors.openx.client import SESSION_PATH, BareForbiddenError, NotUnderstoodError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.core.http import ApiResponse, HttpClient
    from tap_auditlogs.core.sweep import Row

# Vendor page on history: "default 20" in one place, 10 in another, 30 in a sample; the maximum is unknown. openx-02
SAFE_PAGE_SIZE = 20
SMALLEST_PAGE = 10


class Reader(OffsetReader):
    """Reads below one base URL; asks for smaller pages once the vendor has refused the configured size."""

    vendor = "openx"

    def __init__(self, client: HttpClient, api_url: str, page_size: int) -> None:
        self._client = client
        self._api_url = api_url
        self._page_size = page_size

    @override
    def read_page(self, path: str, params: Mapping[str, t.Any], offset: int, what: str) -> OffsetPage[Row]:
        params = {**params, "offset": offset}
        try:
            return page_of(self.send(path, {**params, "limit": self._page_size}, what), what)
        except NotUnderstoodError:
            if self._page_size <= SAFE_PAGE_SIZE:
                raise
        page = page_of(self.send(path, {**params, "limit": SAFE_PAGE_SIZE}, what), what)
        self._page_size = SAFE_PAGE_SIZE
        return page

    def send(self, path: str, params: Mapping[str, t.Any], what: str) -> ApiResponse:
        """Send; take a bare 403 for a refusal only after the session has proved to be alive."""
        try:
            return self._client.send(self._request(path, params), what=what)
        except BareForbiddenError:
            self._prove_session()
        try:
            return self._client.send(self._request(path, params), what=what)
        except BareForbiddenError as error:
            raise RefusedError(str(error), status=error.status) from error

    def _prove_session(self) -> None:
        """Ask for the session, which logs in again if it is over."""
        try:
            self._client.send(self._request(SESSION_PATH, {}), what="session")
        except RefusedError:
            # openx-17: not served here, which only the older API promises; the current one tells a dead token by 401
            return

    def _request(self, path: str, params: Mapping[str, t.Any]) -> requests.Request:
        # Vendor page: the content type on every request, GET included.
        headers = {"Content-Type": "application/json"}
        return requests.Request("GET", self._api_url + path, params=dict(params), headers=headers)


def page_of(response: ApiResponse, what: str) -> OffsetPage[Row]:
    """Take the rows out of a page; an early sample on the vendor's page is a bare array.

    That does not say whether more follows (openx-10): where it may be full, the next page is asked for.
    """
    payload = response.json()
    if isinstance(payload, list):
        payload = {"objects": payload, "has_more": len(payload) >= SMALLEST_PAGE}
    rows = payload.get("objects") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError("the answer holds no list of objects", where=f"openx: {what}", answer=response.describe())
    if not isinstance(more := payload.get("has_more"), bool):
        raise ProtocolError("the answer does not say whether more follows", where=f"openx: {what}")
    return OffsetPage(rows, more)
