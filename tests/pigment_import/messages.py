"""Singer messages for the target, and ways to run it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tap_auditlogs.vendors.pigment.target.target import TargetPigment
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    Message: t.TypeAlias = dict[str, t.Any]

COMMAND = str(Path(sys.executable).with_name("target-pigment"))


def schema(stream: str = "events", *properties: str, keys: Iterable[str] = ("id",)) -> Message:
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"properties": {name: {} for name in properties or ("id",)}},
        "key_properties": list(keys),
    }


def record(stream: str = "events", **values: t.Any) -> Message:
    return {"type": "RECORD", "stream": stream, "record": values}


def state(**value: t.Any) -> Message:
    return {"type": "STATE", "value": value}


def lines(messages: Iterable[Message]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def load(config: Message, messages: Iterable[Message] | bytes) -> None:
    """Run the target in this process."""
    text = messages if isinstance(messages, bytes) else lines(messages)
    TargetPigment(config=config).listen(t.cast("t.IO[str]", io.BytesIO(text)))


@dataclass(frozen=True)
class Outcome:
    """A run of the command that has ended."""

    code: int
    states: list[Message]
    stderr: str


def run(folder: Path, config: Message, messages: Iterable[Message] | bytes) -> Outcome:
    """Run the installed command."""
    path = folder / "target.json"
    path.write_text(json.dumps(config))
    done = subprocess.run(
        [COMMAND, "--config", str(path)],
        input=messages if isinstance(messages, bytes) else lines(messages),
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment(),
        timeout=120,
    )
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode())
