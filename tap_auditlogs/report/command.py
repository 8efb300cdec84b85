"""Command line of `auditlogs-report`."""

from __future__ import annotations

import re
import sys
import typing as t
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import sqlalchemy as sa

from tap_auditlogs.core.scratch import ScratchFolder
from tap_auditlogs.report.anonymity import Names
from tap_auditlogs.report.build import Request, build
from tap_auditlogs.report.catalog import known_keys, known_tables
from tap_auditlogs.report.database import open_database
from tap_auditlogs.report.errors import ReportError
from tap_auditlogs.report.files import find_files, open_files
from tap_auditlogs.report.images import VERSION
from tap_auditlogs.report.renderer import Renderer
from tap_auditlogs.report.singer import spool

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.report.database import Database

# A scheme of one letter is a drive of Windows.
_URL: t.Final = re.compile(r"[\w+.:-]{2,}:/")
_YEARS: t.Final = range(1900, 2200)


def _parse_zone(_context: click.Context, _option: click.Parameter, value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise click.BadParameter(f"{value!r} is not a time zone such as Europe/Berlin.") from error


def _parse_time(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is not a date or time such as 2026-11-01 or 2026-11-01T05:00:00Z."
        ) from error
    if moment.year not in _YEARS:
        raise click.BadParameter(f"{value!r} is not between the years {_YEARS.start} and {_YEARS.stop}.")
    return moment


@click.command(context_settings={"auto_envvar_prefix": "AUDITLOGS_REPORT", "show_default": True})
@click.option(
    "--from",
    "place",
    envvar="AUDITLOGS_REPORT_FROM",
    required=True,
    metavar="PLACE",
    help="A SQLAlchemy URL, a folder or glob of Parquet or JSONL files, or - for Singer messages on standard input.",
)
@click.option("--schema", help="The schema of the tables.")
@click.option(
    "--since", callback=_parse_time, help="Beginning of the period, inclusive. [default: 30 days before its end]"
)
@click.option(
    "--until", callback=_parse_time, help="End of the period, exclusive. [default: the hour after the latest row]"
)
@click.option("--time-zone", callback=_parse_zone, default="UTC", help="Zone of days, hours and times without offset.")
@click.option(
    "--images", type=click.Path(file_okay=False, path_type=Path), help="Also write each chart here, as PNG and SVG."
)
@click.option("--anonymous", is_flag=True, help="Number actors and addresses instead of naming them.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="auditlogs-report.html",
    help="The page to write.",
)
@click.version_option(version("tap-auditlogs"))
def main(  # noqa: PLR0913, PLR0917 - one for each option
    place: str,
    schema: str | None,
    since: datetime | None,
    until: datetime | None,
    time_zone: ZoneInfo,
    images: Path | None,
    anonymous: bool,
    output: Path,
) -> None:
    """Make one HTML page that shows the loaded audit logs."""
    try:
        with _open(place, schema) as database, Renderer(VERSION) as renderer:
            request = Request(
                since=_in_zone(since, time_zone),
                until=_in_zone(until, time_zone),
                zone=time_zone,
                names=Names(are_hidden=anonymous),
                images=images,
            )
            page = build(database, request, renderer)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    except ReportError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror}") from error
    click.echo(f"Wrote {output} ({len(page) / 1e6:.1f} MB).", err=True)


@contextmanager
def _open(place: str, schema: str | None) -> Iterator[Database]:
    known = known_tables()
    if _URL.match(place):
        try:
            url = sa.make_url(place)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ReportError("--from is not a SQLAlchemy URL, such as postgresql+psycopg://user@host/db.") from error
        if url.host and "@" in f"{url.host}{url.database}":  # the host would be printed, and has part of the password
            raise ReportError("--from has more than one @. Write one in a user name or password as %40.")
        with open_database(url, known, schema) as database:
            yield database
        return
    if schema is not None:
        raise ReportError("--schema is for databases; files have no schema.")
    if not place:
        raise ReportError("--from is empty.")
    if place != "-":
        with open_files(find_files(place, known), place, known, known_keys()) as database:
            yield database
        return
    if sys.stdin is None:
        raise ReportError("Standard input is closed: pipe Singer messages into auditlogs-report.")
    with ScratchFolder("auditlogs-report-") as scratch:
        files = spool(sys.stdin.buffer, known, scratch.path)
        with open_files(files, "Singer messages", known, known_keys()) as database:
            yield database


def _in_zone(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    if moment is None:
        return None
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
