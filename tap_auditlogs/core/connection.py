"""A vendor's settings and HTTP client, shared by its streams."""

from __future__ import annotations

import typing as t
from functools import cached_property

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_auditlogs.core.http import HttpClient


class Connection:
    """Creates the client on first use, because discovery runs without settings and does not log in."""

    def __init__(self, settings: Mapping[str, t.Any], connect: Callable[[], HttpClient]) -> None:
        self.settings = settings
        self._connect = connect

    @cached_property
    def client(self) -> HttpClient:
        """The vendor's HTTP client."""
        return self._connect()
