"""The log files of the account: how they come, come late, are replaced and go away."""

from __future__ import annotations

import itertools
import typing as t
from datetime import timedelta

from auditlogs_sandbox.vendors.index_exchange.files import SUBSCRIPTION, HourKey, PublishedFile, PublishedHour
from auditlogs_sandbox.vendors.index_exchange.rows import COLUMNS, HEADERS, RowFactory
from auditlogs_sandbox.vendors.index_exchange.shapes import Content, shaped

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile
    from auditlogs_sandbox.vendors.index_exchange.mappings import Catalog
    from auditlogs_sandbox.vendors.index_exchange.rows import Cells, EventType
    from auditlogs_sandbox.world import World

SMALL_SUBSCRIPTION: t.Final = 57
_SUBSCRIPTIONS: t.Final = {SUBSCRIPTION: "Example Publisher", SMALL_SUBSCRIPTION: "Réseau d'exemple, apps"}
RETENTION: t.Final = timedelta(days=14)  # vendor page: kept 14 days, then purged
LATENESS: t.Final = timedelta(hours=36)  # vendor page: available within 36 hours of the event
HOUR: t.Final = timedelta(hours=1)

_HISTORY_HOURS: t.Final = 10
_HOLES: t.Final = (4, 7)  # counted back from the newest hour; their files come late, by `advance`
_NEWEST: t.Final = 3 * HOUR  # how long ago the newest hour of the history began
_SHARE_OF_SMALL: t.Final = 20
_LOST: t.Final = 10
_TIMESTAMP: t.Final = COLUMNS.index("timestamp")


class Library:
    """All files, by hour.

    Attributes:
        hours: The published hours, the expired ones included.
    """

    def __init__(self, world: World, catalog: Catalog) -> None:
        self._world = world
        self._rng = world.rng("index_exchange", "files")
        self._factory = RowFactory(world.rng("index_exchange", "rows"), catalog)
        self._ids = itertools.count(7_310_442)
        self.hours: dict[HourKey, PublishedHour] = {}
        self._add_history()

    def visible(self, event_type: EventType) -> list[PublishedHour]:
        """Return the hours that have not expired."""
        now = self._world.now()
        return [
            published
            for key, published in self.hours.items()
            if key.event_type == event_type and expiry(key.hour) > now
        ]

    def find(self, file_id: int) -> tuple[PublishedHour, PublishedFile] | None:
        """Find a file by the number in its URL."""
        for published in self.hours.values():
            for file in published.files:
                if file.id == file_id:
                    return published, file
        return None

    def publish(
        self,
        key: HourKey,
        parts: Sequence[Sequence[Cells]],
        shape: str = "plain",
        created: datetime | None = None,
    ) -> PublishedHour:
        """Publish an hour, or replace one; what stays of a replaced one keeps its ids."""
        contents = [shaped(shape, HEADERS[key.event_type], rows) for rows in parts]
        return self._put(key, contents, parts, created)

    def publish_file(self, key: HourKey, generated: GeneratedFile) -> PublishedHour:
        """Publish a file on the disk, whose rows are not known here."""
        content = Content(generated.path, generated.size, generated.md5sum, rows=None)
        return self._put(key, [content], [()], None)

    def replace(self, key: HourKey, part: int, cells: Sequence[Cells], shape: str = "plain") -> PublishedFile:
        """Replace one file of an hour."""
        file = self.hours[key].files[part]
        self._renew(file, shaped(shape, HEADERS[key.event_type], cells), cells, self._now())
        return file

    def append(self, key: HourKey, cells: Sequence[Cells]) -> None:
        """Publish a further part of an hour."""
        content = shaped("plain", HEADERS[key.event_type], cells)
        self.hours[key].files.append(PublishedFile(next(self._ids), content, cells, self._now()))

    def rows(self, key: HourKey, count: int) -> list[Cells]:
        """Generate rows for an hour."""
        return self._factory.rows(key.event_type, key.hour, count)

    def resized(self, key: HourKey, cells: Sequence[Cells], count: int) -> list[Cells]:
        """Leave rows out, or let rows come late."""
        kept = [cells[place] for place in sorted(self._rng.sample(range(len(cells)), min(count, len(cells))))]
        late = self.rows(key, count - len(kept))
        return sorted([*kept, *late], key=lambda row: row[_TIMESTAMP])

    def advance(self) -> None:
        """Publish a new hour, a late one, and one again with fewer rows."""
        size = max(1, self._world.size // _HISTORY_HOURS)
        shrinking = self._largest()
        newest = self._newest_hour()
        if newest + 2 * HOUR <= self._world.now():
            self._publish_both(newest + HOUR, size)
        late = next(
            (
                newest - back * HOUR
                for back in range(1, LATENESS // HOUR)
                if HourKey(newest - back * HOUR) not in self.hours
            ),
            None,
        )
        if late is not None:
            self._publish_both(late, size)
        if shrinking is not None:
            self._shrink(shrinking)

    def _newest_hour(self) -> datetime:
        """Find the hour after which new ones come: when all are old, hours in between never come."""
        usual = self._floor(self._world.now()) - _NEWEST
        newest = max((key.hour for key in self.hours), default=usual)
        return newest if newest > usual - LATENESS else usual

    def _largest(self) -> PublishedHour | None:
        """Find the impression hour with the most rows, to be replaced by one with fewer."""
        candidates = [published for published in self.visible("impressions") if len(published.files[0].cells) > 1]
        return max(candidates, key=lambda published: len(published.files[0].cells), default=None)

    def _shrink(self, published: PublishedHour) -> None:
        cells = published.files[0].cells
        count = len(cells) - max(1, len(cells) // _LOST)
        self.replace(published.key, 0, self.resized(published.key, cells, count))

    def _add_history(self) -> None:
        newest = self._floor(self._world.base) - _NEWEST
        hours = [newest - back * HOUR for back in range(_HISTORY_HOURS) if back not in _HOLES]
        size = self._world.size
        small = size // _SHARE_OF_SMALL
        for number, hour in enumerate(hours):
            share = (size - small + number) // len(hours)
            self._publish_both(hour, share, parts=1 + number % 3, created=self._moment_of_creation(hour))
        for number, count in enumerate((small, 0)):  # an hour without events is a file with only a header
            key = HourKey(newest - number * HOUR, subscription_id=SMALL_SUBSCRIPTION)
            self.publish(key, [self.rows(key, count)], created=self._moment_of_creation(key.hour))

    def _publish_both(self, hour: datetime, count: int, parts: int = 2, created: datetime | None = None) -> None:
        impressions = HourKey(hour)
        self.publish(impressions, [self.rows(impressions, count)], created=created)
        bids = HourKey(hour, "bids")
        shares = [(count // 2 + part) // parts for part in range(parts)]
        self.publish(bids, [self.rows(bids, share) for share in shares], created=created)

    def _moment_of_creation(self, hour: datetime) -> datetime:
        delay = HOUR + timedelta(seconds=self._rng.randrange(600, 3600))
        return min(hour + delay, self._world.base - timedelta(seconds=1)).replace(microsecond=0)

    def _put(
        self, key: HourKey, contents: Sequence[Content], cells: Sequence[Sequence[Cells]], created: datetime | None
    ) -> PublishedHour:
        published = self.hours.setdefault(key, PublishedHour(key, [], has_parts=key.event_type == "bids"))
        created = created or self._now()
        for place, (content, rows) in enumerate(zip(contents, cells, strict=True)):
            if place < len(published.files):
                self._renew(published.files[place], content, rows, created)
            else:
                published.files.append(PublishedFile(next(self._ids), content, rows, created))
        del published.files[len(contents) :]
        return published

    @staticmethod
    def _renew(file: PublishedFile, content: Content, cells: Sequence[Cells], created: datetime) -> None:
        # A version is younger than the one it replaces, also when the clock stands still.
        file.date_created = max(created, file.date_created + timedelta(seconds=1))
        file.content, file.cells = content, cells

    def _now(self) -> datetime:
        return self._world.now().replace(microsecond=0)

    @staticmethod
    def _floor(moment: datetime) -> datetime:
        return moment.replace(minute=0, second=0, microsecond=0)


def expiry(hour: datetime) -> datetime:
    """Return when the files of an hour go away."""
    return hour + RETENTION


def subscription_name(subscription_id: int) -> str:
    """Return the label of a subscription."""
    return _SUBSCRIPTIONS.get(subscription_id, f"Subscription {subscription_id}")
