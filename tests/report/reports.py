"""Reports of tables of a test: their figures alone, or the page that the command writes."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from click.testing import CliRunner

from tap_auditlogs.report.anonymity import Names
from tap_auditlogs.report.catalog import known_tables, subjects
from tap_auditlogs.report.command import main
from tap_auditlogs.report.database import open_database
from tap_auditlogs.report.period import Period
from tap_auditlogs.report.streams import measure, show_streams
from tap_auditlogs.report.subject import Scope
from tests.report.rows import END, load_into_duckdb

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tap_auditlogs.report.subject import Figure
    from tests.report.rows import Row


def make_page(folder: Path, *arguments: str, standard_input: str = "") -> str:
    """Run the command, and return the page."""
    output = folder / "page.html"
    result = CliRunner().invoke(main, [*arguments, "--output", str(output)], input=standard_input)
    assert result.exit_code == 0, result.output
    return output.read_text(encoding="utf-8")


def make_figures(
    url: str,
    *,
    length: timedelta = timedelta(days=30),
    end: datetime = END,
    zone: str = "UTC",
    anonymous: bool = False,
) -> dict[str, Figure]:
    """Return the figures by id, without drawing them."""
    with open_database(sa.make_url(url), known_tables(), None) as database:
        extents = measure(database, datetime.now(tz=UTC))
        period = Period(end.astimezone(UTC) - length, end.astimezone(UTC), ZoneInfo(zone))
        scope = Scope(database, period, Names(are_hidden=anonymous), {name: it.first for name, it in extents.items()})
        figures = [figure for subject in subjects() for figure in subject.show(scope)]
        figures += show_streams(scope, extents)
    assert len({figure.id for figure in figures}) == len(figures)
    return {figure.id: figure for figure in figures}


def as_duckdb(folder: Path, tables: Mapping[str, Sequence[Row]]) -> str:
    """Load tables into DuckDB, and return its URL."""
    load_into_duckdb(folder / "warehouse.duckdb", folder / "rows", tables)
    return f"duckdb:///{folder}/warehouse.duckdb"


def column(figure: Figure, name: str) -> list[t.Any]:
    """Return the values of a column of a figure."""
    place = list(figure.data.columns).index(name)
    return [row[place] for row in figure.data.rows]


def by_first(figure: Figure) -> dict[t.Any, dict[str, t.Any]]:
    """Return the rows of a figure by their first value."""
    return {row[0]: dict(zip(figure.data.columns, row, strict=True)) for row in figure.data.rows}
