"""Removes secrets from records: in any property, in JSON text, and in JSON text within JSON text."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

import msgspec

from tap_auditlogs.core.http.response import decode_json
from tap_auditlogs.core.redaction import SHORTEST_SECRET
from tap_auditlogs.ocsf.values import hashed

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_auditlogs.ocsf.mapping import Record

_MOST_LAYERS: t.Final = 8
"""Limit of JSON text within JSON text; each layer may need a copy of the text."""

# Only JSON objects, arrays and strings with escapes can contain secrets that a search of the text does not find.
_MAY_HIDE: t.Final = re.compile(r'\s*(?:[\[{]|"[^\\]*\\)')
_HASH: t.Final = re.compile(r"sha256:[0-9a-f]{64}")
_encode: t.Final = msgspec.json.Encoder(decimal_format="number").encode


class Cleaner:
    """Hashes the values of secret properties, and text that looks like a secret.

    Args:
        is_secret: Whether a property is secret; called with its name and the object that it is in.
        change: Replaces secrets in property names and in text that is not JSON.
    """

    __slots__ = ("_change", "_is_secret")

    def __init__(self, is_secret: Callable[[str, Record], bool], change: Callable[[str], str]) -> None:
        self._is_secret = is_secret
        self._change = change

    def clean(self, value: t.Any, layer: int = 0) -> t.Any:
        """Return a copy of a JSON value without secrets; `layer` is how many JSON texts the value is nested in.

        Raises RecursionError if the value is nested too deep.
        """
        if isinstance(value, str):
            return self._clean_text(value, layer) if _MAY_HIDE.match(value) else self._change(value)
        if isinstance(value, dict):
            return {
                self._change(name): self.hash_all(item) if self._is_secret(name, value) else self.clean(item, layer)
                for name, item in value.items()
            }
        return [self.clean(item, layer) for item in value] if isinstance(value, list) else value

    def hash_all(self, value: t.Any) -> t.Any:
        """Return a copy of a secret property's value with all text and numbers hashed."""
        if isinstance(value, dict):
            return {self._change(name): self.hash_all(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.hash_all(item) for item in value]
        return value if value is None or isinstance(value, bool) or value == "" else hashed(str(value))

    def _clean_text(self, text: str, layer: int) -> str:
        try:
            decoded = decode_text(text)
        except ValueError:
            return self._change(text)
        if layer == _MOST_LAYERS:
            msg = "too many layers of JSON text"
            raise RecursionError(msg)
        cleaned = self.clean(decoded, layer + 1)
        encoded: bytes = _encode(cleaned)
        # Text without secrets stays unchanged. Fewer quotes mean a duplicate name; only its last value was decoded.
        if cleaned == decoded and encoded.count(b'"') == text.count('"'):
            return text
        return encoded.decode()


def decode_text(text: str) -> t.Any:
    """Decode JSON text; raises ValueError if it is not JSON, RecursionError if it is nested too deep."""
    if "\0" in text or text.startswith("\ufeff"):
        msg = "the decoder would guess another encoding of it"
        raise ValueError(msg)
    try:
        return decode_json(text.encode())
    except ValueError as error:
        if isinstance(error.__cause__, RecursionError):
            raise error.__cause__ from None
        raise


def hide(text: str, secret: str) -> str:
    """Hash a known secret in a text, also URL- or JSON-escaped; keeps secrets shorter than SHORTEST_SECRET."""
    if len(secret) < SHORTEST_SECRET:
        return text
    if secret in text:
        text = text.replace(secret, hashed(secret))
    return _escaped(secret).sub(hashed(secret), text) if "%" in text or "\\" in text else text


def hashed_once(secret: str) -> str:
    """Hash a secret unless it is a hash already."""
    return secret if _HASH.fullmatch(secret) else hashed(secret)


@lru_cache(maxsize=256)
def _escaped(secret: str) -> re.Pattern[str]:
    """Match a secret whose characters may each be escaped, also several times."""
    return re.compile("".join(map(_any_spelling, secret)), re.IGNORECASE)


def _any_spelling(character: str) -> str:
    percent = "".join(f"%(?:25)*{byte:02X}" for byte in character.encode(errors="replace"))
    units = character.encode("utf-16-be", errors="replace").hex()
    escape = "".join(rf"\\+u{units[at : at + 4]}" for at in range(0, len(units), 4))
    return rf"(?:\\*{re.escape(character)}|{percent}|{escape})"
