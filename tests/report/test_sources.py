"""The same rows give the same figures, whatever they were loaded into."""

from __future__ import annotations

import json
import re
import sqlite3
import typing as t
from contextlib import closing

import duckdb
import pytest

from tests.report.reports import make_page
from tests.report.rows import Row, load_into_duckdb, load_tables, request_rows, write_jsonl

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of 200 hourly requests, every fifth failed and every fiftieth has no outcome.
OUTCOMES: t.Final = [None if number % 50 == 0 else number % 5 != 0 for number in range(200)]
TABLES: t.Final = {"cryptolens_web_api_log": list(request_rows(OUTCOMES))}
SENTENCE: t.Final = "18.0 % of 200 requests failed."


def as_jsonl(folder: Path) -> tuple[str, str]:
    return str(write_jsonl(folder / "files", TABLES)), ""


def as_parquet_twice(folder: Path) -> tuple[str, str]:
    (jsonl,) = write_jsonl(folder / "files", TABLES).iterdir()
    for number in range(2):
        target = folder / "parquet" / "cryptolens_web_api_log" / f"{number}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        duckdb.execute(f"COPY (FROM read_json('{jsonl}')) TO '{target}'")
    return str(folder / "parquet"), ""


def as_sqlite(folder: Path) -> tuple[str, str]:
    url = f"sqlite:///{folder}/warehouse.sqlite"
    load_tables(url, TABLES)
    return url, ""


def as_text_in_sqlite(folder: Path) -> tuple[str, str]:
    with closing(sqlite3.connect(folder / "text.sqlite")) as connection:
        for name, rows in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{key} TEXT' for key in rows[0])})")
            values = [tuple(row.values()) for row in rows]
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", values)  # noqa: S608 - the test's own names
        connection.commit()
    return f"sqlite:///{folder}/text.sqlite", ""


def as_duckdb(folder: Path) -> tuple[str, str]:
    load_into_duckdb(folder / "warehouse.duckdb", folder / "rows", TABLES, schema="audit")
    return f"duckdb:///{folder}/warehouse.duckdb", "audit"


def as_messages(_folder: Path) -> tuple[str, str]:
    return "-", "".join(message(row) for row in TABLES["cryptolens_web_api_log"])


def message(row: Row, stream: str = "cryptolens_web_api_log") -> str:
    return json.dumps({"type": "RECORD", "stream": stream, "record": row}) + "\n"


@pytest.mark.exhaustive
@pytest.mark.parametrize("load", [as_jsonl, as_parquet_twice, as_sqlite, as_text_in_sqlite, as_duckdb, as_messages])
def test_every_source_gives_the_same_figures(load: Callable[[Path], tuple[str, str]], tmp_path: Path) -> None:
    place, extra = load(tmp_path)
    schema = ["--schema", extra] if extra == "audit" else []
    page = make_page(tmp_path, "--from", place, *schema, standard_input=extra)
    assert SENTENCE in page
    assert re.search(r"activation</bdi></th>\s*<td class=\"number\"><bdi>67</bdi></td>", page)
