"""A complete answer whose JSON has been read once, with every digit kept."""

from __future__ import annotations

import decimal
import json
import logging
import typing as t

import msgspec
import requests

if t.TYPE_CHECKING:
    from typing import Self

logger = logging.getLogger(__name__)


def _to_decimal(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation as error:  # an exponent of twenty digits
        raise ValueError(text[:20]) from error


_decoder = msgspec.json.Decoder(float_hook=_to_decimal)


class ApiResponse(requests.Response):
    """A `requests.Response` with its body read; `json()` costs nothing after the first call."""

    @classmethod
    def complete(cls, response: requests.Response, body: bytes) -> Self:
        """Make a complete response of one whose body was streamed.

        Args:
            response: The streamed response.
            body: Its whole body, content encoding undone.

        Returns:
            The complete response.
        """
        whole = cls()
        whole.__dict__.update(response.__dict__)
        whole._content = body
        whole.raw = None
        return whole

    def json(self, **_options: t.Any) -> t.Any:
        """Return the body as Python values; numbers with a fraction or an exponent are `Decimal`.

        Returns:
            The decoded body, the same object at each call.

        Raises:
            ValueError: If the body is not JSON.
        """
        if "_payload" not in self.__dict__:
            self._payload = decode_json(self.content)
        return self._payload

    def describe(self) -> str:
        """Say what came back without showing any of it: a body may echo a secret.

        Returns:
            For example `HTTP 502, 1204 bytes of text/html`.
        """
        kind = self.headers.get("Content-Type", "unnamed type").split(";")[0].strip()[:60]
        return f"HTTP {self.status_code}, {len(self.content)} bytes of {kind!a}".replace("'", "")


def decode_json(body: bytes) -> t.Any:
    """Decode JSON, tolerating what other JSON writers let through rather than losing a page for it.

    `NaN` and infinities become null and a lone surrogate becomes U+FFFD, since no target could store them.

    Args:
        body: UTF-8 JSON.

    Returns:
        Python values; integers of any size exact, other numbers as `Decimal`.

    Raises:
        ValueError: If it is not JSON, is nested too deep, or holds a number of thousands of digits.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    try:
        value = json.loads(body, parse_float=_to_decimal, parse_constant=lambda _name: None)
        mended = _without_surrogates(value)
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
    logger.warning("An answer held NaN, an infinity or half a surrogate pair; it was replaced and the rows kept.")
    return mended


def _without_surrogates(value: t.Any) -> t.Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case _:
            return value
