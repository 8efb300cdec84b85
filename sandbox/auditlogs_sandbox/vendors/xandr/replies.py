"""Responses and errors of the imitated Xandr."""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime

from auditlogs_sandbox import parameters
from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Response

MOST_ELEMENTS: t.Final = 100  # vendor page: the default and the maximum; more is cut without a word

_TIME: t.Final = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_STATUSES: t.Final = {"NOAUTH": 401, "NOAUTH_EXPIRED": 401, "NOAUTH_DISABLED": 401, "UNAUTH": 403, "SYNTAX": 400}


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        error_id: The vendor's class of errors.
        code: The vendor's closer code, if there is one.
        status: The HTTP status where statuses tell of errors at all.
    """

    def __init__(self, error_id: str, text: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(text)
        self.error_id = error_id
        self.code = code
        self.status = status or _STATUSES.get(error_id, 500)

    def response(self, *, by_status: bool) -> Response:
        """Return the error as a response."""
        body: dict[str, t.Any] = {"error_id": self.error_id, "error": str(self), "error_description": None}
        if self.code is not None:
            body["error_code"] = self.code
        if self.error_id.startswith("NOAUTH"):  # elsewhere `status` is absent; vendor pages know both
            body["status"] = "error"
        return json_response(encode({"response": body}), self.status if by_status else 200)


class NotFoundError(RefusedError):
    """An object or a parent is gone: recorded answers of the vendor say SYNTAX, with HTTP 200 and no `status`."""

    def __init__(self, service: str, identifier: int) -> None:
        if service == "publisher":
            super().__init__("SYNTAX", f"publisher id not found: {identifier}", code="NOTFOUND_PUBLISHER", status=200)
        else:
            super().__init__("SYNTAX", "resource not found", status=200)

    def response(self, *, by_status: bool) -> Response:  # noqa: ARG002 - never told by the HTTP status
        """Return the error as a response."""
        body = {
            "error_id": self.error_id,
            "error": str(self),
            "error_description": None,
            "error_code": self.code,
            "dbg_info": {"warnings": [], "version": "1.18.2024", "output_term": "not_found"},
        }
        return json_response(encode({"response": body}))


def syntax_error(text: str) -> RefusedError:
    """Return the error for a malformed request."""
    return RefusedError("SYNTAX", text)


def success(content: Mapping[str, t.Any], *, escaped: bool = False) -> Response:
    """Return a successful response."""
    return json_response(encode({"response": {**content, "status": "OK"}}, escaped=escaped))


class Parameters(parameters.Parameters):
    """The parameters of a request."""

    def __init__(self, sent: MultiDict[str, str], allowed: Container[str]) -> None:
        super().__init__(sent.items(multi=True), allowed)

    def malformed(self, message: str) -> RefusedError:
        """Refuse a request."""
        return syntax_error(message)

    def __contains__(self, name: str) -> bool:
        return name in self._sent

    def add(self, name: str, value: str) -> None:
        """Add a value from a body."""
        self._sent[name] = value

    def text(self, name: str, default: str = "") -> str:
        """Read a text."""
        return self._sent.get(name, default)

    def required(self, name: str) -> str:
        """Read a required text.

        Raises:
            RefusedError: It is missing or empty.
        """
        if not (text := self._sent.get(name, "")):
            raise syntax_error(f"{name} is required")
        return text

    def numbers(self, name: str) -> set[int] | None:
        """Read whole numbers separated by commas.

        Raises:
            RefusedError: One is not a number.
        """
        if name not in self._sent:
            return None
        parts = self._sent[name].split(",")
        if not all(map(parameters.NUMBER.fullmatch, parts)):
            raise syntax_error(f"{name} must be integers separated by commas")
        return {int(part) for part in parts}

    def flag(self, name: str) -> bool:
        """Read a boolean, false by default.

        Raises:
            RefusedError: It is neither `true` nor `false`, the spelling of the vendor's samples.
        """
        text = self._sent.get(name, "false")
        if text not in {"true", "false"}:
            raise syntax_error(f"{name} must be true or false")
        return text == "true"

    def moment(self, name: str) -> int | None:
        """Read a time, `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`.

        Raises:
            RefusedError: It is no such time.
        """
        if name not in self._sent:
            return None
        if (moment := _read_time(self._sent[name])) is None:
            raise syntax_error(f"{name} must be YYYY-MM-DD or YYYY-MM-DD HH:MM:SS")
        return moment

    def slice(self, *, most: int = MOST_ELEMENTS) -> tuple[int, int]:
        """Return start and number of the requested elements; a number above the maximum is cut silently.

        Raises:
            RefusedError: They are not numbers.
        """
        count = self.number("num_elements", MOST_ELEMENTS)
        if count == 0:
            raise syntax_error("num_elements must be positive")
        return self.number("start_element", 0), min(count, most)


def _read_time(text: str) -> int | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:  # the form is right, but there is no such day or hour
        return None


def write_time(moment: int) -> str:
    """Write a time as the vendor does, without its zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
