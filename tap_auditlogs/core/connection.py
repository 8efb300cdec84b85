"""One vendor's settings and HTTP client, shared by its streams in one tap."""

from __future__ import annotations

import typing as t
from functools import cached_property

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_auditlogs.core.http import HttpClient, HttpOptions
    from tap_auditlogs.core.vendor import Vendor


class Connection:
    """Makes the client when it is first used: discovery runs without settings and never logs in."""

    def __init__(self, vendor: Vendor, settings: Mapping[str, t.Any], options: Callable[[], HttpOptions]) -> None:
        """Keep what the client will need.

        Args:
            vendor: The vendor.
            settings: The vendor's settings object.
            options: Gives the HTTP settings common to all vendors.
        """
        self._vendor = vendor
        self._options = options
        self.settings = settings

    @cached_property
    def client(self) -> HttpClient:
        """The vendor's one HTTP client."""
        return self._vendor.connect(self.settings, self._options())
