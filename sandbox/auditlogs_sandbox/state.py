"""State of the sandbox: the imitated vendors, the requests they received and the faults in force."""

from __future__ import annotations

import typing as t
from collections import deque
from dataclasses import dataclass

from auditlogs_sandbox.faults import FaultList
from auditlogs_sandbox.vendor import VendorSandbox
from auditlogs_sandbox.vendors import VENDORS
from auditlogs_sandbox.world import DEFAULT_SIZE, World

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from auditlogs_sandbox.vendor import Row

AnyVendor = t.TypeVar("AnyVendor", bound=VendorSandbox)

_REMEMBERED_REQUESTS: t.Final = 10_000


@dataclass
class LoggedRequest:
    """A received request.

    Attributes:
        vendor: The vendor named in the path.
        method: The HTTP method.
        path: The path, mount point included.
        query: The query, undecoded.
        headers: The headers.
        form: The values of a form body.
        body: The body.
        time: When it arrived, in seconds since 1970 by the system clock.
        status: The HTTP status of the answer, None until there is one.
        is_write: Whether it would change something at the vendor.
    """

    vendor: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    form: dict[str, str]
    body: bytes
    time: float
    status: int | None = None
    is_write: bool = False


class SandboxState:
    """The imitated vendors and their faults; needs no server.

    Attributes:
        world: The clock and the seed.
        faults: The faults in force.
        requests: The latest requests to the vendors, oldest first.
        vendors: The imitated vendors by name.
        read_only: Refuses requests that would change something at a vendor.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        vendors: Sequence[str] | None = None,
        size: int = DEFAULT_SIZE,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Generate the data, which depends only on seed, size and clock; `size` is about the rows of the largest log.

        Raises:
            ValueError: A vendor is unknown.
        """
        chosen = list(VENDORS) if vendors is None else list(dict.fromkeys(vendors))
        if unknown := [name for name in chosen if name not in VENDORS]:
            message = f"unknown vendor {', '.join(unknown)}; known are {', '.join(VENDORS)}"
            raise ValueError(message)
        self.world = World(seed, size) if clock is None else World(seed, size, clock)
        self.faults = FaultList()
        self.requests: deque[LoggedRequest] = deque(maxlen=_REMEMBERED_REQUESTS)
        self.vendors = {name: VENDORS[name](self.world) for name in chosen}
        self.read_only = False

    @t.overload
    def vendor(self, name: str) -> VendorSandbox: ...

    @t.overload
    def vendor(self, name: str, kind: type[AnyVendor]) -> AnyVendor: ...

    def vendor(self, name: str, kind: type[VendorSandbox] = VendorSandbox) -> VendorSandbox:
        """Return an imitated vendor; `kind` is its class, for the type checker.

        Raises:
            TypeError: The vendor is of another class.
        """
        vendor = self.vendors[name]
        if not isinstance(vendor, kind):
            message = f"{name} is a {type(vendor).__name__}"
            raise TypeError(message)
        return vendor

    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the vendors would return now, in their own spelling."""
        return {stream: rows for vendor in self.vendors.values() for stream, rows in vendor.truth().items()}

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, by vendor, how many of the latest requests there were, and how many of them were writes."""
        latest = list(self.requests)
        return {
            name: {
                "requests": sum(request.vendor == name for request in latest),
                "writes": sum(request.vendor == name and request.is_write for request in latest),
            }
            for name in self.vendors
        }

    def advance(self) -> None:
        """Add new rows to every vendor; nothing else changes the data."""
        for vendor in self.vendors.values():
            vendor.advance()

    def secrets(self) -> list[str]:
        """Return all credentials, to look for leaks."""
        return [secret for vendor in self.vendors.values() for secret in vendor.secrets()]
