"""The base of streams that are written while their parent is being read."""

from __future__ import annotations

import abc
import typing as t
from contextlib import ExitStack, contextmanager

from typing_extensions import override

from tap_auditlogs.core.errors import TapError, unit_failure
from tap_auditlogs.core.stream import AuditStream

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.metrics import Counter


class ReportedError(TapError):
    """Ends a parent's pass after each failure has been noted with the streams that it concerns."""


class ChildStream(AuditStream, abc.ABC):
    """A stream whose records are written by its parent, `parent_stream_type`, in one pass over both.

    The SDK would sync a child once per record of its parent, with a SCHEMA and a STATE message each time. Here the
    parent's `get_pages` does this instead:

        children = selected_children(self, ChildStream)
        with being_written(children):
            for child in children:
                if child.failure is None:
                    child.write(records)

    `being_written` writes the SCHEMA messages, measures (`record_count`, `sync_duration`) and, if the pass ends with an
    exception, notes it as the failure of every child that has none. `write` counts and keeps the limit of `--test`. A
    child that writes its messages itself asks `records_left` first and calls `count` afterwards. What can go on after
    a failure calls `fail`, which keeps the first one: the run loop names the stream and ends with exit code 1.
    """

    _counter: Counter
    _written = 0

    @override
    def get_pages(self, context: Context | None) -> Iterable[list[Record]]:
        return ()

    @property
    def records_left(self) -> int | None:
        """How many more records the limit of a `--test` run allows; None without a limit."""
        return None if self.ABORT_AT_RECORD_COUNT is None else max(0, self.ABORT_AT_RECORD_COUNT - self._written)

    def write(self, records: list[Record]) -> None:
        """Write and count records, as far as the limit of a `--test` run allows."""
        if records := records[: self.records_left]:
            self.write_page(records)
            self.count(len(records))

    def count(self, records: int) -> None:
        """Count records that have been written."""
        self._written += records
        self._counter.increment(records)

    def fail(self, error: Exception) -> None:
        """Note why records are missing; the first failure is kept."""
        failure = unit_failure(error)
        self.failure = self.failure or failure

    @contextmanager
    def _measured(self) -> Iterator[None]:
        self.write_schema()
        with self.get_record_counter() as self._counter, self.get_sync_timer():
            yield


TChild = t.TypeVar("TChild", bound=ChildStream)


def selected_children(parent: AuditStream, kind: type[TChild]) -> list[TChild]:
    """Return the children of this kind whose records are wanted."""
    return [child for child in parent.child_streams if isinstance(child, kind) and child.selected]


@contextmanager
def being_written(children: Sequence[ChildStream]) -> Iterator[None]:
    """Surround the part of a parent's `get_pages` in which children are written.

    Raises:
        Exception: Whatever ended the pass; if it is no `ReportedError`, it is also the failure of each child.
    """
    with ExitStack() as stack:
        for child in children:
            stack.enter_context(child._measured())  # noqa: SLF001 - the same module
        try:
            yield
        except ReportedError:
            raise
        except Exception as error:
            for child in children:
                child.fail(error)
            raise
