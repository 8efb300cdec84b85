"""Write the definitions in the form of Meltano Hub: `python -m scripts.hub`."""

from __future__ import annotations

import tomllib
import typing as t

import yaml
from typing_extensions import override

from scripts.meltano_yml import (
    LOADER_GROUPS,
    MAPPER_LABEL,
    REPORT,
    complete_schema,
    credentials_of,
    report_settings,
    settings_of,
)
from scripts.tables import ROOT
from tap_auditlogs.ocsf.mapper import OcsfMapper
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors.pigment.target.target import TargetPigment

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HUB: t.Final = ROOT / "deploy" / "hub"
VARIANT: t.Final = "auditlogs"

Definition: t.TypeAlias = "dict[str, t.Any]"

_PREAMBLE: t.Final = """\
A vendor is active as soon as one of its settings is set: `pigment.api_key`, `cryptolens.access_token` and so on. Set
only those of the vendors that you use. None has a default here, since that would make its vendor active.

In the environment the name is in upper case with underscores: `TAP_AUDITLOGS_PIGMENT_API_KEY`. Arrays and objects are
JSON there. Numbers are whole numbers there and with `meltano config set`; fractions only work in `meltano.yml`.
"""
_MAPPER_STEPS: t.Final = """\
`meltano run` takes the name of a mapping, which Meltano does not add by itself:

```bash
meltano config set mapper-auditlogs-ocsf _mappings '[{"name": "auditlogs-ocsf", "config": {}}]'
meltano run tap-auditlogs auditlogs-ocsf target-postgres
```
"""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a literal block."""

    @override
    def represent_scalar(self, tag: str, value: t.Any, style: str | None = None) -> yaml.ScalarNode:
        return super().represent_scalar(tag, value, "|" if "\n" in str(value) else style)


def definitions() -> dict[Path, Definition]:
    """Return each definition by the path of its file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = "Programming Language :: Python :: 3."
    common: Definition = {
        "keywords": ["api", "meltano_sdk"],
        "maintenance_status": "beta",
        "pip_url": project["name"],
        "quality": "silver",  # what the Hub gives a community's plugin that is made with the SDK
        "variant": VARIANT,
    }
    singer: Definition = {  # the Hub's schema does not allow these for mappers
        "log_parser": "singer-sdk",
        "supported_python_versions": [it.rpartition(" ")[2] for it in project["classifiers"] if it.startswith(python)],
    }
    plugins = {
        "extractors": {**common, **singer, **_extractor(project["description"])},
        "mappers": {**common, **_mapper()},
        "loaders": {**common, **singer, **_loader()},
        "utilities": {**common, **_utility()},
    }
    return {HUB / kind / plugin["name"] / f"{VARIANT}.yml": plugin for kind, plugin in plugins.items()}


def to_yaml(definition: Definition) -> str:
    """Format as the Hub's yamllint has it: sorted keys, sequences not indented."""
    return yaml.dump(definition, Dumper=_Dumper, allow_unicode=True, width=100)


def _extractor(description: str) -> Definition:
    schema = complete_schema(TapAuditLogs)
    return {
        **_plugin(TapAuditLogs.name, "Audit logs", description, TapAuditLogs.capabilities, schema),
        "pip_url": f"{TapAuditLogs.name}[bulk]",
        "settings_group_validation": credentials_of(schema),
        "settings_preamble": _PREAMBLE,
    }


def _mapper() -> Definition:
    description = "Adds one stream with the audit events of all vendors, as OCSF"
    return {
        **_plugin(OcsfMapper.name, MAPPER_LABEL, description, OcsfMapper.capabilities, OcsfMapper.config_jsonschema),
        # `meltano run` wants the name of a mapping, which must not be that of its plugin.
        "name": f"mapper-{OcsfMapper.name}",
        "mappings": [{"name": OcsfMapper.name, "config": {}}],
        "next_steps": _MAPPER_STEPS,
        "settings_group_validation": [],
    }


def _loader() -> Definition:
    description = "Loads any stream into Pigment's import API, or writes it as CSV"
    schema = complete_schema(TargetPigment)
    return {
        **_plugin(TargetPigment.name, "Pigment", description, TargetPigment.capabilities, schema),
        "domain_url": "https://www.pigment.com/",
        "settings_group_validation": LOADER_GROUPS,
    }


def _utility() -> Definition:
    return {
        "name": REPORT,
        "namespace": REPORT.replace("-", "_"),
        "label": "Report",
        "description": "Makes one HTML page of the loaded audit logs",
        "executable": REPORT,
        "commands": {"page": {"args": "", "description": "Write the page"}},
        "keywords": ["report"],
        # The driver is that of target-postgres.
        "pip_url": f"{TapAuditLogs.name}[report] psycopg[binary]",
        "settings": list(report_settings()),
        "settings_group_validation": [["from"]],
    }


def _plugin(
    name: str, label: str, description: str, capabilities: Iterable[object], schema: Mapping[str, t.Any]
) -> Definition:
    return {
        "name": name,
        "namespace": name.replace("-", "_"),
        "label": label,
        "description": description,
        "executable": name,
        "capabilities": sorted(map(str, capabilities)),
        "settings": list(settings_of(schema)),
    }


def write() -> None:
    """Write the files."""
    for path, definition in definitions().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(definition), encoding="utf-8")


if __name__ == "__main__":
    write()
