"""`/audittrail` of the imitated OpenX, in both forms of its URL."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from datetime import UTC, datetime, timedelta

from auditlogs_sandbox.vendors.openx.replies import Parameters, RefusedError, value_error

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditlogs_sandbox.histories import TrackedObject
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.openx.objects import Objects
    from auditlogs_sandbox.vendors.openx.paging import Paging

Precision: t.TypeAlias = t.Literal["day", "midnight"]

_NESTED: t.Final = frozenset({"sort", "limit", "offset", "revision", "user"})
_FILTER: t.Final = _NESTED | {"obj_type", "obj_id"}
_TIMESTAMP: t.Final = re.compile(r"timestamp(>=|<=|!=|>|<|=)(.*)", re.DOTALL)
_DATE: t.Final = re.compile(r"\d{4}-\d\d-\d\d")
_DAY: t.Final = int(timedelta(days=1).total_seconds())
_NEWEST_FIRST: t.Final = "-revision"


class _Record(t.NamedTuple):
    item: TrackedObject
    revision: int
    moment: int


_SORT_KEYS: t.Final[dict[str, Callable[[_Record], tuple[int, int]]]] = {
    "revision": lambda record: (record.revision, record.moment),
    "timestamp": lambda record: (record.moment, record.revision),
}


class AuditTrail:
    """Handles requests for the history.

    Attributes:
        unreadable: Objects, as type and id, whose history the user may not read.
        timestamp_precision: Whether a date stands for its whole day in comparisons, or for its first second; no page
            tells.
        purged: How many of its oldest revisions an object, as type and id, no longer has.
        omitted_once: Type, id and revision of records that one answer lacks, and the next has again.
        bulk: Whether a whole type can be asked for, which no page shows.
        filter_zone: How far the zone of the days in filters is ahead of UTC.
        ignores_timestamp: Whether filters by time have no effect.
        ignores_sort: Whether the newest always come first.
        missing_object: How the history of an object that does not exist is answered.
        numbered_by: The step from one revision to the next.
        without_revisions: Whether records have no revision.
        head_inserts: How many changes are made to the objects asked about before each page but the first.
    """

    def __init__(self, objects: Objects, paging: Paging) -> None:
        self.unreadable: set[tuple[str, int]] = set()
        self.timestamp_precision: Precision = "day"
        self.purged: Counter[tuple[str, int]] = Counter()
        self.omitted_once: set[tuple[str, int, int]] = set()
        self.bulk = False
        self.filter_zone = timedelta()
        self.ignores_timestamp = False
        self.ignores_sort = False
        self.missing_object: t.Literal["refused", "empty"] = "refused"
        self.numbered_by = 1
        self.without_revisions = False
        self.head_inserts = 0
        self._objects = objects
        self._paging = paging

    def readable(self) -> Iterator[Row]:
        """Return everything that a user can read who lists the objects first."""
        catalogue = self._objects.catalogue
        for kind in catalogue.kinds:
            for item in catalogue.live(kind):
                if (kind, item.id) not in self.unreadable:
                    for revision, moment in self._kept(item):
                        yield self._record(item, revision, moment)

    def answer(self, parts: list[str], nested: tuple[str, str] | None) -> t.Any:
        """Return the history of an object.

        Raises:
            RefusedError: The request is malformed, or the object unknown or not to be read.
        """
        tests = [test for part in parts if (test := self._read_timestamp(part))]
        sent = Parameters(
            [part for part in parts if not _TIMESTAMP.fullmatch(part)], _FILTER if nested is None else _NESTED
        )
        obj_type, obj_id = (sent.text("obj_type"), sent.text("obj_id")) if nested is None else nested
        items = self._find(obj_type, obj_id)
        limit, offset = self._paging.read(sent)
        if offset and self.head_inserts:
            self._insert(items)
        records = [record for record in self._select(items, sent) if all(test(record.moment) for test in tests)]
        cut = [record for record in records[offset : offset + limit] if not self._is_omitted(record)]
        page = [self._record(*record) for record in cut]
        return self._paging.envelope(page, limit, offset, len(records))

    def _record(self, item: TrackedObject, revision: int, moment: int) -> Row:
        record = self._objects.record(item, revision, moment)
        if self.without_revisions:
            del record["revision"]
        else:
            record["revision"] = 1 + (revision - 1) * self.numbered_by
        return record

    def _kept(self, item: TrackedObject) -> Iterator[tuple[int, int]]:
        oldest = self.purged[item.kind, item.id] + 1
        return (record for record in self._objects.records(item) if record[0] >= oldest)

    def _is_omitted(self, record: _Record) -> bool:
        known = record.item.kind, record.item.id, record.revision
        if known not in self.omitted_once:
            return False
        self.omitted_once.remove(known)
        return True

    def _find(self, obj_type: str | None, obj_id: str | None) -> list[TrackedObject]:
        if obj_id is None and self.bulk and obj_type in self._objects.catalogue.kinds:
            return self._objects.catalogue.live(obj_type)
        if obj_id is None:
            # Never shown by the vendor; documents are silent about what comes.
            raise value_error("obj_id is required")
        if not obj_id.isascii() or not obj_id.isdigit():
            raise value_error("obj_id must be the numeric id of an object")
        kinds = list(self._objects.catalogue.kinds) if obj_type is None else [obj_type]
        if unknown := [kind for kind in kinds if kind not in self._objects.catalogue.kinds]:
            raise self._paging.unknown_type(unknown[0])
        items = [item for kind in kinds if (item := self._objects.catalogue.find(kind, int(obj_id)))]
        if not items and self.missing_object == "refused":
            raise RefusedError(404, "Object Not Found", f"there is no {obj_type or 'object'} {obj_id}")
        if any((item.kind, item.id) in self.unreadable for item in items):
            raise RefusedError(403, "Permission", "you may not read the history of this object")
        return items

    def _select(self, items: list[TrackedObject], sent: Parameters) -> list[_Record]:
        order = _NEWEST_FIRST if self.ignores_sort else sent.text("sort") or _NEWEST_FIRST
        key = _SORT_KEYS.get(order.removeprefix("-"))
        if key is None:
            raise value_error("sort must be revision or timestamp, descending with a minus sign")
        revision = sent.number("revision", 0)
        user = sent.text("user")
        found = [
            _Record(item, each, moment)
            for item in items
            for each, moment in self._kept(item)
            if revision in {0, each} and (user is None or self._objects.email(item, each) == user)
        ]
        return sorted(found, key=key, reverse=order.startswith("-"))

    def _read_timestamp(self, part: str) -> Callable[[int], bool] | None:
        matched = _TIMESTAMP.fullmatch(part)
        if matched is None:
            return None
        operator, text = matched.groups()
        day = _read_day(text)
        if day is None:
            raise value_error("timestamp must be compared with YYYY-MM-DD")
        if self.ignores_timestamp:
            return lambda _moment: True
        day -= int(self.filter_zone.total_seconds())
        last = day + _DAY - 1 if self.timestamp_precision == "day" else day
        tests: dict[str, Callable[[int], bool]] = {
            ">=": lambda moment: moment >= day,
            ">": lambda moment: moment > last,
            "<=": lambda moment: moment <= last,
            "<": lambda moment: moment < day,
            "=": lambda moment: day <= moment <= last,
            "!=": lambda moment: not day <= moment <= last,
        }
        return tests[operator]

    def _insert(self, items: list[TrackedObject]) -> None:
        catalogue = self._objects.catalogue
        for item in items:
            for _ in range(self.head_inserts):
                catalogue.change(item, max(catalogue.now() - 1, item.modified))


def _read_day(text: str) -> int | None:
    """Read the first second of a day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:  # the form is right, but there is no such day
        return None
