from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from auditlogs_demo import database as demo_database
from auditlogs_demo.database import SCHEMA, Database, open_database
from auditlogs_demo.errors import DemoError

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def embedded() -> Iterator[Database]:
    with open_database(None) as database:
        yield database


def execute(database: Database, *statements: str) -> None:
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def servers_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or ())
    ]


def folder_of(url: str) -> Path:
    host = sa.make_url(url).query["host"]
    assert isinstance(host, str)
    return Path(host)


def test_keys_are_read_and_an_absent_table_has_none(embedded: Database) -> None:
    execute(
        embedded,
        f"create schema {SCHEMA}",
        f"create table {SCHEMA}.events (id bigint, name text)",
        f"insert into {SCHEMA}.events values (2280434406, 'a'), (7, 'b'), (7, 'b')",  # noqa: S608 - a constant
    )
    assert sorted(embedded.read_keys("events", ("id",))) == [(7,), (7,), (2280434406,)]
    assert min(embedded.read_keys("events", ("name", "id"))) == ("a", 2280434406)
    assert embedded.read_keys("no_such_table", ("id",)) == []


def test_a_given_server_is_used_without_what_an_earlier_demo_left(embedded: Database) -> None:
    execute(
        embedded,
        "create table if not exists public.kept (id int)",
        f"drop schema if exists {SCHEMA} cascade",
        f"create schema {SCHEMA}",
        f"create table {SCHEMA}.old (id int)",
    )
    with open_database(embedded.url) as given:
        assert not given.is_embedded
        assert given.read_keys("old", ("id",)) == []
        execute(given, "select * from public.kept", f"create schema {SCHEMA}")
    execute(embedded, f"drop schema {SCHEMA}")  # still there: what the demo loads into a given server is kept


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "not a URL that SQLAlchemy can use"),
        ("postgresql+nonsense://x/y", "not a URL that SQLAlchemy can use"),
        ("postgresql+psycopg://u:hunter2@127.0.0.1:9/x", "cannot be used: .*127.0.0.1"),
    ],
)
def test_a_server_that_cannot_be_used_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(DemoError, match=message) as caught, open_database(url):
        pass
    assert "hunter2" not in str(caught.value)


def test_the_embedded_server_ends_with_the_block() -> None:
    with open_database(None) as database:
        folder = folder_of(database.url)
        assert servers_in(folder)
    assert servers_in(folder) == []
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_embedded_server_ends_with_a_process_that_is_killed(number: signal.Signals) -> None:
    script = (
        "from auditlogs_demo.database import open_database\n"
        "with open_database(None) as database:\n"
        "    print(database.url, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = folder_of(process.stdout.readline().strip())
        assert servers_in(folder)
        process.send_signal(number)
        process.wait()
    deadline = time.monotonic() + 20
    while servers_in(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert servers_in(folder) == []
    assert not folder.exists()


def test_the_path_of_the_socket_is_short_wherever_the_temporary_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-name-for-a-folder"] * 4)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with demo_database._temporary_folder() as folder:  # noqa: SLF001 - a whole server would prove no more
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) < 104


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "initdb").write_text("#!/bin/sh\necho 'initdb: no space left' >&2\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    (tmp_path / "postgres").touch(0o755)
    monkeypatch.setattr(demo_database, "_find_programs", lambda: tmp_path)
    with pytest.raises(DemoError, match=r"(?s)did not start.*no space left"), open_database(None):
        pass
