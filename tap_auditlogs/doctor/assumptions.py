"""What the tap assumes where a vendor's documentation is silent, and what a vendor's answers say about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tap_auditlogs.core.times import timestamp_or_none

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

TDoctor = t.TypeVar("TDoctor")

_TOLERATED_SKEW = timedelta(minutes=5)


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


def judged(holds: bool, reason: str) -> Finding:
    """Return the finding for a reason that can be read both ways, such as a count of exceptions."""
    return confirmed(reason) if holds else contradicted(reason)


def never_observable(reason: str) -> Callable[[t.Any], Finding]:
    """Return the probe of an assumption that no look at the vendor can settle."""
    return lambda _doctor: not_observable(reason)


LATER: t.Final = "one look does not show what comes later"
DONE_BEFORE: t.Final = "the doctor is done before a token ends"


def judge_times(values: Sequence[object], now: datetime) -> Finding:
    """Judge whether values are times in UTC and, by the vendor's time `now`, not in the future."""
    moments = [timestamp_or_none(value) for value in values]
    unread = moments.count(None)
    if unread:
        return contradicted(f"{unread} of {len(moments)} are no such texts")
    future = sum(moment > now + _TOLERATED_SKEW for moment in moments if moment is not None)
    if future:
        return contradicted(f"{future} of {len(moments)} lie in the future if they are in UTC")
    return confirmed(f"{len(moments)} are such texts and, in UTC, not in the future")


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
