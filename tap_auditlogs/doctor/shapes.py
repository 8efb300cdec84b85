"""Compares the rows of a page with the stream's schema."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.doctor.checks import Check, Status, counted

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_auditlogs.core.stream import AuditStream
    from tap_auditlogs.doctor.vendor_doctor import Row

HIDDEN_NAME = "(name not shown)"
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,59}")
_LONG_NUMBER = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Shape:
    """A page compared with its schema; all counts are of rows.

    Attributes:
        json_types: For each field that came, its JSON types.
        unknown: Fields that the schema does not have.
        absent: Fields of the schema that no row has, or only as null.
        misfits: Fields whose value does not fit the type of the schema.
        outside: Fields whose value is not among the known ones.
    """

    stream: str
    rows: int
    json_types: Mapping[str, Mapping[str, int]]
    unknown: Mapping[str, int]
    absent: Sequence[str]
    misfits: Mapping[str, int]
    outside: Mapping[str, int]

    def as_check(self) -> Check:
        """Return the result as a check; nothing of it loses a row."""
        parts = [
            _listed("not in the schema", self.unknown),
            _listed("of another type", self.misfits),
            _listed("with an unknown value", self.outside),
        ]
        found = [part for part in parts if part]
        never = f"; never came: {', '.join(self.absent)}" if self.absent and self.rows else ""
        facts = {
            "rows": self.rows,
            "json_types": self.json_types,
            "unknown": self.unknown,
            "absent": self.absent,
            "misfits": self.misfits,
            "outside": self.outside,
        }
        name = f"shape of {self.stream}"
        if not self.rows:
            return Check(name, Status.NOT_CHECKED, "the page has no rows", facts=facts)
        if not found:
            return Check(name, Status.OK, f"{counted(self.rows, 'row')} as in the schema{never}", facts=facts)
        return Check(
            name,
            Status.WARNING,
            f"of {counted(self.rows, 'row')}: {'; '.join(found)}{never}",
            f"Nothing is lost: what the schema does not know is kept in `{ADDITIONAL_PROPERTIES}`. Attach the report "
            "to an issue, so that the schema learns it",
            facts=facts,
        )


def compare(stream: AuditStream, rows: Sequence[Row], known_values: Mapping[str, Collection[t.Any]]) -> Shape:
    """Compare rows with the schema of their stream.

    Args:
        stream: The stream.
        rows: The rows under the vendor's names.
        known_values: The known values of some fields, by the vendor's name.
    """
    sources = frozenset(stream.shaper.sources_by_lower_name.values())
    types: dict[str, Counter[str]] = {}
    unknown: Counter[str] = Counter()
    misfits: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for row in rows:
        for name, value in row.items():
            types.setdefault(public_name(name), Counter())[json_type(value)] += 1
            if name in known_values and isinstance(value, str | int) and value not in known_values[name]:
                outside[name] += 1
        try:
            extra = stream.shaper.shape(row)[ADDITIONAL_PROPERTIES] or {}
        except ProtocolError:
            misfits["(key)"] += 1
            continue
        unknown.update({public_name(name) for name in extra if name in row and name not in sources})
        misfits.update({public_name(_without_index(name)) for name in extra if name not in row or name in sources})
    absent = [source for source in sources if not types.get(source, Counter()).keys() - {"null"}]
    return Shape(
        stream=stream.name,
        rows=len(rows),
        json_types={name: dict(counts) for name, counts in sorted(types.items())},
        unknown=dict(sorted(unknown.items())),
        absent=sorted(absent),
        misfits=dict(sorted(misfits.items())),
        outside=dict(sorted(outside.items())),
    )


def json_type(value: object) -> str:
    """Return the JSON type of a decoded value."""
    names = {bool: "boolean", int: "integer", Decimal: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def public_name(name: str) -> str:
    """Return the name of a field for the report; what may be a value, such as an e-mail address, is not shown."""
    return name if _FIELD_NAME.fullmatch(name) and not _LONG_NUMBER.search(name) else HIDDEN_NAME


def configured_names(names: t.Iterable[str], known: Collection[str]) -> list[str]:
    """Return names from the settings for the report; those that the tap does not know are not shown."""
    return sorted({name if name in known else HIDDEN_NAME for name in names})


def member_names(values: t.Iterable[object]) -> list[str]:
    """Return the names of the members of all objects among the values."""
    return sorted({public_name(name) for value in values if isinstance(value, dict) for name in value})


def _without_index(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def _listed(what: str, counts: Mapping[str, int]) -> str:
    return f"{what}: {', '.join(f'{name} ({count})' for name, count in counts.items())}" if counts else ""
