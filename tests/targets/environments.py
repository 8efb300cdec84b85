"""Virtual environments of the targets, one each, from the exact versions in `environments.toml`.

After changing what a target `requires`, resolve it anew: uv run python -m tests.targets.environments NAME ...
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TABLE: t.Final = Path(__file__).with_name("environments.toml")
CACHE: t.Final = Path(__file__).parents[2] / ".environments" / "targets"
PYTHON: t.Final = "3.11"


@dataclass(frozen=True)
class Environment:
    """What a target is installed with.

    Attributes:
        name: The target's name in this test group.
        requires: What to install: the target, and what it needs beside what it declares.
        pins: Every distribution, with its version.
    """

    name: str
    requires: tuple[str, ...]
    pins: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is; other pins are another folder."""
        digest = hashlib.sha256("\n".join(self.pins).encode()).hexdigest()[:12]
        return CACHE / self.name / digest

    def program(self, name: str) -> str:
        """Return the path of an installed command; install first, if that was not done yet."""
        return str(self._installed / "bin" / name)

    @cached_property
    def _installed(self) -> Path:
        parent = self.folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        with (parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.folder.is_dir():
                for old in parent.glob("*/"):
                    shutil.rmtree(old)
                incomplete = parent / "incomplete"
                _uv("venv", "--clear", f"--python={PYTHON}", "--relocatable", str(incomplete))
                _uv("pip", "install", "--no-deps", f"--python={incomplete}", *self.pins)
                incomplete.rename(self.folder)
        return self.folder


def environments() -> dict[str, Environment]:
    """Read the table."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        name: Environment(name, tuple(entry["requires"]), tuple(entry.get("pins", ()))) for name, entry in table.items()
    }


def resolve(environment: Environment) -> list[str]:
    """Return the newest versions that fit together."""
    lines = _uv(
        "pip", "compile", "--no-annotate", "--no-header", f"--python-version={PYTHON}", "-",
        stdin="\n".join(environment.requires),
    )  # fmt: skip
    return lines.splitlines()


def _uv(*arguments: str, stdin: str | None = None) -> str:
    # Elsewhere than in the clone, whose pyproject.toml constrains versions.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["uv", "--quiet", *arguments],  # noqa: S607 - as in .ci/run
            input=stdin,
            stdout=subprocess.PIPE,
            check=True,
            cwd=folder,
            text=True,
        )
    return done.stdout


def main(names: list[str]) -> None:
    """Write the pins of the named environments, or of all that have none."""
    head, _, _ = TABLE.read_text(encoding="utf-8").partition("\n[")
    sections = []
    for environment in environments().values():
        renew = environment.name in names or not environment.pins
        pins = resolve(environment) if renew else environment.pins
        lines = [f"\n[{environment.name}]\n"]
        for key, items in (("requires", environment.requires), ("pins", pins)):
            lines += [f"{key} = [\n", *(f'  "{item}",\n' for item in items), "]\n"]
        sections.append("".join(lines))
    TABLE.write_text("".join([head, "\n", *sections]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
