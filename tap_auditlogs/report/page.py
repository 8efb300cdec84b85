"""Builds the HTML page."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from dataclasses import dataclass

import jinja2

from tap_auditlogs.report import colors, words

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_auditlogs.report.images import Drawing
    from tap_auditlogs.report.period import Period
    from tap_auditlogs.report.subject import Cell, Data

_MOST_ROWS: t.Final = 800


@dataclass(frozen=True)
class Section:
    """A subject with its figures."""

    title: str
    drawings: Sequence[Drawing]

    @property
    def id(self) -> str:
        """Its address in the page."""
        return "section-" + self.title.lower().replace(" ", "-")


def render_page(sections: Sequence[Section], period: Period, source: str, now: datetime) -> str:
    """Return the page; all text in it is escaped, and its policy forbids every request and script."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tap_auditlogs.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _cell
    environment.filters["numeric"] = _numeric_columns
    style = environment.get_template("style.css.j2").render(colors=colors.ALL)
    page = environment.get_template("page.html.j2").render(
        sections=sections,
        period=period,
        source=source,
        now=now,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        most_rows=_MOST_ROWS,
    )
    return words.printable(page)


def _numeric_columns(data: Data) -> set[int]:
    """Return the places of the columns that hold numbers or shares, which are aligned to the right."""
    columns = ([row[place] for row in data.rows if row[place] is not None] for place in range(len(data.columns)))
    return {place for place, values in enumerate(columns) if values and all(map(_is_numeric, values))}


def _is_numeric(value: Cell) -> bool:
    return not isinstance(value, str) or value.endswith(" %")


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else words.number(value)
