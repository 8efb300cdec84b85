from __future__ import annotations

import logging

import pytest

from tap_auditlogs.core.errors import OutputError, ProtocolError, TapError, unit_failure


def test_an_answer_that_is_not_understood_comes_with_advice() -> None:
    message = str(ProtocolError("the answer holds no list of rows", where="acme: log", answer="HTTP 200"))
    assert message == (
        "acme: log: the answer holds no list of rows (HTTP 200). "
        "Run again later. If the error persists, check the URL in the settings"
    )


def test_advice_of_its_own_stands_alone() -> None:
    assert str(ProtocolError("the rows turn in a circle", advice="Report it")) == "the rows turn in a circle. Report it"


def test_an_unexpected_error_of_a_unit_is_named_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    try:
        dict[str, int]().pop("absent")
    except KeyError as error:
        message = str(unit_failure(error))
    assert message.startswith("unexpected KeyError at test_errors.py:")
    assert "'absent'" in message
    assert "Traceback" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


def test_an_error_that_explains_itself_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    error = TapError("the file is cut")
    assert unit_failure(error) is error
    assert not caplog.records


def test_a_closed_standard_output_is_no_failure_of_one_unit() -> None:
    with pytest.raises(OutputError):
        unit_failure(OutputError("closed"))
