"""What an imitated vendor offers to the sandbox server."""

from __future__ import annotations

import json
import threading
import typing as t
from abc import ABC, abstractmethod

from werkzeug.wrappers import Response

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.wrappers import Request

    from auditlogs_sandbox.world import World

Row: t.TypeAlias = "dict[str, t.Any]"


class VendorSandbox(ABC):
    """The imitation of one vendor's API.

    The server mounts it at `/<name>`. Requests come in on several threads.

    Attributes:
        name: The name of the vendor in the registry.
        world: The clock and the seed.
        lock: Held while the data is read or changed.
    """

    name: t.ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()

    @abstractmethod
    def handle(self, request: Request) -> Response:
        """Answer a request as the vendor would.

        Args:
            request: The request, whose path begins after the mount point.

        Returns:
            The answer.
        """

    @abstractmethod
    def config(self, base_url: str) -> Mapping[str, t.Any]:
        """Give the settings with which a client reaches this vendor.

        Args:
            base_url: The URL of the mount point.

        Returns:
            The vendor's settings object.
        """

    @abstractmethod
    def truth(self) -> dict[str, list[Row]]:
        """Give, for each stream, the rows that the API would show now, as the vendor spells them."""

    @abstractmethod
    def advance(self) -> None:
        """Let time bring new rows."""

    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """Give every credential that this vendor hands out."""


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON.

    Args:
        body: The encoded JSON.
        status: The HTTP status.
        headers: Further headers.

    Returns:
        The answer.
    """
    return Response(body, status=status, headers=headers, content_type="application/json; charset=utf-8")


def encode(value: object, *, escaped: bool = False) -> bytes:
    """Encode a value as compact JSON.

    Args:
        value: The value.
        escaped: Whether characters outside ASCII are written as escapes, as many servers do.

    Returns:
        The JSON in UTF-8.
    """
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":")).encode()
