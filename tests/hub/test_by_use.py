"""`deploy/hub` by use: a new Meltano project gets the plugins from the definitions, and nothing is written by hand.

`.ci/run hub` runs this: it builds the wheel and installs it with all that it needs once per plugin.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
import typing as t

import pytest

from auditlogs_demo.meltano import base_environment, flatten_settings, to_environment
from auditlogs_demo.pigment import imported_keys, loader_settings
from auditlogs_sandbox.server import Sandbox
from scripts.hub import definitions
from tests.deploy.meltano_project import ROOT, MeltanoProject

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(1800)  # a busy machine takes minutes to install

TAP: t.Final = "tap-auditlogs"
MAPPER: t.Final = "mapper-auditlogs-ocsf"
LOADER: t.Final = "target-pigment"
REPORT: t.Final = "auditlogs-report"
BY_COMMAND: t.Final = ("pigment.api_key", "pigment.api_url")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, which stands in for the package index."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(["uv", "build", "--quiet", "--wheel", f"--out-dir={folder}", ROOT], check=True, timeout=300)  # noqa: S607 - uv runs this
    return folder


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment", "cryptolens"], size=40) as running:
        yield running


@pytest.fixture(scope="module")
def project(wheels: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> MeltanoProject:
    """A new project; settings that no command sets are in the environment."""
    parent = tmp_path_factory.mktemp("hub")
    constraints = parent / "constraints.txt"
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    constraints.write_text("\n".join(uv["constraint-dependencies"]), encoding="utf-8")
    settings = {name: value for name, value in flatten_settings(sandbox.config).items() if name not in BY_COMMAND}
    environment = {
        **base_environment(),
        **to_environment(TAP, settings),
        **to_environment(LOADER, loader_settings(sandbox)),
        "UV_FIND_LINKS": str(wheels),
        "UV_CONSTRAINT": str(constraints),
        "MELTANO_HUB_URL": "http://127.0.0.1:9",  # no Hub is there to be asked
    }
    MeltanoProject(parent, environment).run("init", "audit", "--no-usage-stats")
    return MeltanoProject(parent / "audit", environment)


def test_a_new_project_is_set_up_and_run_by_commands_only(project: MeltanoProject, sandbox: Sandbox) -> None:
    for path, definition in definitions().items():
        kind, name = path.parents[1].name, definition["name"]
        project.run("add", name, f"--plugin-type={kind}", f"--from-ref={path}", "--no-install")
    project.run("install")
    for name in (TAP, LOADER):
        assert list(project.folder.glob(f".meltano/*/{name}/venv/bin/{name}"))
    mapping = json.dumps(definition_of(MAPPER)["mappings"])
    project.run("config", "set", MAPPER, "_mappings", mapping)

    # A number from the command line must arrive as one, and what the environment sets beside it.
    for name in BY_COMMAND:
        project.run("config", "set", TAP, name, flatten_settings(sandbox.config)[name])
    project.run("config", "set", TAP, "pigment.lookback_hours", "2")
    config = json.loads(project.run("invoke", "--dump=config", TAP).stdout)
    assert config == {**sandbox.config, "pigment": {**sandbox.config["pigment"], "lookback_hours": 2}}
    assert sandbox.config["pigment"]["api_key"] not in (project.folder / "meltano.yml").read_text()

    project.run("config", "test", TAP)
    project.run("select", TAP, "pigment_audit_events", "*")
    listed = project.run("select", TAP, "--list", "--all").stdout
    assert "pigment_audit_events.event_id" in listed

    project.run("run", TAP, definition_of(MAPPER)["mappings"][0]["name"], LOADER)
    imported = imported_keys(sandbox)
    events = {row["eventId"] for row in sandbox.truth()["pigment_audit_events"]}
    assert imported["pigment_audit_events"] == events
    assert len(imported["audit_events"]) == len(events)

    # The records in a file with the name of their stream are one of the report's sources.
    messages = map(json.loads, project.run("invoke", TAP).stdout.splitlines())
    records = [json.dumps(it["record"]) for it in messages if it["type"] == "RECORD"]
    assert len(records) == len(events)
    (project.folder / "loaded").mkdir()
    (project.folder / "loaded" / "pigment_audit_events.jsonl").write_text("\n".join(records), encoding="utf-8")
    project.run("config", "set", REPORT, "from", "loaded")
    project.run("invoke", f"{REPORT}:page")
    assert "pigment" in (project.folder / "auditlogs-report.html").read_text(encoding="utf-8").lower()


def definition_of(name: str) -> dict[str, t.Any]:
    (found,) = [it for it in definitions().values() if it["name"] == name]
    return found
