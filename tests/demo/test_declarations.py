from __future__ import annotations

import tomllib
import typing as t

import pytest
import yaml

from scripts.meltano_yml import (
    MELTANO_YML,
    complete_schema,
    credentials_of,
    report_settings,
    settings_of,
    with_declaration,
)
from tap_auditlogs.core.settings import check_config, with_defaults
from tap_auditlogs.ocsf.mapper import OcsfMapper
from tap_auditlogs.tap import TapAuditLogs

ROOT = MELTANO_YML.parent


@pytest.fixture(scope="module")
def project() -> dict[str, t.Any]:
    loaded: dict[str, t.Any] = yaml.safe_load(MELTANO_YML.read_text())
    return loaded


@pytest.fixture(scope="module")
def extractor(project: dict[str, t.Any]) -> dict[str, t.Any]:
    found, _doctor = project["plugins"]["extractors"]
    assert isinstance(found, dict)
    return found


def test_the_tap_is_declared_as_the_code_has_it() -> None:
    text = MELTANO_YML.read_text()
    assert text == with_declaration(text), "run: uv run python -m scripts.meltano_yml"


def test_what_only_the_command_line_takes_is_no_setting_of_the_report() -> None:
    names = {setting["name"] for setting in report_settings()}
    assert "until" in names
    assert "version" not in names


def test_what_is_declared_reads_back_as_the_settings_of_the_code(extractor: dict[str, t.Any]) -> None:
    assert extractor["settings"] == list(settings_of(complete_schema(TapAuditLogs)))
    assert extractor["settings_group_validation"] == credentials_of(complete_schema(TapAuditLogs))
    assert extractor["capabilities"] == [str(capability) for capability in TapAuditLogs.capabilities]


def test_the_mapper_is_declared_under_the_name_that_meltano_run_takes(project: dict[str, t.Any]) -> None:
    (mapper,) = project["plugins"]["mappers"]
    assert mapper["settings"] == list(settings_of(OcsfMapper.config_jsonschema))
    assert [mapping["name"] for mapping in mapper["mappings"]] == [OcsfMapper.name] == [mapper["executable"]]
    # Meltano passes the plugin's settings on, and over them the mapping's, which must not hide any.
    assert mapper["mappings"][0]["config"] == {}
    assert mapper["name"] != OcsfMapper.name


def test_every_vendor_is_declared(extractor: dict[str, t.Any]) -> None:
    declared = {name.partition(".")[0] for group in extractor["settings_group_validation"] for name in group}
    assert declared == {vendor.name for vendor in TapAuditLogs.vendors}


def test_every_group_of_credentials_is_enough(extractor: dict[str, t.Any]) -> None:
    for group in extractor["settings_group_validation"]:
        vendor = group[0].partition(".")[0]
        settings = {name.partition(".")[2]: "something" for name in group}
        if "auth_method" in settings:
            settings["auth_method"] = "token" if "access_token" in settings else "oauth1"
        config = with_defaults({vendor: settings}, TapAuditLogs.config_jsonschema)
        assert check_config(config, TapAuditLogs.config_jsonschema, TapAuditLogs.vendors) == []


def test_no_default_makes_a_vendor_active(extractor: dict[str, t.Any]) -> None:
    assert [setting["name"] for setting in extractor["settings"] if "value" in setting] == []
    assert "config" not in extractor


def test_every_secret_is_sensitive(extractor: dict[str, t.Any]) -> None:
    secrets = {
        f"{vendor.name}.{name}"
        for vendor in TapAuditLogs.vendors
        for name, spec in vendor.settings.to_dict()["properties"].items()
        if spec.get("secret")
    }
    assert secrets
    assert {setting["name"] for setting in extractor["settings"] if setting.get("sensitive")} == secrets


def test_nothing_has_to_be_looked_up_or_installed(project: dict[str, t.Any]) -> None:
    assert project["send_anonymous_usage_stats"] is False
    for kind in project["plugins"].values():
        whole = [plugin for plugin in kind if "inherit_from" not in plugin]
        for plugin in whole:
            # A plugin with a namespace is declared here in full; without it Meltano asks the Hub.
            assert {"namespace", "executable", "settings"} <= plugin.keys()
        for plugin in kind:
            assert not {"pip_url", "variant"} & plugin.keys()
            assert plugin.get("inherit_from") in {None, *(it["name"] for it in whole)}


def test_a_new_release_elsewhere_changes_nothing_here() -> None:
    pyproject, sandbox, demo = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text()) for folder in (".", "sandbox", "demo")
    )
    pinned = {line.partition("==")[0] for line in pyproject["tool"]["uv"]["constraint-dependencies"]}
    wanted = [
        *pyproject["project"]["dependencies"],
        *sandbox["project"]["dependencies"],
        *demo["project"]["dependencies"],
        *pyproject["dependency-groups"]["test"],
        *pyproject["dependency-groups"]["lint"],
    ]
    names = {normal_name(requirement) for requirement in wanted}
    assert names - {"tap-auditlogs", "tap-auditlogs-sandbox"} <= pinned


def normal_name(requirement: str) -> str:
    name = requirement.split("[", maxsplit=1)[0]
    for mark in "<>=~!; ":
        name = name.split(mark)[0]
    return name.lower().replace("_", "-").replace(".", "-")
