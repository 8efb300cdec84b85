"""The kinds of charts. Each function returns a function that draws in a given width."""

from __future__ import annotations

import itertools
import typing as t

import altair as alt

from tap_auditlogs.report.colors import HEAT, MUTED, RULE, SERIES, TEXT
from tap_auditlogs.report.subject import Data

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_auditlogs.report.colors import Color
    from tap_auditlogs.report.subject import Cell, Draw, Drawing

    Row: t.TypeAlias = Mapping[str, t.Any]

WIDE: t.Final = 640
NARROW: t.Final = 320
"""The widths that the page has each chart in, without axis labels."""

# Each label by itself: an axis with one prefix would begin at "0k".
_NUMBER: t.Final = "abs(datum.value) < 1 ? format(datum.value, '~g') : format(datum.value, '~s')"
_SHARE: t.Final = "format(datum.value, '.0%')"

OTHER: t.Final = "all others"

_HEIGHT: t.Final = 200
_BAR_HEIGHT: t.Final = 22
_PIXELS_PER_TICK: t.Final = 105
_MOST_SEPARATE_BARS: t.Final = 60


class Point(t.NamedTuple):
    """A value of one series in one part of the period."""

    part: str
    series: str
    value: float


def series_of(points: Sequence[Point], order: Sequence[str]) -> list[str]:
    """Return the series that have a point, in the order given."""
    present = {point.series for point in points}
    return [name for name in order if name in present]


def largest_series(points: Sequence[Point], most: int) -> list[Point]:
    """Put all but the largest series together, so that at most `most` remain."""
    totals = totals_of(points)
    if len(totals) <= most:
        return list(points)
    kept = set(sorted(totals, key=lambda name: (-totals[name], name))[: most - 1])
    sums: dict[tuple[str, str], float] = {}
    for part, series, value in points:
        place = (part, series if series in kept else OTHER)
        sums[place] = sums.get(place, 0) + value
    return [Point(part, series, value) for (part, series), value in sums.items()]


def totals_of(points: Sequence[Point]) -> dict[str, float]:
    """Return the sum of each series, the largest first and the rest of them last."""
    totals: dict[str, float] = {}
    for point in points:
        totals[point.series] = totals.get(point.series, 0) + point.value
    order = sorted(totals, key=lambda name: (name == OTHER, -totals[name], name))
    return {name: totals[name] for name in order}


def peak(points: Sequence[Point]) -> Point:
    """Return the largest point; of several the one that sorts first."""
    return min(points, key=lambda point: (-point.value, point.part, point.series))


def table_over_time(points: Sequence[Point], parts: Sequence[str], series: Sequence[str], unit: str) -> Data:
    """Return the values with a row for each part of the period and a column for each series."""
    names = series_of(points, series)
    values = {(point.part, point.series): point.value for point in points}
    rows: list[list[Cell]] = [[part, *(values.get((part, name), 0) for name in names)] for part in parts]
    return Data((unit.capitalize(), *names), rows)


def palette(names: Sequence[str], fixed: Mapping[str, Color] | None = None) -> dict[str, str]:
    """Return a colour for each series: its own if it has one, else one that is not taken."""
    fixed = fixed or {}
    free = itertools.cycle(color for color in SERIES if color not in fixed.values())
    return {name: (fixed[name] if name in fixed else next(free)).light for name in names}


def bars_over_time(points: Sequence[Point], parts: Sequence[str], series: Mapping[str, str]) -> Draw:
    """Stacked bars, one for each part of the period."""

    def draw(width: int) -> Drawing:
        order = {name: number for number, name in enumerate(series)}
        rows = [{**point._asdict(), "order": order[point.series]} for point in points if point.value]
        chart = alt.Chart(_data(rows)).mark_bar(strokeWidth=0)
        chart = chart.encode(
            x=_time_axis(
                parts,
                width,
                alt.Scale(domain=list(parts), paddingInner=0.15 if len(parts) <= _MOST_SEPARATE_BARS else 0),
            ),
            y=alt.Y("value:Q", title=None, axis=_value_axis(points)),
            color=_color(series, width),
            order=alt.Order("order:Q"),
        )
        return _finish(chart, width, _HEIGHT)

    return draw


def lines_over_time(points: Sequence[Point], parts: Sequence[str], series: Mapping[str, str]) -> Draw:
    """One line for each series; parts without a point are gaps."""

    def draw(width: int) -> Drawing:
        known = {(point.part, point.series): point.value for point in points}
        rows: list[Row] = []
        for name in series:
            values = [None, *(known.get((part, name)) for part in parts), None]
            for part, (before, value, after) in zip(
                parts, zip(values, values[1:], values[2:], strict=False), strict=True
            ):
                alone = value is not None and before is None and after is None  # a line would not show it
                rows.append({"part": part, "series": name, "value": value, "alone": alone})
        base = alt.Chart().encode(
            x=_time_axis(parts, width, alt.Scale(domain=list(parts))),
            y=alt.Y("value:Q", title=None, axis=_value_axis(points)),
            color=_color(series, width),
        )
        line = base.mark_line(strokeWidth=1.5, invalid="break-paths-show-path-domains")
        dots = base.mark_circle(size=14, opacity=1).transform_filter("datum.alone")
        return _finish(alt.LayerChart(layer=[line, dots], data=_data(rows)), width, _HEIGHT)

    return draw


def ranking(points: Sequence[Point], series: Mapping[str, str], *, as_share: bool = False) -> Draw:
    """Horizontal stacked bars, one for each `part`, in the order given."""

    def draw(width: int) -> Drawing:
        parts = list(dict.fromkeys(point.part for point in points))
        order = {name: number for number, name in enumerate(series)}
        rows = [{**point._asdict(), "order": order[point.series]} for point in points]
        label_width = width * 2 // 5
        chart = alt.Chart(_data(rows)).mark_bar(height={"band": 0.8})
        chart = chart.encode(
            x=alt.X(
                "value:Q",
                title=None,
                stack="zero",
                axis=_value_axis(points, label=_SHARE if as_share else _NUMBER, grid=True, domain=False),
            ),
            y=alt.Y(
                "part:N",
                title=None,
                sort=parts,
                axis=alt.Axis(labelLimit=label_width, grid=False, domain=False, ticks=False),
            ),
            color=_color(series, width),
            order=alt.Order("order:Q"),
        )
        longest = max((len(part) for part in parts), default=0)
        return _finish(chart, width - min(longest * 5, label_width) + 20, _BAR_HEIGHT * max(len(parts), 1))

    return draw


def grid(points: Sequence[Point], columns: Sequence[str], rows: Sequence[str]) -> Draw:
    """Cells by column (`part`) and row (`series`), darker where the value is higher, in five classes of equal size."""

    def draw(width: int) -> Drawing:
        chart = alt.Chart(_data([point._asdict() for point in points])).mark_rect()
        ticks = list(columns)[:: max(1, len(columns) * _PIXELS_PER_TICK // (3 * width))]
        if len(columns[0]) > 5:  # noqa: PLR2004 - dates are wider than hours
            ticks = _ticks(columns, width)
        longest = max(map(len, rows))
        label_limit = width * 2 // 5
        label_width = min(longest * 6, label_limit)
        chart = chart.encode(
            x=alt.X(
                "part:O",
                title=None,
                scale=alt.Scale(domain=list(columns)),
                axis=alt.Axis(values=ticks, labelAngle=0, domain=False),
            ),
            y=alt.Y(
                "series:O",
                title=None,
                sort=list(rows),
                scale=alt.Scale(domain=list(rows)),
                axis=alt.Axis(grid=False, domain=False, ticks=False, labelLimit=label_limit),
            ),
            color=alt.Color(
                "value:Q", scale=alt.Scale(type="quantile", range=[color.light for color in HEAT]), legend=None
            ),
        )
        return _finish(chart, width - label_width + 30, _BAR_HEIGHT * len(rows))

    return draw


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _time_axis(parts: Sequence[str], width: int, scale: alt.Scale) -> alt.X:
    axis = alt.Axis(values=_ticks(parts, width), labelAngle=0, labelOverlap=True)
    return alt.X("part:O", title=None, scale=scale, axis=axis)


def _value_axis(points: Sequence[Point], *, label: str = _NUMBER, **options: t.Any) -> alt.Axis:
    if all(isinstance(point.value, int) for point in points):
        options["tickMinStep"] = 1
    return alt.Axis(labelExpr=label, tickCount=5, **options)


def _ticks(parts: Sequence[str], width: int) -> list[str]:
    most = max(1, width // max(_PIXELS_PER_TICK, len(parts[0]) * 7))
    return list(parts)[:: -(-len(parts) // most)]


def _color(series: Mapping[str, str], width: int) -> alt.Color:
    legend = None
    if len(series) > 1:
        columns = max(1, min(len(series), width // 150))
        legend = alt.Legend(orient="top", title=None, columns=columns, labelLimit=width // columns - 30)
    return alt.Color("series:N", scale=alt.Scale(domain=list(series), range=list(series.values())), legend=legend)


def _finish(chart: Drawing, width: int, height: int) -> Drawing:
    font = "Arial, Helvetica, sans-serif"
    finished: Drawing = (
        chart.properties(width=width, height=height, background="transparent", padding=4)
        .configure(font=font, aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED.light,
            labelFontSize=11,
            gridColor=RULE.light,
            domainColor=RULE.light,
            tickColor=RULE.light,
            gridOpacity=1,
        )
        .configure_axisX(grid=False)
        .configure_legend(labelColor=TEXT.light, labelFontSize=12, symbolType="square")
        .configure_title(color=TEXT.light, anchor="start", fontSize=15)
    )
    return finished
