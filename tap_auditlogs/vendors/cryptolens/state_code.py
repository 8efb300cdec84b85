"""The four digits of the web API log's `state`."""

from __future__ import annotations

import typing as t

# Vendor page on the Web API Log model: digits 1 and 2 name the method, 3 the outcome, 4 a detail that is not public.
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


class StateCode(t.NamedTuple):
    """What a state code says; None for what is unknown.

    Attributes:
        method_code: The first two digits.
        method: The method they stand for.
        succeeded: Whether the request succeeded.
    """

    method_code: int | None
    method: str | None
    succeeded: bool | None


def decode(state: int | None) -> StateCode:
    """Take a state code apart.

    Args:
        state: For example 2014, an activation that succeeded.

    Returns:
        Its meaning.
    """
    if state is None or not 1000 <= state <= 9999:  # noqa: PLR2004 - four digits
        return StateCode(None, None, None)
    method_code = state // 100
    return StateCode(method_code, METHODS.get(method_code), _OUTCOMES.get(state // 10 % 10))
