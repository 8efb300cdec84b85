"""Targets that load databases."""

from __future__ import annotations

import typing as t
from pathlib import Path

import duckdb
from typing_extensions import override

from auditlogs_demo.database import SCHEMA
from tests.targets.target import Settings, Target

if t.TYPE_CHECKING:
    from tests.targets.comparison import Rows

FAKESNOW: t.Final = str(Path(__file__).with_name("fakesnow_target.py"))


class Postgres(Target):
    environment = "postgres"
    program = "target-postgres"

    @override
    def prepare(self) -> None:
        self.services.postgres.database.drop_schema()

    @override
    def place(self) -> Settings:
        return {"sqlalchemy_url": self.services.postgres.database.url, "default_target_schema": SCHEMA}

    @override
    def read(self) -> Rows:
        server = self.services.postgres
        columns: dict[str, list[str]] = {}
        for table, column in server.query(
            "SELECT table_name, column_name FROM information_schema.columns"  # noqa: S608 - no input
            f" WHERE table_schema = '{SCHEMA}' ORDER BY ordinal_position"
        ):
            columns.setdefault(table, []).append(column)
        return {
            table: [
                dict(zip(names, row, strict=True))
                for row in server.query(f'SELECT * FROM {SCHEMA}."{table}"')  # noqa: S608 - likewise
            ]
            for table, names in columns.items()
        }


class PostgresCopy(Postgres):
    settings: t.ClassVar[Settings] = {"use_copy": True}


class DuckDb(Target):
    environment = "duckdb"
    program = "target-duckdb"

    @property
    def _file(self) -> Path:
        return self.folder / "output" / "audit.duckdb"

    @override
    def place(self) -> Settings:
        return {"filepath": str(self._file), "default_target_schema": "main"}

    @override
    def read(self) -> Rows:
        return read_duckdb(self._file)


class DuckDb2(DuckDb):
    environment = "duckdb-2"


class Snowflake(Target):
    """Snowflake, imitated by fakesnow: see `fakesnow_target.py`."""

    environment = "snowflake"
    program = "python"

    @override
    def place(self) -> Settings:
        return {
            "account": "imitated",
            "user": "loader",
            "password": "made-up",
            "database": "AUDIT",
            "warehouse": "LOADING",
            "role": "LOADER",
            "schema": "LOGS",
            "default_target_schema": "LOGS",
        }

    @override
    def command(self) -> list[str]:
        python, config = super().command()
        return [python, FAKESNOW, str(self.folder / "output"), config]

    @override
    def read(self) -> Rows:
        return read_duckdb(self.folder / "output" / "AUDIT.db")


def read_duckdb(file: Path) -> Rows:
    """Read all tables of a DuckDB file; names in lower case."""
    rows: Rows = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for schema, table in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
        ).fetchall():
            found = connection.execute(f'SELECT * FROM "{schema}"."{table}"')  # noqa: S608 - no input
            names = [column[0].lower() for column in found.description]
            rows[table.lower()] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return rows
