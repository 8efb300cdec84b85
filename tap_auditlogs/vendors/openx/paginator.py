"""How OpenX pages, and what its answers hold."""

from __future__ import annotations

import typing as t

import requests

from tap_auditlogs.core.errors import ProtocolError, RefusedError
from tap_auditlogs.core.sweep import OffsetPage, read_by_offset
from tap_auditlogs.vendors.openx.client import SESSION_PATH, BareForbiddenError, NotUnderstoodError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from tap_auditlogs.core.http import ApiResponse, HttpClient

    Row: t.TypeAlias = "dict[str, t.Any]"

TItem = t.TypeVar("TItem")

# Vendor page on history: "default 20" in one place, 10 in another, 30 in a sample; the maximum is unknown.
SAFE_PAGE_SIZE = 20


class Reader:
    """Reads rows of one API address after the other."""

    def __init__(self, client: HttpClient, api_url: str, page_size: int) -> None:
        """Keep what requests need.

        Args:
            client: The client.
            api_url: The base URL.
            page_size: Rows per page; less is asked for once the vendor has refused it.
        """
        self._client = client
        self._api_url = api_url
        self._page_size = page_size

    def read_all(  # noqa: PLR0913 - keyword-only but for the request itself
        self,
        path: str,
        params: Mapping[str, t.Any],
        *,
        take: Callable[[Row], TItem],
        key: Callable[[TItem], Hashable],
        rows_vanish: bool,
        what: str,
    ) -> list[TItem]:
        """Read all pages.

        Args:
            path: Below the base URL.
            params: The query, without the paging.
            take: Takes out of a row what is wanted of it; all of these are held in memory.
            key: Tells these apart.
            rows_vanish: Whether rows may vanish while they are read.
            what: What is read, for messages.

        Returns:
            What was taken of all rows.

        Raises:
            ApiError: If a page cannot be read.
        """

        def fetch(offset: int) -> OffsetPage[TItem]:
            page = self._read_page(path, {**params, "offset": offset}, what)
            return OffsetPage([take(row) for row in page.rows], page.more)

        return read_by_offset(fetch, key, where=f"openx: {what}", rows_vanish=rows_vanish)

    def _read_page(self, path: str, params: Mapping[str, t.Any], what: str) -> OffsetPage[Row]:
        """Read a page; where the size of pages is refused, a safe one is taken from then on."""
        try:
            return _page(self._send(path, {**params, "limit": self._page_size}, what), what)
        except NotUnderstoodError:
            if self._page_size <= SAFE_PAGE_SIZE:
                raise
        page = _page(self._send(path, {**params, "limit": SAFE_PAGE_SIZE}, what), what)
        self._page_size = SAFE_PAGE_SIZE
        return page

    def _send(self, path: str, params: Mapping[str, t.Any], what: str) -> ApiResponse:
        """Send; a bare 403 is taken for a refusal only once the session has been proven alive."""
        try:
            return self._client.send(self._request(path, params), what=what)
        except BareForbiddenError:
            self._prove_session()
        try:
            return self._client.send(self._request(path, params), what=what)
        except BareForbiddenError as error:
            raise RefusedError(str(error), status=error.status) from error

    def _prove_session(self) -> None:
        """Ask for the session, which logs in anew if it is over.

        Raises:
            CredentialsError: If a new session is not accepted either.
        """
        try:
            self._client.send(self._request(SESSION_PATH, {}), what="session")
        except RefusedError:
            return  # not served here, which only the older API promises; the current one tells a dead token by 401

    def _request(self, path: str, params: Mapping[str, t.Any]) -> requests.Request:
        # Vendor page: the content type on every request, GET included.
        headers = {"Content-Type": "application/json"}
        return requests.Request("GET", self._api_url + path, params=dict(params), headers=headers)


def _page(response: ApiResponse, what: str) -> OffsetPage[Row]:
    """Take the rows out of a page; an early sample on the vendor's page is a bare array."""
    payload = response.json()
    if isinstance(payload, list):
        payload = {"objects": payload, "has_more": False}
    rows = payload.get("objects") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError("the answer holds no list of objects", where=f"openx: {what}", answer=response.describe())
    if not isinstance(more := payload.get("has_more"), bool):
        raise ProtocolError("the answer does not say whether more follows", where=f"openx: {what}")
    return OffsetPage(rows, more)
