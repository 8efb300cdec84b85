"""Writes large impression files quickly, for benchmarks."""

from __future__ import annotations

import csv
import hashlib
import io
import operator
import typing as t
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from auditlogs_sandbox.vendors.index_exchange.mappings import Catalog
from auditlogs_sandbox.vendors.index_exchange.rows import COLUMNS, RowFactory
from auditlogs_sandbox.world import World

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

HOUR: t.Final = datetime(2026, 11, 20, 5, tzinfo=UTC)

_BLOCK: t.Final = 16_384
_REVENUE_BITS: t.Final = 24
_ID_BYTES: t.Final = 16


@dataclass(frozen=True)
class GeneratedFile:
    """A file that was written.

    Attributes:
        path: Where it is.
        hour: The hour that its rows are of.
        rows: How many rows it has.
        size: How many bytes it has, compressed.
        csv_size: How many bytes it has, uncompressed.
        md5sum: The MD5 of the compressed bytes.
    """

    path: Path
    hour: datetime
    rows: int
    size: int
    csv_size: int
    md5sum: str


def generate_file(
    path: Path, rows: int, seed: int = 1, columns: int = len(COLUMNS), hour: datetime = HOUR
) -> GeneratedFile:
    """Write a gzip CSV of impressions.

    Auction id, timestamp and both revenues are new in every row; the other columns repeat from a block of made-up
    rows with the usual blanks and masks. The same arguments give the same rows.
    """
    world = World(seed, clock=lambda: HOUR)
    rng = world.rng("index_exchange", "generator")
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    digest = hashlib.md5(usedforsecurity=False)
    size = csv_size = 0
    with path.open("wb") as file:
        for piece in _csv_pieces(world, rng, rows, columns, hour):
            csv_size += len(piece)
            packed = compressor.compress(piece)
            digest.update(packed)
            size += file.write(packed)
        packed = compressor.flush()
        digest.update(packed)
        size += file.write(packed)
    return GeneratedFile(path, hour, rows, size, csv_size, digest.hexdigest())


def _csv_pieces(world: World, rng: Random, rows: int, columns: int, hour: datetime) -> Iterator[bytes]:
    surplus = [f"extra_{number}" for number in range(1, columns - len(COLUMNS) + 1)]
    yield _line([*COLUMNS[:columns], *surplus])
    catalog = Catalog(world)
    block = RowFactory(rng, catalog).rows("impressions", hour, min(rows, _BLOCK))
    templates = [_template([*row[:columns], *(f"value {name}" for name in surplus)]) for row in block]
    fresh = sum(COLUMNS.index(name) < columns for name in _FRESH)
    seconds = [hour.replace(minute=second // 60, second=second % 60) for second in range(3600)]
    times = [moment.strftime("%Y-%m-%d %H:%M:%S").encode() for moment in seconds]
    for begin in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - begin)
        values = list(_fresh_values(rng, count))[:fresh]
        if fresh > 1:
            values[1] = [times[number * 3600 // rows] for number in range(begin, begin + count)]
        yield b"".join(map(operator.mod, rng.choices(templates, k=count), zip(*values, strict=True)))


# The columns that are new in every row, in the order of the file.
_FRESH: t.Final = ("auction_id", "timestamp", "gross_revenue", "net_revenue")


def _fresh_values(rng: Random, count: int) -> Iterator[list[bytes]]:
    digits = rng.randbytes(_ID_BYTES * count).hex().encode()
    yield [digits[place : place + 2 * _ID_BYTES] for place in range(0, len(digits), 2 * _ID_BYTES)]
    yield []  # the caller knows the time
    gross = [rng.getrandbits(_REVENUE_BITS) for _ in range(count)]
    yield [b"0.%09d" % amount for amount in gross]
    yield [b"0.%09d" % (amount * 85 // 100) for amount in gross]


def _template(row: list[str]) -> bytes:
    """Write a row with a placeholder in each fresh column."""
    cells = [
        "%b" if place < len(COLUMNS) and COLUMNS[place] in _FRESH else cell.replace("%", "%%")
        for place, cell in enumerate(row)
    ]
    return _line(cells)


def _line(cells: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
