"""Rows into counts and sums by group."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import numpy as np

from tap_auditlogs.vendors.index_exchange.bulk.blocks import Block, Conversion, Converted
from tap_auditlogs.vendors.index_exchange.bulk.cells import (
    IRREGULAR,
    MISFIT,
    SCALE,
    copy_text,
    parse_decimal,
    split_row,
)
from tap_auditlogs.vendors.index_exchange.bulk.intrinsics import WORD_BYTES, borrowed, load_word
from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, Integers, Words, as_array, compiled
from tap_auditlogs.vendors.index_exchange.reading import REPLACEMENT
from tap_auditlogs.vendors.index_exchange.totals import EXACT, MEASURES, Totals, total_further_rows

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_auditlogs.vendors.index_exchange.totals import Group

_FIRST_GROUPS = 1 << 12
_FIRST_KEY_BYTES = 1 << 18
_SIZE_BYTES = 4
"""In a key, each cell has its size before it, so that no two groups have the same."""

_LARGEST_AMOUNT = 10**9
"""Of larger ones, 64 bits might not hold the sum of a file."""
_WHOLE = 10**SCALE

# FNV-1a, by words instead of bytes, with the upper half mixed into the lower.
_HASH_START, _HASH_FACTOR, _HALF = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(32)

_DONE, _FULL, _IRREGULAR = range(3)
_ROWS, _SUMS = 0, 1


class _Groups(t.NamedTuple):
    """A hash table of groups.

    Attributes:
        slots: The numbers of groups, by their hash; -1 where there is none. At least twice as many as groups fit.
        hashes: Of each group.
        keys: The keys of all groups, one behind the other.
        key_ends: Where they end, with a 0 in front.
        totals: Of each group: its rows, and of each measure the sum of what stands before the point and behind it.
        used: In its only place, how many groups there are.
    """

    slots: Integers
    hashes: Words
    keys: Bytes
    key_ends: Integers
    totals: Integers
    used: Integers


def _make_groups(groups: int, key_bytes: int) -> _Groups:
    return _Groups(
        np.full(2 * groups, -1, np.int64),
        np.empty(groups, np.uint64),
        np.empty(key_bytes, np.uint8),
        np.zeros(groups + 1, np.int64),
        np.zeros((groups, 1 + 2 * len(MEASURES)), np.int64),
        np.zeros(1, np.int64),
    )


@compiled
def _add_rows(
    held: _Groups, data: Bytes, at: int, dimensions: Integers, measures: Integers, places: Integers, amounts: Integers
) -> tuple[int, int, int]:
    """Add rows until they end, there is no more room, or one is not regular.

    Returns which of these, where the rows that were added end, and how many they are.
    """
    groups = _Groups(
        borrowed(held.slots),
        borrowed(held.hashes),
        borrowed(held.keys),
        borrowed(held.key_ends),
        borrowed(held.totals),
        borrowed(held.used),
    )
    data, dimensions, measures, amounts = borrowed(data), borrowed(dimensions), borrowed(measures), borrowed(amounts)
    starts, stops = borrowed(places[0]), borrowed(places[1])
    rows = 0
    while at < data.size:
        row_end = split_row(data, at, starts, stops)
        if row_end == IRREGULAR or not _read_amounts(data, starts, stops, measures, amounts):
            return _IRREGULAR, at, rows
        key_start = groups.key_ends[groups.used[0]]
        has_room = key_start + row_end - at + _SIZE_BYTES * dimensions.size + WORD_BYTES <= groups.keys.size
        if not has_room or groups.used[0] == groups.hashes.size:
            return _FULL, at, rows
        group = _find_group(groups, _write_key(groups, data, starts, stops, dimensions, key_start))
        groups.totals[group, 0] += 1
        for measure in range(measures.size):
            _add_amount(groups.totals[group], 1 + 2 * measure, amounts[2 * measure], amounts[2 * measure + 1])
        rows += 1
        at = row_end
    return _DONE, at, rows


@compiled
def _read_amounts(data: Bytes, starts: Integers, stops: Integers, measures: Integers, amounts: Integers) -> bool:
    """Read the amounts of a row; text and blanks count nothing."""
    for measure in range(measures.size):
        column = measures[measure]
        outcome, units, parts = MISFIT, 0, 0
        if column >= 0 and starts[column] < stops[column]:
            outcome, units, parts = parse_decimal(data, starts[column], stops[column])
            if outcome == IRREGULAR or abs(units) >= _LARGEST_AMOUNT:
                return False
        amounts[2 * measure] = units
        amounts[2 * measure + 1] = parts
    return True


@compiled
def _add_amount(totals: Integers, place: int, units: int, parts: int) -> None:
    parts += totals[place + 1]
    carry = (parts >= _WHOLE) - (parts <= -_WHOLE)
    totals[place] += units + carry
    totals[place + 1] = parts - carry * _WHOLE


@compiled
def _write_key(groups: _Groups, data: Bytes, starts: Integers, stops: Integers, dimensions: Integers, at: int) -> int:
    """Write the key of a row behind those of all groups, in whole words; returns where it ends."""
    for place in range(dimensions.size):
        column = dimensions[place]
        end = copy_text(data, starts[column], stops[column], groups.keys, at + _SIZE_BYTES)
        size = end - at - _SIZE_BYTES
        for byte in range(_SIZE_BYTES):
            groups.keys[at + byte] = (size >> (8 * byte)) & 255
        at = end
    while at % WORD_BYTES:
        groups.keys[at] = 0
        at += 1
    return at


@compiled
def _find_group(groups: _Groups, key_end: int) -> int:
    """Find the group whose key was written last, or make it one."""
    new = groups.used[0]
    key_start = groups.key_ends[new]
    hashed = _HASH_START
    for place in range(key_start, key_end, WORD_BYTES):
        hashed = (hashed ^ load_word(groups.keys, place)) * _HASH_FACTOR
        hashed ^= hashed >> _HALF
    slot = _first_slot(groups, hashed)
    while groups.slots[slot] >= 0:
        group = groups.slots[slot]
        if groups.hashes[group] == hashed and _is_same_key(groups, group, key_start, key_end):
            return group  # type: ignore[no-any-return] # of numpy
        slot = (slot + 1) % groups.slots.size
    groups.slots[slot] = new
    groups.hashes[new] = hashed
    groups.key_ends[new + 1] = key_end
    groups.used[0] = new + 1
    return new  # type: ignore[no-any-return] # of numpy


@compiled
def _first_slot(groups: _Groups, hashed: np.uint64) -> int:
    return int(np.int64(hashed & np.uint64(groups.slots.size - 1)))


@compiled
def _is_same_key(groups: _Groups, group: int, key_start: int, key_end: int) -> bool:
    other = groups.key_ends[group]
    if groups.key_ends[group + 1] - other != key_end - key_start:
        return False
    for place in range(0, key_end - key_start, WORD_BYTES):
        if load_word(groups.keys, other + place) != load_word(groups.keys, key_start + place):
            return False
    return True


@compiled
def _fill_slots(groups: _Groups) -> None:
    for group in range(groups.used[0]):
        slot = _first_slot(groups, groups.hashes[group])
        while groups.slots[slot] >= 0:
            slot = (slot + 1) % groups.slots.size
        groups.slots[slot] = group


def _enlarge(groups: _Groups, key_bytes: int) -> _Groups:
    """Double the room, and make some for a key."""
    used = int(groups.used[0])
    larger = _make_groups(2 * groups.hashes.size, 2 * groups.keys.size + key_bytes)
    larger.hashes[:used] = groups.hashes[:used]
    larger.keys[: groups.keys.size] = groups.keys
    larger.key_ends[: used + 1] = groups.key_ends[: used + 1]
    larger.totals[:used] = groups.totals[:used]
    larger.used[0] = used
    _fill_slots(larger)
    return larger


class _Grouper:
    """Groups the rows under one header."""

    def __init__(self, header: Sequence[str], dimensions: Sequence[str]) -> None:
        self._places = np.empty((2, len(header)), np.int64)
        self._amounts = np.empty(2 * len(MEASURES), np.int64)
        self._there = [name in header for name in dimensions]
        self._dimensions = np.array([header.index(name) for name in dimensions if name in header], np.int64)
        self._measures = np.array([header.index(name) if name in header else -1 for name in MEASURES], np.int64)
        self._groups = _make_groups(_FIRST_GROUPS, _FIRST_KEY_BYTES)
        self._is_over = False

    def convert(self, block: Block) -> Converted[None]:
        """Add the rows of a block, or none if a block before it was not regular: the ordinary path adds them all."""
        if self._is_over:
            return Converted(None, 0, 0)
        data = as_array(block.data)
        at, added = 0, 0
        while True:
            outcome, at, rows = _add_rows(
                self._groups, data, at, self._dimensions, self._measures, self._places, self._amounts
            )
            added += rows
            if outcome != _FULL:
                self._is_over = outcome == _IRREGULAR
                return Converted(None, added, at)
            self._groups = _enlarge(self._groups, data.size + _SIZE_BYTES * len(self._dimensions) + WORD_BYTES)

    def groups(self) -> dict[Group, Totals]:
        """Return what was added."""
        groups: dict[Group, Totals] = {}
        for group, totals in self._groups_of_bytes():
            groups.setdefault(group, Totals()).add(totals)  # bytes that are no text may become the same text
        return groups

    def _groups_of_bytes(self) -> Iterator[tuple[Group, Totals]]:
        keys, ends = self._groups.keys.tobytes(), self._groups.key_ends.tolist()
        for number in range(int(self._groups.used[0])):
            cells = iter(_split_key(keys[ends[number] : ends[number + 1]]))
            rows, *sums = self._groups.totals[number].tolist()
            net, gross = (
                EXACT.add(Decimal(units), EXACT.scaleb(Decimal(parts), -SCALE))
                for units, parts in zip(sums[::2], sums[1::2], strict=True)
            )
            yield tuple(next(cells) if there else None for there in self._there), Totals(rows, net, gross)


def _split_key(key: bytes) -> Iterator[str | None]:
    at = 0
    while at < len(key):
        start = at + _SIZE_BYTES
        at = start + int.from_bytes(key[at:start], "little")
        yield key[start:at].decode(errors="replace").replace("\0", REPLACEMENT) or None


def total_rows(content: t.BinaryIO, dimensions: Sequence[str]) -> dict[Group, Totals]:
    """Group the rows of a file, as the function of this name in the ordinary path does.

    Args:
        content: The gzip file.
        dimensions: The columns to group by.

    Returns:
        The groups by their cells.

    Raises:
        UnreadableFileError: If the file cannot be read to its end.
    """
    groupers: list[_Grouper] = []

    def prepare(header: Sequence[str]) -> Callable[[Block], Converted[None]]:
        groupers.append(_Grouper(header, dimensions))
        return groupers[0].convert

    conversion = Conversion(content, prepare, threads=1)  # all blocks add to the same groups
    for _ in conversion.results():
        pass
    groups = groupers[0].groups()
    if (rest := conversion.rest()) is not None:
        for group, totals in total_further_rows(rest.rows, rest.header, dimensions).items():
            groups.setdefault(group, Totals()).add(totals)
    return groups
