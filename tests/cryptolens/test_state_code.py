from __future__ import annotations

import pytest

from tap_auditlogs.vendors.cryptolens.state_code import decode


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        (1010, (10, "validation", True)),
        (2011, (20, "activation", True)),
        (2014, (20, "activation", True)),
        (2024, (20, "activation", False)),
        (3010, (30, "key generation", True)),
        (4020, (40, "optional field", False)),
        (5010, (50, "not tied to a request", True)),
        (6011, (60, "deactivation", True)),
        (7020, (70, "other license manipulation", False)),
        (8010, (80, "data object", True)),
        (9010, (90, None, True)),
        (1230, (12, None, None)),
        (1000, (10, "validation", None)),
        (9999, (99, None, None)),
        (2039, (20, "activation", None)),
    ],
)
def test_a_code_is_taken_apart_and_what_is_unknown_is_null(
    state: int, meaning: tuple[int, str | None, bool | None]
) -> None:
    assert decode(state) == meaning


@pytest.mark.parametrize("state", [None, 0, 999, 10_000, 99_999, -1010])
def test_what_is_no_code_of_four_digits_says_nothing(state: int | None) -> None:
    assert decode(state) == (None, None, None)
