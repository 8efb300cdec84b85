"""The period that a report covers, the one before it, and how they are divided."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import sqlalchemy as sa
from typing_extensions import override

from tap_auditlogs.report.sql import Epoch, Instant, Moment, Quotient

if t.TYPE_CHECKING:
    from zoneinfo import ZoneInfo

HOUR: t.Final = 3600
DAY: t.Final = 24 * HOUR
WEEK: t.Final = 7 * DAY

# 1970 began on a Thursday; weeks begin on Monday.
_DAYS_FROM_MONDAY: t.Final = 3

_EPOCH: t.Final = date(1970, 1, 1)
_MOST_DAYS: t.Final = 120


@dataclass(frozen=True)
class Period:
    """A period from `since`, inclusive, to `until`, exclusive."""

    since: datetime
    until: datetime
    zone: ZoneInfo

    @property
    def length(self) -> timedelta:
        """The time from `since` to `until`."""
        return self.until - self.since

    @property
    def before(self) -> datetime:
        """The beginning of the period of the same length before this one."""
        return self.since - self.length

    def contains(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a time is in this period."""
        return sa.and_(Instant(time) >= Moment(self.since), Instant(time) < Moment(self.until))

    def reaches(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a time is in this period or the one before."""
        return sa.and_(Instant(time) >= Moment(self.before), Instant(time) < Moment(self.until))

    def is_current(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[bool]:
        """Return the condition that tells this period from the one before, for times in either."""
        return Instant(time) >= Moment(self.since)

    def era(self, time: sa.ColumnElement[t.Any]) -> sa.Label[int]:
        """Return the column `is_current`: 1 for this period and 0 for the one before, for times in either."""
        return sa.case((self.is_current(time), 1), else_=0).label("is_current")

    def eras(self, time: sa.ColumnElement[t.Any]) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        """Return the conditions for this period and for the one before, for times before the end of this one."""
        earlier = sa.and_(Instant(time) >= Moment(self.before), Instant(time) < Moment(self.since))
        return self.is_current(time), earlier

    def hour_of_week(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        """Return the hour on a clock in the zone, counted from 0 on Monday."""
        hours = Quotient(self.local_seconds(time), sa.literal_column(str(HOUR)))
        return (hours + _DAYS_FROM_MONDAY * 24) % (7 * 24)

    def local_seconds(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        """Return the seconds since 1970 that a clock in the zone shows."""
        (_, offset), *changes = self.offsets
        seconds = Epoch(time)
        if not changes:
            return seconds + offset if offset else seconds
        whens = [
            (Instant(time) < Moment(moment), earlier)
            for (moment, _), earlier in zip(changes, [offset, *(it for _, it in changes)], strict=False)
        ]
        return seconds + sa.case(*whens, else_=changes[-1][1])

    @cached_property
    def offsets(self) -> list[tuple[datetime, int]]:
        """The offsets from UTC in seconds, each with the moment from which it applies."""
        found = [(self.before, self.offset(self.before))]
        moment = self.before
        while moment < self.until:
            following = min(moment + timedelta(days=1), self.until)
            if self.offset(following) != found[-1][1]:
                change = self._change_between(moment, following)
                found.append((change, self.offset(change)))
            moment = following
        return found

    def _change_between(self, low: datetime, high: datetime) -> datetime:
        offset = self.offset(low)
        low, high = low.replace(second=0, microsecond=0), high.replace(second=0, microsecond=0)
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) // timedelta(minutes=2) * timedelta(minutes=1)
            low, high = (middle, high) if self.offset(middle) == offset else (low, middle)
        return high

    def offset(self, moment: datetime) -> int:
        """Return how many seconds local time is ahead of UTC."""
        offset = moment.astimezone(self.zone).utcoffset()
        return int(offset.total_seconds()) if offset else 0

    def in_hours(self) -> Hours:
        """Divide the period into hours."""
        return Hours(self)

    def in_units(self) -> Buckets:
        """Divide the period into hours, days or weeks, by its length."""
        if self.length <= timedelta(days=4):
            return Hours(self)
        return Days(self) if self.length <= timedelta(days=_MOST_DAYS) else Weeks(self)

    def text(self, seconds: int) -> str:
        """Format a time, given in seconds since 1970, in the zone."""
        return f"{datetime.fromtimestamp(seconds, tz=self.zone):%Y-%m-%d %H:%M}"


class Buckets(abc.ABC):
    """The parts of a period, each with a number that the database computes.

    Attributes:
        unit: What a part is: `hour`, `day` or `week`.
        numbers: The numbers of all parts of the period, in order.
    """

    unit: t.ClassVar[str]

    def __init__(self, period: Period) -> None:
        self.period = period
        last = period.until - timedelta(microseconds=1)
        self.numbers = range(self.number_of(period.since), self.number_of(last) + 1)

    @cached_property
    def labels(self) -> list[str]:
        """The names of all parts of the period, in order."""
        return [self.label(number) for number in self.numbers]

    def labels_since(self, seconds: int | None) -> list[str]:
        """Return the names of the parts from a time on, given in seconds since 1970."""
        if seconds is None:
            return self.labels
        first = self.number_of(datetime.fromtimestamp(seconds, tz=UTC))
        return self.labels[max(first - self.numbers.start, 0) :]

    @abc.abstractmethod
    def number(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        """Return the expression for the number of the part that a time is in."""

    @abc.abstractmethod
    def label(self, number: int) -> str:
        """Return a part's name, different for each."""

    @abc.abstractmethod
    def number_of(self, moment: datetime) -> int:
        """Return the number of the part that a moment is in."""


class Hours(Buckets):
    """Hours that do not merge where a clock is set back; they begin at the full hour of the zone."""

    unit = "hour"

    @override
    def number(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        seconds = Epoch(time) + self._shift if self._shift else Epoch(time)
        return Quotient(seconds, sa.literal_column(str(HOUR)))

    @override
    def label(self, number: int) -> str:
        moment = self.moment(number)
        return f"{moment:%Y-%m-%d %H:%M}" + (f" {moment:%Z}" * self._is_ambiguous)

    @override
    def number_of(self, moment: datetime) -> int:
        return (int(moment.timestamp()) + self._shift) // HOUR

    def moment(self, number: int) -> datetime:
        """Return when an hour begins, in the zone."""
        return datetime.fromtimestamp(number * HOUR - self._shift, tz=self.period.zone)

    @cached_property
    def _is_ambiguous(self) -> bool:
        return self.period.offset(self.period.since) != self.period.offset(self.period.until)

    @property
    def _shift(self) -> int:
        return self.period.offset(self.period.since) % HOUR


class Days(Buckets):
    """Days in the zone."""

    unit = "day"

    @override
    def number(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        return Quotient(self.period.local_seconds(time), sa.literal_column(str(DAY)))

    @override
    def label(self, number: int) -> str:
        return (_EPOCH + timedelta(days=number)).isoformat()

    @override
    def number_of(self, moment: datetime) -> int:
        return (int(moment.timestamp()) + self.period.offset(moment)) // DAY


class Weeks(Buckets):
    """Weeks in the zone, named by their Monday."""

    unit = "week"

    @override
    def number(self, time: sa.ColumnElement[t.Any]) -> sa.ColumnElement[int]:
        return Quotient(self.period.local_seconds(time) + _DAYS_FROM_MONDAY * DAY, sa.literal_column(str(WEEK)))

    @override
    def label(self, number: int) -> str:
        return (_EPOCH + timedelta(days=7 * number - _DAYS_FROM_MONDAY)).isoformat()

    @override
    def number_of(self, moment: datetime) -> int:
        return (int(moment.timestamp()) + self.period.offset(moment) + _DAYS_FROM_MONDAY * DAY) // WEEK
