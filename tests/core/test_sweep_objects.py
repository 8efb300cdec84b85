"""The ids of listed objects."""

from __future__ import annotations

import pytest

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.sweep import listed_id


@pytest.mark.parametrize(("value", "expected"), [(7, 7), ("7", 7), (2**63 - 1, 2**63 - 1)])
def test_an_id_is_a_number_or_text(value: object, expected: int) -> None:
    assert listed_id({"id": value}, where="here") == expected


@pytest.mark.parametrize("value", [None, True, -1, 7.0, "", "7a", "\u0667", [7], 2**63, "9" * 19, 10**400])
def test_what_no_64_bit_id_can_be_is_refused(value: object) -> None:
    with pytest.raises(ProtocolError, match=r"here: .*no usable id"):
        listed_id({"id": value}, where="here")
