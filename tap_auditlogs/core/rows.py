"""Converts a vendor's rows to records with the types of the stream's schema."""

from __future__ import annotations

import json
import re
import typing as t
from decimal import Decimal
from functools import partial

from singer_sdk import typing as th

from tap_auditlogs.core.errors import ProtocolError
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
"""The last property of every stream's schema, for fields that the schema does not have."""


ACCOUNT = "account"

ACCOUNT_PROPERTY = th.Property(
    ACCOUNT,
    th.StringType(nullable=False),
    required=True,
    description="The account, as the settings name it.",
)
"""The first property of every stream of a vendor whose setting `account` is set."""


def camel_case(name: str) -> str:
    """Convert a snake_case name to camelCase: `event_id` to `eventId`."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


class _PartialMisfitError(ValueError):
    """Parts of a nested value do not match their types.

    Attributes:
        value: The value with null in their place.
        misfits: The parts as the vendor sent them, by their path within the value, such as `[0].changed`.
    """

    def __init__(self, value: t.Any, misfits: dict[str, t.Any]) -> None:
        super().__init__()
        self.value = value
        self.misfits = misfits


def without_nul(value: t.Any) -> t.Any:
    """Remove NUL characters from the strings and keys of a JSON value; a duplicate key gets a trailing `_`."""
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [without_nul(item) for item in value]
        case dict() if any("\0" in key for key in value):
            cleaned = {key: without_nul(item) for key, item in value.items() if "\0" not in key}
            for key, item in value.items():
                if "\0" in key:
                    name = key.replace("\0", "")
                    while name in cleaned:
                        name += "_"
                    cleaned[name] = without_nul(item)
            return cleaned
        case dict():
            return {key: without_nul(item) for key, item in value.items()}
        case _:
            return value


class RowShaper:
    """Converts rows to the types of a stream's schema without losing anything that the vendor sent.

    A key that is not in the schema is kept in `additional_properties`. So is a value of a wrong type, which becomes
    null in its column: under the vendor's key, or under its path (`changes[0].changed`) if it is nested. In the primary
    key, such a value is an error, because the record could not be identified.

    Attributes:
        sources_by_lower_name: The vendor's keys as in the schema, by their lower-case form.
    """

    def __init__(
        self,
        schema: Mapping[str, t.Any],
        *,
        source_name: Callable[[str], str],
        derived: Iterable[str] = (),
        primary_key: Iterable[str] = (),
        logger: logging.Logger,
    ) -> None:
        """Prepare the conversion.

        Args:
            schema: The stream's JSON schema.
            source_name: Returns the vendor's key for a property.
            derived: Properties that the stream computes itself.
            primary_key: Properties that may be missing, for the stream to compute, but not of a wrong type.
            logger: The stream's logger.
        """
        own = {*derived, ADDITIONAL_PROPERTIES}
        self._columns = [
            (source_name(name), name, *_converter(spec))
            for name, spec in schema["properties"].items()
            if name not in own
        ]
        self._sources = frozenset(source for source, *_ in self._columns)
        self._key_sources = frozenset(map(source_name, primary_key))
        self.sources_by_lower_name = {source.lower(): source for source in self._sources}
        self._logger = logger
        self._reported: set[str] = set()

    def shape(self, row: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the record, without derived properties; raises ProtocolError if the primary key has a wrong type."""
        record: dict[str, t.Any] = {}
        extra: dict[str, t.Any] | None = None
        for source, name, plain_type, convert in self._columns:
            value = row.get(source)
            if value is None or type(value) is plain_type:
                record[name] = value
                continue
            try:
                record[name] = convert(value)
            except ValueError as error:
                extra = extra or {}
                record[name] = self._set_aside(source, value, error, extra)
        if not row.keys() <= self._sources:
            extra = extra or {}
            for source in row:  # in the vendor's order, so that the record is the same in every run
                if source not in self._sources:
                    extra[source] = row[source]
                    self._report(source, "a field that the schema does not know")
        record[ADDITIONAL_PROPERTIES] = extra
        return record

    def _set_aside(self, source: str, value: t.Any, error: ValueError, extra: dict[str, t.Any]) -> t.Any:
        """Keep a value of a wrong type in `extra`, and return the value for its column."""
        if source in self._key_sources:
            msg = f"a row's {source!a:.60}, part of the key, is {_describe(value)} that does not fit its type"
            advice = "Run again later. If the error persists, report it to the vendor"
            raise ProtocolError(msg, advice=advice) from error
        self._report(source, "a value that does not fit its column")
        if isinstance(error, _PartialMisfitError):
            extra.update({source + path: part for path, part in error.misfits.items()})
            return error.value
        extra[source] = value
        return None

    def _report(self, source: str, what: str) -> None:
        """Warn once per field that `additional_properties` is used."""
        if source not in self._reported:
            self._reported.add(source)
            self._logger.warning("The vendor sends %s: %.60a. It is kept in `%s`.", what, source, ADDITIONAL_PROPERTIES)


def _converter(spec: Mapping[str, t.Any]) -> tuple[type | None, Convert]:
    """Return the Python type that needs no conversion, and the function that converts other types."""
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    if spec.get("format") == "date-time":
        return None, _to_timestamp
    if kind == "array" and spec.get("items", {}).get("type"):
        return None, partial(_to_list, *_converter(spec["items"]))
    if kind == "object" and spec.get("properties"):
        return None, partial(_to_object, {name: _converter(inner) for name, inner in spec["properties"].items()})
    return _CONVERTERS[kind]


def _to_list(plain_type: type | None, convert: Convert, value: object) -> list[t.Any]:
    if not isinstance(value, list):
        _refuse(value)
    misfits: dict[str, t.Any] = {}
    converted = [_to_part(plain_type, convert, part, f"[{index}]", misfits) for index, part in enumerate(value)]
    if misfits:
        raise _PartialMisfitError(converted, misfits)
    return converted


def _to_object(converters: Mapping[str, tuple[type | None, Convert]], value: object) -> dict[str, t.Any]:
    """Convert the properties that have a type; others are unchanged."""
    if not isinstance(value, dict):
        _refuse(value)
    misfits: dict[str, t.Any] = {}
    converted = dict(value)
    for name, converter in converters.items():
        if name in value:
            converted[name] = _to_part(*converter, value[name], f".{name}", misfits)
    if misfits:
        raise _PartialMisfitError(converted, misfits)
    return converted


def _to_part(plain_type: type | None, convert: Convert, value: t.Any, path: str, misfits: dict[str, t.Any]) -> t.Any:
    if value is None or type(value) is plain_type:
        return value
    try:
        return convert(value)
    except _PartialMisfitError as error:
        misfits.update({path + inner: part for inner, part in error.misfits.items()})
        return error.value
    except ValueError:
        misfits[path] = value
        return None


def _describe(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case _:
            return "a number"


def _to_timestamp(value: object) -> str:
    return canonical_timestamp(value) if isinstance(value, str) else _refuse(value)


def _to_integer(value: object) -> int:
    match value:
        case int() if not isinstance(value, bool):
            integer = value
        case str() if re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII):
            integer = int(value)
        # Check the range first: `int` of 1e1000000 would have a million digits.
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
