"""Converts a vendor's rows to records with the types of the stream's schema."""

from __future__ import annotations

import json
import re
import typing as t
from decimal import Decimal

from singer_sdk import typing as th

from tap_auditlogs.core.schema import FreeFormObjectType
from tap_auditlogs.core.times import canonical_timestamp

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping

    Convert: t.TypeAlias = Callable[[t.Any], t.Any]

ADDITIONAL_PROPERTIES = "additional_properties"

ADDITIONAL_PROPERTIES_PROPERTY = th.Property(
    ADDITIONAL_PROPERTIES,
    FreeFormObjectType(),
    description="Fields that the vendor sends beyond these, under their own names.",
)
"""The last property of every stream's schema: no field of a vendor's is dropped."""


def camel_case(name: str) -> str:
    """Convert a snake_case name to camelCase: `event_id` to `eventId`."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


class RowShaper:
    """Shapes rows by a stream's schema without losing anything that the vendor sent.

    Keys that are not in the schema go into `additional_properties` as the vendor sent them. So does a value that does
    not fit its column's type; the column is then null.

    Attributes:
        sources_by_lower_name: The vendor's keys as the schema expects them, by their lower-case form.
    """

    def __init__(
        self,
        schema: Mapping[str, t.Any],
        *,
        source_name: Callable[[str], str],
        derived: Iterable[str] = (),
        logger: logging.Logger,
    ) -> None:
        """Prepare for one stream.

        Args:
            schema: The stream's JSON schema.
            source_name: Returns the vendor's key of a property.
            derived: Properties that the stream fills in itself.
            logger: The stream's logger.
        """
        own = {*derived, ADDITIONAL_PROPERTIES}
        self._columns = [
            (source_name(name), name, *_converter(spec))
            for name, spec in schema["properties"].items()
            if name not in own
        ]
        self._sources = frozenset(source for source, *_ in self._columns)
        self.sources_by_lower_name = {source.lower(): source for source in self._sources}
        self._logger = logger
        self._reported: set[str] = set()

    def shape(self, row: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Convert a row as the vendor sent it to a record with all but the derived properties."""
        record: dict[str, t.Any] = {}
        extra: dict[str, t.Any] | None = None
        for source, name, plain_type, convert in self._columns:
            value = row.get(source)
            if value is None or type(value) is plain_type:
                record[name] = value
                continue
            try:
                record[name] = convert(value)
            except ValueError:
                record[name] = None
                extra = extra or {}
                extra[source] = value
                self._report(source, "a value that does not fit its column")
        if not row.keys() <= self._sources:
            extra = extra or {}
            for source in row:  # in the vendor's order: the same row must come out the same in every run
                if source not in self._sources:
                    extra[source] = row[source]
                    self._report(source, "a field that the schema does not know")
        record[ADDITIONAL_PROPERTIES] = extra
        return record

    def _report(self, source: str, what: str) -> None:
        """Log once per field that something went into `additional_properties`."""
        if source not in self._reported:
            self._reported.add(source)
            self._logger.warning("The vendor sends %s: %.60a. It is kept in `%s`.", what, source, ADDITIONAL_PROPERTIES)


def _converter(spec: Mapping[str, t.Any]) -> tuple[type | None, Convert]:
    """Return the Python type that needs no conversion, and the conversion for the rest."""
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    if spec.get("format") == "date-time":
        return None, _to_timestamp
    return _CONVERTERS[kind]


def _to_timestamp(value: object) -> str:
    return canonical_timestamp(value) if isinstance(value, str) else _refuse(value)


def _to_integer(value: object) -> int:
    match value:
        case int() if not isinstance(value, bool):
            integer = value
        case str() if re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII):
            integer = int(value)
        # The range first: `int` of 1e1000000 would have a million digits.
        case Decimal() if -(2**63) <= value < 2**63 and value == value.to_integral_value():
            integer = int(value)
        case _:
            raise ValueError
    if not -(2**63) <= integer < 2**63:
        raise ValueError
    return integer


def _to_text(value: object) -> str:
    match value:
        case str():
            return value
        case int() | Decimal() if not isinstance(value, bool):
            return json.dumps(value) if isinstance(value, int) else str(value)
        case _:
            raise ValueError


def _to_number(value: object) -> int | Decimal:
    match value:
        case int() | Decimal() if not isinstance(value, bool):
            return value
        case _:
            raise ValueError


def _refuse(_value: object) -> t.NoReturn:
    raise ValueError


_CONVERTERS: dict[str, tuple[type | None, Convert]] = {
    "integer": (None, _to_integer),
    "string": (str, _to_text),
    "number": (Decimal, _to_number),
    "boolean": (bool, _refuse),
    "object": (dict, _refuse),
    "array": (list, _refuse),
}
