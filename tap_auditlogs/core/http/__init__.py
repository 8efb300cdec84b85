"""HTTP for all vendors: timeouts, retries, rate limits and authentication."""

from tap_auditlogs.core.http.auth import BearerAuthenticator, Token, TokenAuthenticator, oauth2_token, token_text
from tap_auditlogs.core.http.client import HttpClient, HttpObserver, HttpOptions, root_cause
from tap_auditlogs.core.http.clock import ServerClock
from tap_auditlogs.core.http.files import FileClient
from tap_auditlogs.core.http.response import ApiResponse
from tap_auditlogs.core.http.throttle import Throttle

__all__ = [
    "ApiResponse",
    "BearerAuthenticator",
    "FileClient",
    "HttpClient",
    "HttpObserver",
    "HttpOptions",
    "ServerClock",
    "Throttle",
    "Token",
    "TokenAuthenticator",
    "oauth2_token",
    "root_cause",
    "token_text",
]
