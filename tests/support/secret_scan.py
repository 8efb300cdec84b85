"""Looks for secrets in a text, in every form in which they could stand there.

It undoes encodings instead of listing encoded forms, so that it shares no idea with the code that masks them.
"""

from __future__ import annotations

import base64
import re
import typing as t
from urllib.parse import unquote_to_bytes

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def leaks(text: str | bytes, secrets: Iterable[str]) -> list[str]:
    """Return the secrets that the text contains."""
    given = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    readings = [given]
    for undo in (_unescape, _unquote, lambda data: data.replace(b"+", b" ")):
        readings += [undo(reading) for reading in readings]  # also one encoding within the other
    for match in re.finditer(rb"[A-Za-z0-9+/_-]{6,}", given):
        readings += _base64_readings(match[0])
    return [secret for secret in secrets if any(secret.strip().encode() in reading for reading in readings)]


def _unquote(data: bytes) -> bytes:
    return unquote_to_bytes(data)


_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def _unescape(data: bytes) -> bytes:
    """Undo the escapes of JSON and of Python's `repr`, of text and of bytes."""

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] == b"u":
            return chr(int(code[1:], 16)).encode(errors="surrogatepass")
        if code[:1] == b"x":
            return _of_byte(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return re.sub(rb"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", one, data, flags=re.DOTALL)


def _of_byte(value: int) -> bytes:
    return bytes([value])


def _base64_readings(run: bytes) -> list[bytes]:
    plain = run.translate(bytes.maketrans(b"-_", b"+/"))
    readings = []
    for offset in range(4):
        part = plain[offset:]
        readings.append(base64.b64decode(part[: len(part) // 4 * 4]))
        if (left := len(part) % 4) > 1:
            readings[-1] += base64.b64decode(part[-left:] + b"=" * (4 - left))
    return readings
