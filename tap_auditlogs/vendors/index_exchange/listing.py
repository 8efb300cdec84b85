"""Parses the lists of available files."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from tap_auditlogs.core.errors import ProtocolError
from tap_auditlogs.core.times import canonical_timestamp, timestamp_or_none
from tap_auditlogs.vendors.index_exchange.manifest import FileKey, format_hour

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tap_auditlogs.core.errors import TapError
    from tap_auditlogs.core.http import ApiResponse

Row: t.TypeAlias = "dict[str, t.Any]"

# Vendor pages: impressions at /downloads; the page on bid files names no path, a third-party client asks here.
# index-exchange-03
PATHS: Mapping[str, str] = {"impressions": "/downloads", "bids": "/downloads/bidevents"}

_MD5 = re.compile(r"[0-9a-f]{32}")
_KEYS_TAKEN = ("subscriptionID", "hour", "parts", "downloadURL", "md5sum")


@dataclass(frozen=True)
class ListedFile:
    """A file as listed.

    Attributes:
        md5: Hexadecimal, lower case.
        url: May be signed, so it is never logged or stored.
        parts: The number of files of its hour.
        in_parts: Whether the vendor lists it as a part, as it does bid files.
        date_created: In the fixed-width form; None if not listed.
        details: The rest of the entry, under the vendor's keys.
    """

    key: FileKey
    md5: str
    url: str = field(repr=False)
    parts: int
    in_parts: bool
    date_created: str | None
    details: Row

    @property
    def name(self) -> str:
        """The start of the names of BATCH files made from this version."""
        return f"{self.key.subscription_id}-{self.key.hour_text}-{self.key.part}-{self.md5}"


@dataclass(frozen=True)
class Listing:
    """The contents of one or more lists.

    Attributes:
        faults: One message per malformed entry.
        failures: By event type, why its list is missing.
    """

    files: list[ListedFile]
    faults: list[str]
    failures: Mapping[str, TapError] = field(default_factory=dict)


def read_listing(response: ApiResponse, event_type: str) -> Listing:
    """Parse a list.

    Paging and order are not documented (index-exchange-01). Any sign that the list is incomplete is an error, since
    files that it leaves out could expire unread.

    Raises:
        ProtocolError: If the answer is not a complete list.
    """
    where = f"index_exchange: list of {event_type} files"
    answer = response.json()
    entries = answer.get("availableDownloads") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        msg = "the answer holds no list of available downloads"
        raise ProtocolError(msg, where=where, answer=response.describe())
    if (missing := _sign_of_more(answer, entries)) is not None:
        msg = f"the list is not complete: {missing}. How it goes on is not documented"
        raise ProtocolError(msg, where=where, advice="Please report this")
    faults: list[str] = []
    newest: dict[tuple[int, str], list[ListedFile]] = {}
    for position, entry in enumerate(entries):
        try:
            files = list(_files(entry, event_type))
        except ValueError as error:
            faults.append(f"entry {position + 1} in the {where.partition(': ')[2]} {error}")
            continue
        place = (files[0].key.subscription_id, f"{files[0].key.hour}")
        if place not in newest or _age(newest[place]) <= _age(files):
            newest[place] = files
    return Listing([file for files in newest.values() for file in files], faults)


def _sign_of_more(answer: Row, entries: list[t.Any]) -> str | None:
    paging = [key for key, value in answer.items() if "next" in key.lower() and value]
    if paging:
        return f"it has a key {paging[0]!a:.60}"
    count = answer.get("count")
    # For bid files it is not said whether hours or parts are counted. index-exchange-02
    parts = sum(len(entry["parts"]) for entry in entries if isinstance(entry, dict) and _has_parts(entry))
    if isinstance(count, int) and count > max(len(entries), parts):
        return f"it counts more files than the {len(entries)} that it has"
    return None


def _has_parts(entry: Row) -> bool:
    return isinstance(entry.get("parts"), list)


def _files(entry: object, event_type: str) -> Iterator[ListedFile]:
    if not isinstance(entry, dict):
        raise ValueError("is not an object")  # noqa: TRY004 - one kind of error for all that is no file
    subscription_id = _integer(entry.get("subscriptionID"))
    hour = _hour(entry.get("hour"))
    in_parts = _has_parts(entry)  # index-exchange-25: bid files used to come without
    parts = entry["parts"] if in_parts else [entry]
    if not parts:
        raise ValueError(f"({format_hour(hour)}) has no files")
    for number, part in enumerate(parts):  # the vendor's page names no part number: the position counts
        key = FileKey(hour, event_type, subscription_id, number)
        if not isinstance(part, dict):
            raise ValueError(f"({key}) is not an object")  # noqa: TRY004 - likewise
        details = {name: value for name, value in {**entry, **part}.items() if name not in _KEYS_TAKEN}
        # index-exchange-04: everything else may be missing
        md5, url = part.get("md5sum"), part.get("downloadURL")
        if not isinstance(md5, str) or not _MD5.fullmatch(md5.lower()):
            raise ValueError(f"({key}) has no md5sum")
        if not isinstance(url, str) or not url:
            raise ValueError(f"({key}) has no downloadURL")
        # index-exchange-08: the vendor's table spells it so, its notes and samples do not
        if "downloadStats" in details:
            details.setdefault("downloadStatus", details["downloadStats"])
            del details["downloadStats"]
        yield ListedFile(key, md5.lower(), url, len(parts), in_parts, _time(details.get("dateCreated")), details)


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        return int(value)
    raise ValueError("has no subscriptionID")


def _hour(value: object) -> datetime:
    hour = timestamp_or_none(value)  # index-exchange-06
    if hour is None:
        raise ValueError("has no hour that could be read")
    if (hour.minute, hour.second, hour.microsecond) != (0, 0, 0):
        raise ValueError("covers no whole hour")
    return hour


def _time(value: object) -> str | None:
    try:
        return canonical_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _age(files: list[ListedFile]) -> str:
    return max(file.date_created or "" for file in files)
