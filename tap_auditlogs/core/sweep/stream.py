"""The base of the streams that sweep, and of those that are written in the pass of another."""

from __future__ import annotations

import abc
import typing as t
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tap_auditlogs.core.child_stream import ChildStream, being_written, selected_children
from tap_auditlogs.core.errors import ApiError, RefusedError, StateError
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.core.sweep.plan import Listed, Outcome, Rules
from tap_auditlogs.core.sweep.progress import ProgressLog
from tap_auditlogs.core.sweep.track import Track, check_progress, marks_of
from tap_auditlogs.core.workers import Workers

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.core.errors import TapError
    from tap_auditlogs.core.state import Bookmark

_UNKNOWN_ENOUGH = 5
_SAMPLE = 5
"""After so many objects, and no other answer, the type counts as unknown: asking thousands more would be of no use."""

_NAMED_OBJECTS = 20
"""So many refused objects are named in the warning; more would hide what matters."""


class UnsupportedTypeError(ApiError):
    """The vendor does not know an object type."""


@dataclass(frozen=True)
class Ask:
    """An object to be asked for its history.

    Attributes:
        object_id: Its id.
        tracks: The streams that want it.
    """

    object_id: int
    tracks: Sequence[Track]

    @property
    def since(self) -> str | None:
        """From when on changes are wanted by any stream; None for all there are."""
        starts = [track.sweep.since for track in self.tracks]
        return None if None in starts else min(start for start in starts if start is not None)


@dataclass(frozen=True)
class Reading:
    """What an object has given: all of it, or a first part.

    Attributes:
        object_id: Its id.
        records: Of each stream, by its name, where it has any.
        outcomes: What became of the object for a stream that has no records of it.
        failures: Why a stream cannot go on, while the others can.
        complete: Whether this is all, or the last part.
    """

    object_id: int
    records: Mapping[str, list[Record]] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    failures: Mapping[str, TapError] = field(default_factory=dict)
    complete: bool = True


class SweptStream(AuditStream, abc.ABC):
    """A stream with a bookmark for each object type, moved by sweeps."""

    @property
    @abc.abstractmethod
    def rules(self) -> Rules:
        """What the settings say about sweeps."""

    def check_bookmark(self, bookmark: Bookmark) -> None:
        """Refuse bookmarks of object types that are no times, or progress that is not that of a sweep.

        Args:
            bookmark: The bookmark as loaded.

        Raises:
            StateError: If it cannot be understood.
        """
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

    def track(self, object_type: str, now: datetime) -> Track:
        """Begin this stream's part in a sweep.

        Args:
            object_type: The object type.
            now: The vendor's time.

        Returns:
            The track, resumed where an earlier run left it.
        """
        return Track(self.name, self._bookmarked_key, self.bookmark.part(object_type), self.rules, now)


class SweepStream(SweptStream, abc.ABC):
    """A stream that sweeps, and writes its child streams in the same pass.

    The SDK's own way with children, a sync of the child per record of the parent, writes a SCHEMA and a STATE each
    time; here one pass serves all of them, and each has a bookmark of its own.

    A subclass says what there is to sweep and how an object is asked.

    Attributes:
        retention: How long the vendor keeps changes at least; None if nothing is known to be removed.
    """

    retention: t.ClassVar[timedelta | None] = None

    # What a subclass says

    @property
    @abc.abstractmethod
    def object_types(self) -> Sequence[str]:
        """The object types, in the order in which they are swept."""

    @abc.abstractmethod
    def configured_ids(self, object_type: str) -> Sequence[int]:
        """Return the ids that the settings name for an object type; then none are listed.

        Args:
            object_type: The object type.
        """

    @abc.abstractmethod
    def list_objects(self, object_type: str, since: str | None, workers: Workers) -> Iterable[Listed]:
        """List the objects of a type.

        Args:
            object_type: The object type.
            since: Objects not changed since may be left out; None if every object is wanted.
            workers: For requests side by side.

        Returns:
            The objects, in any order, some perhaps twice.

        Raises:
            UnsupportedTypeError: If the vendor does not know the type.
            RefusedError: If this account may not list it.
            ApiError: If it fails.
        """

    @abc.abstractmethod
    def read_objects(self, object_type: str, asks: Sequence[Ask], workers: Workers) -> Iterator[Reading]:
        """Ask objects for their histories, several at once, and give back what they say in order.

        Args:
            object_type: The object type.
            asks: The objects by ascending id.
            workers: For requests side by side.

        Yields:
            What each object has given, one or more for each, the last one complete.

        Raises:
            ApiError: If a request fails for good.
        """

    # The pass

    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:  # noqa: ARG002 - not partitioned
        """Sweep one object type after the other.

        Args:
            context: None.

        Yields:
            Records of this stream; those of its children are written meanwhile.

        Raises:
            ApiError: If a request failed for good, or no object of some type could be read.
        """
        streams = {
            stream.name: stream
            for stream in (self, *self.child_streams)
            if isinstance(stream, SweptStream) and stream.selected
        }
        troubles = _Troubles(self.object_types)
        with being_written(selected_children(self, ChildStream)):
            self.connection.client.log_in()  # what is due, and since when, goes by the vendor's clock
            with closing(Workers(self.settings["max_concurrency"], name=self.name)) as workers:
                for object_type in self.object_types:
                    going_on = [stream for stream in streams.values() if stream.failure is None]
                    yield from _TypeSweep(self, object_type, going_on, workers, troubles).pages()
        for stream in streams.values():
            stream.failure = stream.failure or troubles.failure_of(stream.name)
        if self.failure is not None:
            raise self.failure


_MISSED = frozenset({Outcome.REFUSED, Outcome.UNKNOWN})


class _Troubles:
    """What could not be read, and whether that makes a stream incomplete."""

    def __init__(self, object_types: Sequence[str]) -> None:
        self._object_types = object_types
        self.skipped_types: list[str] = []
        self.refused_types: dict[str, list[str]] = {}

    def failure_of(self, stream: str) -> TapError | None:
        if refused := self.refused_types.get(stream):
            msg = f"every object of {', '.join(refused)} was refused"
            advice = "Give the user the right to read them, or leave these types out; the next run asks them again"
            return ApiError(msg, where=stream, advice=advice)
        if self.skipped_types and len(self.skipped_types) == len(self._object_types):
            msg = f"nothing could be read of {', '.join(self.skipped_types)}"
            return ApiError(msg, where=stream, advice="Check the user's rights and the configured types")
        return None


class _TypeSweep:
    """The sweep of one object type for one or more streams."""

    def __init__(
        self,
        parent: SweepStream,
        object_type: str,
        streams: Sequence[SweptStream],
        workers: Workers,
        troubles: _Troubles,
    ) -> None:
        self._parent = parent
        self._object_type = object_type
        self._streams = {stream.name: stream for stream in streams}
        self._workers = workers
        self._troubles = troubles
        self._client = parent.connection.client
        self._logger = parent.logger

    def pages(self) -> Iterator[list[Record]]:
        """Sweep; and once more for streams whose sweep an earlier run began long ago."""
        names = list(self._streams)
        while names:
            tracks = self._tracks(names)
            if not tracks or (asks := self._asks(tracks)) is None:
                return
            yield from self._read(tracks, asks)
            now = self._client.server_time()
            names = [
                track.stream
                for track in tracks
                if track.failure is None and track.resumed and not track.sweep.is_current(now)
            ]

    def _tracks(self, names: Sequence[str]) -> list[Track]:
        now = self._client.server_time()
        tracks = [self._streams[name].track(self._object_type, now) for name in names]
        for track in tracks:
            if self._parent.retention is not None and (lost := track.lost_range(self._parent.retention, now)):
                self._logger.warning(
                    "`%s`: the vendor keeps changes for %d days: some of `%s` made between %s and %s may be lost.",
                    track.stream,
                    self._parent.retention.days,
                    self._object_type,
                    *lost,
                )
            if track.resumed:
                self._logger.info("%s: going on after object %s.", self._object_type, track.sweep.after)
        return [track for track in tracks if track.sweep.has_window]

    def _asks(self, tracks: Sequence[Track]) -> list[Ask] | None:
        """Find the objects to ask, by ascending id; None if the type cannot be listed."""
        began = datetime.now(UTC)
        wanted: dict[int, tuple[Track, ...]] = {}
        total = 0
        groups: dict[tuple[Track, ...], tuple[Track, ...]] = {}
        try:
            for listed in self._list(tracks):
                total += 1
                wanting = tuple(track for track in tracks if track.wants_object(listed))
                if wanting:
                    # The same tuple for all: there may be many objects.
                    wanted[listed.id] = groups.setdefault(wanting, wanting)
        except (RefusedError, UnsupportedTypeError) as error:
            self._skip(tracks, error)
            return None
        for track in tracks:
            track.starting_at(self._client.clock.now(began))
        self._logger.info("%s: asking %d objects of %d listed.", self._object_type, len(wanted), total)
        return [Ask(object_id, wanted[object_id]) for object_id in sorted(wanted)]

    def _list(self, tracks: Sequence[Track]) -> Iterable[Listed]:
        if ids := self._parent.configured_ids(self._object_type):
            return [Listed(object_id) for object_id in ids]
        starts = [track.sweep.listed_since for track in tracks]
        since = None if None in starts else min(start for start in starts if start is not None)
        return self._parent.list_objects(self._object_type, since, self._workers)

    def _read(self, tracks: Sequence[Track], asks: Sequence[Ask]) -> Iterator[list[Record]]:
        progress = ProgressLog(self._logger, self._object_type, len(asks))
        outcomes: dict[str, Outcome] = {}
        refused: list[int] = []
        sampled = False
        for reading in self._parent.read_objects(self._object_type, asks, self._workers):
            for track in tracks:
                self._note_failure(track, reading)
                yield from self._write(track, reading)
            outcomes = {**reading.outcomes, **outcomes, **dict.fromkeys(reading.records, Outcome.READ)}
            if all(track.failure is not None for track in tracks):
                return
            if reading.complete:
                self._pass_object(tracks, reading.object_id, outcomes)
                if not _MISSED.isdisjoint(outcomes.values()):
                    refused.append(reading.object_id)
                outcomes = {}
                progress.count()
                if not sampled and self._is_unknown(tracks, _UNKNOWN_ENOUGH):
                    sampled = True
                    if self._is_sample_unknown(asks, behind=reading.object_id):
                        break
        if self._is_unknown(tracks, 1):
            self._skip(tracks, UnsupportedTypeError("the vendor does not understand the question for its history"))
            return
        self._warn_of_refused(refused, len(asks))
        self._complete(tracks)

    def _is_unknown(self, tracks: Sequence[Track], least: int) -> bool:
        """Whether nothing but listed objects has been asked, and none of them was understood."""
        if self._parent.configured_ids(self._object_type):
            return False
        return all(track.sweep.is_unknown and track.sweep.unknown >= least for track in tracks)

    def _is_sample_unknown(self, asks: Sequence[Ask], *, behind: int) -> bool:
        """Ask a few objects spread over those still to come: the first ones alone say nothing about the type."""
        left = [ask for ask in asks if ask.object_id > behind]
        positions = {round(step * (len(left) - 1) / (_SAMPLE - 1)) for step in range(_SAMPLE)} if left else set()
        sample = [left[position] for position in sorted(positions)]
        readings = self._parent.read_objects(self._object_type, sample, self._workers)
        return all(set(reading.outcomes.values()) == {Outcome.UNKNOWN} for reading in readings)

    def _write(self, track: Track, reading: Reading) -> Iterator[list[Record]]:
        records = reading.records.get(track.stream)
        if not records or track.failure is not None:
            return
        stream = self._streams[track.stream]
        if isinstance(stream, ChildStream):
            stream.write(records)
        else:
            yield records
        track.note_written(records, self._client.server_time())

    def _pass_object(self, tracks: Sequence[Track], object_id: int, outcomes: Mapping[str, Outcome]) -> None:
        for track in tracks:
            if track.failure is None:
                track.pass_object(object_id, outcomes.get(track.stream, Outcome.NOTHING_DUE))
        self._parent.checkpoint()

    def _note_failure(self, track: Track, reading: Reading) -> None:
        if track.failure is None and track.stream in reading.failures:
            track.failure = self._streams[track.stream].failure = reading.failures[track.stream]
            self._logger.error("`%s` cannot go on: %s", track.stream, track.failure)

    def _complete(self, tracks: Sequence[Track]) -> None:
        for track in tracks:
            if track.failure is not None:
                continue
            if track.sweep.is_refused:
                track.give_up()
                self._troubles.refused_types.setdefault(track.stream, []).append(self._object_type)
            else:
                track.complete(by_vendor_clock=self._client.clock.is_known)
        self._parent.checkpoint()

    def _skip(self, tracks: Sequence[Track], error: ApiError) -> None:
        for track in tracks:
            track.give_up()
        if self._object_type not in self._troubles.skipped_types:
            self._troubles.skipped_types.append(self._object_type)
            self._logger.warning("`%s` is skipped in this run: %s.", self._object_type, error)

    def _warn_of_refused(self, refused: Sequence[int], asked: int) -> None:
        if refused:
            self._logger.warning(
                "%s: %d of %d objects were refused and are skipped: %s.",
                self._object_type,
                len(refused),
                asked,
                name_objects(refused),
            )


def name_objects(ids: Sequence[int]) -> str:
    """Return the first ids as text for a message."""
    named = ", ".join(map(str, ids[:_NAMED_OBJECTS]))
    return named + (", ..." if len(ids) > _NAMED_OBJECTS else "")
