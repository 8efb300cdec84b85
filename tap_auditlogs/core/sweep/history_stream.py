"""The streams that take part in a sweep, and what one of them must be able to do."""

from __future__ import annotations

import abc
import typing as t
from datetime import timedelta

from typing_extensions import override

from tap_auditlogs.core.errors import StateError
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.sweep.plan import Rules
from tap_auditlogs.core.sweep.stream_sweep import StreamSweep, check_progress, marks_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from tap_auditlogs.core.state import Bookmark
    from tap_auditlogs.core.sweep.objects import ObjectHistory, ObjectQuery
    from tap_auditlogs.core.sweep.plan import Listed
    from tap_auditlogs.core.workers import Workers


class SweptStream(AuditStream, abc.ABC):
    """A stream with a bookmark for each object type, moved by sweeps."""

    @property
    @abc.abstractmethod
    def lookback(self) -> timedelta:
        """How far sweeps overlap: a change may be logged this much late."""

    @override
    def check_bookmark(self, bookmark: Bookmark) -> None:
        super().check_bookmark(bookmark)
        for name in bookmark.parts:
            part = bookmark.part(name)
            marks = marks_of(part)
            try:
                for moment in (marks.bookmark, marks.swept, marks.full_scan):
                    self.check_time(moment)
                check_progress(part.progress)
            except (TypeError, ValueError) as error:
                msg = f"the `progress` of its part `{name:.60}` is not that of a sweep"
                raise StateError(msg) from error

    def sweep_of(self, object_type: str, now: datetime) -> StreamSweep:
        """Begin this stream's sweep of a type at the vendor's time `now`, or go on where an earlier run left it."""
        rules = Rules(
            self.start_date,
            self.end_date,
            lookback=self.lookback,
            full_scan_every=timedelta(days=float(self.settings["full_scan_every_days"])),
        )
        return StreamSweep(self.name, self._bookmarked_key, self.bookmark.part(object_type), rules, now)


class HistoryStream(SweptStream, abc.ABC):
    """A stream that lists objects and reads their histories, also for its children.

    Attributes:
        types_setting: The vendor's setting that lists the object types.
        ids_setting: The vendor's setting with the ids of each type that are read instead of all.
        retention: How long the vendor keeps changes at least; None if nothing is known to be removed.
    """

    types_setting: t.ClassVar[str]
    ids_setting: t.ClassVar[str]
    retention: t.ClassVar[timedelta | None] = None

    @abc.abstractmethod
    def list_objects(self, object_type: str, since: str | None, workers: Workers) -> Iterable[Listed]:
        """List the objects of a type, in any order; duplicates are allowed.

        Args:
            object_type: The object type.
            since: Objects not changed since may be left out; None if every object is wanted.
            workers: For concurrent requests.

        Raises:
            UnsupportedTypeError: If the vendor does not know the type.
            RefusedError: If this account may not list it.
            ApiError: If it fails.
        """

    @abc.abstractmethod
    def read_objects(
        self, object_type: str, queries: Sequence[ObjectQuery], workers: Workers
    ) -> Iterator[ObjectHistory]:
        """Read the histories of objects, several at once, and yield them in order.

        Yields:
            One or more parts for each object, the last one `complete`. What is raised while an object is read goes
            into `errors` of its part.
        """

    @property
    def object_types(self) -> Sequence[str]:
        """The object types, in the order in which they are swept."""
        return tuple(dict.fromkeys(self.settings[self.types_setting]))

    def configured_ids(self, object_type: str) -> Sequence[int]:
        """Return the ids that the settings name for an object type; then none are listed."""
        return [int(each) for each in self.settings.get(self.ids_setting, {}).get(object_type, ())]
