"""Turns rows of the change log and its details into what their streams emit."""

from __future__ import annotations

import hashlib
import typing as t

import msgspec

if t.TYPE_CHECKING:
    from tap_auditlogs.core.vendor import Settings

    Row: t.TypeAlias = "dict[str, t.Any]"

_SESSION_ID = "session_id"
_RAW_JSON = "raw_json"
_CHANGES = "changes"

# A vendor sample has an empty text where its table says integer or null.
_MAYBE_EMPTY = ("plugin_id", "user_id", "admin_id", "member_id", "num_of_changes")

_as_json = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")


class RowCleaner:
    """Takes out what nobody asked for, above all other users' API tokens, before anything else sees a row."""

    def __init__(self, settings: Settings) -> None:
        """Keep what is asked for.

        Args:
            settings: Xandr's settings.
        """
        self._include_session_id: bool = settings["include_session_id"]
        self._include_raw_json: bool = settings["include_raw_json"]
        self._include_unchanged: bool = settings["include_unchanged_fields"]

    def clean(self, row: Row, *, service: str, resource_id: int, transaction_id: str | None = None) -> Row:
        """Clean a row of either kind.

        Args:
            row: The row as the vendor sent it; it is changed in place.
            service: Of the request.
            resource_id: Of the request, for a row without.
            transaction_id: Of the request, likewise.

        Returns:
            The row with its whole key.
        """
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
        if not isinstance(row.get("resource_id"), int | str) or row["resource_id"] == "":
            row["resource_id"] = resource_id
        if not row.get("transaction_id"):
            row["transaction_id"] = transaction_id or fingerprint(row)
        return row

    def _changes(self, changes: list[t.Any]) -> list[t.Any]:
        """Keep changed fields; their values may be of any JSON type and leave as JSON text."""
        return [
            {
                **change,
                **{
                    name: _as_json.encode(change[name]).decode()
                    for name in ("old_value", "new_value")
                    if name in change
                },
            }
            for change in changes
            if isinstance(change, dict) and (self._include_unchanged or change.get("changed") is not False)
        ]


def fingerprint(row: Row) -> str:
    """Make a key for a row without an id, from its contents.

    Args:
        row: The row.

    Returns:
        The key, the same for the same row.
    """
    return "sha256:" + hashlib.sha256(_canonical.encode(row)).hexdigest()
