"""The base of the streams that sweep."""

from __future__ import annotations

import abc
import typing as t
from contextlib import closing

from typing_extensions import override

from tap_auditlogs.core.child_stream import ChildStream, being_written, selected_children
from tap_auditlogs.core.sweep.history_stream import HistoryStream, SweptStream
from tap_auditlogs.core.sweep.skipped_types import SkippedTypes
from tap_auditlogs.core.sweep.type_sweep import TypeSweep
from tap_auditlogs.core.workers import Workers

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record


class SweepStream(HistoryStream, abc.ABC):
    """A stream that sweeps, and writes the `SweptStream` children in the same pass.

    An object whose history cannot be read (`ProtocolError`, or an unexpected exception) fails alone: the others are
    read, the bookmark of the type stays, and the run ends with exit code 1. A request that fails for good (any other
    `ApiError`) ends the stream.
    """

    @override
    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:
        streams = [
            stream for stream in (self, *self.child_streams) if isinstance(stream, SweptStream) and stream.selected
        ]
        skipped_types = SkippedTypes(self.object_types)
        with being_written(selected_children(self, ChildStream)):
            self.connection.client.log_in()  # the sweeps go by the vendor's clock
            with closing(Workers(self.settings["max_concurrency"], name=self.name)) as workers:
                for object_type in self.object_types:
                    going_on = [stream for stream in streams if stream.failure is None]
                    yield from TypeSweep(self, object_type, going_on, workers, skipped_types).pages()
        for stream in streams:
            stream.failure = stream.failure or skipped_types.failure_of(stream.name)
        if self.failure is not None:
            raise self.failure
