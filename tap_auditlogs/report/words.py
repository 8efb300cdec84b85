"""Numbers and comparisons as text."""

from __future__ import annotations

import typing as t

_FEW: t.Final = 0.005
_MANY_TIMES: t.Final = 1.95
_LONGEST: t.Final = 60


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


def distinct(name: str, place: int) -> str:
    """Cut a long name, and make it differ from equal names at other places, invisibly."""
    return shorten(name) + "\u200b" * place
