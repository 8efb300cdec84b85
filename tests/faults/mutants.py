"""Deliberately broken taps: each must make an oracle object, or the oracle proves nothing.

By hand: `python -m tests.faults.mutants <name> --config=... [--state=...]` runs the tap with one fault planted.
"""

# ruff: noqa: SLF001 - mutants reach inside

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

    Plant: t.TypeAlias = Callable[[ExitStack], None]


def _replace(stack: ExitStack, owner: t.Any, name: str, new: t.Any) -> None:
    stack.enter_context(mock.patch.object(owner, name, new))


# What is read, and what the STATE says of it.


def no_look_back(stack: ExitStack) -> None:
    """Pigment asks from its bookmark on."""
    start = window_start
    _replace(stack, pigment_streams, "window_start", lambda mark, begin, look_back: start(mark, begin, look_back * 0))


def exclusive_start(stack: ExitStack) -> None:
    """Pigment takes `>` for `>=`."""
    wants = Window.wants
    _replace(stack, Window, "wants", lambda window, ingested: wants(window, ingested) and ingested != window.start)


def bookmark_one_too_far(stack: ExitStack) -> None:
    """Cryptolens' bookmark is the id after the last row's."""
    advance = Bookmark.advance

    def further(bookmark: Bookmark, value: t.Any, **notes: t.Any) -> None:
        advance(bookmark, value + 1 if isinstance(value, int) else value, **notes)

    _replace(stack, Bookmark, "advance", further)


def nothing_settles(stack: ExitStack) -> None:
    """Cryptolens' young rows are passed at once."""
    cut = Cutter.cut

    def at_once(cutter: Cutter, rows: t.Any, now: float) -> t.Any:
        cutter.settle_seconds = -1e9
        return cut(cutter, rows, now)

    _replace(stack, Cutter, "cut", at_once)


def state_one_record_early(stack: ExitStack) -> None:
    """The last record of each page comes after the STATE that covers it."""
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

    _replace(stack, MessageWriter, "write_records", keep_one)
    _replace(stack, MessageWriter, "write_message", release)


def last_row_of_a_page_lost(stack: ExitStack) -> None:
    """A page loses its last row."""
    write = PagedStream._write_page

    def shorter(stream: PagedStream, records: t.Any, *, plain: bool) -> None:
        write(stream, records[:-1], plain=plain)

    _replace(stack, PagedStream, "_write_page", shorter)


def empty_page_ends(stack: ExitStack) -> None:
    """A page without rows is taken for the last one, though the vendor says that more follow."""
    count = SafePaginator.count_rows

    def finish(paginator: t.Any, rows: int) -> None:
        count(paginator, rows)
        if not rows:
            paginator.has_more = lambda _response: False

    _replace(stack, SafePaginator, "count_rows", finish)


def sweeps_without_look_back(stack: ExitStack) -> None:
    """A sweep asks objects and histories from the bookmark on."""
    opening = Sweep.opening.__func__  # type: ignore[attr-defined] # a class method has it

    def sharp(kind: type[Sweep], marks: t.Any, rules: t.Any, now: t.Any) -> Sweep:
        return t.cast("Sweep", opening(kind, marks, replace(rules, lookback=rules.lookback * 0), now))

    _replace(stack, Sweep, "opening", classmethod(sharp))


def sweep_passes_an_object_too_many(stack: ExitStack) -> None:
    """The progress of a sweep is one object ahead."""
    passing = Sweep.passing

    def ahead(sweep: Sweep, object_id: int, outcome: t.Any) -> Sweep:
        return passing(sweep, object_id + 7, outcome)

    _replace(stack, Sweep, "passing", ahead)


def future_row_carries_the_bookmark(stack: ExitStack) -> None:
    """A row dated ahead of the vendor's clock moves the bookmark to its time."""
    seeing, after_page = Sweep.seeing, Window.after_page
    century = timedelta(days=36_500)
    _replace(stack, Sweep, "seeing", lambda sweep, moments, now: seeing(sweep, moments, now + century))
    _replace(
        stack, Window, "after_page", lambda window, times, cursor, now: after_page(window, times, cursor, now + century)
    )


def progress_forgotten(stack: ExitStack) -> None:
    """A window or a sweep that was interrupted starts over."""
    _replace(stack, Bookmark, "keep_progress", lambda _bookmark, _progress: None)


# What is written.


def _last_changed(stack: ExitStack, change: Callable[[t.Any], list[t.Any]]) -> None:
    """Let something else stand for the last of the records that are written at once."""
    write = MessageWriter.write_records

    def changed(writer: MessageWriter, stream: str, records: t.Any) -> None:
        *others, last = records
        write(writer, stream, [*others, *change(last)])

    _replace(stack, MessageWriter, "write_records", changed)


def invented_record(stack: ExitStack) -> None:
    """Pigment has a record that the vendor has not."""
    _last_changed(stack, lambda last: [last, {**last, "event_id": "of nothing"}])


def wrong_type(stack: ExitStack) -> None:
    """Pigment's `event_type` is a number at times."""
    _last_changed(stack, lambda last: [{**last, "event_type": 7}])


def schema_too_late(stack: ExitStack) -> None:
    """The SCHEMA comes after the first page of its records."""
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

    _replace(stack, MessageWriter, "write_message", hold)
    _replace(stack, MessageWriter, "write_records", release)


# Files.


def no_md5(stack: ExitStack) -> None:
    """A file's bytes are believed."""

    class Believing(download._Sink):
        md5 = type("", (), {"__get__": lambda *_: _Anything()})()

    _replace(stack, download, "_Sink", Believing)


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def manifest_by_hour(stack: ExitStack) -> None:
    """An hour that was read is read, whatever its md5 is now."""
    _replace(stack, Manifest, "done", lambda manifest, key, _md5: manifest.begun(key))


# Ends, waits, secrets, hosts.


def errors_swallowed(stack: ExitStack) -> None:
    """A stream that failed counts as complete."""
    sync = run_module._sync

    def silent(stream: t.Any) -> None:
        sync(stream)

    _replace(stack, run_module, "_sync", silent)


def answers_without_rows_are_the_end(stack: ExitStack) -> None:
    """What is no page counts as an empty one."""
    _replace(stack, LogStream, "_raw_rows", lambda _stream, response: response.json().get("logs", []))


def impatient(stack: ExitStack) -> None:
    """A wait that the vendor asks for is not waited."""
    _replace(stack, RetryBudget, "_wait_after", lambda _budget, _error: 0.5)


def follows_redirects(stack: ExitStack) -> None:
    """Redirects are followed."""
    exchange = HttpClient._exchange

    def anywhere(client: t.Any, prepared: t.Any, where: str, read_body: t.Any) -> t.Any:
        session = client._session
        send = session.send
        session.get_redirect_target = lambda response: response.headers.get("Location")
        session.send = lambda request, **options: send(request, **{**options, "allow_redirects": True})
        try:
            return exchange(client, prepared, where, read_body)
        finally:
            session.send = send

    _replace(stack, HttpClient, "_exchange", anywhere)


def secrets_shown(stack: ExitStack) -> None:
    """Nothing is masked."""
    _replace(stack, Redactor, "__call__", lambda _redactor, text: text)


def secrets_in_a_file(stack: ExitStack) -> None:
    """What was sent is kept in a temporary file."""
    exchange = HttpClient._exchange

    def noted(client: t.Any, prepared: t.Any, where: str, read_body: t.Any) -> t.Any:
        with tempfile.NamedTemporaryFile("w", delete=False) as notes:
            notes.write(str(prepared.headers))
        return exchange(client, prepared, where, read_body)

    _replace(stack, HttpClient, "_exchange", noted)


def no_throttle(stack: ExitStack) -> None:
    """Requests are sent as fast as they can be."""
    _replace(stack, Throttle, "wait", lambda _throttle: None)


def unknown_fields_dropped(stack: ExitStack) -> None:
    """What the schema does not know is left out."""
    shape = RowShaper.shape

    def known(shaper: RowShaper, row: t.Any) -> t.Any:
        return {**shape(shaper, row), "additional_properties": None}

    _replace(stack, RowShaper, "shape", known)


def ends_well_on_signals(stack: ExitStack) -> None:
    """SIGTERM ends the run with 0, as the SDK does."""
    end = os._exit
    _replace(stack, os, "_exit", lambda _code: end(0))


def chatty(stack: ExitStack) -> None:
    """A library prints."""
    run = run_module._sync_streams

    def noisy(*arguments: t.Any) -> int:
        sys.stdout.write("100%|##########|\n")
        sys.stdout.flush()
        return run(*arguments)

    _replace(stack, run_module, "_sync_streams", noisy)


def state_not_understood_is_none(stack: ExitStack) -> None:
    """A state that cannot be understood is taken for no state."""
    _replace(stack, tap_module, "parse_state", lambda _text: {})


MUTANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        *(no_look_back, exclusive_start, bookmark_one_too_far, nothing_settles, state_one_record_early),
        *(last_row_of_a_page_lost, empty_page_ends, sweeps_without_look_back, sweep_passes_an_object_too_many),
        *(future_row_carries_the_bookmark, no_md5, manifest_by_hour, errors_swallowed),
        *(answers_without_rows_are_the_end, impatient, follows_redirects, secrets_shown, unknown_fields_dropped),
        *(ends_well_on_signals, chatty, state_not_understood_is_none, progress_forgotten, invented_record),
        *(wrong_type, schema_too_late, secrets_in_a_file, no_throttle),
    )
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Break the tap while the block runs."""
    with ExitStack() as stack:
        MUTANTS[name](stack)
        yield


def main() -> None:
    """Run a broken tap."""
    name = sys.argv.pop(1)
    interrupts.install()
    with planted(name):
        TapAuditLogs.cli()


if __name__ == "__main__":
    main()
