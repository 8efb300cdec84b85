"""The rows of the files, as the tap's streams should emit them."""

from __future__ import annotations

import hashlib
import json
import typing as t

from auditlogs_sandbox.vendors.index_exchange.files import write_time
from auditlogs_sandbox.vendors.index_exchange.hourly import DIMENSIONS, hourly_sums
from auditlogs_sandbox.vendors.index_exchange.library import expiry, subscription_name

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.index_exchange.files import PublishedHour
    from auditlogs_sandbox.vendors.index_exchange.hourly import Names
    from auditlogs_sandbox.vendors.index_exchange.shapes import NamedCells


def manifest_rows(hours: Iterable[PublishedHour]) -> Iterator[Row]:
    """Yield a row per file."""
    for published in _oldest_first(hours):
        key = published.key
        for part, file in enumerate(published.files):
            yield {
                "file_id": _file_id(published, part),
                "event_type": key.event_type,
                "subscription_id": key.subscription_id,
                "subscription_name": subscription_name(key.subscription_id),
                "hour": write_time(key.hour),
                "part": part,
                "parts": len(published.files),
                "md5sum": file.content.md5sum,
                "file_size": file.content.size,
                "date_created": write_time(file.date_created),
                "expires": write_time(expiry(key.hour)),
            }


def log_rows(hours: Iterable[PublishedHour]) -> Iterator[Row]:
    """Yield the rows of all files that can be downloaded and read, with their keys."""
    for file, rows in _readable_files(hours):
        for number, row in enumerate(rows, start=1):
            yield {**row, **file, "row_number": number}


def hourly_rows(hours: Iterable[PublishedHour], names: Names) -> Iterator[Row]:
    """Yield the sums of all files that can be downloaded and read."""
    for file, rows in _readable_files(hours):
        for group in hourly_sums(rows, names):
            yield {**group, **file, "group_key": _group_key(group)}


# Two keys in the truth are the tap's own.


def _file_id(published: PublishedHour, part: int) -> str:
    key = published.key
    return f"{key.event_type}/{key.subscription_id}/{write_time(key.hour)[:13]}/{part}"


def _group_key(group: Row) -> str:
    """Return a hash of the dimensions, with ids as numbers."""
    values = sorted((name, _number_if_possible(group[name])) for name in DIMENSIONS)
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def _number_if_possible(cell: str | None) -> int | str | None:
    try:
        return None if cell is None else int(cell)
    except ValueError:
        return cell


def _readable_files(hours: Iterable[PublishedHour]) -> Iterator[tuple[Row, Sequence[NamedCells]]]:
    for published in _oldest_first(hours):
        for part, file in enumerate(published.files):
            if file.can_be_had and file.content.sound and file.content.rows is not None:
                origin = {
                    "file_id": _file_id(published, part),
                    "subscription_id": published.key.subscription_id,
                    "hour": write_time(published.key.hour),
                    "part": part,
                    "file_md5": file.content.md5sum,
                    "file_date_created": write_time(file.date_created),
                }
                yield origin, file.content.rows


def _oldest_first(hours: Iterable[PublishedHour]) -> list[PublishedHour]:
    return sorted(hours, key=lambda published: published.key)
