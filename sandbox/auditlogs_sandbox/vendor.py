"""Base class of the imitated vendors."""

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
    """Imitation of one vendor's API.

    The server mounts it at `/<name>`. Requests arrive on several threads.

    Attributes:
        name: The name of the vendor in the registry.
        posts_change_nothing: Whether its API has POST for logins and queries only.
        world: The clock and the seed.
        lock: Held while the data is read or changed.
    """

    name: t.ClassVar[str]
    posts_change_nothing: t.ClassVar[bool] = True

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()

    def is_write(self, request: Request) -> bool:
        """Whether a request would change something at the vendor."""
        return request.method not in ({"GET", "HEAD", "POST"} if self.posts_change_nothing else {"GET", "HEAD"})

    @abstractmethod
    def handle(self, request: Request) -> Response:
        """Respond as the vendor would; the path begins after the mount point."""

    @abstractmethod
    def config(self, base_url: str) -> Mapping[str, t.Any]:
        """Return the tap's settings for this vendor, mounted at `base_url`."""

    @abstractmethod
    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the API would return now, in the vendor's spelling."""

    @abstractmethod
    def advance(self) -> None:
        """Add new rows."""

    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """Return all credentials of this vendor."""


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with encoded JSON."""
    return Response(body, status=status, headers=headers, content_type="application/json; charset=utf-8")


def encode(value: object, *, escaped: bool = False) -> bytes:
    """Encode as compact JSON; `escaped` writes characters outside ASCII as escapes, as many servers do."""
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":")).encode()
