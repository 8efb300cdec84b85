"""One JSON text for equal values, to compare rows and to make keys of them."""

from __future__ import annotations

import hashlib

import msgspec

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")


def canonical_json(value: object) -> bytes:
    """Return JSON with sorted keys and every digit of numbers."""
    return _encoder.encode(value)


def digest(value: object) -> bytes:
    """Return the SHA-256 digest of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).digest()
