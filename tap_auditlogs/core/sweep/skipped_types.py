"""What a sweep could not read, and whether a stream is incomplete without it."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from tap_auditlogs.core.errors import ApiError, TapError
from tap_auditlogs.core.sweep.objects import name_objects

if t.TYPE_CHECKING:
    from collections.abc import Sequence


class SkippedTypes:
    """Collects refused, unknown and failed object types and objects during one run.

    Attributes:
        skipped: The types that the vendor does not know or does not list.
    """

    def __init__(self, object_types: Sequence[str]) -> None:
        self.skipped: list[str] = []
        self._object_types = object_types
        self._refused: defaultdict[str, list[str]] = defaultdict(list)
        self._failures: defaultdict[str, list[str]] = defaultdict(list)

    def refuse(self, stream: str, object_type: str) -> None:
        """Note a type of which no object could be read."""
        self._refused[stream].append(object_type)

    def fail_type(self, stream: str, object_type: str, failure: TapError) -> None:
        """Note a type that failed as a whole."""
        self._failures[stream].append(f"{object_type}: {failure}")

    def fail_objects(self, stream: str, object_type: str, ids: Sequence[int], failure: TapError) -> None:
        """Note the objects of a type that failed, with the first failure."""
        count = f"{len(ids)} object{'s' * (len(ids) > 1)}"
        self._failures[stream].append(f"{object_type}: {count} failed ({name_objects(ids)}): {failure}")

    def failure_of(self, stream: str) -> TapError | None:
        """Return why a stream is incomplete, or None if it is not."""
        if failures := self._failures[stream]:
            return TapError(". ".join(failures))
        if refused := self._refused[stream]:
            msg = f"every object of {', '.join(refused)} was refused"
            advice = "Give the user the right to read them, or leave these types out; the next run asks them again"
            return ApiError(msg, where=stream, advice=advice)
        if self.skipped and len(self.skipped) == len(self._object_types):
            msg = f"nothing could be read of {', '.join(self.skipped)}"
            return ApiError(msg, where=stream, advice="Check the user's rights and the configured types")
        return None
