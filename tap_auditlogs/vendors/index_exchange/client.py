"""HTTP client for Index Exchange."""

from __future__ import annotations

import typing as t

import requests

from tap_auditlogs.core.http import FileClient, HttpClient, HttpOptions
from tap_auditlogs.vendors.index_exchange.auth import ClientCredentialsAuthenticator
from tap_auditlogs.vendors.index_exchange.transport import PublicHostsAdapter, is_own

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.vendor import Settings

VENDOR_NAME = "index_exchange"


class IndexExchangeClient(HttpClient):
    """Client for the API and the files, with one token for both."""

    def __init__(self, settings: Settings, options: HttpOptions) -> None:
        authenticator = ClientCredentialsAuthenticator(settings, options)
        super().__init__(VENDOR_NAME, options, authenticator=authenticator)  # index-exchange-24: without a limit
        self._api_url: str = settings["api_url"].rstrip("/")
        connections = settings["max_concurrency"] + 1
        self._own_files = FileClient(VENDOR_NAME, options, authenticator=authenticator, connections=connections)
        self._other_files = FileClient(VENDOR_NAME, options, connections=connections, adapter=PublicHostsAdapter)

    def get(self, path: str, *, what: str) -> ApiResponse:
        """Request a path of the API; `what` names it in messages."""
        return self.send(requests.Request("GET", self._api_url + path), what=what)

    def fetch_file(
        self, url: str, open_sink: Callable[[], Callable[[bytes], object]], *, what: str, tries: int
    ) -> None:
        """Download a file from the listed URL; the token is sent only to the host of the API.

        Args:
            url: The listed URL.
            open_sink: As for `FileClient.fetch`.
            what: Names the file in messages.
            tries: The number of attempts.

        Raises:
            UnsafeUrlError: If the URL must not be requested.
            ApiError: If the download fails.
        """
        client = self._own_files if is_own(url, self._api_url) else self._other_files
        client.fetch(url, open_sink, what=what, tries=tries)


def connect(settings: Settings, options: HttpOptions) -> IndexExchangeClient:
    """Return a client that authenticates with the configured key."""
    return IndexExchangeClient(settings, options)
