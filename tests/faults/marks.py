"""What the tests of this folder are marked with."""

from __future__ import annotations

import pytest

from tests.faults.subjects import SUBJECTS, WITH_TOKENS

case = pytest.mark.case
"""`@case("A5")`, or with vendors where the test is about some only: `@case("F1", "index_exchange")`."""

every_vendor = pytest.mark.parametrize("vendor", SUBJECTS)
every_vendor_with_tokens = pytest.mark.parametrize("vendor", WITH_TOKENS)


def vendors(*names: str) -> pytest.MarkDecorator:
    """Run a test for these vendors."""
    return pytest.mark.parametrize("vendor", names)
