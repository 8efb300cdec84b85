"""The imitation of Index Exchange's Client Audit Logs API.

Written from the vendor's pages and third-party clients, not from what the tap sends. Where they say nothing, it
takes the reading that forgives least.
"""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

if t.TYPE_CHECKING:
    from auditlogs_sandbox.world import World


def create(world: World) -> IndexExchangeSandbox:
    """Generate the vendor's data."""
    return IndexExchangeSandbox(world)
