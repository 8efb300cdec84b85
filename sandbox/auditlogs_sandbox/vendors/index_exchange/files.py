"""The published files: which hours there are, in which version, and how each is listed and sent."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from auditlogs_sandbox.vendors.index_exchange.rows import Cells, EventType
    from auditlogs_sandbox.vendors.index_exchange.shapes import Content

SUBSCRIPTION: t.Final = 41

_CHUNK: t.Final = 256 * 1024


class HourKey(t.NamedTuple):
    """Key of the files of an hour."""

    hour: datetime
    event_type: EventType = "impressions"
    subscription_id: int = SUBSCRIPTION


@dataclass
class PublishedFile:
    """A file of an hour, or one of its parts.

    Attributes:
        id: The number in its URL, which stays when the file is replaced.
        content: The present version.
        cells: What the present version was made from; empty when it was made elsewhere.
        date_created: When the present version was made.
        wrong_md5_listings: How many lists are still to say a wrong MD5; `math.inf` is for ever.
        damaged_downloads: How many downloads are still to come with a bit changed; `math.inf` is for ever.
        status: The status with which a download is refused though the file is listed.
        redirect: Where a download is redirected to.
        download_url: What the list gives instead of the true URL.
        downloaded: The MD5 of the version that each client got last, by client id.
    """

    id: int
    content: Content
    cells: Sequence[Cells]
    date_created: datetime
    wrong_md5_listings: float = 0
    damaged_downloads: float = 0
    status: int | None = None
    redirect: str | None = None
    download_url: str | None = None
    downloaded: dict[str, str] = field(default_factory=dict)

    def download_status(self, client_id: str) -> str:
        """Return the download status of a file for a client."""
        if client_id not in self.downloaded:
            return "new"
        # No page names the status of a file that was downloaded and not replaced since.
        return "downloaded" if self.downloaded[client_id] == self.content.md5sum else "updated"

    def listed_md5sum(self) -> str:
        """Return the MD5 for one list; counts down `wrong_md5_listings`."""
        if self.wrong_md5_listings <= 0:
            return self.content.md5sum
        self.wrong_md5_listings -= 1
        return self.content.md5sum[::-1].translate(_OTHER_DIGITS)

    def send(self, finished: Callable[[str], None]) -> Iterator[bytes]:
        """Return the file in pieces and call `finished` with their MD5; counts down `damaged_downloads`."""
        damage = self.content.size // 2 if self.damaged_downloads > 0 else None
        self.damaged_downloads = max(0, self.damaged_downloads - 1)
        return _pieces(self.content, damage, finished)

    @property
    def can_be_had(self) -> bool:
        """Whether a client that tries again and again gets the file that the list promises."""
        lies = self.wrong_md5_listings == float("inf") or self.damaged_downloads == float("inf")
        return not lies and self.status is None and self.redirect is None and self.download_url is None


_OTHER_DIGITS: t.Final = str.maketrans("0123456789abcdef", "123456789abcdef0")


@dataclass
class PublishedHour:
    """The files of an hour: one, or for bids as many as there are parts.

    Attributes:
        key: What it goes by.
        files: The files, in the order of their parts.
        has_parts: Whether the list shows them as `parts`; bid files used to come without.
    """

    key: HourKey
    files: list[PublishedFile]
    has_parts: bool


def write_time(moment: datetime) -> str:
    """Write a time as the lists do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pieces(content: Content, damage: int | None, finished: Callable[[str], None]) -> Iterator[bytes]:
    position = 0
    for piece in _read(content.source):
        if damage is not None and position <= damage < position + len(piece):
            changed = bytearray(piece)
            changed[damage - position] ^= 1
            yield bytes(changed)
        else:
            yield piece
        position += len(piece)
    finished(content.md5sum)


def _read(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece
    elif source:
        yield source
