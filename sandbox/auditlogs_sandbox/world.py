"""What all imitated vendors have in common: the clock, the seed and a cast of made-up people."""

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
    """Give a moment as whole nanoseconds since 1970, without going through a float.

    Args:
        moment: An aware datetime.

    Returns:
        The nanoseconds.
    """
    elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * NANOSECONDS + elapsed.microseconds * 1000


@dataclass(frozen=True)
class Person:
    """A made-up person."""

    id: str
    name: str
    email: str


@dataclass(frozen=True)
class World:
    """The ground the imitated vendors stand on.

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
        """Tell the time of the sandbox in UTC."""
        return self.clock().astimezone(UTC)

    def rng(self, *purpose: str) -> Random:
        """Give a source of random numbers of its own for each purpose.

        Args:
            *purpose: What the numbers are for.

        Returns:
            The source, which yields the same numbers for the same seed.
        """
        return Random(":".join((str(self.seed), *purpose)))  # noqa: S311 - made-up data, not cryptography  # nosec B311

    def secret(self, *purpose: str, length: int = 43, alphabet: str = string.ascii_letters + string.digits) -> str:
        """Make up a credential.

        Args:
            *purpose: What it is for.
            length: How many characters it has.
            alphabet: The characters to choose from.

        Returns:
            The credential, the same for the same seed.
        """
        return "".join(self.rng("secret", *purpose).choices(alphabet, k=length))

    def people(self, vendor: str) -> list[Person]:
        """Make up the people who act in a vendor's logs.

        Args:
            vendor: The name of the vendor.

        Returns:
            The people, some with names that are hard to store.
        """
        rng = self.rng(vendor, "people")
        return [
            Person(id=made_up_uuid(rng), name=name, email=f"person{number}@example.com")
            for number, name in enumerate(_NAMES)
        ]

    def history(self, rng: Random, *, days: float, count: int) -> list[int]:
        """Spread moments over the past, ending a while before the start.

        Args:
            rng: The source of random numbers.
            days: How far back to go.
            count: How many moments.

        Returns:
            The moments in nanoseconds since 1970, ascending, on whole 100 ns as .NET keeps them.
        """
        end = to_nanoseconds(self.base - QUIET)
        begin = end - int(days * 86_400 * NANOSECONDS)
        return sorted(rng.randrange(begin, end) // 100 * 100 for _ in range(count))

    def following(self, rng: Random, newest: int, count: int) -> list[int]:
        """Find moments for new rows: after the newest row, and in the first half of the time until now.

        The second half stays free for the next slice, also when the clock stands still.

        Args:
            rng: The source of random numbers.
            newest: When the newest row was made, in nanoseconds since 1970.
            count: How many moments.

        Returns:
            The moments in nanoseconds since 1970, ascending.
        """
        middle = max(newest + count, (newest + to_nanoseconds(self.now())) // 2)
        return sorted(rng.randrange(newest + 1, middle + 1) for _ in range(count))


def happens(rng: Random, probability: float) -> bool:
    """Let chance decide.

    Args:
        rng: The source of random numbers.
        probability: How likely it is, from 0 to 1.

    Returns:
        Whether it happens.
    """
    return rng.random() < probability


def made_up_uuid(rng: Random) -> str:
    """Make up an identifier in the usual 8-4-4-4-12 form.

    Args:
        rng: The source of random numbers.

    Returns:
        The identifier.
    """
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
