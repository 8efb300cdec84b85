"""The sweep of one object type, for all streams that want it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from tap_auditlogs.core.child_stream import ChildStream
from tap_auditlogs.core.errors import ApiError, RefusedError
from tap_auditlogs.core.sweep.objects import ObjectQuery, UnsupportedTypeError, name_objects
from tap_auditlogs.core.sweep.plan import Listed, Outcome
from tap_auditlogs.core.sweep.progress import ProgressLog
from tap_auditlogs.core.sweep.stream_sweep import StreamSweep, failure_of_unit

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.sweep.history_stream import HistoryStream, SweptStream
    from tap_auditlogs.core.sweep.objects import ObjectHistory
    from tap_auditlogs.core.sweep.skipped_types import SkippedTypes
    from tap_auditlogs.core.workers import Workers

_UNKNOWN_ENOUGH = 5
"""After so many objects without any other answer, a sample of the others decides whether the type is unknown."""

_SAMPLE = 5
_MISSED = frozenset({Outcome.REFUSED, Outcome.UNKNOWN})


class TypeSweep:
    """Lists the objects of a type, asks for their histories, and moves the bookmarks of the streams."""

    def __init__(
        self,
        parent: HistoryStream,
        object_type: str,
        streams: Sequence[SweptStream],
        workers: Workers,
        skipped_types: SkippedTypes,
    ) -> None:
        self._parent = parent
        self._object_type = object_type
        self._streams = {stream.name: stream for stream in streams}
        self._workers = workers
        self._skipped_types = skipped_types
        self._client = parent.connection.client
        self._logger = parent.logger

    def pages(self) -> Iterator[list[Record]]:
        """Sweep; a failure of the whole type is noted, and the next type can be swept."""
        try:
            yield from self._sweep()
        except Exception as error:  # noqa: BLE001 - the type is a unit of its own
            failure = failure_of_unit(error)
            self._logger.error("%s failed: %s", self._object_type, failure)  # noqa: TRY400 - the message says it all
            for name in self._streams:
                self._skipped_types.fail_type(name, self._object_type, failure)

    def _sweep(self) -> Iterator[list[Record]]:
        """Sweep; and once more for streams whose sweep an earlier run began long ago."""
        names = list(self._streams)
        while names:
            sweeps = self._begin(names)
            if not sweeps or (queries := self._queries(sweeps)) is None:
                return
            yield from self._read(sweeps, queries)
            now = self._client.server_time()
            names = [
                each.stream
                for each in sweeps
                if each.failure is None and not each.failed_ids and each.resumed and not each.sweep.is_current(now)
            ]

    def _begin(self, names: Sequence[str]) -> list[StreamSweep]:
        now = self._client.server_time()
        sweeps = [self._streams[name].sweep_of(self._object_type, now) for name in names]
        for each in sweeps:
            if self._parent.retention is not None and (lost := each.lost_range(self._parent.retention, now)):
                self._logger.warning(
                    "`%s`: the vendor keeps changes for %d days: some of `%s` made between %s and %s may be lost.",
                    each.stream,
                    self._parent.retention.days,
                    self._object_type,
                    *lost,
                )
            if each.resumed:
                self._logger.info("%s: going on after object %s.", self._object_type, each.sweep.after)
        return [each for each in sweeps if each.sweep.has_window]

    # Listing

    def _queries(self, sweeps: Sequence[StreamSweep]) -> list[ObjectQuery] | None:
        """Return what to ask, by ascending id; None if the type cannot be listed."""
        began = datetime.now(UTC)
        wanted: dict[int, tuple[StreamSweep, ...]] = {}
        total = 0
        groups: dict[tuple[StreamSweep, ...], tuple[StreamSweep, ...]] = {}
        try:
            for listed in self._list(sweeps):
                total += 1
                wanting = tuple(each for each in sweeps if each.wants_object(listed))
                if wanting:
                    # One tuple for all: there may be many objects.
                    wanted[listed.id] = groups.setdefault(wanting, wanting)
        except (RefusedError, UnsupportedTypeError) as error:
            self._skip(sweeps, error)
            return None
        for each in sweeps:
            each.starting_at(self._client.clock.now(began))
        self._logger.info("%s: asking %d objects of %d listed.", self._object_type, len(wanted), total)
        return [ObjectQuery(object_id, wanted[object_id]) for object_id in sorted(wanted)]

    def _list(self, sweeps: Sequence[StreamSweep]) -> Iterable[Listed]:
        if ids := self._parent.configured_ids(self._object_type):
            return [Listed(object_id) for object_id in ids]
        starts = [each.sweep.listed_since for each in sweeps]
        since = None if None in starts else min(start for start in starts if start is not None)
        return self._parent.list_objects(self._object_type, since, self._workers)

    # Reading

    def _read(self, sweeps: Sequence[StreamSweep], queries: Sequence[ObjectQuery]) -> Iterator[list[Record]]:
        progress = ProgressLog(self._logger, self._object_type, len(queries))
        outcomes: dict[str, Outcome] = {}
        errors: dict[str, Exception] = {}
        refused: list[int] = []
        sampled = False
        for history in self._parent.read_objects(self._object_type, queries, self._workers):
            for each in sweeps:
                yield from self._write(each, history)
            errors = {**history.errors, **errors}
            outcomes = {**history.outcomes, **outcomes, **dict.fromkeys(history.records, Outcome.READ)}
            if self._end_streams(sweeps, history):
                return
            if history.complete:
                self._pass_object(sweeps, history.object_id, outcomes, errors)
                if not _MISSED.isdisjoint(outcomes.values()):
                    refused.append(history.object_id)
                outcomes, errors = {}, {}
                progress.count()
                if not sampled and self._is_unknown(sweeps, _UNKNOWN_ENOUGH):
                    sampled = True
                    if self._is_sample_unknown(queries, behind=history.object_id):
                        break
        if self._is_unknown(sweeps, 1):
            self._skip(sweeps, UnsupportedTypeError("the vendor does not understand the question for its history"))
            return
        self._warn_of_refused(refused, len(queries))
        self._complete(sweeps)

    def _write(self, sweep: StreamSweep, history: ObjectHistory) -> Iterator[list[Record]]:
        records = history.records.get(sweep.stream)
        if not records or sweep.failure is not None:
            return
        stream = self._streams[sweep.stream]
        if isinstance(stream, ChildStream):
            stream.write(records)
        else:
            yield records
        sweep.note_written(records, self._client.server_time())

    def _end_streams(self, sweeps: Sequence[StreamSweep], history: ObjectHistory) -> bool:
        """End streams for which a request failed for good; returns whether none is left."""
        for each in sweeps:
            error = history.errors.get(each.stream)
            if each.failure is not None or error is None:
                continue
            try:
                failure_of_unit(error)
            except ApiError as failure:
                each.failure = self._streams[each.stream].failure = failure
                self._logger.error("`%s` cannot go on: %s", each.stream, failure)  # noqa: TRY400 - the message says it
        return all(each.failure is not None for each in sweeps)

    def _pass_object(
        self,
        sweeps: Sequence[StreamSweep],
        object_id: int,
        outcomes: Mapping[str, Outcome],
        errors: Mapping[str, Exception],
    ) -> None:
        for each in sweeps:
            if each.failure is not None:
                continue
            if error := errors.get(each.stream):
                failure = failure_of_unit(error)
                each.fail_object(object_id, failure)
                self._logger.error("`%s`: %s %d failed: %s", each.stream, self._object_type, object_id, failure)
            else:
                each.pass_object(object_id, outcomes.get(each.stream, Outcome.NOTHING_DUE))
        self._parent.checkpoint()

    def _complete(self, sweeps: Sequence[StreamSweep]) -> None:
        asks_all = bool(self._parent.configured_ids(self._object_type))
        for each in sweeps:
            if each.failure is not None:
                continue
            if each.first_failure is not None:
                each.give_up()
                self._skipped_types.fail_objects(each.stream, self._object_type, each.failed_ids, each.first_failure)
            elif each.sweep.is_refused(asks_all=asks_all):
                each.give_up()
                self._skipped_types.refuse(each.stream, self._object_type)
            else:
                each.complete(by_vendor_clock=self._client.clock.is_known)
        self._parent.checkpoint()

    # Refused and unknown

    def _is_unknown(self, sweeps: Sequence[StreamSweep], least: int) -> bool:
        """Return whether only listed objects were asked, and the question was understood for none of them."""
        if self._parent.configured_ids(self._object_type):
            return False
        return all(each.sweep.is_unknown and each.sweep.unknown >= least and not each.failed_ids for each in sweeps)

    def _is_sample_unknown(self, queries: Sequence[ObjectQuery], *, behind: int) -> bool:
        """Ask a few objects spread over those still to come: the first ones alone say nothing about the type."""
        left = [query for query in queries if query.object_id > behind]
        positions = {round(step * (len(left) - 1) / (_SAMPLE - 1)) for step in range(_SAMPLE)} if left else set()
        sample = [left[position] for position in sorted(positions)]
        histories = self._parent.read_objects(self._object_type, sample, self._workers)
        return all(set(history.outcomes.values()) == {Outcome.UNKNOWN} for history in histories)

    def _skip(self, sweeps: Sequence[StreamSweep], error: ApiError) -> None:
        for each in sweeps:
            each.give_up()
        if self._object_type not in self._skipped_types.skipped:
            self._skipped_types.skipped.append(self._object_type)
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
