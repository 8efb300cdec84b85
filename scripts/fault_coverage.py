"""Print which test covers which case of the fault catalogue."""

from __future__ import annotations

import importlib
import sys
import typing as t
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.catalogue import ALL, CASES, CHAPTERS, NOT_APPLICABLE, OPEN

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TESTS: t.Final = Path(__file__).parents[1] / "tests"

Covered: t.TypeAlias = "dict[tuple[str, str], list[str]]"

_INTRODUCTION = """# What can go wrong, and what tests it

From the markers of the tests and `tests/faults/catalogue.py`. A number in a cell is a test named below; `n/a` is a
case that cannot happen to that vendor, for the reason below;
**open** is what no test covers. Cases of priority 0 block a release.
"""


def covered(*, usual: bool = False) -> Covered:
    """Find which tests cover which case of which vendor; if `usual`, without those of the exhaustive run."""
    found: Covered = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        name = ".".join(("tests", *file.relative_to(TESTS).with_suffix("").parts))
        try:
            module = importlib.import_module(name)
        except pytest.skip.Exception:  # it needs packages that are not installed
            continue
        for test, function in vars(module).items():
            if test.startswith("test_") and getattr(function, "__module__", "") == name:
                if usual and any(mark.name == "exhaustive" for mark in getattr(function, "pytestmark", [])):
                    continue
                for place in _marked(function):
                    found.setdefault(place, []).append(f"{file.relative_to(TESTS)}::{test}")
    return found


def _marked(function: t.Any) -> Iterator[tuple[str, str]]:
    """A marker without vendors is about those that the test is parametrized with, or about all."""
    marks = getattr(function, "pytestmark", [])
    run_for = [mark.args[1] for mark in marks if mark.name == "parametrize" and mark.args[0] == "vendor"]
    for mark in marks:
        if mark.name == "case":
            number, *named = mark.args
            for vendor in named or [vendor for vendors in run_for or [ALL] for vendor in vendors]:
                yield number, vendor


def mistakes() -> list[str]:
    """What the markers and the catalogue say of cases that are not there."""
    faults = []
    found = covered()
    for number, vendor in [*found, *NOT_APPLICABLE, *OPEN]:
        if number not in CASES or vendor not in ALL:
            faults.append(f"there is no case {number} of {vendor}")
    faults += [f"{place} is covered and not applicable" for place in sorted(found.keys() & NOT_APPLICABLE.keys())]
    faults += [
        f"{place} is open, and covered or not applicable" for place in OPEN if place in {*found, *NOT_APPLICABLE}
    ]
    return sorted(set(faults))


def open_cases(priority: int) -> list[tuple[str, str]]:
    """Give the cases of a priority that no test covers though they can happen."""
    found = covered()
    return [
        (number, vendor)
        for number, case in CASES.items()
        for vendor in ALL
        if case.priority == priority and (number, vendor) not in found and (number, vendor) not in NOT_APPLICABLE
    ]


def chapters() -> Iterator[tuple[str, ...]]:
    """Give, for each chapter, its name, how many cases it has, and of each vendor how many are covered."""
    found = covered()
    for letter, name in CHAPTERS.items():
        numbers = [number for number in CASES if number.startswith(letter)]
        yield name, str(len(numbers)), *(_count(numbers, vendor, found) for vendor in ALL)


def _count(numbers: list[str], vendor: str, found: Covered) -> str:
    done = sum((number, vendor) in found for number in numbers)
    impossible = sum((number, vendor) in NOT_APPLICABLE for number in numbers)
    parts = [str(done), f"{impossible} n/a", f"**{len(numbers) - done - impossible} open**"]
    return ", ".join(part for part in parts if not part.startswith(("0 ", "**0 ")))


def table() -> str:
    """Write the table."""
    found = covered()
    numbers = {
        test: place for place, test in enumerate(sorted({test for tests in found.values() for test in tests}), 1)
    }
    reasons = {why: f"r{place}" for place, why in enumerate(dict.fromkeys(NOT_APPLICABLE.values()), 1)}
    gaps = {why: f"o{place}" for place, why in enumerate(dict.fromkeys(OPEN.values()), 1)}
    counts: Counter[tuple[int, str]] = Counter()
    rows = []
    for number, case in CASES.items():
        cells = []
        for vendor in ALL:
            if tests := found.get((number, vendor)):
                counts[case.priority, "covered"] += 1
                cells.append(", ".join(str(numbers[test]) for test in tests))
            elif why := NOT_APPLICABLE.get((number, vendor)):
                counts[case.priority, "not applicable"] += 1
                cells.append(f"n/a ({reasons[why]})")
            else:
                counts[case.priority, "open"] += 1
                cells.append(f"**open** ({gaps[OPEN[number, vendor]]})" if (number, vendor) in OPEN else "**open**")
        fault = case.fault.replace("|", "\\|")
        rows.append(f"| {number} | {case.priority} | {fault} | {' | '.join(cells)} |")
    kinds = ("covered", "not applicable", "open")
    summary = [
        f"| P{priority} | {' | '.join(str(counts[priority, kind]) for kind in kinds)} |"
        for priority in sorted({case.priority for case in CASES.values()})
    ]
    return "\n".join(
        [
            _INTRODUCTION,
            f"| case x vendor | {' | '.join(kinds)} |",
            "|---|---|---|---|",
            *summary,
            "",
            f"| # | P | what goes wrong | {' | '.join(ALL)} |",
            "|---" * (3 + len(ALL)) + "|",
            *rows,
            "",
            "## Not applicable",
            "",
            *(f"- ({letter}) {why}" for why, letter in reasons.items()),
            "",
            "## Open",
            "",
            *(f"- ({letter}) {why}" for why, letter in gaps.items()),
            "",
            "## Tests",
            "",
            *(f"{place}. `{test}`" for test, place in numbers.items()),
            "",
        ]
    )


def main() -> int:
    """Print the table, or what is wrong with the catalogue."""
    if faults := mistakes():
        sys.stderr.write("\n".join([*faults, ""]))
        return 1
    sys.stdout.write(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
