"""Renders the tables of README.md from the code; run as a module with `--write`, it puts them there."""

from __future__ import annotations

import inspect
import json
import sys
import typing as t
from pathlib import Path

from tap_auditlogs.core.settings import config_jsonschema
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors import VENDORS
from tests.faults.catalogue import ALL
from tests.faults.coverage import chapters

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_auditlogs.core.stream import AuditStream

README: t.Final = Path(__file__).parents[1] / "README.md"


def settings_table() -> str:
    """Render every setting that the tap itself defines, a vendor's under its dotted name."""
    rows = _settings(config_jsonschema(VENDORS))
    return _table(("Setting", "Type", "Default", "Meaning"), rows)


def streams_table() -> str:
    """Render every stream in the order in which the vendors are registered."""
    rows = map(_stream, TapAuditLogs(validate_config=False).discover_streams())
    return _table(("Stream", "Key", "Replication", "What it holds"), rows)


def faults_table() -> str:
    """Render how many cases of the fault suite are covered, and how many cannot happen to a vendor."""
    return _table(("What goes wrong", "Cases", *ALL), chapters())


def with_tables(text: str) -> str:
    """Put the tables into a README.

    Args:
        text: The README, with a pair of markers for each table.

    Returns:
        The same with what the code says between the markers.
    """
    for name, table in (
        ("streams", streams_table()),
        ("settings", settings_table()),
        ("faults", faults_table()),
    ):
        before, begin, rest = text.partition(f"<!-- {name}:begin -->")
        _, end, after = rest.partition(f"<!-- {name}:end -->")
        if not (begin and end):
            message = f"README.md has no markers for the table of {name}"
            raise ValueError(message)
        text = f"{before}{begin}\n{table}{end}{after}"
    return text


def _settings(schema: Mapping[str, t.Any], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, spec in schema["properties"].items():
        if spec.get("additionalProperties") is False:  # a vendor
            yield from _settings(spec, f"{name}.")
            continue
        kinds = [kind for kind in [spec["type"]] if isinstance(kind, str)] or spec["type"]
        kind = next(kind for kind in kinds if kind != "null")
        if spec.get("format") in {"date-time", "uri"}:
            kind = {"date-time": "date-time", "uri": "URL"}[spec["format"]]
        if spec.get("secret"):
            kind += ", secret"
        default = "" if spec.get("default") is None else f"`{_plain(spec['default'])}`"
        if name in schema.get("required", ()):
            default = "required"
        yield f"`{prefix}{name}`", kind, default, spec["description"]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _stream(stream: AuditStream) -> tuple[str, ...]:
    key = ", ".join(f"`{name}`" for name in stream.primary_keys)
    replication = f"incremental by `{stream.replication_key}`" if stream.replication_key else "full table"
    description, _, _ = (inspect.getdoc(type(stream)) or "").partition("\n")
    return f"`{stream.name}`", key, replication, description


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Show the tables, or with `--write` put them into README.md."""
    if "--write" in sys.argv[1:]:
        README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(streams_table(), settings_table(), sep="\n")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
