"""What the imitated vendors share: clock, seed and generated people."""

from __future__ import annotations

import string
import typing as t
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

if t.TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SIZE: t.Final = 4500
NANOSECONDS: t.Final = 1_000_000_000

# The history ends this long before the start, so that there is room for later slices before "now".
QUIET: t.Final = timedelta(hours=1)

_NAMES: t.Final = (
    "Ada Lovelace",
    "Grace Hopper",
    "Zoë Ångström",
    "José Ñúñez",
    "渡辺 真理",
    "김 민준",
    "ليلى حداد",
    "דוד כהן",
    "Иван Петров",
    "Ελένη Παπαδάκη",
    "Anna-Lena Müller 🚀",
    'Robert "Bobby" O\'Tables',
    "Comma, Quoted\tTab",
    "Line\nBreak",
    "A" * 200,
)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def to_nanoseconds(moment: datetime) -> int:
    """Return nanoseconds since 1970, without going through a float."""
    elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * NANOSECONDS + elapsed.microseconds * 1000


@dataclass(frozen=True)
class Person:
    """A generated person."""

    id: str
    name: str
    email: str


@dataclass(frozen=True)
class World:
    """Clock, seed and size that all generated data depends on.

    The same seed, size and clock give the same data.

    Attributes:
        seed: What all made-up data and credentials follow from.
        size: About how many rows the largest log of each vendor has at the start.
        clock: Tells the time; a test may pass one that it moves.
        base: The time at the start, up to which the history was made up.
    """

    seed: int = 1
    size: int = DEFAULT_SIZE
    clock: Callable[[], datetime] = _wall_clock
    base: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", self.now())

    def now(self) -> datetime:
        """Current time of the sandbox in UTC."""
        return self.clock().astimezone(UTC)

    def rng(self, *purpose: str) -> Random:
        """Return a random number generator for a purpose, the same for the same seed."""
        return Random(":".join((str(self.seed), *purpose)))  # noqa: S311 - made-up data, not cryptography  # nosec B311

    def secret(self, *purpose: str, length: int = 43, alphabet: str = string.ascii_letters + string.digits) -> str:
        """Generate a credential, the same for the same seed."""
        return "".join(self.rng("secret", *purpose).choices(alphabet, k=length))

    def people(self, vendor: str) -> list[Person]:
        """Generate the people in a vendor's logs; some have names that are hard to store."""
        rng = self.rng(vendor, "people")
        return [
            Person(id=made_up_uuid(rng), name=name, email=f"person{number}@example.com")
            for number, name in enumerate(_NAMES)
        ]

    def history(self, rng: Random, *, days: float, count: int) -> list[int]:
        """Return ascending times in nanoseconds since 1970, spread over the past, in steps of 100 ns as in .NET."""
        end = to_nanoseconds(self.base - QUIET)
        begin = end - int(days * 86_400 * NANOSECONDS)
        return sorted(rng.randrange(begin, end) // 100 * 100 for _ in range(count))

    def following(self, rng: Random, newest: int, count: int) -> list[int]:
        """Return ascending times for new rows: after the newest row, in the first half of the time until now.

        The second half stays free for the next slice, also when the clock stands still.
        """
        middle = max(newest + count, (newest + to_nanoseconds(self.now())) // 2)
        return sorted(rng.randrange(newest + 1, middle + 1) for _ in range(count))


def happens(rng: Random, probability: float) -> bool:
    """Return True with the given probability."""
    return rng.random() < probability


def made_up_uuid(rng: Random) -> str:
    """Generate a UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
