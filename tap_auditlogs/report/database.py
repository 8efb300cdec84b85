"""Runs the report's queries in the database that holds the tables."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind

from tap_auditlogs.report.errors import ReportError
from tap_auditlogs.report.tables import Table

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine.interfaces import DBAPIConnection

    from tap_auditlogs.report.tables import StreamTable

# Times without a zone are in UTC, and nothing is written.
_SESSION: t.Final[Mapping[str, Sequence[str]]] = {
    "postgresql": ("SET TIME ZONE 'UTC'", "SET default_transaction_read_only = on"),
    "duckdb": ("SET TimeZone = 'UTC'",),
    "sqlite": ("PRAGMA query_only = on",),
    "snowflake": ("ALTER SESSION SET TIMEZONE = 'UTC'",),
}


class Answer(t.NamedTuple):
    """The rows of a query, and the query as text that runs as it is."""

    rows: Sequence[sa.Row[t.Any]]
    query: str


class Database:
    """The loaded streams and the connection to query them."""

    def __init__(self, connection: sa.Connection, name: str, tables: Mapping[str, Table]) -> None:
        self._connection = connection
        self.name = name
        self.tables = tables

    def has(self, *names: str) -> bool:
        """Whether these streams were loaded."""
        return all(name in self.tables for name in names)

    def ask(self, query: sa.Select[t.Any]) -> Answer:
        """Run a query."""
        dialect = self._connection.dialect
        text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if dialect.paramstyle in {"format", "pyformat"}:
            text = text.replace("%%", "%")
        try:
            return Answer(self._connection.execute(query).all(), text)
        except sa.exc.DBAPIError as error:
            raise ReportError(f"{self.name}: a query failed: {error.orig}\nThe query was:\n{text}") from error


@contextmanager
def open_database(url: sa.URL, known: Mapping[str, StreamTable], schema: str | None) -> Iterator[Database]:
    """Connect to a database, and find the tables of the known streams in it.

    Raises:
        ReportError: It cannot be reached or has none of them.
    """
    engine = _create_engine(url)
    try:
        with engine.connect() as connection:
            yield connect(connection, _name(url), known, schema)
    except sa.exc.DBAPIError as error:
        raise ReportError(f"{_name(url)} cannot be read: {error.orig}") from error
    finally:
        engine.dispose()


def connect(connection: sa.Connection, name: str, known: Mapping[str, StreamTable], schema: str | None) -> Database:
    """Find the tables of the known streams in a database.

    Raises:
        ReportError: There are none.
    """
    inspector = sa.inspect(connection)
    try:
        present = {*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)}
        names = [name for name in known if name in present]
        found = inspector.get_multi_columns(schema=schema, filter_names=names, kind=ObjectKind.ANY) if names else {}
    except sa.exc.NoSuchTableError:  # some dialects raise it for a schema that does not exist
        found = {}
    columns = {name: {it["name"]: it["type"] for it in listed} for (_, name), listed in found.items()}
    tables = {name: Table(known[name], schema, columns[name]) for name in known if name in columns}
    if not tables:
        where = f"schema {schema}" if schema else "the default schema; name another with --schema"
        raise ReportError(f"{name}: there is no table of this tap's streams in {where}.")
    return Database(connection, name, tables)


def _create_engine(url: sa.URL) -> sa.Engine:
    system = url.get_backend_name()
    if system == "sqlite" and url.database and not url.database.startswith("file:") and not Path(url.database).exists():
        raise ReportError(f"{_name(url)} cannot be read: there is no such file.")  # SQLite would create it
    options: dict[str, t.Any] = {"connect_args": {"read_only": True}} if system == "duckdb" else {}
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, **options)
    except sa.exc.NoSuchModuleError as error:
        advice = "Install its SQLAlchemy dialect, such as snowflake-sqlalchemy; files must be on this machine."
        raise ReportError(f"SQLAlchemy has no dialect for {system}. {advice}") from error
    except ImportError as error:
        raise ReportError(f"The driver for {url.drivername} is not installed: {error}.") from error

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for statement in _SESSION.get(system, ()):
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine


def _name(url: sa.URL) -> str:
    """Describe a database without user, password and options."""
    place = f"{url.host}/{url.database or ''}" if url.host else Path(url.database or "").name
    return f"{url.get_backend_name()} {place}".strip()
