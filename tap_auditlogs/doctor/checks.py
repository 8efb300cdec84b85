"""What is checked besides the assumptions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from enum import StrEnum

if t.TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 row` or `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What is checked.
        reason: What the status rests on. Part of the public report: nothing of the account, as in a `Finding`.
        next_step: What the operator can do, if it is not well; part of the report as well.
        detail: Shown on the terminal only; may name hosts and quote the vendor.
        facts: Counts, timings and names of headers for the report.
    """

    name: str
    status: Status
    reason: str
    next_step: str = ""
    detail: str = ""
    facts: Mapping[str, t.Any] = field(default_factory=dict)
