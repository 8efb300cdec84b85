"""Queries the database, and builds the page and the images."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tap_auditlogs.report.catalog import subjects
from tap_auditlogs.report.errors import ReportError
from tap_auditlogs.report.images import begin_drawing, write_images
from tap_auditlogs.report.page import Section, render_page
from tap_auditlogs.report.period import Period
from tap_auditlogs.report.streams import measure, show_streams
from tap_auditlogs.report.subject import Scope

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from tap_auditlogs.report.anonymity import Names
    from tap_auditlogs.report.database import Database
    from tap_auditlogs.report.renderer import Renderer
    from tap_auditlogs.report.streams import Extent

# As in the vendor's own example for Cryptolens.
_USUAL_LENGTH: t.Final = timedelta(days=30)


@dataclass(frozen=True)
class Request:
    """What to show, and how."""

    since: datetime | None
    until: datetime | None
    zone: ZoneInfo
    names: Names
    images: Path | None


def build(database: Database, request: Request, renderer: Renderer) -> str:
    """Return the page, and write the images.

    Raises:
        ReportError: The period is empty, or a query fails.
    """
    now = datetime.now(tz=UTC)
    extents = measure(database, now)
    period = _choose_period(extents, request, now)
    scope = Scope(database, period, request.names, {name: extent.first for name, extent in extents.items()})
    sections = list(_sections(scope, extents, renderer))
    if request.images is not None:
        request.images.mkdir(parents=True, exist_ok=True)
        for figure in (drawing.figure for section in sections for drawing in section.drawings if drawing.charts):
            write_images(figure, renderer, request.images)
    return render_page(sections, period, database.name, now)


def _sections(scope: Scope, extents: Mapping[str, Extent], renderer: Renderer) -> Iterator[Section]:
    for subject in subjects():
        if drawings := [begin_drawing(figure, renderer) for figure in subject.show(scope)]:
            yield Section(subject.title, drawings)
    yield Section("Streams", [begin_drawing(figure, renderer) for figure in show_streams(scope, extents)])


def _choose_period(extents: Mapping[str, Extent], request: Request, now: datetime) -> Period:
    until = request.until or _end_of_data(extents) or now
    since = request.since or until - _USUAL_LENGTH
    if since >= until:
        end = "ends" if request.until else "would end, after the latest row,"
        raise ReportError(
            f"The period is empty: it begins at {since:%Y-%m-%d %H:%M} and {end} at {until:%Y-%m-%d %H:%M} UTC."
        )
    return Period(since, until, request.zone)


def _end_of_data(extents: Mapping[str, Extent]) -> datetime | None:
    """Return the full hour after the latest row that does not lie far in the future."""
    times = [extent.latest for extent in extents.values() if extent.latest is not None]
    if not times:
        return None
    return datetime.fromtimestamp((max(times) // 3600 + 1) * 3600, tz=UTC)
