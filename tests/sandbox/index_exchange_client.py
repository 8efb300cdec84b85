"""A client for the tests of the imitated Index Exchange, without any leniency."""

from __future__ import annotations

import typing as t
from datetime import datetime

from werkzeug.test import Client as WerkzeugClient
from werkzeug.wrappers import Request

from auditlogs_sandbox.vendors.index_exchange.files import HourKey

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from werkzeug.test import TestResponse

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

TOKEN = "/auth/realms/eventlog/protocol/openid-connect/token"
API = "/api/cal/v1"


class ApiClient:
    """Asks the imitated vendor, without a socket between."""

    def __init__(self, vendor: IndexExchangeSandbox) -> None:
        self.vendor = vendor
        self.key = vendor.identity.client.key
        self.token = ""
        self._client = WerkzeugClient(self._application)

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.vendor.handle(Request(environ))(environ, start_response)

    def ask_token(self, **changes: t.Any) -> TestResponse:
        request: dict[str, t.Any] = {
            "method": "POST",
            "data": {"grant_type": "client_credentials"},
            "headers": {"Authorization": f"Basic {self.key}"},
            **changes,
        }
        return self._client.open(TOKEN, **request)

    def log_in(self) -> None:
        response = self.ask_token()
        assert response.status_code == 200, response.text
        self.token = response.get_json()["access_token"]

    def ask(self, path: str, **changes: t.Any) -> TestResponse:
        request: dict[str, t.Any] = {"headers": {"Authorization": f"Bearer {self.token}"}, "method": "GET", **changes}
        return self._client.open(path, **request)

    def get(self, path: str) -> t.Any:
        response = self.ask(f"{API}/{path}")
        assert response.status_code == 200, response.text
        return response.get_json()

    def entries(self, path: str = "downloads") -> dict[HourKey, dict[str, t.Any]]:
        """List the files, and check the outer shape."""
        answer = self.get(path)
        assert list(answer) == ["count", "availableDownloads"]
        assert answer["count"] == len(answer["availableDownloads"])
        return {_key(entry, path): entry for entry in answer["availableDownloads"]}

    def download(self, url: str, **changes: t.Any) -> TestResponse:
        assert url.startswith("http://localhost/")
        return self.ask(url, **changes)

    def fetch(self, key: HourKey) -> bytes:
        """Download a file of impressions as the list says."""
        response = self.download(self.entries()[key]["downloadURL"])
        assert response.status_code == 200, response.text
        return bytes(response.data)


def _key(entry: dict[str, t.Any], path: str) -> HourKey:
    return HourKey(
        datetime.fromisoformat(entry["hour"]), "bids" if "bid" in path else "impressions", entry["subscriptionID"]
    )
