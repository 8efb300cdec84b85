"""Time arithmetic, which each database spells differently.

Times are compared as the database stores them, and grouped as whole seconds since 1970, so that no database needs to
know the time zone.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if t.TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


class Instant(FunctionElement[t.Any]):
    """A time column in the form that compares with `Moment`."""

    inherit_cache = True


class ParsedTime(FunctionElement[t.Any]):
    """A text column as a time."""

    inherit_cache = True


class Epoch(FunctionElement[int]):
    """A time column as whole seconds since 1970."""

    inherit_cache = True
    type = sa.BigInteger()


class Quotient(FunctionElement[int]):
    """An integer divided by a positive one, rounded down."""

    inherit_cache = True
    type = sa.BigInteger()


class Moment(sa.ColumnElement[t.Any]):
    """A point in time, as a literal."""

    inherit_cache = False
    type = sa.types.NullType()

    def __init__(self, moment: datetime) -> None:
        self.moment = moment


def how_many(condition: sa.ColumnElement[bool]) -> sa.Function[int]:
    """Return the number of rows that meet a condition."""
    return sa.func.count(sa.case((condition, 1)))


@compiles(ParsedTime)
def _parsed_time(element: ParsedTime, compiler: SQLCompiler, **options: t.Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS TIMESTAMP)"


@compiles(ParsedTime, "sqlite")
@compiles(Instant)
def _unchanged(element: Instant | ParsedTime, compiler: SQLCompiler, **options: t.Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Instant, "sqlite")
@compiles(Epoch, "sqlite")
def _epoch_in_sqlite(element: Epoch, compiler: SQLCompiler, **options: t.Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **options)}) AS INTEGER)"


@compiles(Moment)
def _moment(element: Moment, _compiler: SQLCompiler, **_options: t.Any) -> str:
    return f"TIMESTAMP '{element.moment.astimezone(UTC).replace(tzinfo=None)}'"


@compiles(Moment, "sqlite")
def _moment_in_sqlite(element: Moment, _compiler: SQLCompiler, **_options: t.Any) -> str:
    return str(int(element.moment.timestamp()))


@compiles(Epoch)
def _epoch(element: Epoch, compiler: SQLCompiler, **options: t.Any) -> str:
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


@compiles(Epoch, "snowflake")
def _epoch_in_snowflake(element: Epoch, compiler: SQLCompiler, **options: t.Any) -> str:
    return f"date_part(epoch_second, {compiler.process(element.clauses, **options)})"


@compiles(Quotient)
def _quotient(element: Quotient, compiler: SQLCompiler, **options: t.Any) -> str:
    return "({}) / {}".format(*_operands(element, compiler, options))


@compiles(Quotient, "duckdb")
def _quotient_in_duckdb(element: Quotient, compiler: SQLCompiler, **options: t.Any) -> str:
    return "({}) // {}".format(*_operands(element, compiler, options))


@compiles(Quotient, "snowflake")
def _quotient_in_snowflake(element: Quotient, compiler: SQLCompiler, **options: t.Any) -> str:
    return "floor(({}) / {})".format(*_operands(element, compiler, options))


def _operands(element: Quotient, compiler: SQLCompiler, options: dict[str, t.Any]) -> list[str]:
    return [compiler.process(operand, **options) for operand in element.clauses]
