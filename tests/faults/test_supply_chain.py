"""CI checks for known vulnerabilities, unsafe code and secrets, with exact versions of every dependency."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import typing as t
from pathlib import Path

import pytest

from tests.faults.marks import case
from tests.faults.subjects import SUBJECTS

ROOT = Path(__file__).parents[2]


@pytest.mark.exhaustive
@case("J18", *SUBJECTS)
@pytest.mark.parametrize(
    ("part", "check"), [("lint", "bandit"), ("lint", "detect-secrets-hook"), ("audit", ".ci/audit")]
)
def test_j18_ci_fails_with_each_check(tmp_path: Path, part: str, check: str) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\ncase " $* " in *" $FAILING_CHECK "*) exit 1 ;; esac\n', encoding="utf-8")
    uv.chmod(0o755)

    def run_ci(failing: str) -> int:
        path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
        variables = {**os.environ, "PATH": path, "FAILING_CHECK": failing}
        return subprocess.run([ROOT / ".ci" / "run", part], check=False, capture_output=True, env=variables).returncode

    assert run_ci(check) == 1
    assert run_ci("none of them") == 0


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
    assert names - {"tap-auditlogs", *project["tool"]["uv"]["sources"]} <= exact
