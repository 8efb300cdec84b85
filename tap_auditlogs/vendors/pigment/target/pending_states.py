"""Holds STATE back until the records before it have been imported."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet

    State: t.TypeAlias = dict[str, t.Any]


class PendingStates:
    """The latest state behind each set of streams that have had records; streams only ever join that set."""

    def __init__(self) -> None:
        self._states: dict[frozenset[str], State] = {}

    def add(self, state: State, streams: Collection[str]) -> None:
        """Keep a state.

        Args:
            state: The value of a STATE message.
            streams: The streams whose records came before it.
        """
        self._states[frozenset(streams)] = state

    def take_covered(self, imported: AbstractSet[str]) -> State | None:
        """Return the latest state before which there are only records of these streams, once."""
        covered = [streams for streams in self._states if streams <= imported]
        states = [self._states.pop(streams) for streams in covered]
        return states[-1] if states else None
