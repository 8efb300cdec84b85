"""What tests of several folders are marked with."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark import ParameterSet


def first_of(values: Iterable[object]) -> list[ParameterSet]:
    """Make parameters of which only the first belongs to the usual run; the others are for the exhaustive one."""
    return [
        pytest.param(value, marks=[pytest.mark.exhaustive] if number else []) for number, value in enumerate(values)
    ]
