"""The imitated vendors."""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.vendors import cryptolens, index_exchange, openx, pigment, xandr

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditlogs_sandbox.vendor import VendorSandbox
    from auditlogs_sandbox.world import World

VENDORS: t.Final[Mapping[str, Callable[[World], VendorSandbox]]] = {
    "pigment": pigment.create,
    "cryptolens": cryptolens.create,
    "openx": openx.create,
    "xandr": xandr.create,
    "index_exchange": index_exchange.create,
}
