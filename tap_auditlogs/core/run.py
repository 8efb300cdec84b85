"""The run loop: one stream's failure never stops the others, and the exit code tells the truth."""

from __future__ import annotations

import gc
import logging
import os
import sys
import typing as t
from dataclasses import dataclass

from singer_sdk.exceptions import AbortedSyncFailedException, AbortedSyncPausedException, ConfigValidationError

from tap_auditlogs.core.errors import OutputError, SkippedStreamError, TapError, unit_failure
from tap_auditlogs.core.interrupts import interrupts
from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk import Stream, Tap

logger = logging.getLogger(__name__)

EXIT_COMPLETE = 0
EXIT_FAILED = 1


@dataclass(frozen=True)
class _Failure:
    stream: str
    reason: str


def run(make_tap: Callable[[MessageWriter], Tap], *, record_limit: int | None = None) -> int:
    """Make the tap, sync every selected stream and say how it went.

    Args:
        make_tap: Makes the tap with this message writer; may fail with a message for the operator.
        record_limit: Stop each stream after so many records (`--test`); then every stream counts as selected.

    Returns:
        The exit code: 0 if every selected stream was read to its end, 1 if not.
    """
    writer = MessageWriter()

    def work() -> int:
        tap = make_tap(writer)
        relax_garbage_collection()
        writer.start_from(tap.state)
        return _sync_streams(tap, record_limit)

    return run_process(work, writer)


def run_process(work: Callable[[], int], writer: MessageWriter) -> int:
    """Do a plugin's work; whatever ends it, end with a message for the operator and the right exit code.

    Args:
        work: The work; returns the exit code.
        writer: Writes to standard output.

    Returns:
        The exit code.
    """
    interrupts.output = writer
    try:
        return work()
    except ConfigValidationError as error:
        log_config_faults(error)
    except OutputError as error:
        logger.error("%s", error)  # noqa: TRY400 - the message says it all
        _drop_unwritten_output()
    except TapError as error:
        logger.error("%s", error)  # noqa: TRY400 - the message says it all
    finally:
        writer.conclude()
    return EXIT_FAILED


def log_config_faults(error: ConfigValidationError) -> None:
    """Tell the operator what is wrong with the settings.

    Args:
        error: What the tap found when it was made.
    """
    for fault in error.errors:
        logger.error("Settings: %s", fault)


def relax_garbage_collection() -> None:
    """Let the collector look less often: pages of records hold no cycles, and scanning them costs a fifth of a run."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _sync_streams(tap: Tap, record_limit: int | None) -> int:
    streams = [stream for stream in tap.streams.values() if record_limit is not None or _wanted(stream)]
    if not streams:
        logger.error("No stream is selected: nothing to do. Check the catalog or the `select` rules.")
        return EXIT_FAILED
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


def _wanted(stream: Stream) -> bool:
    return stream.selected or stream.has_selected_descendents


def _sync(stream: Stream) -> str | None:
    """Sync a stream, and give the reason if it failed."""
    try:
        stream.sync()
    except (AbortedSyncFailedException, AbortedSyncPausedException):
        return None  # the record limit was reached
    except SkippedStreamError as skipped:
        logger.warning("`%s` is skipped: %s", stream.name, skipped)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other streams are read
        return str(unit_failure(error))
    return None


def _failures(stream: Stream, reason: str | None) -> list[_Failure]:
    """Tell which streams failed: this one, and those that are read in its pass."""
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
    """Keep Python from complaining at its end that standard output could not be flushed."""
    if sys.stdout is not None:  # it is None if it was closed before the start
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
