"""`deploy/kubernetes`, as far as it can be checked without a cluster; `.ci/run lint` validates it against the API."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import typing as t

import pytest
import yaml

from auditlogs_demo.meltano import COMMAND, EXTRACTOR, LOADER, to_environment
from scripts.meltano_yml import complete_schema, settings_of
from tap_auditlogs.tap import TapAuditLogs
from tests.deploy.meltano_project import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

EXAMPLE: t.Final = ROOT / "deploy" / "kubernetes"
EXAMPLE_SETTINGS: t.Final = EXAMPLE / "emea" / "settings.env.example"


@pytest.fixture(scope="module")
def pod() -> dict[str, t.Any]:
    job = yaml.safe_load((EXAMPLE / "base" / "cronjob.yml").read_text(encoding="utf-8"))
    found: dict[str, t.Any] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def test_the_image_is_made_of_files_that_are_there_and_runs_the_pipeline_as_an_ordinary_user() -> None:
    dockerfile = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    copied = [it for line in re.findall(r"^COPY (?!--)(.*)", dockerfile, re.MULTILINE) for it in line.split()[:-1]]
    assert {"pyproject.toml", "tap_auditlogs", "meltano.yml"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    command = re.search(r'^CMD \["(.*)"\]$', dockerfile, re.MULTILINE)
    assert command
    assert ["meltano", *command[1].split('", "')] == [*COMMAND, LOADER]


def test_the_pod_runs_the_pipeline_with_a_state_of_its_account_and_no_more_rights_than_it_needs(
    pod: dict[str, t.Any],
) -> None:
    (container,) = pod["containers"]
    assert container["args"] == ["run", "--force", "--state-id-suffix=$(ACCOUNT)", *COMMAND[2:], LOADER]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not any("secret" in str(value).lower() for value in container["env"])


def test_the_example_sets_declared_settings() -> None:
    settings = settings_of(complete_schema(TapAuditLogs))
    declared = to_environment(EXTRACTOR, {setting["name"]: "" for setting in settings})
    names = [line.partition("=")[0] for line in EXAMPLE_SETTINGS.read_text(encoding="utf-8").splitlines()]
    assert set(names) <= declared.keys()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl to render it with")
def test_an_account_gets_a_job_and_a_secret_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes" / "emea"
    shutil.copyfile(EXAMPLE_SETTINGS, folder / "settings.env")
    rendered = subprocess.run(
        shlex.split("kubectl kustomize ."), cwd=folder, capture_output=True, check=True, timeout=60
    )
    resources = {it["kind"]: it for it in yaml.safe_load_all(rendered.stdout)}
    secret, job = resources["Secret"], resources["CronJob"]
    assert job["metadata"]["name"] == "auditlogs-emea"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "ACCOUNT", "value": "emea"} in container["env"]
    assert [it["secretRef"]["name"] for it in container["envFrom"]] == ["auditlogs-shared", secret["metadata"]["name"]]
    assert secret["metadata"]["name"].startswith("auditlogs-emea-")
