"""Numbers and comparisons as text."""

from __future__ import annotations

import re
import typing as t
from collections import Counter

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_FEW: t.Final = 0.005
_MANY_TIMES: t.Final = 1.95
_LONGEST: t.Final = 60


_NOT_XML: t.Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RIGHT_TO_LEFT: t.Final = re.compile("[\u0590-\u08ff\u202b\u202e\u2067\ufb1d-\ufdff\ufe70-\ufefc]")


def printable(text: str) -> str:
    """Replace the characters that XML does not allow: a chart with one cannot be drawn."""
    return _NOT_XML.sub("\ufffd", text)


def isolated(name: str) -> str:
    """Keep a name that is written from right to left from turning round what follows it in a sentence."""
    return f"\u2068{name}\u2069" if _RIGHT_TO_LEFT.search(name) else name


def number(value: float) -> str:
    """Format a number: whole ones in full, others with two decimals."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def count(value: int, singular: str, plural: str = "") -> str:
    """Format a number with its noun."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def share(part: float, whole: float) -> str:
    """Format a part of a whole in percent."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if 0 < percent < 0.1:  # noqa: PLR2004 - one decimal would show 0.0
        return "less than 0.1 %"
    if 99.9 < percent < 100:  # noqa: PLR2004 - likewise 100.0
        return "more than 99.9 %"
    return f"{percent:.0f} %" if percent in {0, 100} else f"{percent:.1f} %"


def change(now: float, before: float | None) -> str:
    """Continue a sentence with a comparison with the period before; not if that was not loaded (None)."""
    if before is None:
        return ""
    if before <= 0 or now < 0:
        return ", as in the period before" if now == before else f" ({number(before)} in the period before)"
    ratio = now / before
    if ratio >= _MANY_TIMES:
        return f", {ratio:,.1f} times the period before"
    if abs(ratio - 1) < _FEW:
        return ", as many as in the period before"
    percent = share(abs(now - before), before)
    return f", {percent} {'more' if ratio > 1 else 'less'} than in the period before"


def first_of(shown: int, total: int) -> str:
    """Say how many rows of a list are shown; nothing if that is all."""
    return f"The first {shown:,} of {total:,}." if shown < total else ""


def shorten(text: str) -> str:
    """Cut a long name, for charts."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def distinct(names: Iterable[str]) -> list[str]:
    """Cut long names, and make equal ones differ, invisibly."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(shorten, names):
        found.append(name + "\u200b" * seen[name])
        seen[name] += 1
    return found
