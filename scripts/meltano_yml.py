"""Write the settings of the plugins into meltano.yml."""

from __future__ import annotations

import json
import textwrap
import typing as t
from pathlib import Path

import click

from tap_auditlogs.ocsf.mapper import OcsfMapper
from tap_auditlogs.report import command
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors.pigment.target.target import TargetPigment

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.plugin_base import PluginBase

MELTANO_YML: t.Final = Path(__file__).parents[1] / "meltano.yml"

DOCTOR: t.Final = "tap-auditlogs-doctor"
REPORT: t.Final = "auditlogs-report"

Setting: t.TypeAlias = "dict[str, t.Any]"

MAPPER_LABEL: t.Final = "One audit trail (OCSF)"
LOADER_GROUPS: t.Final = [["api_key", "import_configurations"], ["csv_folder"]]

_KINDS: t.Final = {
    # Meltano 4.4 cannot pass on a `decimal` that comes from the environment; an `integer` it can, and a fraction
    # in meltano.yml itself stays one.
    "number": "integer",
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "string": "string",
}


def complete_schema(plugin: type[PluginBase]) -> dict[str, t.Any]:
    """Return the JSON schema of a plugin's settings, those that the SDK adds included."""
    schema: dict[str, t.Any] = json.loads(json.dumps(plugin.config_jsonschema))
    plugin.append_builtin_config(schema)
    return schema


def settings_of(schema: Mapping[str, t.Any]) -> Iterator[Setting]:
    """Spell the settings as Meltano does, a vendor's in dotted names."""
    for name, spec in schema["properties"].items():
        if spec.get("additionalProperties") is False:  # a vendor
            for setting in settings_of(spec):
                yield {
                    **setting,
                    "name": f"{name}.{setting['name']}",
                    "label": f"{spec['title']}: {setting['label']}",
                }
        else:
            yield _setting(name, spec)


# Where a vendor can be entered in several ways, its schema requires none of their settings.
_WAYS_IN: t.Final = {
    "openx": (
        ("instance_host", "email", "password", "client_id", "identity_api_key"),
        ("auth_method", "instance_host", "email", "password", "consumer_key", "consumer_secret"),
        ("auth_method", "instance_host", "access_token"),
    ),
    "index_exchange": (("client_key",), ("client_id", "client_secret")),
}


def credentials_of(schema: Mapping[str, t.Any]) -> list[list[str]]:
    """Give the settings that each vendor needs at least: one group per vendor and way in."""
    return [
        [f"{name}.{needed}" for needed in group]
        for name, spec in schema["properties"].items()
        for group in _WAYS_IN.get(name, [spec["required"]] if spec.get("required") else [])
    ]


def _setting(name: str, spec: Mapping[str, t.Any]) -> Setting:
    types = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    (json_type,) = [it for it in types if it != "null"]
    setting: Setting = {"name": name, "label": spec["title"], "kind": _KINDS[json_type]}
    if "enum" in spec:
        setting |= {"kind": "options", "options": [{"label": it, "value": it} for it in spec["enum"] if it]}
    elif spec.get("format") == "date-time":
        setting["kind"] = "date_iso8601"
    if spec.get("secret"):
        setting["sensitive"] = True
    description = spec["description"]
    if spec.get("default") is not None:
        default = spec["default"]
        description += f" Default: {default if isinstance(default, str) else json.dumps(default)}."
    return {**setting, "description": description}


def declaration() -> str:
    """Write what stands in meltano.yml about the tap, from its capabilities to the end, the doctor and the mapper."""
    schema = complete_schema(TapAuditLogs)
    capabilities = "".join(f"    - {capability}\n" for capability in TapAuditLogs.capabilities)
    groups = "".join(f"    - [{', '.join(group)}]\n" for group in credentials_of(schema))
    settings = "".join(map(_to_yaml, settings_of(schema)))
    return (
        f"    capabilities:\n{capabilities}    settings_group_validation:\n{groups}"
        "    # Written by `uv run python -m scripts.meltano_yml`. No setting has a `value`: a default would\n"
        "    # make the vendor's object non-empty, and the vendor active.\n"
        f"    settings:\n{settings}{doctor_declaration()}{mapper_declaration()}"
    )


def doctor_declaration() -> str:
    """Write what stands in meltano.yml about the doctor.

    As an extractor that inherits: a plugin of the type `utilities` does not get the settings of an extractor.
    """
    return (
        f"  - name: {DOCTOR}\n    inherit_from: {TapAuditLogs.name}\n    label: Audit logs, checked\n"
        f"    # For `meltano invoke {DOCTOR}`, with the settings of {TapAuditLogs.name}. It extracts nothing.\n"
        f"    executable: {DOCTOR}\n    capabilities: [about]\n"
    )


def mapper_declaration() -> str:
    """Write what stands in meltano.yml about the mapper."""
    capabilities = "".join(f"    - {capability}\n" for capability in OcsfMapper.capabilities)
    settings = "".join(map(_to_yaml, settings_of(OcsfMapper.config_jsonschema)))
    return (
        f"  mappers:\n  # `meltano run` wants the name of a mapping, which must not be that of its plugin.\n"
        f"  - name: mapper-{OcsfMapper.name}\n    namespace: {OcsfMapper.name.replace('-', '_')}\n"
        f"    label: {MAPPER_LABEL}\n    executable: {OcsfMapper.name}\n"
        f"    capabilities:\n{capabilities}    settings:\n{settings}"
        f"    mappings:\n    - name: {OcsfMapper.name}\n      config: {{}}\n"
    )


def loader_declaration() -> str:
    """Write what stands in meltano.yml about the loader `target-pigment`."""
    capabilities = "".join(f"    - {capability}\n" for capability in TargetPigment.capabilities)
    groups = "".join(f"    - [{', '.join(group)}]\n" for group in LOADER_GROUPS)
    settings = "".join(map(_to_yaml, settings_of(complete_schema(TargetPigment))))
    return (
        f"  loaders:\n  - name: {TargetPigment.name}\n    namespace: target_pigment\n    label: Pigment\n"
        f"    executable: {TargetPigment.name}\n    capabilities:\n{capabilities}"
        f"    settings_group_validation:\n{groups}    settings:\n{settings}"
    )


def report_declaration() -> str:
    """Write what stands in meltano.yml about the report."""
    settings = "".join(map(_to_yaml, report_settings()))
    return (
        f"  utilities:\n  - name: {REPORT}\n    namespace: auditlogs_report\n    label: Report\n"
        f"    executable: {REPORT}\n    settings:\n{settings}"
        f"    commands:\n      # `meltano run ... {REPORT}:page`, or `meltano invoke {REPORT}`.\n      page: ''\n"
    )


def report_settings() -> Iterator[Setting]:
    """Spell the options of the report as Meltano does; it reads them from the environment."""
    for option in command.main.params:
        if not option.expose_value:  # such as --version
            continue
        name = option.opts[0].removeprefix("--").replace("-", "_")
        flag = isinstance(option, click.Option) and option.is_flag
        setting: Setting = {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "kind": "boolean" if flag else "string",
        }
        if name == "from":
            setting["sensitive"] = True  # a URL may have a password
        yield {**setting, "description": option.to_info_dict()["help"]}


def with_declaration(text: str) -> str:
    """Put what the code says in place of what a meltano.yml says about the tap, the mapper and `target-pigment`."""
    before, _, rest = text.partition("    capabilities:\n")
    postgres = rest[rest.index("  - name: target-postgres\n") :]
    return before + declaration() + report_declaration() + loader_declaration() + postgres


def _to_yaml(setting: Setting) -> str:
    lines = []
    for key, value in setting.items():
        if key == "description":
            wrapped = textwrap.wrap(value, 110, break_on_hyphens=False, initial_indent="  ", subsequent_indent="  ")
            lines += [f"{key}: >-", *wrapped]
        else:
            plain = isinstance(value, str) and ": " not in value
            lines.append(f"{key}: {value if plain else json.dumps(value)}")
    return "".join(f"{'    - ' if number == 0 else '      '}{line}\n" for number, line in enumerate(lines))


if __name__ == "__main__":
    MELTANO_YML.write_text(with_declaration(MELTANO_YML.read_text()))
