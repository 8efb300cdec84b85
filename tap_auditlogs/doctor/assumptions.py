"""What the tap assumes where a vendor's documentation is silent, and what a vendor's answers say about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from enum import StrEnum

if t.TYPE_CHECKING:
    from collections.abc import Callable

TDoctor = t.TypeVar("TDoctor")


class Outcome(StrEnum):
    """Whether an assumption holds for this account."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_OBSERVABLE = "not observable"


@dataclass(frozen=True)
class Finding:
    """The outcome of a probe.

    Attributes:
        reason: What the outcome rests on. It becomes part of the public report: literals, counts, HTTP statuses, field
            names and JSON types only, nothing else of what the vendor sent.
    """

    outcome: Outcome
    reason: str


def confirmed(reason: str) -> Finding:
    """Return the finding that an assumption holds."""
    return Finding(Outcome.CONFIRMED, reason)


def contradicted(reason: str) -> Finding:
    """Return the finding that an assumption is wrong."""
    return Finding(Outcome.CONTRADICTED, reason)


def not_observable(reason: str) -> Finding:
    """Return the finding that this account does not show whether an assumption holds."""
    return Finding(Outcome.NOT_OBSERVABLE, reason)


@dataclass(frozen=True)
class Reading:
    """One outcome.

    Attributes:
        answer: The answer that it is read from.
        tap: What the tap does then.
    """

    answer: str
    tap: str


@dataclass(frozen=True)
class Assumption(t.Generic[TDoctor]):
    """One assumption.

    Attributes:
        id: The vendor's name and two digits, such as `pigment-03`. Code that relies on it cites the id in a comment.
        sentence: What is assumed.
        relied_on: Where: `module:name`. The module contains the citation.
        request: What the probe asks for, or what it looks at.
        confirmed: Also what the tap does if nothing can be observed.
        unseen: When nothing can be observed.
        probe: Sends requests, if it needs any, and reads the answers.
    """

    id: str
    sentence: str
    relied_on: str
    request: str
    confirmed: Reading
    contradicted: Reading
    unseen: str
    probe: Callable[[TDoctor], Finding]

    def consequence(self, outcome: Outcome) -> str:
        """Return what the tap does in a case."""
        return (self.contradicted if outcome is Outcome.CONTRADICTED else self.confirmed).tap
