"""Renders charts: for the page as SVG with CSS variables for its colours, and as image files."""

from __future__ import annotations

import re
import typing as t

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from tap_auditlogs.report import colors
from tap_auditlogs.report.charts import NARROW, WIDE

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_auditlogs.report.subject import Draw, Figure

_VERSION: t.Final = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
_VARIABLES: t.Final = {color.light: f"var(--{color.name})" for color in colors.ALL}
_COLOR: t.Final = re.compile("|".join(_VARIABLES))
_IMAGE_SCALE: t.Final = 2.0


def embed(figure: Figure) -> dict[str, str]:
    """Return the chart as SVG elements by the name of their width."""
    return {name: _svg_element(figure, name, width) for name, width in (("wide", WIDE), ("narrow", NARROW))}


def _svg_element(figure: Figure, name: str, width: int) -> str:
    svg = _render(figure, width)
    svg = _COLOR.sub(lambda found: _VARIABLES[found[0]], svg)
    svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    # Ids are unique within one SVG only.
    prefix = f"{figure.id}-{name}-"
    svg = re.sub(r'(?<= id=")(?=[^"<>]*")', prefix, svg)
    return re.sub(r'(?<="url\(#)', prefix, svg)


def write_images(figure: Figure, folder: Path) -> None:
    """Write the chart as `<id>.svg` and `<id>.png`, for a light page."""
    svg = _render(figure, WIDE, title=figure.title)
    (folder / f"{figure.id}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{figure.id}.png").write_bytes(vl_convert.svg_to_png(svg, scale=_IMAGE_SCALE))


def _render(figure: Figure, width: int, title: str | None = None) -> str:
    draw = t.cast("Draw", figure.draw)
    with debug_mode(False):  # validation takes as long as drawing, and the tests draw every chart with it
        spec = draw(width).to_dict()
    if title is not None:
        spec |= {"title": title, "background": colors.PAPER.light}
    return vl_convert.vegalite_to_svg(spec, vl_version=_VERSION)
