"""A day of a large publisher: archive and Parquet BATCH files in a bucket, read by DuckDB.

    uv run --group stores python -m tests.benchmarks.index_exchange_bucket [--hours 20] [--rows 1000000]

The bucket is moto's on loopback, which keeps all in memory: 150 bytes for each row. Shown are the tap, and DuckDB
that makes a table of the files; the table is compared with the CSV.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

import duckdb

from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tests.benchmarks.index_exchange import TAP, catalog_of
from tests.benchmarks.index_exchange_server import serve
from tests.benchmarks.processes import measure
from tests.targets import store

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

ENVIRONMENT: t.Final = {
    "AWS_ACCESS_KEY_ID": store.ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": store.SECRET_KEY,
    "AWS_DEFAULT_REGION": store.REGION,
}
STAGE: t.Final = f"s3://{store.BUCKET}/stage"
ARCHIVE: t.Final = f"s3://{store.BUCKET}/archive"
SUMS: t.Final = "count(*), sum(CAST(gross_revenue AS DECIMAL(38, 18))), sum(CAST(net_revenue AS DECIMAL(38, 18)))"


def main() -> None:
    """Generate, serve, measure, compare."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--hours", type=int, default=20)
    arguments.add_argument("--rows", type=int, default=1_000_000, help="in each hour")
    arguments.add_argument("--load", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.load:
        load(given.load)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = generate_file(folder / "hour.gz", given.rows)
        rows = given.hours * file.rows
        with _serving(serve_bucket) as bucket, _serving(serve, file, given.hours) as api:
            os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=f"http://127.0.0.1:{bucket}")
            print(f"{rows:,} rows in {given.hours} files, each {file.size / 1e6:,.0f} MB of gzip", flush=True)
            tap = measure(tap_command(folder, f"http://127.0.0.1:{api}"))
            print(tap.row("tap, archive and Parquet", rows), flush=True)
            table = folder / "audit.duckdb"
            reader = measure([sys.executable, "-m", __spec__.name, f"--load={table}"])
            print(reader.row("DuckDB, into a table", rows), flush=True)
        share = reader.wall_seconds / (reader.wall_seconds + tap.wall_seconds)
        print(f"DuckDB takes {share:.0%} of the time of both")
        _compare(table, file.path, given.hours)


def tap_command(folder: Path, url: str) -> list[str]:
    """Return the command line of the tap."""
    config = folder / "config.json"
    exchange = {
        "client_key": "benchmark-key",
        "auth_url": f"{url}/token",
        "api_url": url,
        "archive_url": ARCHIVE,
    }
    batches = {"encoding": {"format": "parquet"}, "storage": {"root": STAGE}}
    config.write_text(json.dumps({"index_exchange": exchange, "batch_config": batches}))
    catalog = folder / "catalog.json"
    catalog.write_text(json.dumps(catalog_of("index_exchange_impressions", "index_exchange_files")))
    return [TAP, f"--config={config}", f"--catalog={catalog}"]


def load(file: Path) -> None:
    """Make a table of the files in the bucket."""
    import s3fs  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415 - in the group `stores`

    with duckdb.connect(str(file)) as connection:
        connection.register_filesystem(s3fs.S3FileSystem())
        connection.execute(
            f"CREATE TABLE impressions AS SELECT * FROM read_parquet('{STAGE}/*.parquet')"  # noqa: S608 - constant
        )


def serve_bucket(ready: Connection) -> None:
    """Serve an empty bucket until the process is ended."""
    with store.serve_store() as served:
        ready.send(int(served.url.rpartition(":")[2]))
        multiprocessing.Event().wait()


@contextmanager
def _serving(target: t.Any, *arguments: object) -> Iterator[int]:
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.Process(target=target, args=(child, *arguments), daemon=True)
    server.start()
    yield parent.recv()
    server.terminate()


def _compare(table: Path, file: Path, hours: int) -> None:
    with duckdb.connect(str(table), read_only=True) as connection:
        found = connection.execute(f"SELECT {SUMS} FROM impressions").fetchone()  # noqa: S608 - constant
        keys = connection.execute("SELECT count(DISTINCT (file_id, row_number)) FROM impressions").fetchone()
        source = f"read_csv('{file}', all_varchar = true)"
        true = connection.execute(f"SELECT {SUMS} FROM {source}").fetchone()  # noqa: S608 - a file of this process
    expected = tuple(hours * value for value in true or ())
    if found != expected or keys != expected[:1]:
        sys.exit(f"DIFFERENT: {found}, {keys} keys instead of {expected}")
    print(f"The table has the rows and sums of the files: {expected[0]:,} rows, gross revenue {expected[1]}")


if __name__ == "__main__":
    main()
