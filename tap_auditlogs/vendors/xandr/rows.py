"""Cleans rows of the change log and its details before they are shaped."""

from __future__ import annotations

import typing as t

import msgspec

from tap_auditlogs.core.canonical import digest

if t.TYPE_CHECKING:
    from tap_auditlogs.core.sweep import Row
    from tap_auditlogs.core.vendor import Settings

_SESSION_ID = "session_id"
_RAW_JSON = "raw_json"
_CHANGES = "changes"
_VALUES = ("old_value", "new_value")
_EMPTY = (None, "")

# A vendor sample has an empty text where its table says integer or null.
_MAYBE_EMPTY = ("plugin_id", "user_id", "admin_id", "member_id", "num_of_changes")

_FINGERPRINT = "sha256:"

_as_json = msgspec.json.Encoder(decimal_format="number")


class RowCleaner:
    """Takes out what nobody asked for, above all other users' API tokens, before anything else sees a row."""

    def __init__(self, settings: Settings) -> None:
        self._include_session_id: bool = settings["include_session_id"]
        self._include_raw_json: bool = settings["include_raw_json"]
        self._include_unchanged: bool = settings["include_unchanged_fields"]

    def clean(self, row: Row, *, service: str, resource_id: int, transaction_id: str | None = None) -> Row:
        """Clean a row in place, and fill in what it lacks of its key from the request."""
        if not self._include_session_id:
            row.pop(_SESSION_ID, None)
        if not self._include_raw_json:
            row.pop(_RAW_JSON, None)
        for name in _MAYBE_EMPTY:
            if row.get(name) == "":
                row[name] = None
        if isinstance(row.get(_CHANGES), list):
            row[_CHANGES] = self._changes(row[_CHANGES])
        row["service"] = service
        if row.get("resource_id") in _EMPTY:
            row["resource_id"] = resource_id
        if row.get("transaction_id") in _EMPTY:
            row["transaction_id"] = transaction_id or fingerprint(row)
        return row

    def _changes(self, changes: list[t.Any]) -> list[t.Any]:
        return [
            _with_json_values(change) if isinstance(change, dict) else change
            for change in changes
            if self._include_unchanged or not isinstance(change, dict) or change.get("changed") is not False
        ]


def fingerprint(row: Row) -> str:
    """Return a key for a row without an id, from its contents."""
    return f"{_FINGERPRINT}{digest(row).hex()}"


def is_fingerprint(transaction_id: str) -> bool:
    """Whether a key is one of ours, which the vendor does not know."""
    return transaction_id.startswith(_FINGERPRINT)


def _with_json_values(change: Row) -> Row:
    """Turn the values of a change, which may be of any JSON type, into JSON text."""
    texts = {name: _as_json.encode(change[name]).decode() for name in _VALUES if name in change}
    return {**change, **texts}
