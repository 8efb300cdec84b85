"""The four-digit `state` of the web API log."""

from __future__ import annotations

import typing as t

# Cryptolens docs (Web API Log model): digits 1 and 2 are the method, 3 the outcome, 4 an undocumented detail.
METHODS: t.Final = {
    10: "validation",
    20: "activation",
    30: "key generation",
    40: "optional field",
    50: "not tied to a request",
    60: "deactivation",
    70: "other license manipulation",
    80: "data object",
}
_OUTCOMES: t.Final = {1: True, 2: False}

# The fourth digit may be any.
KNOWN_STATES: t.Final = frozenset(
    method * 100 + outcome * 10 + detail for method in METHODS for outcome in _OUTCOMES for detail in range(10)
)


class StateCode(t.NamedTuple):
    """The parts of a state code; None where unknown."""

    method_code: int | None
    method: str | None
    succeeded: bool | None


def decode(state: int | None) -> StateCode:
    """Decode a state code: 2014 is an activation (20) that succeeded (1)."""
    if state is None or not 1000 <= state <= 9999:  # noqa: PLR2004 - four digits
        return StateCode(None, None, None)
    method_code = state // 100
    return StateCode(method_code, METHODS.get(method_code), _OUTCOMES.get(state // 10 % 10))
