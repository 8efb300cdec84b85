"""One JSON text for equal values, to compare rows and to make keys of them."""

from __future__ import annotations

import hashlib

import msgspec

canonical_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
"""Sorts keys and writes every digit of numbers."""


def canonical_json(value: object) -> bytes:
    """Return the same JSON for equal values."""
    return canonical_encoder.encode(value)


def digest(value: object) -> bytes:
    """Return the SHA-256 digest of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).digest()
