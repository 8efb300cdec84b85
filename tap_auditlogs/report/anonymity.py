"""Names of people, addresses and license keys, as they may be shown."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_SHOWN: t.Final = 5
_SHORTEST: t.Final = 12


@dataclass(frozen=True)
class Names:
    """Shows names as they are, or numbered by when they first appeared.

    A number stays the same in later reports of the same tables, and says nothing about the name: a hash would, since
    names and addresses can be guessed.
    """

    are_hidden: bool

    def actor(self, name: str | None, order: int) -> str:
        """Return what to show for an actor."""
        return f"actor {order}" if self.are_hidden else name or "unknown"

    def address(self, address: str, order: int) -> str:
        """Return what to show for an address."""
        return f"address {order}" if self.are_hidden else address


def mask_key(key: str) -> str:
    """Return the beginning of a license key; the key as a whole is a credential."""
    if len(key) < _SHORTEST:
        return re.sub(r"[^-]", "•", key)
    return key[:_SHOWN] + re.sub(r"[^-]", "•", key[_SHOWN:])
