"""Compares what a target holds with the records, value by value."""

from __future__ import annotations

import ast
import json
import re
import typing as t
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal

if t.TYPE_CHECKING:
    from tests.targets.source import Key, Record, Stream

Rows: t.TypeAlias = "dict[str, list[Record]]"
Verdict: t.TypeAlias = "str | None"

_EXAMPLES: t.Final = 3
_PYTHON_DECIMAL: t.Final = re.compile(r"Decimal\('([^']*)'\)")


class Comparison(t.NamedTuple):
    """What was found.

    Attributes:
        rows: `one per key`, `one per record`, or what is wrong.
        values: How values of each kind are held.
        differences: Examples of what is wrong, for people.
    """

    rows: str
    values: dict[str, str]
    differences: list[str]


def compare(streams: t.Iterable[Stream], held: Rows) -> Comparison:
    """Compare streams with what the target holds, its rows in the order in which it wrote them."""
    tally = _Tally()
    for stream in streams:
        tally.compare(stream, held.get(stream.name, []))
    return tally.result()


class _Tally:
    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._values: dict[str, Counter[str]] = defaultdict(Counter)
        self._differences: list[str] = []

    def compare(self, stream: Stream, held: list[Record]) -> None:
        rows: dict[Key, Record] = {}
        for row in held:
            rows[self._key(stream, row)] = row
        missing, surplus = stream.rows.keys() - rows.keys(), rows.keys() - stream.rows.keys()
        self._rows["missing"] += len(missing)
        self._rows["unknown"] += len(surplus)
        if missing or surplus:
            self._tell(f"{stream.name}: {len(missing)} missing, {len(surplus)} unknown: {[*missing, *surplus][:3]}")
        self._rows["held"] += len(held)
        self._rows["keys"] += len(stream.rows)
        self._rows["records"] += stream.written
        for key in stream.rows.keys() & rows.keys():
            for name, schema in stream.schema.items():
                expected = stream.rows[key].get(name)
                if name not in rows[key] and expected is not None:
                    self._add("text", "missing", f"{stream.name}.{name}: no such column")
                    continue
                found = rows[key].get(name)
                kind, verdict = judge(schema, expected, found)
                where = f"{stream.name}.{name} of {key}: {found!r} instead of {expected!r}"
                self._add(kind, verdict or "different", where)

    @staticmethod
    def _key(stream: Stream, row: Record) -> Key:
        # The keys are text and integers; a CSV file has these as text, too.
        return tuple(
            int(row[name]) if "integer" in stream.schema[name]["type"] and row[name] is not None else row[name]
            for name in stream.key
        )

    def _add(self, kind: str, verdict: str, where: str) -> None:
        self._values[kind][verdict] += 1
        if verdict in {"different", "missing"} and self._values[kind][verdict] <= _EXAMPLES:
            self._tell(where)

    def _tell(self, line: str) -> None:
        self._differences.append(line[:1000])

    def result(self) -> Comparison:
        counts = self._rows
        if counts["missing"] or counts["unknown"]:
            rows = "rows are missing" if counts["missing"] else "rows have other keys"
        elif counts["held"] == counts["keys"]:
            rows = "one per key"
        elif counts["held"] == counts["records"]:
            rows = "one per record"
        else:
            rows = "some more than once"
        values = {kind: " or ".join(sorted(found)) for kind, found in sorted(self._values.items())}
        return Comparison(rows, values, self._differences)


def judge(schema: Record, expected: t.Any, found: t.Any) -> tuple[str, Verdict]:
    """Return which kind of value it is and in which form it is held; None if it is another value."""
    kind = _kind(schema)
    if expected is None:
        return "nulls", _null(found)
    if found is None:
        return kind, "null" if expected in ("", {}, []) else None
    return kind, _JUDGES[kind](expected, found)


def _kind(schema: Record) -> str:
    types = schema["type"]
    for name, kind in {"object": "objects", "array": "objects", "number": "decimals", "integer": "integers"}.items():
        if name in types:
            return kind
    if "boolean" in types:
        return "booleans"
    return "times" if schema.get("format") == "date-time" else "text"


def _null(found: t.Any) -> Verdict:
    if found is None:
        return "null"
    return {"": "empty text", "null": "JSON null"}.get(found) if isinstance(found, str) else None


def _text(expected: str, found: t.Any) -> Verdict:
    if isinstance(found, date):  # a target that takes text for a date
        return "date" if found.isoformat() == expected else None
    return "exact" if found == expected else None


def _integer(expected: int, found: t.Any) -> Verdict:
    if isinstance(found, str):
        return "text" if found == str(expected) else None
    return "exact" if found == expected and not isinstance(found, float) else None


def _boolean(expected: bool, found: t.Any) -> Verdict:
    if isinstance(found, str):
        return "text" if found.lower() == str(expected).lower() else None
    return "exact" if found is expected else None


def _decimal(expected: Decimal | int, found: t.Any) -> Verdict:
    form = "text" if isinstance(found, str) else "exact"
    value = Decimal(repr(found) if isinstance(found, float) else found)
    if value == expected and not isinstance(found, float):
        return form
    return "double" if float(value) == float(expected) else None


def _time(expected: str, found: t.Any) -> Verdict:
    moment = datetime.fromisoformat(expected)
    if isinstance(found, str):
        read = datetime.fromisoformat(found)
        return "text" if (read if read.tzinfo else read.replace(tzinfo=UTC)) == moment else None
    if not isinstance(found, datetime):
        return None
    if found.tzinfo is None:
        form, found = "timestamp in UTC", found.replace(tzinfo=UTC)
    else:
        form = "timestamp with time zone"
    if found == moment:
        return form
    return f"{form}, cut to seconds" if found == moment.replace(microsecond=0) else None


def _object(expected: t.Any, found: t.Any) -> Verdict:
    if not isinstance(found, str):
        return _same_json("JSON", expected, found)
    try:
        return _same_json("JSON text", expected, json.loads(found, parse_float=Decimal))
    except ValueError:
        pass
    try:
        return _same_json("Python text", expected, ast.literal_eval(_PYTHON_DECIMAL.sub(r"\1", found)))
    except (ValueError, SyntaxError):
        return None


def _same_json(form: str, expected: t.Any, found: t.Any) -> Verdict:
    if _plain(expected, Decimal) == _plain(found, Decimal):
        return form
    return f"{form} with doubles" if _plain(expected, float) == _plain(found, float) else None


def _plain(value: t.Any, number: type[Decimal | float]) -> t.Any:
    """Make numbers one type, and booleans one that equals no number."""
    if isinstance(value, dict):
        return {name: _plain(item, number) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, number) for item in value]
    if isinstance(value, bool):
        return (value,)
    if isinstance(value, float):
        return number(repr(value))
    return number(value) if isinstance(value, int | Decimal) else value


_JUDGES: t.Final[dict[str, t.Callable[[t.Any, t.Any], Verdict]]] = {
    "booleans": _boolean,
    "decimals": _decimal,
    "integers": _integer,
    "objects": _object,
    "text": _text,
    "times": _time,
}
