"""The run loop: one stream's failure never stops the others, and makes the exit code 1."""

from __future__ import annotations

import gc
import logging
import os
import sys
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from singer_sdk.exceptions import AbortedSyncFailedException, AbortedSyncPausedException, ConfigValidationError

from tap_auditlogs.core.errors import OutputError, SkippedStreamError, unit_failure
from tap_auditlogs.core.interrupts import interrupts
from tap_auditlogs.core.progress import logs_above_bars
from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk import Stream, Tap

    from tap_auditlogs.core.sdk_hooks import HookedTap

logger = logging.getLogger(__name__)

EXIT_COMPLETE = 0
EXIT_FAILED = 1


@dataclass(frozen=True)
class _Failure:
    stream: str
    reason: str


def run(make_tap: Callable[[MessageWriter], HookedTap], *, record_limit: int | None = None) -> int:
    """Create the tap, sync every selected stream and log a summary.

    Args:
        make_tap: Creates the tap; may raise a `TapError`.
        record_limit: The most records of each stream, for `--test`, which selects every stream.

    Returns:
        The exit code: 0 if every selected stream is complete, else 1.
    """
    writer = MessageWriter()

    def work() -> int:
        tap = make_tap(writer)
        relax_garbage_collection()
        writer.start_from(tap.state_to_write())
        return _sync_streams(tap, record_limit)

    return run_process(work, writer)


def run_process(work: Callable[[], int], writer: MessageWriter) -> int:
    """Return the exit code of a plugin's work; an exception that ends it is logged in one line and returns 1."""
    interrupts.output = writer
    try:
        with logs_above_bars():
            return work()
    except ConfigValidationError as error:
        log_config_faults(error)
    except OutputError as error:
        logger.error("%s", error)  # noqa: TRY400 - a traceback would not help
        _drop_unwritten_output()
    except Exception as error:  # noqa: BLE001 - as above
        logger.error("%s", unit_failure(error))  # noqa: TRY400 - as above
    finally:
        writer.conclude()
    return EXIT_FAILED


def log_config_faults(error: ConfigValidationError) -> None:
    """Log each fault of the settings."""
    for fault in error.errors:
        logger.error("Settings: %s", fault)


def relax_garbage_collection() -> None:
    """Collect less often: pages of records hold no reference cycles, and scanning them costs a fifth of a run."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _sync_streams(tap: Tap, record_limit: int | None) -> int:
    streams = [stream for stream in tap.streams.values() if record_limit is not None or is_wanted(stream)]
    if not streams:
        logger.error("No stream is selected. Check the catalog or the `select` rules.")
        return EXIT_FAILED
    if (start := tap.config.get("start_date")) and parse_timestamp(start) > datetime.now(UTC):
        logger.warning(
            "start_date %s lies in the future. Streams without a bookmark read nothing, and their bookmarks may pass "
            "records that are there: after a mistake, remove them from the state.",
            start,
        )
    failures: list[_Failure] = []
    if record_limit is not None:
        for stream in streams:
            stream.ABORT_AT_RECORD_COUNT = record_limit
            stream.selected = True
    for stream in streams:
        if stream.parent_stream_type is None:
            failures += _failures(stream, _sync(stream))
    tap.state_writer.write_state(tap.state)
    _summarise([stream for stream in streams if stream.selected], failures)
    return EXIT_FAILED if failures else EXIT_COMPLETE


def is_wanted(stream: Stream) -> bool:
    """Say whether a stream is read, for itself or for those read in its pass."""
    return stream.selected or stream.has_selected_descendents


def _sync(stream: Stream) -> str | None:
    """Sync a stream; return the reason if it failed."""
    try:
        stream.sync()
    except (AbortedSyncFailedException, AbortedSyncPausedException):
        return None  # the record limit was reached
    except SkippedStreamError as skipped:
        logger.warning("`%s` is skipped: %s", stream.name, skipped)
    except Exception as error:  # noqa: BLE001 - the other streams are read whatever it is
        return str(unit_failure(error))
    return None


def _failures(stream: Stream, reason: str | None) -> list[_Failure]:
    """List the failed streams: this one, and those that are written in its pass."""
    failures = [
        _Failure(child.name, str(failure))
        for child in stream.descendent_streams
        if child.selected and (failure := getattr(child, "failure", None)) is not None
    ]
    if reason is not None and (stream.selected or not failures):
        failures.insert(0, _Failure(stream.name, reason))
    return failures


def _summarise(streams: Sequence[Stream], failures: Sequence[_Failure]) -> None:
    if not failures:
        logger.info("All %d streams are complete.", len(streams))
        return
    by_reason: dict[str, list[str]] = {}
    for failure in failures:
        by_reason.setdefault(failure.reason, []).append(f"`{failure.stream}`")
    logger.error(
        "%d of %d streams are complete. Failed: %s",
        len(streams) - len(failures),
        len(streams),
        "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()),
    )


def _drop_unwritten_output() -> None:
    """Prevent Python's message at exit that standard output cannot be flushed."""
    if sys.stdout is not None:  # None if it was closed before the start
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
