from __future__ import annotations

import json
import typing as t

import pytest
import requests

from tap_auditlogs.core.errors import ApiError, CredentialsError, RefusedError, TransientError
from tap_auditlogs.core.http import ApiResponse
from tap_auditlogs.core.redaction import redact
from tap_auditlogs.vendors.cryptolens.client import BadParametersError, check_answer


def answer(payload: t.Any, status: int = 200) -> ApiResponse:
    response = requests.Response()
    response.status_code = status
    return ApiResponse.complete(response, json.dumps(payload).encode())


def error_of(payload: t.Any, status: int = 200) -> ApiError:
    with pytest.raises(ApiError) as caught:
        check_answer(answer(payload, status))
    return caught.value


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Unable to authenticate", CredentialsError),
        ("unable to AUTHENTICATE.", CredentialsError),
        ("No active subscription found. Please contact us", CredentialsError),
        ("Access denied", RefusedError),
        ("Access denied.", RefusedError),
        ("Not enough permission and/or key not found", RefusedError),
        ("The input parameters were incorrect", BadParametersError),
        ("Something went wrong. Please try again later", TransientError),
        ("Something no page tells of", BadParametersError),
        ("", BadParametersError),
        (None, BadParametersError),
    ],
)
def test_an_error_is_classified_by_its_message(status: int, message: str | None, kind: type[ApiError]) -> None:
    error = error_of({"result": 1, "message": message}, status)
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize("payload", [{"result": 0, "logs": []}, {"Result": 0, "Message": "Unable to authenticate"}])
def test_result_0_is_success(payload: dict[str, t.Any]) -> None:
    check_answer(answer(payload))


def test_keys_are_compared_without_case() -> None:
    assert type(error_of({"Result": 1, "Message": "Access denied"})) is RefusedError


@pytest.mark.parametrize("payload", [{"message": "Out of order"}, {"logs": []}, {}])
def test_an_answer_without_a_result_is_a_fault_of_the_server(payload: dict[str, t.Any]) -> None:
    assert type(error_of(payload)) is TransientError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_error_in_another_form_is_left_to_its_http_status(status: int) -> None:
    check_answer(answer({"message": "Authorization has been denied for this request."}, status))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_wait_that_a_busy_server_asks_for_is_left_to_be_read(status: int) -> None:
    check_answer(answer({"result": 1, "message": "Something went wrong"}, status))


def test_wrong_credentials_are_wrong_whatever_the_status() -> None:
    assert type(error_of({"result": 1, "message": "Unable to authenticate"}, 500)) is CredentialsError


@pytest.mark.parametrize("payload", [[], None, "text"])
def test_what_is_no_object_is_left_to_its_rows(payload: object) -> None:
    check_answer(answer(payload))


def test_the_vendors_message_is_shown_short_on_one_line_and_without_secrets() -> None:
    redact.add("canary-secret-in-a-message")
    message = f"line\nbreak \x1b[31m canary-secret-in-a-message {'x' * 500}"
    text = str(error_of({"result": 1, "message": message}))
    assert "canary-secret" not in text
    assert r"line\nbreak \x1b[31m ***" in text
    assert "\n" not in text
    assert len(text) < 250
