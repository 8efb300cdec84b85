"""Responses, errors and parameters of the imitated OpenX."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote_plus

from auditlogs_sandbox import parameters
from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from collections.abc import Container

    from werkzeug.wrappers import Response


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        status: The HTTP status.
        kind: The vendor's class of errors, the `type` of the body; None for the plain text of a gateway.
    """

    def __init__(self, status: int, kind: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind

    def response(self) -> Response:
        """Return the error as a response."""
        if self.kind is None:
            response = json_response(f"{self}\n".encode(), self.status)
            response.content_type = "text/plain; charset=utf-8"
            return response
        body = {"http_status": self.status, "type": self.kind, "message": str(self), "attribute": None}
        return json_response(encode(body), self.status)


def value_error(message: str) -> RefusedError:
    """Return the error for a wrong value."""
    return RefusedError(400, "Value Error", message)


def read_query(query: bytes) -> list[str]:
    """Split a query into its decoded parts.

    In `timestamp>=2016-01-21` the operator stands in the place of the equals sign, and `timestamp>2016-01-21` has no
    equals sign at all, so that the usual splitting into names and values does not do.
    """
    return [unquote_plus(part) for part in query.decode("ascii", "replace").split("&") if part]


class Parameters(parameters.Parameters):
    """Parameters that are sent as name and value."""

    def __init__(self, parts: list[str], allowed: Container[str]) -> None:
        super().__init__(((name, value) for name, _, value in (part.partition("=") for part in parts)), allowed)

    def malformed(self, message: str) -> RefusedError:
        """Refuse a request."""
        return value_error(message)

    def unknown(self, name: str) -> RefusedError:
        """Refuse a parameter that the vendor does not know."""
        return RefusedError(400, "Unknown Field", f"unknown parameter {name}")

    def text(self, name: str) -> str | None:
        """Read a text."""
        return self._sent.get(name)
