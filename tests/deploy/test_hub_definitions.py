"""`deploy/hub`: the definitions are current and in the form that Meltano Hub takes. `tests/hub` installs them."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from scripts.hub import HUB, definitions, to_yaml
from scripts.meltano_yml import MELTANO_YML

if t.TYPE_CHECKING:
    from pathlib import Path

    from scripts.hub import Definition

# The JSON schemas of the Hub, schemas/plugin_definitions and schemas/common, as of August 2026.
COMMON: t.Final = {
    *("name", "namespace", "variant", "label", "description", "executable", "pip_url", "repo", "docs", "logo_url"),
    *("settings", "settings_group_validation", "commands", "requires", "hidden", "python"),
    *("maintenance_status", "quality", "domain_url", "keywords"),
    *("definition", "next_steps", "settings_preamble", "usage", "prereq"),
}
SINGER: t.Final = {"capabilities", "supported_python_versions", "log_parser"}
KEYS: t.Final = {
    "extractors": COMMON | SINGER | {"metadata", "schema", "select"},
    "loaders": COMMON | SINGER | {"dialect", "target_schema"},
    "mappers": COMMON | {"capabilities", "mappings"},
    "utilities": COMMON | {"ext_repo", "supported_python_versions", "log_parser"},
}
CAPABILITIES: t.Final = {
    "extractors": {
        *("properties", "catalog", "discover", "state", "about", "stream-maps", "schema-flattening"),
        *("activate-version", "batch", "test", "log-based", "structured-logging"),
    },
    "loaders": {
        *("about", "stream-maps", "activate-version", "batch", "soft-delete", "hard-delete", "datatype-failsafe"),
        *("schema-flattening", "target-schema", "validate-records", "structured-logging"),
    },
    "mappers": {"about", "schema-flattening", "stream-maps", "structured-logging"},
}
KINDS: t.Final = {
    *("oauth", "hidden", "password", "date_iso8601", "file", "email", "integer", "options", "object", "array"),
    *("boolean", "string", "decimal"),
}
SETTING_KEYS: t.Final = {"name", "label", "kind", "description", "sensitive", "options"}

DEFINITIONS: t.Final = definitions()


@pytest.fixture(params=DEFINITIONS, ids=lambda path: path.parent.name)
def path(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


def load(path: Path) -> Definition:
    definition: Definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    return definition


def test_the_definitions_are_as_the_code_has_them(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == to_yaml(DEFINITIONS[path]), "run: uv run python -m scripts.hub"
    assert load(path) == DEFINITIONS[path]


def test_there_is_no_definition_of_anything_else() -> None:
    assert set(HUB.rglob("*.yml")) == DEFINITIONS.keys()


def test_the_hub_takes_each_key(path: Path) -> None:
    definition, kind = load(path), path.parents[1].name
    assert definition.keys() <= KEYS[kind]
    assert {"name", "namespace", "variant", "quality"} <= definition.keys()
    assert list(definition) == sorted(definition)
    assert set(definition.get("capabilities", ())) <= CAPABILITIES.get(kind, set())
    assert (path.parent.name, path.stem) == (definition["name"], definition["variant"])


def test_each_setting_is_described(path: Path) -> None:
    for setting in load(path)["settings"]:
        assert {"name", "label", "kind", "description"} <= setting.keys() <= SETTING_KEYS
        assert setting["kind"] in KINDS
        assert list(setting) == sorted(setting)


def test_groups_name_declared_settings(path: Path) -> None:
    definition = load(path)
    declared = {setting["name"] for setting in definition["settings"]}
    assert {name for group in definition["settings_group_validation"] for name in group} <= declared


def test_the_repository_declares_the_same_in_its_meltano_yml(path: Path) -> None:
    project = yaml.safe_load(MELTANO_YML.read_text(encoding="utf-8"))["plugins"]
    definition = load(path)
    (declared,) = [it for it in project[path.parents[1].name] if it["name"] == definition["name"]]
    for key in ("namespace", "label", "executable", "settings"):
        assert declared[key] == definition[key]
    assert (
        declared.get("settings_group_validation", definition["settings_group_validation"])
        == (definition["settings_group_validation"])
    )
    assert sorted(declared.get("capabilities", [])) == definition.get("capabilities", [])
