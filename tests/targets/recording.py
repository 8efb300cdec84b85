"""What is known of the targets: docs/targets.yml, whose `observed` the tests write and compare with."""

from __future__ import annotations

import fcntl
import typing as t

from ruamel.yaml import YAML

from scripts.tables import TARGETS_FILE

if t.TYPE_CHECKING:
    from tests.targets.observation import Facts


def recorded() -> dict[str, Facts]:
    """Return what is recorded, by the target's name."""
    return {entry["name"]: entry.get("observed", {}) for entry in YAML(typ="safe").load(TARGETS_FILE)}


def record(name: str, facts: Facts) -> None:
    """Record what was seen of a target; tests may do so at the same time."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=2, offset=0)
    with TARGETS_FILE.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        entries = yaml.load(file)
        next(entry for entry in entries if entry["name"] == name)["observed"] = facts
        file.seek(0)
        file.truncate()
        yaml.dump(entries, file)
