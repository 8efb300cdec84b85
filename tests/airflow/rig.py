"""Airflow with the DAGs of `deploy/airflow`, imitated accounts, and a PostgreSQL for everything that is kept.

Airflow has an environment of its own, in AUDITLOGS_AIRFLOW; `.ci/run airflow` makes it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
import yaml

from auditlogs_demo.meltano import base_environment
from auditlogs_demo.report import source_keys, table_keys
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs
from tests.support.postgres import PostgresServer, postgres_server

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: t.Final = Path(__file__).parents[2]
EXAMPLE: t.Final = ROOT / "deploy" / "airflow"
SCHEMA: t.Final = "audit"


class Entry(t.NamedTuple):
    """An entry of accounts.yml."""

    vendor: str
    account: str


@dataclass
class Rig:
    """What a DAG needs.

    Attributes:
        folder: Where everything is.
        server: Has the databases `warehouse`, `states` and `airflow`.
        sandboxes: The imitated account of each entry.
        variables: The environment of Airflow, and so of the tasks.
    """

    folder: Path
    server: PostgresServer
    sandboxes: Mapping[Entry, Sandbox]
    variables: dict[str, str] = field(default_factory=dict)

    def url(self, database: str, driver: str = "psycopg") -> str:
        url = sa.make_url(self.server.database.url).set(database=database, drivername=f"postgresql+{driver}")
        return url.render_as_string(hide_password=False)

    def connect(self, entry: Entry) -> None:
        """Give Airflow the connection of an account."""
        connection = {"conn_type": "generic", "extra": self.sandboxes[entry].config[entry.vendor]}
        self.variables[self.connection_variable(entry)] = json.dumps(connection)

    def connection_variable(self, entry: Entry) -> str:
        return f"AIRFLOW_CONN_AUDITLOGS_{entry.vendor}_{entry.account}".upper()

    def airflow(self, *arguments: str) -> list[str]:
        return [str(Path(os.environ["AUDITLOGS_AIRFLOW"], "bin", "airflow")), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an Airflow command."""
        return subprocess.run(
            self.airflow(*arguments),
            capture_output=True,
            check=False,
            cwd=self.folder,
            encoding="utf-8",
            env=self.variables,
            stdin=subprocess.DEVNULL,
        )

    def rows(self, table: str, columns: Sequence[str]) -> list[tuple[t.Any, ...]]:
        if self.stored("warehouse", f"SELECT to_regclass('{SCHEMA}.{table}')") == [(None,)]:
            return []
        return self.stored("warehouse", f"SELECT {', '.join(columns)} FROM {SCHEMA}.{table}")  # noqa: S608 - no input

    def stored(self, database: str, statement: str) -> list[tuple[t.Any, ...]]:
        engine = sa.create_engine(self.url(database), poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def differences(self, entries: Sequence[Entry]) -> list[str]:
        """Compare the keys in the tables with those that the accounts of these entries have."""
        keys = {name: tuple(it.primary_keys) for name, it in TapAuditLogs(validate_config=False).streams.items()}
        expected: dict[str, set[tuple[str, ...]]] = {}
        for entry in entries:
            for stream, rows in self.sandboxes[entry].truth().items():
                found = source_keys(stream, rows, keys[stream])
                expected.setdefault(stream, set()).update((entry.account, *key) for key in found)
        return [
            f"{stream}: {len(wanted - loaded)} rows are missing, {len(loaded - wanted)} are too many"
            for stream, wanted in expected.items()
            if (loaded := set(table_keys(self.rows(stream, ("account", *keys[stream]))))) != wanted
        ]


@contextmanager
def rig(folder: Path, entries: Sequence[Entry], *, size: int) -> Iterator[Rig]:
    """Provide the accounts and the databases, and prepare Airflow's folder."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        server.execute("CREATE DATABASE airflow", "CREATE DATABASE states", "CREATE DATABASE warehouse")
        sandboxes = {
            entry: stack.enter_context(Sandbox(seed=1 + number % 7, vendors=[entry.vendor], size=size))
            for number, entry in enumerate(entries)
        }
        prepared = Rig(folder, server, sandboxes)
        prepared.variables = {**base_environment(), **_variables(prepared)}
        for entry in entries:
            prepared.connect(entry)
        _write_files(folder, entries)
        yield prepared


def _variables(rig: Rig) -> dict[str, str]:
    metadata = rig.url("airflow", "psycopg2")
    return {
        "AUDITLOGS_PROJECT": str(rig.folder / "project"),
        "MELTANO_DATABASE_URI": rig.url("states"),
        "TARGET_POSTGRES_SQLALCHEMY_URL": rig.url("warehouse"),
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
        "AIRFLOW_HOME": str(rig.folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(rig.folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": rig.url("airflow", "asyncpg"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }


def _write_files(folder: Path, entries: Sequence[Entry]) -> None:
    """Lay out the DAGs with a list of these entries, and a project as on a worker."""
    shutil.copytree(EXAMPLE / "dags", folder / "dags")
    accounts = [entry._asdict() for entry in entries]
    (folder / "dags" / "accounts.yml").write_text(yaml.safe_dump(accounts), encoding="utf-8")
    project = folder / "project"
    project.mkdir()
    shutil.copyfile(ROOT / "meltano.yml", project / "meltano.yml")
    (project / ".venv").symlink_to(sys.prefix)
