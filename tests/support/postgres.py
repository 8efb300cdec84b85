"""The demo's embedded PostgreSQL for tests: configured, killed in part or whole, started again, loaded into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import sqlalchemy as sa

from auditlogs_demo.database import SCHEMA, Database, open_database

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TARGET: t.Final = Path(sys.executable).with_name("target-postgres")

_END_SECONDS: t.Final = 60


class PostgresServer:
    """The embedded server behind a `Database`, as processes that a test may kill."""

    def __init__(self, database: Database) -> None:
        self.database = database
        host = sa.make_url(database.url).query["host"]
        assert isinstance(host, str)
        self._folder = Path(host)
        postmaster = self._postmaster()
        self._pg_ctl = Path(postmaster.exe()).with_name("pg_ctl")
        self._user, self._group = postmaster.uids().real, postmaster.gids().real
        # The demo lets a commit return before it is written, which may lose it when the server is killed.
        self.execute("ALTER SYSTEM SET synchronous_commit = 'on'", "SELECT pg_reload_conf()")

    def execute(self, *statements: str) -> None:
        """Execute each statement by itself, as ALTER SYSTEM needs it."""
        engine = sa.create_engine(self.database.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def query(self, statement: str) -> list[tuple[t.Any, ...]]:
        engine = sa.create_engine(self.database.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def backends(self) -> list[psutil.Process]:
        """The processes that serve connections."""
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            return [it for it in self._postmaster().children() if it.cmdline()[:1] and "[local]" in it.cmdline()[0]]
        return []

    def kill(self) -> None:
        """Kill all of the server with SIGKILL."""
        postmaster = self._postmaster()
        postmaster.suspend()  # it would start new processes
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=_END_SECONDS)

    def start(self) -> None:
        """Start the server after `kill`, and wait until it takes connections."""
        data = self._folder / "data"
        # The killed server is a zombie where nothing collects orphans, and so its lock file looks valid.
        (data / "postmaster.pid").unlink(missing_ok=True)
        log = self._folder / "log"
        subprocess.run(
            [self._pg_ctl, f"--pgdata={data}", f"--log={log}", "--silent", "--wait", "--timeout=60", "start"],
            check=True,
            user=self._user,
            group=self._group,
            extra_groups=[] if os.geteuid() == 0 else None,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
        )

    def _postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """An embedded server that ends with the block."""
    with open_database(None) as database:
        yield PostgresServer(database)


def load(server: PostgresServer, messages: bytes, folder: Path, **settings: t.Any) -> subprocess.CompletedProcess[str]:
    """Load Singer messages with target-postgres into the demo's schema."""
    config = folder / "target-postgres.json"
    config.write_text(
        json.dumps({"sqlalchemy_url": server.database.url, "default_target_schema": SCHEMA, **settings}),
        encoding="utf-8",
    )
    return subprocess.run(
        [TARGET, f"--config={config}"],
        input=messages.decode(),
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if name != "PGTZ"},
        timeout=120,
    )
