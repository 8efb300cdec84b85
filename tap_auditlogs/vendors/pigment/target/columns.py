"""Flattening: nested values become columns whose names are joined by `_`, as the community's script does it."""

from __future__ import annotations

import typing as t

from tap_auditlogs.core.errors import TapError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    ColumnOrder: t.TypeAlias = t.Literal["density", "schema"]
    Cells: t.TypeAlias = list[str | None]

DENSITY: t.Final = "density"
SCHEMA: t.Final = "schema"


class ColumnClashError(TapError):
    """Two different properties of a stream would get the same column name."""


class _Property:
    """A place within the records of a stream, and its column if a value was ever found there."""

    __slots__ = ("children", "column", "key", "parent")

    def __init__(self, parent: _Property | None, key: str | int) -> None:
        self.parent = parent
        self.key = key
        self.children: dict[str | int, _Property] = {}
        self.column: int | None = None

    def keys(self) -> list[str | int]:
        """Return the keys from the record down to this place; integers are positions in a list."""
        return [] if self.parent is None else [*self.parent.keys(), self.key]


class Columns:
    """The columns of one stream, in order of appearance, with how many rows fill each."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._root = _Property(None, "")
        self._properties: list[_Property] = []
        self._by_name: dict[str, _Property] = {}
        self._filled: list[int] = []

    def __len__(self) -> int:
        return len(self._properties)

    @property
    def names(self) -> list[str]:
        """The columns' names in order of appearance."""
        return list(self._by_name)

    def flatten(self, record: Mapping[str, t.Any]) -> Cells:
        """Return a row's cells by column; columns that later rows add are missing at its end.

        Raises:
            ColumnClashError: If a new column has the name of another one.
        """
        cells: Cells = [None] * len(self._properties)
        self._collect(self._root, record, cells)
        return cells

    def _collect(self, place: _Property, value: t.Any, cells: Cells) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                self._collect(place.children.get(key) or self._add_child(place, key), inner, cells)
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                self._collect(place.children.get(position) or self._add_child(place, position), inner, cells)
        else:
            column = place.column
            if column is None:
                column = self._add_column(place)
                cells.append(None)
            if value is not None:
                text = cells[column] = value if type(value) is str else str(value)
                self._filled[column] += text != ""  # in a CSV an empty text and none are the same

    @staticmethod
    def _add_child(place: _Property, key: str | int) -> _Property:
        child = place.children[key] = _Property(place, key)
        return child

    def _add_column(self, place: _Property) -> int:
        name = "_".join(map(str, place.keys()))
        other = self._by_name.setdefault(name, place)
        if other is not place:
            msg = (
                f"Stream `{self._stream}`: the properties {_path(other)} and {_path(place)} would both become the "
                f"column `{name}`. Rename or remove one of them with stream_maps."
            )
            raise ColumnClashError(msg)
        place.column = len(self._properties)
        self._properties.append(place)
        self._filled.append(0)
        return place.column

    def in_order(self, order: ColumnOrder, schema: Mapping[str, t.Any]) -> list[int]:
        """Return the columns' positions in the order in which the CSV has them; ties stay in order of appearance."""
        positions = range(len(self._properties))
        if order == DENSITY:
            return sorted(positions, key=lambda column: -self._filled[column])
        ranks = _ranks(list(schema.get("properties", {})))
        return sorted(positions, key=lambda column: ranks.get(self._properties[column].keys()[0], len(ranks)))


def _ranks(names: Sequence[str]) -> dict[str | int, int]:
    return {name: rank for rank, name in enumerate(names)}


def _path(place: _Property) -> str:
    """Write a place as `payload.user.id` or `roles[0]`."""
    first, *rest = place.keys()
    return f"`{first}" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in rest) + "`"
