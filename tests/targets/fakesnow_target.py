"""Runs target-snowflake against fakesnow: `python fakesnow_target.py DATABASES --config=...`.

It runs in the target's own environment, and imports nothing of this repository. fakesnow has no user stage, which is
where the target puts its files. So its statements about that stage are carried out here: PUT remembers the files,
MERGE reads them from a table, REMOVE forgets them. DROP FILE FORMAT, which fakesnow
does not know either, does nothing. All other SQL is fakesnow's.
"""

from __future__ import annotations

import gzip
import re
import sys
import typing as t
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlparse

import fakesnow  # type: ignore[import-not-found] # in the target's environment only
from fakesnow.cursor import FakeSnowflakeCursor  # type: ignore[import-not-found] # likewise
from target_snowflake.target import TargetSnowflake  # type: ignore[import-not-found] # likewise

MERGE = re.compile(
    r"merge into (?P<table>.+?) d using \((?P<select>select .+?) from '@~/target-snowflake/(?P<name>[^']+)'"
    r"\(file_format => .+?\) (?P<qualify>qualify .+?)\) s (?P<rest>on .+)",
    re.IGNORECASE | re.DOTALL,
)
ROWS_AT_ONCE = 500
execute = FakeSnowflakeCursor.execute
stage: dict[str, list[str]] = defaultdict(list)


class OneThread(TargetSnowflake):  # type: ignore[misc] # its types are not installed here
    """fakesnow's connections share one of DuckDB, which serves one thread."""

    max_parallelism = 1


def execute_with_stage(cursor: t.Any, command: str, params: t.Any = None, *args: t.Any, **kwargs: t.Any) -> t.Any:
    """Execute a statement."""
    verb = command.split(maxsplit=1)[0].lower()
    if verb in {"put", "remove"}:
        name = command.split("@~/target-snowflake/")[1].rstrip("/'")
        if verb == "put":
            stage[name].append(params["file_uri"])
        else:
            stage.pop(name, None)
        return execute(cursor, f"select '{verb}' as status")
    if command.lower().startswith("drop file format"):
        return execute(cursor, "select 'dropped' as status")
    if verb == "merge" and (found := MERGE.fullmatch(command.strip())):
        return merge(cursor, found)
    return execute(cursor, command, params, *args, **kwargs)


def merge(cursor: t.Any, statement: re.Match[str]) -> t.Any:
    """Merge the lines of staged files, in their order, by way of a table."""
    execute(cursor, f"use schema {statement['table'].rpartition('.')[0]}")
    execute(cursor, "create or replace temporary table staged (n integer, raw variant)")
    lines = list(enumerate(staged_lines(statement["name"])))
    for start in range(0, len(lines), ROWS_AT_ONCE):
        rows = lines[start : start + ROWS_AT_ONCE]
        places = ", ".join("(%s, %s)" for _ in rows)
        values = [value for row in rows for value in row]
        insertion = f"insert into staged select column1, parse_json(column2) from values {places}"  # noqa: S608 - no input
        execute(cursor, insertion, values)
    select, qualify = statement["select"].replace("$1:", "raw:"), statement["qualify"].replace("SEQ8()", "n")
    execute(cursor, f"create or replace temporary table latest as {select} from staged {qualify}")
    return execute(cursor, f"merge into {statement['table']} d using latest s {statement['rest']}")


def staged_lines(name: str) -> t.Iterator[str]:
    """Read the files that were put below a name of the stage."""
    for url in stage[name]:
        content = Path(unquote(urlparse(url).path)).read_bytes()
        for line in gzip.decompress(content).splitlines():
            yield line.decode()


if __name__ == "__main__":
    databases, *arguments = sys.argv[1:]
    FakeSnowflakeCursor.execute = execute_with_stage
    with fakesnow.patch(db_path=databases):
        OneThread.cli(arguments)
