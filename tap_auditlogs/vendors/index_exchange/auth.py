"""OAuth 2.0 client credentials, with the key in a Basic header."""

from __future__ import annotations

import base64
import typing as t

import requests
from typing_extensions import override

from tap_auditlogs.core.errors import ApiError, CredentialsError
from tap_auditlogs.core.http import HttpClient, HttpOptions, Token, TokenAuthenticator, oauth2_token
from tap_auditlogs.core.redaction import redact

if t.TYPE_CHECKING:
    from tap_auditlogs.core.vendor import Settings

# Vendor page on authentication: a token lives one hour. The page's own sample token lives one minute, so that
# `expires_in` counts where it comes. index-exchange-22
DEFAULT_LIFETIME_SECONDS = 3600.0

_WHAT = "token request"


class ClientCredentialsAuthenticator(TokenAuthenticator):
    """Exchanges the client key for access tokens."""

    def __init__(self, settings: Settings, options: HttpOptions) -> None:
        super().__init__()
        self._url = settings["auth_url"]
        self._key = _encoded_key(settings)
        redact.add(self._key)
        self._client = HttpClient("index_exchange", options)

    @override
    def fetch_token(self) -> Token:
        request = requests.Request(
            "POST",
            self._url,
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {self._key}"},
        )
        try:
            response = self._client.send(request, what=_WHAT)
        except ApiError as error:
            # Keycloak tells a wrong client with 400 or 401; which of them is not on the vendor's page.
            # index-exchange-23
            if error.status not in {400, 401}:
                raise
            raise CredentialsError(
                "the client key is not accepted",
                where=f"index_exchange: {_WHAT}",
                answer=f"HTTP {error.status}",
                status=error.status,
                advice="Check index_exchange.client_key, or client_id and client_secret: wrong or revoked",
            ) from error
        return oauth2_token(response, where=f"index_exchange: {_WHAT}", default_lifetime=DEFAULT_LIFETIME_SECONDS)


def _encoded_key(settings: Settings) -> str:
    # index-exchange-21: the vendor hands it out encoded
    if "client_key" in settings:
        return t.cast("str", settings["client_key"]).strip()
    return base64.b64encode(f"{settings['client_id']}:{settings['client_secret']}".encode()).decode()
