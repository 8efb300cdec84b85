"""Reads Parquet and JSONL files into a temporary DuckDB database."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tap_auditlogs.core.rows import ACCOUNT
from tap_auditlogs.core.scratch import ScratchFolder
from tap_auditlogs.report.database import connect
from tap_auditlogs.report.errors import ReportError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_auditlogs.report.database import Database
    from tap_auditlogs.report.tables import StreamTable

_JSONL: t.Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".json.gz")
_PARQUET: t.Final = (".parquet",)
SUFFIXES: t.Final = (*_PARQUET, *_JSONL)

_PASSWORD: t.Final = re.compile(r":.*(?=@)")
"""Of a URL that was mistyped, so that it looks like a path."""

# A license key or an event is never this large; the objects of an audit trail may be.
_LARGEST_OBJECT: t.Final = 256 * 2**20


def find_files(pattern: str, names: Iterable[str]) -> dict[str, list[Path]]:
    """Find the files of each stream in a folder, or those that a glob matches.

    A file belongs to the stream with the longest name that is part of its name, or else of the nearest folder's.

    Raises:
        ReportError: There are none.
    """
    folder = Path(pattern)
    if folder.is_dir():
        paths = sorted(folder.rglob("*"))
    else:
        root = Path(folder.anchor)
        paths = sorted(root.glob(str(folder.relative_to(root))))
    longest_first = sorted(names, key=len, reverse=True)
    found: dict[str, list[Path]] = {}
    for path in paths:
        if not path.name.endswith(SUFFIXES) or not path.is_file():
            continue
        stream = next((name for part in reversed(path.parts) for name in longest_first if name in part), None)
        if stream is not None:
            found.setdefault(stream, []).append(path)
    if not found:
        raise ReportError(
            f"{_PASSWORD.sub('', pattern)}: there is no file ({', '.join(SUFFIXES)}) with the name of one of this "
            "tap's streams in its path. A database needs a URL, such as duckdb:///warehouse.duckdb."
        )
    return found


@contextmanager
def open_files(
    files: Mapping[str, Sequence[Path]],
    name: str,
    known: Mapping[str, StreamTable],
    keys: Mapping[str, Sequence[str]],
) -> Iterator[Database]:
    """Load the columns that the report uses, each record once, by its key; the last one in the files counts."""
    with ScratchFolder("auditlogs-report-") as scratch:
        engine = sa.create_engine(f"duckdb:///{scratch.path}/report.duckdb", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql("SET TimeZone = 'UTC'")
            for stream, paths in files.items():
                try:
                    _load(connection, known[stream], keys[stream], paths)
                except sa.exc.DBAPIError as error:
                    reason, *_ = str(error.orig).splitlines()  # then DuckDB advises on its own options
                    raise ReportError(f"{stream}: its files cannot be read: {reason}") from error
            yield connect(connection, name, known, None)
        engine.dispose()


def _load(connection: sa.Connection, stream: StreamTable, key: Sequence[str], paths: Sequence[Path]) -> None:
    identity = dict.fromkeys((ACCOUNT, *key), "TEXT")
    kinds = {name: kind.compile(connection.dialect) for name, kind in stream.columns.items()}
    kinds |= {stream.time: "TIMESTAMPTZ"} if stream.time else {}
    parquet = [path for path in paths if path.name.endswith(_PARQUET)]
    jsonl = [path for path in paths if path not in parquet]
    parts = []
    if parquet:
        reader = f"read_parquet({_list(parquet)}, union_by_name = true)"
        present = {row[0] for row in connection.exec_driver_sql(f"DESCRIBE FROM {reader}")}
        columns = [
            f"CAST({name if name in present else 'NULL'} AS {kind}) AS {name}"
            for name, kind in (identity | kinds).items()
            if name in present or name in identity
        ]
        parts.append(f"FROM {reader} SELECT {', '.join(columns)}")
    if jsonl:
        columns = [f"{name}: {_text(kind)}" for name, kind in (identity | kinds).items()]
        parts.append(
            f"FROM read_json({_list(jsonl)}, format = 'newline_delimited', "
            f"columns = {{{', '.join(columns)}}}, maximum_object_size = {_LARGEST_OBJECT})"
        )
    last = f"row_number() OVER (PARTITION BY {', '.join(identity)} ORDER BY place DESC) = 1"
    connection.exec_driver_sql(
        f"CREATE TABLE {stream.name} AS "
        f"FROM (FROM ({' UNION ALL BY NAME '.join(parts)}) SELECT *, row_number() OVER () AS place) "
        f"SELECT * EXCLUDE (place) QUALIFY {key[0]} IS NULL OR {last}"
    )


def _list(paths: Iterable[Path]) -> str:
    return f"[{', '.join(_text(str(path)) for path in paths)}]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
