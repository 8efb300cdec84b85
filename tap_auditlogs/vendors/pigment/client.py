"""HTTP client for Pigment."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.http import BearerAuthenticator, HttpClient, HttpOptions, Throttle

if t.TYPE_CHECKING:
    from tap_auditlogs.core.vendor import Settings

# Pigment docs: 500 requests in 5 minutes per IP address over all public endpoints, then 429 until the window resets.
# `Retry-After` is not documented (pigment-14).
REQUESTS_PER_WINDOW = 500
WINDOW_SECONDS = 300.0


def connect(settings: Settings, options: HttpOptions) -> HttpClient:
    """Create the client, with the API key and the rate limit."""
    return HttpClient(
        "pigment",
        options,
        authenticator=BearerAuthenticator(settings["api_key"]),  # pigment-15
        throttle=Throttle(REQUESTS_PER_WINDOW, per_seconds=WINDOW_SECONDS),
        rate_limit_window=WINDOW_SECONDS,
    )
