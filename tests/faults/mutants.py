"""Deliberately broken taps: each must make an oracle object, or the oracle proves nothing.

By hand: `python -m tests.faults.mutants <name> --config=... [--state=...]` runs the tap with one fault applied.
"""

# ruff: noqa: SLF001 - mutations replace private functions

from __future__ import annotations

import os
import sys
import tempfile
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from unittest import mock

from tap_auditlogs.core import run as run_module
from tap_auditlogs.core import tap as tap_module
from tap_auditlogs.core.http.client import HttpClient
from tap_auditlogs.core.http.retry import RetryBudget
from tap_auditlogs.core.http.throttle import Throttle
from tap_auditlogs.core.interrupts import interrupts
from tap_auditlogs.core.pagination import SafePaginator
from tap_auditlogs.core.redaction import Redactor
from tap_auditlogs.core.rows import RowShaper
from tap_auditlogs.core.sdk_hooks import PagedStream
from tap_auditlogs.core.state import Bookmark
from tap_auditlogs.core.sweep.plan import Sweep
from tap_auditlogs.core.writer import MessageWriter
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors.cryptolens.slices import Cutter
from tap_auditlogs.vendors.cryptolens.streams import LogStream
from tap_auditlogs.vendors.index_exchange import download
from tap_auditlogs.vendors.index_exchange.manifest import Manifest
from tap_auditlogs.vendors.pigment import streams as pigment_streams
from tap_auditlogs.vendors.pigment.window import Window, window_start

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Mutation: t.TypeAlias = Callable[[ExitStack], None]


def _patch(stack: ExitStack, owner: t.Any, name: str, new: t.Any) -> None:
    stack.enter_context(mock.patch.object(owner, name, new))


# Reading and bookmarks.


def no_lookback(stack: ExitStack) -> None:
    """Pigment requests start at the bookmark."""
    start = window_start
    _patch(stack, pigment_streams, "window_start", lambda mark, begin, look_back: start(mark, begin, look_back * 0))


def exclusive_start(stack: ExitStack) -> None:
    """Pigment compares with `>` instead of `>=`."""
    wants = Window.wants
    _patch(stack, Window, "wants", lambda window, ingested: wants(window, ingested) and ingested != window.start)


def bookmark_off_by_one(stack: ExitStack) -> None:
    """Cryptolens's bookmark is one above the last row's id."""
    advance = Bookmark.advance

    def further(bookmark: Bookmark, value: t.Any, **notes: t.Any) -> None:
        advance(bookmark, value + 1 if isinstance(value, int) else value, **notes)

    _patch(stack, Bookmark, "advance", further)


def no_settle_time(stack: ExitStack) -> None:
    """Cryptolens rows younger than `settle_seconds` are read at once."""
    cut = Cutter.cut

    def at_once(cutter: Cutter, rows: t.Any, now: float) -> t.Any:
        cutter.settle_seconds = -1e9
        return cut(cutter, rows, now)

    _patch(stack, Cutter, "cut", at_once)


def state_before_last_record(stack: ExitStack) -> None:
    """The last record of each page is written after the STATE that covers it."""
    write, write_message = MessageWriter.write_records, MessageWriter.write_message
    held: list[tuple[str, t.Any]] = []

    def keep_one(writer: MessageWriter, stream: str, records: t.Any) -> None:
        write(writer, stream, list(records)[:-1])
        held.extend((stream, record) for record in list(records)[-1:])

    def release(writer: MessageWriter, message: t.Any) -> None:
        write_message(writer, message)
        while held:
            stream, record = held.pop()
            write(writer, stream, [record])

    _patch(stack, MessageWriter, "write_records", keep_one)
    _patch(stack, MessageWriter, "write_message", release)


def last_row_of_page_dropped(stack: ExitStack) -> None:
    """The last row of each page is dropped."""
    write = PagedStream._write_page

    def shorter(stream: PagedStream, records: t.Any, *, plain: bool) -> None:
        write(stream, records[:-1], plain=plain)

    _patch(stack, PagedStream, "_write_page", shorter)


def empty_page_ends_stream(stack: ExitStack) -> None:
    """An empty page ends the stream although the vendor says that more rows follow."""
    count = SafePaginator.count_rows

    def finish(paginator: t.Any, rows: int) -> None:
        count(paginator, rows)
        if not rows:
            paginator.has_more = lambda _response: False

    _patch(stack, SafePaginator, "count_rows", finish)


def no_sweep_lookback(stack: ExitStack) -> None:
    """A sweep requests objects and histories from the bookmark on, without look-back."""
    opening = Sweep.opening.__func__  # type: ignore[attr-defined] # a class method has it

    def without_lookback(kind: type[Sweep], marks: t.Any, rules: t.Any, now: t.Any) -> Sweep:
        return t.cast("Sweep", opening(kind, marks, replace(rules, lookback=rules.lookback * 0), now))

    _patch(stack, Sweep, "opening", classmethod(without_lookback))


def sweep_position_too_far(stack: ExitStack) -> None:
    """The position of a sweep in its state is past objects that were not read."""
    passing = Sweep.passing

    def ahead(sweep: Sweep, object_id: int, outcome: t.Any) -> Sweep:
        return passing(sweep, object_id + 7, outcome)

    _patch(stack, Sweep, "passing", ahead)


def bookmark_follows_future_row(stack: ExitStack) -> None:
    """A row dated in the future moves the bookmark to its time."""
    seeing, after_page = Sweep.seeing, Window.after_page
    century = timedelta(days=36_500)
    _patch(stack, Sweep, "seeing", lambda sweep, moments, now: seeing(sweep, moments, now + century))
    _patch(
        stack, Window, "after_page", lambda window, times, cursor, now: after_page(window, times, cursor, now + century)
    )


def progress_not_kept(stack: ExitStack) -> None:
    """An interrupted window or sweep starts over."""
    _patch(stack, Bookmark, "keep_progress", lambda _bookmark, _progress: None)


# Writing.


def _last_changed(stack: ExitStack, change: Callable[[t.Any], list[t.Any]]) -> None:
    """Replace the last record of each batch."""
    write = MessageWriter.write_records

    def changed(writer: MessageWriter, stream: str, records: t.Any) -> None:
        *others, last = records
        write(writer, stream, [*others, *change(last)])

    _patch(stack, MessageWriter, "write_records", changed)


def extra_record(stack: ExitStack) -> None:
    """Pigment writes a record that the vendor does not have."""
    _last_changed(stack, lambda last: [last, {**last, "event_id": "of nothing"}])


def wrong_type(stack: ExitStack) -> None:
    """One record of each batch has a number as `event_type`."""
    _last_changed(stack, lambda last: [{**last, "event_type": 7}])


def schema_after_records(stack: ExitStack) -> None:
    """The SCHEMA is written after the first page of records."""
    write, write_message = MessageWriter.write_records, MessageWriter.write_message
    held: list[t.Any] = []

    def hold(writer: MessageWriter, message: t.Any) -> None:
        if message.to_dict()["type"] == "SCHEMA":
            held.append(message)
        else:
            write_message(writer, message)

    def release(writer: MessageWriter, stream: str, records: t.Any) -> None:
        write(writer, stream, records)
        while held:
            write_message(writer, held.pop())

    _patch(stack, MessageWriter, "write_message", hold)
    _patch(stack, MessageWriter, "write_records", release)


# Files.


def md5_not_checked(stack: ExitStack) -> None:
    """The md5 of a file is not checked."""

    class Unchecked(download._Sink):
        md5 = type("", (), {"__get__": lambda *_: _EqualsAnything()})()

    _patch(stack, download, "_Sink", Unchecked)


class _EqualsAnything:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def manifest_ignores_md5(stack: ExitStack) -> None:
    """A file that was read once is not read again when its md5 changes."""
    _patch(stack, Manifest, "done", lambda manifest, key, _md5: manifest.begun(key))


# Exit codes, waits, secrets and hosts.


def stream_error_ignored(stack: ExitStack) -> None:
    """A failed stream counts as complete."""
    sync = run_module._sync

    def ignoring_errors(stream: t.Any) -> None:
        sync(stream)

    _patch(stack, run_module, "_sync", ignoring_errors)


def missing_rows_read_as_empty(stack: ExitStack) -> None:
    """A response without rows counts as an empty page."""
    _patch(stack, LogStream, "raw_rows", lambda _stream, response: response.json().get("logs", []))


def retry_after_ignored(stack: ExitStack) -> None:
    """Retry-After is ignored."""
    _patch(stack, RetryBudget, "_wait_after", lambda _budget, _error: 0.5)


def follows_redirects(stack: ExitStack) -> None:
    """Redirects are followed."""
    exchange = HttpClient._exchange

    def following(client: t.Any, prepared: t.Any, where: str, read_body: t.Any) -> t.Any:
        session = client._session
        send = session.send
        session.get_redirect_target = lambda response: response.headers.get("Location")
        session.send = lambda request, **options: send(request, **{**options, "allow_redirects": True})
        try:
            return exchange(client, prepared, where, read_body)
        finally:
            session.send = send

    _patch(stack, HttpClient, "_exchange", following)


def secrets_not_masked(stack: ExitStack) -> None:
    """Secrets are not masked in logs."""
    _patch(stack, Redactor, "__call__", lambda _redactor, text: text)


def secrets_in_temporary_file(stack: ExitStack) -> None:
    """Request headers are written to a temporary file."""
    exchange = HttpClient._exchange

    def writing_headers(client: t.Any, prepared: t.Any, where: str, read_body: t.Any) -> t.Any:
        with tempfile.NamedTemporaryFile("w", delete=False) as notes:
            notes.write(str(prepared.headers))
        return exchange(client, prepared, where, read_body)

    _patch(stack, HttpClient, "_exchange", writing_headers)


def no_rate_limit(stack: ExitStack) -> None:
    """Requests are not rate limited."""
    _patch(stack, Throttle, "wait", lambda _throttle: None)


def unknown_fields_dropped(stack: ExitStack) -> None:
    """Fields that are not in the schema are dropped."""
    shape = RowShaper.shape

    def without_unknown(shaper: RowShaper, row: t.Any) -> t.Any:
        return {**shape(shaper, row), "additional_properties": None}

    _patch(stack, RowShaper, "shape", without_unknown)


def exit_code_0_on_signal(stack: ExitStack) -> None:
    """SIGTERM ends the run with exit code 0."""
    end = os._exit
    _patch(stack, os, "_exit", lambda _code: end(0))


def prints_to_stdout(stack: ExitStack) -> None:
    """A progress bar is printed to standard output."""
    run = run_module._sync_streams

    def printing(*arguments: t.Any) -> int:
        sys.stdout.write("100%|##########|\n")
        sys.stdout.flush()
        return run(*arguments)

    _patch(stack, run_module, "_sync_streams", printing)


def invalid_state_ignored(stack: ExitStack) -> None:
    """An invalid state counts as no state."""
    _patch(stack, tap_module, "parse_state", lambda _text: {})


MUTANTS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        *(no_lookback, exclusive_start, bookmark_off_by_one, no_settle_time, state_before_last_record),
        *(last_row_of_page_dropped, empty_page_ends_stream, no_sweep_lookback, sweep_position_too_far),
        *(bookmark_follows_future_row, md5_not_checked, manifest_ignores_md5, stream_error_ignored),
        *(
            missing_rows_read_as_empty,
            retry_after_ignored,
            follows_redirects,
            secrets_not_masked,
            unknown_fields_dropped,
        ),
        *(exit_code_0_on_signal, prints_to_stdout, invalid_state_ignored, progress_not_kept, extra_record),
        *(wrong_type, schema_after_records, secrets_in_temporary_file, no_rate_limit),
    )
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Break the tap within the block."""
    with ExitStack() as stack:
        MUTANTS[name](stack)
        yield


def main() -> None:
    """Run a broken tap."""
    name = sys.argv.pop(1)
    with applied(name):
        TapAuditLogs.cli()


if __name__ == "__main__":
    interrupts.install()
    main()
