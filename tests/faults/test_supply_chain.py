"""What comes from others is watched: CI asks for known vulnerabilities, unsafe code and secrets, of exact versions."""

from __future__ import annotations

import re
import tomllib
import typing as t
from pathlib import Path

import pytest

from tests.faults.marks import case
from tests.faults.subjects import SUBJECTS

ROOT = Path(__file__).parents[2]


@case("J18", *SUBJECTS)
@pytest.mark.parametrize("check", ["bandit", "detect-secrets-hook", ".ci/audit"])
def test_j18_ci_runs_each_check_and_fails_with_it(check: str) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert re.search(rf"^uv run --group lint {re.escape(check)}( |$)", script, re.MULTILINE)


@case("J18", *SUBJECTS)
def test_j18_every_dependency_has_an_exact_version_in_ci() -> None:
    project: dict[str, t.Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *(each for group in project["dependency-groups"].values() for each in group),
    ]
    pins = project["tool"]["uv"]["constraint-dependencies"]
    assert all(re.match(r"[\w-]+==[\w.]+( ;.*)?$", pin) for pin in pins)
    exact = {pin.partition("==")[0] for pin in pins}
    names = {re.split(r"[^\w-]", each)[0].lower() for each in asked}
    assert names - {"tap-auditlogs"} <= exact
