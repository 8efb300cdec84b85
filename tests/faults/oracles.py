"""Checks of a run (oracles). Each returns what is wrong as a list of messages, empty if nothing is.

They compare standard output, as a target sees it, with what the sandbox has; none relies on the tap.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tests.faults.subjects import PAGE_ROWS, Keys, record_key, row_key, true_keys
from tests.support.secret_scan import leaks
from tests.support.states import entry_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.faults.subjects import Key, Row

Message: t.TypeAlias = "dict[str, t.Any]"
State: t.TypeAlias = "dict[str, t.Any]"
Truth: t.TypeAlias = "dict[str, list[Row]]"

# Singer messages.


def whole_lines(stdout: bytes) -> bytes:
    """Drop the incomplete last line that a kill may leave."""
    return stdout[: stdout.rfind(b"\n") + 1]


def read(stdout: bytes) -> list[Message]:
    """Decode the whole lines."""
    return [json.loads(line) for line in whole_lines(stdout).split(b"\n") if line]


def singer_faults(stdout: bytes) -> list[str]:
    """Check that every line is a Singer message that matches the SCHEMA before it."""
    faults = []
    validators: dict[str, t.Any] = {}
    if stdout and not stdout.endswith(b"\n"):
        faults.append(f"the last line is cut: {stdout[-60:]!r}")
    for number, line in enumerate(whole_lines(stdout).split(b"\n")[:-1], 1):
        try:
            message = json.loads(line, parse_float=Decimal)
            kind = message["type"]
        except (ValueError, TypeError, KeyError):
            faults.append(f"line {number} is no Singer message: {line[:60]!r}")
            continue
        match kind:
            case "SCHEMA":
                validators[message["stream"]] = DEFAULT_JSONSCHEMA_VALIDATOR(message["schema"])
            case "RECORD" if message["stream"] not in validators:
                faults.append(f"line {number}: a record of {message['stream']} before its SCHEMA")
            case "RECORD":
                errors = validators[message["stream"]].iter_errors(message["record"])
                faults += [f"line {number}: {message['stream']}: {error.message:.120}" for error in errors]
            case "STATE" if isinstance(message["value"].get("bookmarks"), dict):
                pass
            case _:
                faults.append(f"line {number}: a message of type {kind!r:.40}")
    return faults


def written_keys(messages: Iterable[Message]) -> Keys:
    """Return the keys of the records, by stream."""
    keys: Keys = {}
    for message in messages:
        if message["type"] == "RECORD":
            keys.setdefault(message["stream"], set()).add(record_key(message["stream"], message["record"]))
    return keys


# Missing and unknown records.


def gaps(truth: Truth, *outputs: Iterable[Message]) -> list[str]:
    """Check that the outputs together contain every row of the vendors."""
    written: Keys = {}
    for messages in outputs:
        for stream, keys in written_keys(messages).items():
            written.setdefault(stream, set()).update(keys)
    return missing(true_keys(truth), written)


def missing(wanted: Keys, written: Keys) -> list[str]:
    """Compare expected with written keys."""
    return [
        f"{stream}: {len(lost)} of {len(keys)} rows are missing, such as {min(lost)}"
        for stream, keys in wanted.items()
        if (lost := keys - written.get(stream, set()))
    ]


def unknown_records(truth: Truth, *outputs: Iterable[Message]) -> list[str]:
    """Check that every record belongs to a row of the vendors."""
    known = true_keys(truth)
    return [
        f"{stream}: {len(foreign)} records belong to no row, such as {min(foreign)}"
        for messages in outputs
        for stream, keys in written_keys(messages).items()
        if (foreign := keys - known.get(stream, set()))
    ]


# A STATE covers only records written before it.


def premature_states(truth: Truth, messages: Sequence[Message], before: Keys | None = None) -> list[str]:
    """Check at every STATE that the rows it covers have been written before it.

    Args:
        truth: The rows of all streams, which must not change during the run.
        messages: The output.
        before: The keys that earlier runs have written.

    Returns:
        A message for each STATE that covers too much.
    """
    written = {stream: set(keys) for stream, keys in (before or {}).items()}
    faults = []
    for number, message in enumerate(messages, 1):
        if message["type"] == "RECORD":
            written.setdefault(message["stream"], set()).add(record_key(message["stream"], message["record"]))
        elif message["type"] == "STATE":
            faults += [
                f"line {number}: {fault}" for fault in missing(covered_by_state(truth, message["value"]), written)
            ]
    return faults


def covered_by_state(truth: Truth, state: State) -> Keys:
    """Return the keys of the rows that a state covers.

    A Pigment cursor is opaque and not looked at; tests that restart from each state cover it.
    """
    keys: Keys = {}
    for stream in state["bookmarks"]:
        entry = entry_of(state, stream)
        for name, covers in _COVERED.items():
            if stream.startswith(name):
                for of_stream, row in covers(stream, entry, truth):
                    keys.setdefault(of_stream, set()).add(row_key(of_stream, row))
    return keys


def moment(text: str) -> datetime:
    """Parse a time of any vendor; those without a zone are in UTC."""
    read_time = datetime.fromisoformat(text)
    return read_time if read_time.tzinfo is not None else read_time.replace(tzinfo=UTC)


_CoveredRows: t.TypeAlias = "Iterator[tuple[str, Row]]"


def _pigment(stream: str, entry: Row, truth: Truth) -> _CoveredRows:
    if (value := entry.get("replication_key_value")) is not None:
        for row in truth[stream]:
            if moment(row["ingestionTimestamp"]) <= moment(value):
                yield stream, row


def _cryptolens(stream: str, entry: Row, truth: Truth) -> _CoveredRows:
    if (value := entry.get("replication_key_value")) is not None:
        for row in truth[stream]:
            if row["id"] <= value:
                yield stream, row


def _swept(kind: str, identifier: str, time: str) -> Callable[[str, Row, Truth], _CoveredRows]:
    def covers(stream: str, entry: Row, truth: Truth) -> _CoveredRows:
        for name, part in entry.get("parts", {}).items():
            reached = max(
                filter(None, (part.get("replication_key_value"), part.get("notes", {}).get("full_scan"))), default=None
            )
            progress = part.get("progress")
            for row in truth[stream]:
                if row[kind] != name:
                    continue
                by_bookmark = reached is not None and moment(row[time]) <= moment(reached)
                by_progress = (
                    progress is not None
                    and not progress["refused"]  # which objects may not be read, the state does not say
                    and not progress["unknown"]
                    and progress["after"] is not None
                    and int(row[identifier]) <= progress["after"]
                    and moment(row[time]) <= moment(progress["started"])
                )
                if by_bookmark or by_progress:
                    yield stream, row

    return covers


_FILE_STREAMS = {
    "f": ("index_exchange_files", "md5sum"),
    "h": ("index_exchange_hourly", "file_md5"),
}


def _index_exchange(_stream: str, entry: Row, truth: Truth) -> _CoveredRows:
    for group, hours in entry.get("notes", {}).get("manifest", {}).items():
        rows_stream = f"index_exchange_{group.partition('/')[0]}"
        for words in hours.values():
            for word in words.split():
                md5, _, works = word.partition(":")
                for letter in works:
                    stream, column = _FILE_STREAMS.get(letter, (rows_stream, "file_md5"))
                    yield from ((stream, row) for row in truth[stream] if row[column].startswith(md5))


_COVERED = {
    "pigment_": _pigment,
    "cryptolens_": _cryptolens,
    "openx_": _swept("obj_type", "obj_id", "timestamp"),
    "xandr_change_log": _swept("service", "resource_id", "created_on"),
    "index_exchange_files": _index_exchange,
}


# Repeated records.


@dataclass(frozen=True)
class _Bound:
    """How much of a stream a run may repeat.

    Attributes:
        unit: The columns that name what is repeated whole: an object, a file, or of a page each row.
        most: How many of these.
        time: The column by which rows fall into the look-back; None where there is none.
        look_back: How far the vendor's successive queries overlap, as the settings' defaults say.
        part: The column whose values have bookmarks of their own.
    """

    unit: tuple[str, ...]
    most: int = 1
    time: str | None = None
    look_back: timedelta = timedelta()
    part: str | None = None


_BOUNDS: t.Final = {
    "pigment_": _Bound(("event_id",), PAGE_ROWS["pigment"], "ingestion_timestamp", timedelta(days=1)),
    "cryptolens_": _Bound(("id",), PAGE_ROWS["cryptolens"], "occurred_at"),
    "openx_": _Bound(("obj_type", "obj_id"), 1, "timestamp", timedelta(days=1), "obj_type"),
    "xandr_": _Bound(("service", "resource_id"), 1, "created_on", timedelta(hours=1), "service"),
    "index_exchange_files": _Bound(("md5sum",)),
    **{f"index_exchange_{rows}": _Bound(("file_md5",)) for rows in ("impressions", "bids", "hourly")},
}
"""By prefix of the stream name; other streams are reference data, which is read completely each time."""


def repeats(before: Sequence[Message], after: Sequence[Message], start: State | None) -> list[str]:
    """Check that a resumed run repeats at most one page, one object or one file of each stream.

    The look-back before a bookmark and rows dated in the future are requested again each time and do not count.

    Args:
        before: The output of the interrupted run, as far as the target has it.
        after: The output of the resumed run. No cursor may have expired and no file been replaced in between.
        start: The state that the resumed run started from.

    Returns:
        A message for each stream that repeats more.
    """
    known = written_keys(before)
    states = [start or {}, *(message["value"] for message in after if message["type"] == "STATE")]
    units: dict[str, set[Key]] = {}
    for message in after:
        if message["type"] != "RECORD":
            continue
        stream, record = message["stream"], message["record"]
        bound = next((bound for name, bound in _BOUNDS.items() if stream.startswith(name)), None)
        if bound is None or record_key(stream, record) not in known.get(stream, ()):
            continue
        if not _is_asked_again(bound, stream, record, states):
            units.setdefault(stream, set()).add(tuple(str(record[name]) for name in bound.unit))
    return [
        f"{stream}: {len(repeated)} x {', '.join(bound.unit)} repeated, such as {min(repeated)}"
        for stream, repeated in units.items()
        for name, bound in _BOUNDS.items()
        if stream.startswith(name) and len(repeated) > bound.most
    ]


def _is_asked_again(bound: _Bound, stream: str, record: Row, states: Iterable[State]) -> bool:
    """Whether a record is in the range that every run requests again."""
    if bound.time is None:
        return False
    if record[bound.time] is None:
        return True
    when = moment(record[bound.time])
    part = None if bound.part is None else record[bound.part]
    starts = (_look_back_start(entry_of(state, stream), part, bound.look_back) for state in states)
    return when > datetime.now(UTC) or any(start is not None and when >= start for start in starts)


def _look_back_start(entry: Row, part: str | None, look_back: timedelta) -> datetime | None:
    """Return the start of the look-back; None without a bookmark or while a sweep is in progress."""
    if part is not None:
        entry = entry.get("parts", {}).get(part, {})
    if look_back == timedelta() or "progress" in entry:
        return None
    notes = entry.get("notes", {})
    # A full scan reads from the start of the previous one.
    marks = (entry.get("replication_key_value") or notes.get("swept"), notes.get("full_scan"))
    known = [moment(mark) for mark in marks if mark is not None]
    return min(known) - look_back if known else None


# How a run ends.


def wrong_exit(
    truth: Truth, exit_code: int, messages: Sequence[Message], log: str, before: Keys | None = None
) -> list[str]:
    """Check that exit code 0 means complete, and that 1 comes with a summary of what failed and no traceback."""
    written = written_keys(messages)
    for stream, keys in (before or {}).items():
        written.setdefault(stream, set()).update(keys)
    lost = missing(true_keys(truth), written)
    if exit_code == 0:
        return [f"exit code 0, but {fault}" for fault in lost]
    summary = log.rstrip().rpartition("\n")[2]
    faults = [f"the summary does not name {fault}" for fault in lost if f"`{fault.partition(':')[0]}`" not in summary]
    if exit_code != 1:
        faults.append(f"the exit code is {exit_code}")
    if "streams are complete. Failed: `" not in log:
        faults.append("no closing summary names the failed streams")
    if "Traceback" in log:
        faults.append("the log holds a traceback")
    return faults


# Waits.


def too_short_waits(waits: Sequence[float], *, asked: float) -> list[str]:
    """Check that a retry waits as long as the vendor asked."""
    return [] if waits and max(waits) >= asked else [f"waited {list(waits)} s, {asked:g} s were asked for"]


def too_fast(moments: Sequence[float], *, most: int, per_seconds: float) -> list[str]:
    """Check the rate limit over every window of time."""
    crowded = [
        f"{most + 1} requests within {later - earlier:.3f} s, {most} in {per_seconds:g} s are the most"
        for earlier, later in zip(moments, moments[most:], strict=False)
        if later - earlier < per_seconds
    ]
    return crowded[:1]


# Secrets.


def leaked(secrets: Sequence[str], *texts: str | bytes, folder: Path | None = None) -> list[str]:
    """Check that no secret, in any encoding, is in the output or in a file that was left."""
    faults = [f"a secret is in output {place}" for place, text in enumerate(texts, 1) if leaks(text, secrets)]
    for path in folder.rglob("*") if folder is not None else ():
        if path.is_file() and not path.name.startswith("file-"):  # the test's own configuration files
            faults += [f"a secret is in the file {path.name}"] if leaks(path.read_bytes(), secrets) else []
    return faults


# Data.


def dropped_fields(messages: Iterable[Message], names: set[str]) -> list[str]:
    """Check that fields without a schema are kept in every record."""
    return [
        f"{message['stream']}: {name} is not in additional_properties"
        for message in messages
        if message["type"] == "RECORD"
        for name in names - set(message["record"].get("additional_properties") or {})
    ]
