"""Write the tables of streams, settings and targets into README.md and docs/."""

from __future__ import annotations

import inspect
import json
import typing as t
from pathlib import Path

import yaml

from tap_auditlogs.core.settings import config_jsonschema
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_auditlogs.core.stream import AuditStream
    from tap_auditlogs.doctor.assumptions import Assumption

ROOT: t.Final = Path(__file__).parents[1]
PAGES: t.Final = {
    ROOT / "README.md": ("streams",),
    ROOT / "docs" / "streams.md": ("streams",),
    ROOT / "docs" / "settings.md": ("settings",),
    ROOT / "docs" / "doctor.md": ("assumptions",),
    ROOT / "docs" / "targets.md": ("targets",),
}
TARGETS_FILE: t.Final = ROOT / "docs" / "targets.yml"


def settings_table() -> str:
    """Render every setting that the tap itself defines: the common ones, and a section for each vendor."""
    schema = config_jsonschema(VENDORS)
    header = ("Setting", "Type", "Default", "Meaning")
    names = {vendor.name for vendor in VENDORS}
    common = [_setting(name, spec, schema) for name, spec in schema["properties"].items() if name not in names]
    sections = [f"## Common\n\n{_table(header, common)}"]
    for vendor in VENDORS:
        inner = schema["properties"][vendor.name]
        rows = [_setting(name, spec, inner, f"{vendor.name}.") for name, spec in inner["properties"].items()]
        sections.append(f"## {vendor.title}\n\n{_table(header, rows)}")
    return "\n".join(sections)


def streams_table() -> str:
    """Render every stream in the order in which the vendors are registered."""
    rows = map(_stream, TapAuditLogs(validate_config=False).discover_streams())
    return _table(("Stream", "Key", "Replication", "What it holds"), rows)


def assumptions_table() -> str:
    """Render the assumptions about each vendor."""
    header = ("Id", "Assumption", "What is asked or looked at", "Confirmed", "Contradicted", "What the tap does")
    return "\n".join(
        f"### {vendor.title}\n\n{_table(header, map(_assumption, vendor.load('doctor').Doctor.assumptions))}"
        for vendor in VENDORS
    )


def targets_table() -> str:
    """Render what `tests/targets` has seen of each target: those that work, then those that do not."""
    entries = yaml.safe_load(TARGETS_FILE.read_text(encoding="utf-8"))
    working = "Target, Version, Merges by key, BATCH, Free-form objects, Decimals, Times, What to set"
    failing = "Does not work, Version, What happens, What to do"
    return "\n".join(
        (
            _table(tuple(working.split(", ")), (_working(entry) for entry in entries if _fault(entry) is None)),
            _table(tuple(failing.split(", ")), (_failing(entry) for entry in entries if _fault(entry) is not None)),
        )
    )


def with_tables(text: str, names: Iterable[str]) -> str:
    """Return the text with the named tables between their markers."""
    tables = {
        "streams": streams_table,
        "settings": settings_table,
        "assumptions": assumptions_table,
        "targets": targets_table,
    }
    for name in names:
        before, begin, rest = text.partition(f"<!-- {name}:begin -->")
        _, end, after = rest.partition(f"<!-- {name}:end -->")
        if not (begin and end):
            message = f"no markers for the table of {name}"
            raise ValueError(message)
        text = f"{before}{begin}\n\n{tables[name]()}\n{end}{after}"
    return text


def _setting(name: str, spec: Mapping[str, t.Any], schema: Mapping[str, t.Any], prefix: str = "") -> tuple[str, ...]:
    kinds = [kind for kind in [spec["type"]] if isinstance(kind, str)] or spec["type"]
    kind = next(kind for kind in kinds if kind != "null")
    if spec.get("format") in {"date-time", "uri"}:
        kind = {"date-time": "date-time", "uri": "URL"}[spec["format"]]
    if spec.get("secret"):
        kind += ", secret"
    default = "" if spec.get("default") is None else f"`{_plain(spec['default'])}`"
    if name in schema.get("required", ()):
        default = "required"
    return f"`{prefix}{name}`", kind, default, spec["description"]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _assumption(assumption: Assumption[t.Any]) -> tuple[str, ...]:
    held, wrong = assumption.confirmed, assumption.contradicted
    tap = held.tap if held.tap == wrong.tap else f"{held.tap}. If contradicted: {wrong.tap}"
    return f"`{assumption.id}`", assumption.sentence, assumption.request, held.answer, wrong.answer, tap


def _stream(stream: AuditStream) -> tuple[str, ...]:
    key = ", ".join(f"`{name}`" for name in stream.primary_keys)
    replication = f"incremental by `{stream.replication_key}`" if stream.replication_key else "full table"
    description, _, _ = (inspect.getdoc(type(stream)) or "").partition("\n")
    return f"`{stream.name}`", key, replication, description


def _working(entry: Mapping[str, t.Any]) -> tuple[str, ...]:
    observed = entry["observed"]
    record = observed["record"]
    merges = "yes" if record["rows"] == "one per key" else "no, appends"
    values = (record[kind] for kind in ("objects", "decimals", "times"))
    return entry["title"], observed["version"], merges, _batch(observed), *values, entry["set"]


def _failing(entry: Mapping[str, t.Any]) -> tuple[str, ...]:
    return entry["title"], entry["observed"]["version"], _fault(entry) or "", entry["set"]


def _batch(observed: Mapping[str, t.Any]) -> str:
    faults = {form: _fault_of(observed[f"batch {form.lower()}"]) for form in ("JSONL", "Parquet")}
    works = [form for form, fault in faults.items() if fault is None]
    fails = dict.fromkeys(fault for fault in faults.values() if fault)
    return "; ".join([", ".join(works) or "none", *fails])


def _fault(entry: Mapping[str, t.Any]) -> str | None:
    return _fault_of(entry["observed"]["record"])


def _fault_of(seen: Mapping[str, str]) -> str | None:
    """Return what is wrong with what was seen, or None."""
    if "fails" in seen:
        return f"`{seen['fails']}`"
    if not seen["rows"].startswith("one per"):
        return f"**{seen['rows']}**, exit code 0"
    wrong = sorted(kind for kind, form in seen.items() if "different" in form or "missing" in form)
    return f"**other {' and '.join(wrong)}**, exit code 0" if wrong else None


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Bring the tables of every page up to date."""
    for page, names in PAGES.items():
        page.write_text(with_tables(page.read_text(encoding="utf-8"), names), encoding="utf-8")


if __name__ == "__main__":
    main()
