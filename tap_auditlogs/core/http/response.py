"""A complete response, whose JSON numbers are decoded exactly."""

from __future__ import annotations

import decimal
import json
import logging
import typing as t

import msgspec
import requests
from typing_extensions import override

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
    """A `requests.Response` whose body has been read."""

    @classmethod
    def complete(cls, response: requests.Response, body: bytes) -> Self:
        """Create a complete response from a streamed one and its decompressed body."""
        whole = cls()
        whole.__dict__.update(response.__dict__)
        whole._content = body
        whole.raw = None
        return whole

    @override
    def json(self, **_options: t.Any) -> t.Any:
        """Return the decoded body, the same object for each call; see `decode_json`."""
        if "_payload" not in self.__dict__:
            self._payload = decode_json(self.content)
        return self._payload

    def describe(self) -> str:
        """Describe the response as `HTTP 502, 1204 bytes of text/html`, without the body, which may contain secrets."""
        kind = self.headers.get("Content-Type", "unnamed type").split(";")[0].strip()[:60]
        return f"HTTP {self.status_code}, {len(self.content)} bytes of {kind!a}".replace("'", "")


def decode_json(body: bytes) -> t.Any:
    """Decode UTF-8 JSON; integers are exact, other numbers become `Decimal`.

    `NaN` and infinities become null, and a lone surrogate becomes U+FFFD, because targets cannot store them.

    Raises:
        ValueError: If it is not JSON, is nested too deep, or contains a number with thousands of digits.
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
    logger.warning("JSON contained NaN, an infinity or a lone surrogate; it was replaced and the rows kept.")
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
