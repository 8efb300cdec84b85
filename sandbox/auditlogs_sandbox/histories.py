"""Objects with a change history, for vendors that return the history of one object at a time.

Only the times of changes are kept, and most are generated when needed, so that thousands of objects with tens of
changes each need little memory. The content of a change is derived from its number.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from auditlogs_sandbox.world import NANOSECONDS, to_nanoseconds

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditlogs_sandbox.world import World

UNNOTICED_AGE: t.Final = timedelta(days=5)
"""Age of the change that `Catalogue.advance` logs without updating the object's modification time."""

_ID_STEP: t.Final = 7
_DAY: t.Final = 86_400
_NEWEST_DAYS: t.Final = 3  # older than any look-back, so that a second run has only what changed since
_OLDEST_DAYS: t.Final = 120
_SPAN_DAYS: t.Final = 25
_ANCIENT_DAYS: t.Final = (250, 300)
_ANCIENT_EVERY: t.Final = 3
_CHANGED_PER_KIND: t.Final = 2


@dataclass(slots=True)
class TrackedObject:
    """An object with its history.

    Times are whole seconds since 1970, as these vendors write no fractions.

    Attributes:
        kind: The type or service it belongs to.
        id: Its id, unique within its kind.
        number: Its place among the objects of its kind, from 0.
        first: When it was created.
        last: When the last of the made-up changes happened.
        made_up: How many changes the history was made up with, the creation included.
        salt: What the times between follow from.
        later: When the further changes happened, in the order in which they were logged.
        modified: The time of modification that the object itself shows.
        shown_changes: How many changes the object itself tells of.
        deleted: Whether it is gone.
    """

    kind: str
    id: int
    number: int
    first: int
    last: int
    made_up: int
    salt: int
    modified: int
    shown_changes: int
    later: list[int] = field(default_factory=list)
    deleted: bool = False

    @property
    def changes(self) -> int:
        """How many changes there are; they are numbered from 0, the creation."""
        return self.made_up + len(self.later)

    def moments(self) -> list[int]:
        """Return the time of each change, by its number."""
        rng = Random(self.salt)  # noqa: S311 - made-up data, not cryptography  # nosec B311
        between = sorted(rng.randint(self.first, self.last) for _ in range(self.made_up - 2))
        ends = [self.first] if self.made_up == 1 else [self.first, self.last]
        return [*ends[:1], *between, *ends[1:], *self.later]


class Catalogue:
    """The objects of a vendor.

    Attributes:
        kinds: The types or services, each with the id of its first object.
    """

    def __init__(self, world: World, vendor: str, kinds: Mapping[str, int]) -> None:
        self.kinds = dict(kinds)
        self._world = world
        self._rng = world.rng(vendor, "histories")
        self._objects: dict[str, list[TrackedObject]] = {kind: [] for kind in kinds}
        self._filled: dict[str, int] = {}
        self._advances = 0
        self._advanced = self.now()

    def now(self) -> int:
        """Time in whole seconds since 1970."""
        return to_nanoseconds(self._world.now()) // NANOSECONDS

    def fill(self, sizes: Mapping[str, int], changes: Callable[[str, int], int], *, ancient: bool) -> None:
        """Generate all objects anew; the newest change is three days older than the start.

        Args:
            sizes: Number of objects by kind; kinds that are not named get none.
            changes: Returns the number of changes, at least one, for a kind and an object's number.
            ancient: Whether some objects are older than what a vendor keeps.
        """
        self._objects = {kind: [] for kind in self.kinds}
        self._filled = dict(sizes)
        base = to_nanoseconds(self._world.base) // NANOSECONDS
        for kind, size in sizes.items():
            for number in range(size):
                last = base - self._rng.randrange(_NEWEST_DAYS * _DAY, _OLDEST_DAYS * _DAY)
                count = changes(kind, number)
                if ancient and number % _ANCIENT_EVERY == _ANCIENT_EVERY - 1:
                    first = base - self._rng.randrange(_ANCIENT_DAYS[0] * _DAY, _ANCIENT_DAYS[1] * _DAY)
                else:
                    first = last - self._rng.randrange(_SPAN_DAYS * _DAY)
                self._append(kind, first, last if count > 1 else first, count)

    def live(self, kind: str) -> list[TrackedObject]:
        """Return the objects that are not deleted, by id ascending."""
        return [item for item in self._objects[kind] if not item.deleted]

    def deleted(self, kind: str) -> list[TrackedObject]:
        """Return the objects that are deleted, by id ascending."""
        return [item for item in self._objects[kind] if item.deleted]

    def find(self, kind: str, identifier: int) -> TrackedObject | None:
        """Return an object, deleted or not, or None; the kind may be unknown."""
        if kind not in self.kinds:
            return None
        number, rest = divmod(identifier - self.kinds[kind], _ID_STEP)
        return self.by_number(kind, number) if rest == 0 else None

    def known(self, kind: str, identifier: int) -> TrackedObject:
        """Return an object that exists, deleted or not.

        Raises:
            KeyError: There is none.
        """
        item = self.find(kind, identifier)
        if item is None:
            message = f"there is no {kind} {identifier}"
            raise KeyError(message)
        return item

    def by_number(self, kind: str, number: int) -> TrackedObject | None:
        """Return an object, deleted or not, by its number within its kind, or None."""
        known = self._objects[kind]
        return known[number] if 0 <= number < len(known) else None

    def made_up_id(self, kind: str, number: int) -> int:
        """Return the id of an object generated by `fill`; numbers beyond the last begin again with the first."""
        return self.kinds[kind] + _ID_STEP * (number % max(1, self._filled.get(kind, 0)))

    def add(self, kind: str) -> TrackedObject:
        """Create an object now."""
        return self._append(kind, self.now() - 1, self.now() - 1, 1)

    def change(self, item: TrackedObject, moment: int, *, bump: bool = True) -> int:
        """Log a change and return its number; with `bump` the object itself shows it."""
        item.later.append(moment)
        if bump:
            item.modified = max(item.modified, moment)
            item.shown_changes = item.changes
        return item.changes - 1

    def delete(self, item: TrackedObject) -> None:
        """Delete an object; its history ends with that change."""
        self.change(item, max(item.modified, self.now() - 1))
        item.deleted = True

    def advance(self) -> None:
        """Change some objects of each kind in the last seconds, and create one of the first kind that has any.

        When five days or more have passed since the last time, one object also changed five days ago without showing
        it. Earlier such a change would be dated before what a client has rightly finished reading.
        """
        now = self.now()
        kinds = [kind for kind in self.kinds if self.live(kind)]
        for kind in kinds:
            live = self.live(kind)
            for turn in range(min(_CHANGED_PER_KIND, len(live))):
                item = live[(self._advances * _CHANGED_PER_KIND + turn) % len(live)]
                self.change(item, max(now - 1 - turn, item.modified))
        if kinds:
            if now - self._advanced >= UNNOTICED_AGE.total_seconds():
                self._change_unnoticed(self.live(kinds[0]), now - int(UNNOTICED_AGE.total_seconds()))
            self.add(kinds[0])
        self._advances += 1
        self._advanced = now

    def _change_unnoticed(self, candidates: Sequence[TrackedObject], moment: int) -> None:
        for item in candidates:
            if item.moments()[-1] < moment:
                self.change(item, moment, bump=False)
                return

    def _append(self, kind: str, first: int, last: int, count: int) -> TrackedObject:
        known = self._objects[kind]
        item = TrackedObject(
            kind=kind,
            id=self.kinds[kind] + _ID_STEP * len(known),
            number=len(known),
            first=first,
            last=last,
            made_up=count,
            salt=self._rng.getrandbits(48),
            modified=last,
            shown_changes=count,
        )
        known.append(item)
        return item
