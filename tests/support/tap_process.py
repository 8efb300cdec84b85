"""Runs the installed command as a process with a configuration file, a state file and pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMAND = str(Path(sys.executable).with_name("tap-auditlogs"))
_INHERITED = (
    "PROXY",
    "TAP_AUDITLOGS_",
    "_CA_BUNDLE",
    "LOGLEVEL",
    "SINGER_SDK_LOG_CONFIG",
    "SSL_CERT_FILE",
    "PYTHONDONTWRITEBYTECODE",  # each of hundreds of processes would compile this repository again
)

Message: t.TypeAlias = "dict[str, t.Any]"


def environment(**variables: str) -> dict[str, str]:
    """The environment with these variables and without those that would change a run."""
    own = {name: value for name, value in os.environ.items() if not any(part in name.upper() for part in _INHERITED)}
    return {**own, **variables}


def messages(stdout: bytes) -> list[Message]:
    """Parse Singer messages; anything else is an error."""
    assert stdout == b"" or stdout.endswith(b"\n"), f"the last line is cut: {stdout[-200:]!r}"
    read = [json.loads(line) for line in stdout.splitlines()]
    assert {message["type"] for message in read} <= {"SCHEMA", "RECORD", "STATE"}
    return read


@dataclass(frozen=True)
class Outcome:
    """A run that has ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def messages(self) -> list[Message]:
        return messages(self.stdout)

    @property
    def state(self) -> Message | None:
        """The last state, as a target would print it."""
        return last_state(self.messages)

    def records(self, stream: str) -> list[dict[str, t.Any]]:
        return [item["record"] for item in self.messages if item["type"] == "RECORD" and item["stream"] == stream]

    @property
    def failed_plainly(self) -> bool:
        """Whether it failed with messages only: exit code 1 and no traceback."""
        return self.code == 1 and "Traceback" not in self.stderr


def last_state(read: Sequence[Message]) -> Message | None:
    return next((message["value"] for message in reversed(read) if message["type"] == "STATE"), None)


class TapRunner:
    """Starts the tap with files in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = 0

    def file(self, content: object) -> str:
        """Write text or JSON to a file and return its path."""
        self._files += 1
        path = self._folder / f"file-{self._files}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    def command(
        self,
        *arguments: str,
        config: object = None,
        state: object = None,
        catalog: object = None,
        before: str | None = None,
    ) -> list[str]:
        """Put a command line together.

        Args:
            arguments: Further options.
            config: The configuration file's content.
            state: The state file's content.
            catalog: The catalog file's content.
            before: Python statements to execute in the process first, such as to shorten a waiting time.
        """
        files = {"--config": config, "--state": state, "--catalog": catalog}
        options = [f"{name}={self.file(content)}" for name, content in files.items() if content is not None]
        if before is None:
            return [COMMAND, *options, *arguments]
        code = f"{before}\nfrom tap_auditlogs.commands import tap\ntap()"
        return [sys.executable, "-c", code, *options, *arguments]

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, **files: t.Any) -> Outcome:
        """Run to the end."""
        done = subprocess.run(
            self.command(*arguments, **files),
            capture_output=True,
            check=False,
            cwd=self._folder,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **options: t.Any) -> subprocess.Popen[bytes]:
        """Start, with both outputs as pipes; options for the process go to `Popen`."""
        files = {name: options.pop(name, None) for name in ("config", "state", "catalog", "before")}
        return subprocess.Popen(
            self.command(*arguments, **files),
            cwd=self._folder,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            # Unbuffered on this side: what `readline` has read ahead, `communicate` would not return.
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, **options},
        )
