from __future__ import annotations

import json
import subprocess
import sysconfig
import typing as t
from pathlib import Path

import pytest

from auditlogs_demo.meltano import Pipeline
from auditlogs_sandbox.server import Sandbox
from scripts.meltano_yml import DOCTOR, MELTANO_YML

if t.TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow


def invoke(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), "meltano"), "invoke", DOCTOR, *arguments],
        cwd=folder,
        env={**environment, "MELTANO_HUB_URL": "http://127.0.0.1:9"},  # no Hub is there to be asked
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )


def test_meltano_gives_the_doctor_the_settings_of_the_tap(tmp_path: Path) -> None:
    with Sandbox(seed=3, vendors=["pigment"], size=60) as sandbox:
        pipeline = Pipeline.create(tmp_path, MELTANO_YML, sandbox.config, {})
        done = invoke(tmp_path, pipeline.environment, "--report=report.json")
        assert done.returncode == 0, done.stderr
        assert "Pigment: assumptions" in done.stdout
        assert set(json.loads((tmp_path / "report.json").read_text())["vendors"]) == {"Pigment"}
        assert sandbox.counts()["pigment"]["requests"] > 0
