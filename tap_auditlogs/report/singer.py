"""Writes the records of Singer messages to files."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from tap_auditlogs.report.errors import ReportError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class _Message(msgspec.Struct):
    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"null")
    manifest: list[str] = []


def spool(lines: Iterable[bytes], names: Collection[str], folder: Path) -> dict[str, list[Path]]:
    """Write the records of the known streams to one JSONL file each, and return the files, those of BATCHes included.

    Raises:
        ReportError: A line is not a Singer message, or no record is of a known stream.
    """
    decode = msgspec.json.Decoder(_Message).decode
    files: dict[str, list[Path]] = {}
    with ExitStack() as stack:
        writers: dict[str, t.BinaryIO] = {}
        for number, line in enumerate(lines, start=1):
            try:
                message = decode(line)
            except msgspec.DecodeError as error:
                raise ReportError(f"Line {number} of standard input is not a Singer message: {error}.") from error
            if message.stream not in names:
                continue
            if message.type == "RECORD":
                if message.stream not in writers:
                    path = folder / f"{message.stream}.jsonl"
                    writers[message.stream] = stack.enter_context(path.open("wb"))
                    files.setdefault(message.stream, []).append(path)
                writers[message.stream].write(bytes(message.record) + b"\n")
            elif message.type == "BATCH":
                files.setdefault(message.stream, []).extend(map(_local_path, message.manifest))
    if not files:
        raise ReportError("Standard input has no record of this tap's streams.")
    return files


def _local_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise ReportError(f"The BATCH file {url} is not on this machine. Load it with a target, and read its tables.")
    return Path(unquote(parts.path))
