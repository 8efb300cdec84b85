"""Who acted, from where and when, in the report."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from tap_auditlogs.ocsf import schema
from tap_auditlogs.report import charts, words
from tap_auditlogs.report.charts import Point
from tap_auditlogs.report.colors import SERIES
from tap_auditlogs.report.sql import Epoch, Instant, Moment, how_many
from tap_auditlogs.report.subject import Data, Figure
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_auditlogs.report.database import Answer
    from tap_auditlogs.report.period import Period
    from tap_auditlogs.report.subject import Scope
    from tap_auditlogs.report.tables import Table

ACTOR: t.Final = ("actor_id", "actor_email", "actor_name")

TARGET: t.Final = ("target_type", "target_id", "target_name")
_USER: t.Final = "user"

_SHOWN: t.Final = 15
_WEEKDAYS: t.Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SATURDAY: t.Final = 5
_WORKDAY: t.Final = range(8, 18)
VENDOR_COLORS: t.Final = {vendor.name: color for vendor, color in zip(VENDORS, SERIES, strict=False)}
"""The same in every chart."""

WORKING_HOURS: t.Final = "Monday to Friday, 08:00 to 18:00"


def vendor_of(events: Table) -> sa.Label[str]:
    """Return the column `from_vendor`, which is never null."""
    return sa.func.coalesce(events.c.vendor, "no vendor").label("from_vendor")


def _first(table: Table, names: Sequence[str]) -> sa.ColumnElement[t.Any]:
    columns = [table.c[name] for name in names if table.has(name)]
    return sa.func.coalesce(*columns) if len(columns) > 1 else columns[0]


def _is_off_hours(period: Period, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[bool]:
    hour = period.hour_of_week(time)
    return sa.or_(hour >= _SATURDAY * 24, hour % 24 < _WORKDAY.start, hour % 24 >= _WORKDAY.stop)


def _rank(scope: Scope, identity: sa.ColumnElement[t.Any], name: sa.ColumnElement[t.Any]) -> sa.Subquery:
    """Return the most active, the newest and those most active outside working hours, each with its places."""
    events = scope.database.tables[schema.NAME]
    period = scope.period
    current, before = period.eras(events.time)

    each = (
        sa.select(
            vendor_of(events),
            identity.label("identity"),
            sa.func.max(name).label("shown_name"),
            sa.func.min(events.time).label("first_seen"),
            how_many(current).label("events"),
            how_many(before).label("events_before"),
            how_many(sa.and_(current, _is_off_hours(period, events.time))).label("off_hours"),
        )
        .where(Instant(events.time) < Moment(period.until), identity.is_not(None))
        .group_by("from_vendor", "identity")
        .subquery("each_one")
    )
    is_new = Instant(each.c.first_seen) >= Moment(period.since)

    def place(*order: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        return sa.func.row_number().over(order_by=(*order, each.c.from_vendor, each.c.identity))

    ranked = sa.select(
        each,
        place(each.c.events.desc()).label("place_by_events"),
        place(each.c.off_hours.desc()).label("place_by_off_hours"),
        place(each.c.first_seen.desc()).label("place_by_newness"),
        place(each.c.first_seen).label("appearance"),
        sa.case((is_new, 1), else_=0).label("is_new"),
        how_many(each.c.events > 0).over().label("active"),
        how_many(is_new).over().label("new"),
        sa.cast(sa.func.sum(each.c.events).over(), sa.BigInteger).label("all_events"),
        sa.cast(sa.func.sum(each.c.off_hours).over(), sa.BigInteger).label("all_off_hours"),
    ).subquery("ranked")
    is_shown = sa.or_(
        ranked.c.place_by_events <= _SHOWN,
        ranked.c.place_by_off_hours <= _SHOWN,
        sa.and_(ranked.c.is_new == 1, ranked.c.place_by_newness <= _SHOWN),
    )
    return (
        sa.select(ranked, Epoch(ranked.c.first_seen).label("first_seconds"))
        .where(ranked.c.events > 0, is_shown)
        .subquery("shown")
    )


def _names_of_users(events: Table) -> sa.Subquery:
    """The names in events about users, since some vendors give only the id of who acted."""
    return (
        sa.select(events.c.vendor, events.c.target_id, sa.func.max(events.c.target_name).label("user_name"))
        .where(events.c.target_type == _USER, events.c.target_name.is_not(None))
        .group_by(events.c.vendor, events.c.target_id)
        .subquery("users")
    )


def actors(scope: Scope) -> Iterator[Figure]:
    """The most active actors, those outside working hours, and the new ones."""
    events = scope.database.tables[schema.NAME]
    if not events.has("vendor") or not any(map(events.has, ACTOR)):
        return
    shown = _rank(scope, _first(events, ACTOR), _first(events, ("actor_email", "actor_name", "actor_id")))
    query = sa.select(shown).order_by(shown.c.place_by_events)
    if events.has(*TARGET):
        users = _names_of_users(events)
        is_same = sa.and_(users.c.vendor == shown.c.from_vendor, users.c.target_id == shown.c.identity)
        query = query.add_columns(users.c.user_name).outerjoin(users, is_same)
    answer = scope.database.ask(query)
    if not answer.rows:
        return

    def name(row: sa.Row[t.Any]) -> str:
        known = row.shown_name
        if known == row.identity:  # an id only
            known = getattr(row, "user_name", None) or known
        return scope.names.actor(known, row.appearance)

    yield _most_active(scope, answer, name)
    yield _outside_working_hours(answer, name)
    yield from _first_seen(scope, answer, "actor", name)


def _most_active(scope: Scope, answer: Answer, name: Callable[[sa.Row[t.Any]], str]) -> Figure:
    rows = [row for row in answer.rows if row.place_by_events <= _SHOWN]
    top = rows[0]
    comparison = scope.change(schema.NAME, top.events, top.events_before)
    # A name can be that of two actors, whose bars would be one.
    labels = words.distinct(map(name, rows))
    bars = [Point(label, row.from_vendor, row.events) for label, row in zip(labels, rows, strict=True)]
    return Figure(
        id="events-actors",
        title="Most active actors",
        sentence=(
            f"{words.count(top.active, 'actor')}; {words.isolated(name(top))} did "
            f"{words.share(top.events, top.all_events)} of what was done{comparison}."
        ),
        data=Data(
            ("Actor", "Vendor", "Events", "Events before", "Outside working hours"),
            [
                (
                    name(row),
                    row.from_vendor,
                    row.events,
                    scope.before(schema.NAME, row.events_before),
                    row.off_hours,
                )
                for row in rows
            ],
            note=words.first_of(len(rows), top.active),
        ),
        query=answer.query,
        draw=charts.ranking(bars, charts.palette(list(charts.totals_of(bars)), VENDOR_COLORS)),
    )


def _outside_working_hours(answer: Answer, name: Callable[[sa.Row[t.Any]], str]) -> Figure:
    rows = sorted(
        (row for row in answer.rows if row.off_hours and row.place_by_off_hours <= _SHOWN),
        key=lambda row: row.place_by_off_hours,
    )
    top = answer.rows[0]
    part = words.share(top.all_off_hours, top.all_events)
    return Figure(
        id="events-off-hours",
        title="Most active outside working hours",
        sentence=f"{part} of what actors did was outside working hours ({WORKING_HOURS}).",
        data=Data(
            ("Actor", "Vendor", "Outside working hours", "Of their events"),
            [(name(row), row.from_vendor, row.off_hours, words.share(row.off_hours, row.events)) for row in rows],
        ),
        query=answer.query,
    )


def _has_history(scope: Scope) -> bool:
    """Whether anything before the period is loaded; otherwise all would be new."""
    first = scope.first[schema.NAME]
    return first is not None and first < scope.period.since.timestamp()


def _first_seen(scope: Scope, answer: Answer, noun: str, name: Callable[[sa.Row[t.Any]], str]) -> Iterator[Figure]:
    if not _has_history(scope):
        return
    rows = sorted(
        (row for row in answer.rows if row.is_new and row.place_by_newness <= _SHOWN),
        key=lambda row: row.place_by_newness,
    )
    number = answer.rows[0].new
    plural = {"actor": "actors", "address": "addresses"}[noun]
    yield Figure(
        id=f"first-seen-{plural}",
        title=f"First seen {plural}",
        sentence=(
            f"{words.count(number, noun, plural)} of {answer.rows[0].active:,} had no event before the period; "
            f"the tables begin on {scope.period.text(t.cast('int', scope.first[schema.NAME]))}."
        ),
        data=Data(
            (noun.capitalize(), "Vendor", "First seen", "Events"),
            [(name(row), row.from_vendor, scope.period.text(row.first_seconds), row.events) for row in rows],
            note=words.first_of(len(rows), number),
        ),
        query=answer.query,
    )


def addresses(scope: Scope) -> Iterator[Figure]:
    """The new addresses."""
    events = scope.database.tables[schema.NAME]
    if not events.has("vendor", "source_ip") or not _has_history(scope):
        return
    shown = _rank(scope, events.c.source_ip, events.c.source_ip)
    answer = scope.database.ask(sa.select(shown).order_by(shown.c.place_by_events))
    if answer.rows:
        yield from _first_seen(
            scope, answer, "address", lambda row: scope.names.address(row.shown_name, row.appearance)
        )


def working_hours(scope: Scope) -> Iterator[Figure]:
    """What actors did, by weekday and hour."""
    events = scope.database.tables[schema.NAME]
    if not any(map(events.has, ACTOR)):
        return
    answer = scope.database.ask(
        sa.select(scope.period.hour_of_week(events.time).label("hour_of_week"), sa.func.count().label("events"))
        .where(scope.period.contains(events.time), _first(events, ACTOR).is_not(None))
        .group_by("hour_of_week")
    )
    if not answer.rows:
        return
    hours = [f"{hour:02}" for hour in range(24)]
    points = [Point(hours[row.hour_of_week % 24], _WEEKDAYS[row.hour_of_week // 24], row.events) for row in answer.rows]
    busiest = charts.peak(points)
    yield Figure(
        id="events-hours",
        title="When actors are active",
        sentence=(
            f"Most was done on {busiest.series} from {busiest.part}:00, {words.count(int(busiest.value), 'event')}. "
            f"The stronger the colour, the more; working hours are {WORKING_HOURS}, {scope.period.zone.key}."
        ),
        data=charts.table_over_time(
            [Point(point.series, point.part, point.value) for point in points], _WEEKDAYS, hours, "weekday"
        ),
        query=answer.query,
        draw=charts.grid(points, hours, _WEEKDAYS),
    )
