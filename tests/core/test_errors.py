from __future__ import annotations

from tap_auditlogs.core.errors import ProtocolError


def test_an_answer_that_is_not_understood_comes_with_advice() -> None:
    told = str(ProtocolError("the answer holds no list of rows", where="acme: log", answer="HTTP 200"))
    assert told == (
        "acme: log: the answer holds no list of rows (HTTP 200). "
        "Run again later; if it stays, check the URL in the settings or report this"
    )


def test_advice_of_its_own_stands_alone() -> None:
    assert str(ProtocolError("the rows turn in a circle", advice="Report it")) == "the rows turn in a circle. Report it"
