"""What all targets have in common: how one is configured, started and read."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from abc import ABC, abstractmethod

from tests.support.tap_process import environment
from tests.targets.environments import environments

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.postgres import PostgresServer
    from tests.targets.comparison import Rows
    from tests.targets.store import Store

Settings: t.TypeAlias = "Mapping[str, t.Any]"

# Objects as JSON text, in every target that is built with the SDK; none of our properties has inner ones to flatten.
AS_TEXT: t.Final[Settings] = {"flattening_enabled": True, "flattening_max_depth": 1}

_EXCEPTION: t.Final = re.compile(r"^[\w.]+(?:Error|Exception)\b.*$", re.MULTILINE)
_SHOWN: t.Final = 80


class Services(t.NamedTuple):
    """Servers that targets load into."""

    postgres: PostgresServer
    store: Store


class Target(ABC):
    """One target with its settings, and a place of its own to load into.

    Attributes:
        environment: What it is installed with.
        program: Its command.
        settings: What to set, beside where to load into.
        with_text: Whether it gets its messages from meltano-map-transform, with objects as JSON text.
    """

    environment: t.ClassVar[str]
    program: t.ClassVar[str]
    settings: t.ClassVar[Settings] = {}
    with_text: t.ClassVar[bool] = False

    def __init__(self, folder: Path, services: Services) -> None:
        self.folder = folder
        self.services = services
        self.prepare()

    def prepare(self) -> None:
        """Make an empty place to load into."""
        (self.folder / "output").mkdir()

    @abstractmethod
    def place(self) -> Settings:
        """Return the settings that say where to load into."""

    @abstractmethod
    def read(self) -> Rows:
        """Return what it holds, by stream, in the order in which it was written."""

    @classmethod
    def version(cls) -> str:
        """Return name and version of what is installed."""
        return environments()[cls.environment].requires[0].replace("==", " ")

    def command(self) -> list[str]:
        """Return the command line."""
        config = self.folder / "config.json"
        config.write_text(json.dumps({**self.place(), **self.settings}), encoding="utf-8")
        return [environments()[self.environment].program(self.program), f"--config={config}"]

    def load(self, messages: Path) -> subprocess.CompletedProcess[str]:
        """Feed it one run."""
        if self.with_text:
            transformed = self._transform(messages)
            if transformed.returncode != 0:
                return transformed
            messages = self.folder / f"transformed-{messages.name}"
            messages.write_text(transformed.stdout, encoding="utf-8")
        return self._run(self.command(), messages)

    def _transform(self, messages: Path) -> subprocess.CompletedProcess[str]:
        config = self.folder / "transform.json"
        config.write_text(json.dumps({"stream_maps": {}, **AS_TEXT}), encoding="utf-8")
        program = environments()["map-transform"].program("meltano-map-transform")
        return self._run([program, f"--config={config}"], messages)

    def _run(self, command: list[str], messages: Path) -> subprocess.CompletedProcess[str]:
        with messages.open("rb") as file:
            return subprocess.run(
                command,
                stdin=file,
                capture_output=True,
                check=False,
                cwd=self.folder,
                encoding="utf-8",
                env=environment(),
                timeout=240,
            )


def last_error(log: str) -> str:
    """Return why a target failed: the last exception in its log, or the last line."""
    found = _EXCEPTION.findall(log) or log.splitlines() or ["nothing said"]
    text: str = found[-1]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
