"""Draws the charts of figures: for the page as SVG with CSS variables for its colours, and as image files."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

import altair as alt
from altair.utils.schemapi import debug_mode

from tap_auditlogs.report import colors, words
from tap_auditlogs.report.charts import NARROW, WIDE

if t.TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from tap_auditlogs.report.renderer import Renderer
    from tap_auditlogs.report.subject import Draw, Figure

VERSION: t.Final = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])

_WIDTHS: t.Final = {"wide": WIDE, "narrow": NARROW}
_VARIABLES: t.Final = {color.light: f"var(--{color.name})" for color in colors.ALL}
_COLOR: t.Final = re.compile("|".join(_VARIABLES))
_TAG: t.Final = re.compile(r"<[^>]*>")
_ID: t.Final = re.compile(r'(?<= id=")|(?<="url\(#)')
_IMAGE_SCALE: t.Final = 2.0


@dataclass(frozen=True)
class Drawing:
    """A figure, and its charts by the name of their width, which are being drawn."""

    figure: Figure
    charts: dict[str, Future[str]]

    def elements(self) -> dict[str, str]:
        """Return the charts as SVG elements for the page."""
        return {name: self._element(name, svg.result()) for name, svg in self.charts.items()}

    def _element(self, name: str, svg: str) -> str:
        svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
        # Ids are unique within one SVG only.
        prefix = f"{self.figure.id}-{name}-"

        def adapt(tag: re.Match[str]) -> str:
            colored = _COLOR.sub(lambda found: _VARIABLES[found[0]], tag[0])
            return _ID.sub(prefix, colored)

        return _TAG.sub(adapt, svg)


def begin_drawing(figure: Figure, renderer: Renderer) -> Drawing:
    """Begin to draw the charts of a figure; a table has none, nor has a figure without values."""
    widths = _WIDTHS if figure.draw and not figure.is_empty else {}
    return Drawing(figure, {name: renderer.draw(_specify(figure, width)) for name, width in widths.items()})


def write_images(figure: Figure, renderer: Renderer, folder: Path) -> None:
    """Write the chart as `<id>.svg` and `<id>.png`, for a light page."""
    import vl_convert  # noqa: PLC0415 - takes time to load, and most reports have no images

    spec = _specify(figure, WIDE) | {"title": figure.title, "background": colors.PAPER.light}
    svg = renderer.draw(spec).result()
    (folder / f"{figure.id}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{figure.id}.png").write_bytes(vl_convert.svg_to_png(svg, scale=_IMAGE_SCALE))


def _specify(figure: Figure, width: int) -> dict[str, t.Any]:
    draw = t.cast("Draw", figure.draw)
    with debug_mode(False):  # validation takes as long as drawing, and the tests draw every chart with it
        return t.cast("dict[str, t.Any]", _printable(draw(width).to_dict()))


def _printable(value: t.Any) -> t.Any:
    """Make all text in a chart printable: with a control character, drawing it ends its process."""
    match value:
        case str():
            return words.printable(value)
        case list():
            return [_printable(it) for it in value]
        case dict():
            return {key: _printable(it) for key, it in value.items()}
    return value
