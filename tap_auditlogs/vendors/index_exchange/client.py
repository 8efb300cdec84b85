"""How Index Exchange is spoken to."""

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
    """The API and the files, with one token for both."""

    def __init__(self, settings: Settings, options: HttpOptions) -> None:
        """Set up; nothing is sent.

        Args:
            settings: Index Exchange's settings.
            options: The HTTP settings common to all vendors.
        """
        authenticator = ClientCredentialsAuthenticator(settings, options)
        super().__init__(VENDOR_NAME, options, authenticator=authenticator)
        self._api_url: str = settings["api_url"].rstrip("/")
        connections = settings["max_concurrency"] + 1
        self._own_files = FileClient(VENDOR_NAME, options, authenticator=authenticator, connections=connections)
        self._other_files = FileClient(VENDOR_NAME, options, connections=connections, adapter=PublicHostsAdapter)

    def get(self, path: str, *, what: str) -> ApiResponse:
        """Ask the API.

        Args:
            path: Appended to the API's URL.
            what: What is being asked for, for messages.

        Returns:
            The answer.
        """
        return self.send(requests.Request("GET", self._api_url + path), what=what)

    def fetch_file(
        self, url: str, open_sink: Callable[[], Callable[[bytes], object]], *, what: str, tries: int
    ) -> None:
        """Download a file from wherever the list says, with the token only if that is the API's own host.

        Args:
            url: The URL that the list gives.
            open_sink: As for `FileClient.fetch`.
            what: What is being fetched, for messages.
            tries: How often to try at most.

        Raises:
            UnsafeUrlError: If the URL must not be asked.
            ApiError: If the file cannot be had.
        """
        client = self._own_files if is_own(url, self._api_url) else self._other_files
        client.fetch(url, open_sink, what=what, tries=tries)


def connect(settings: Settings, options: HttpOptions) -> IndexExchangeClient:
    """Make the client.

    Args:
        settings: Index Exchange's settings.
        options: The HTTP settings common to all vendors.

    Returns:
        A client that signs with a token.
    """
    return IndexExchangeClient(settings, options)
