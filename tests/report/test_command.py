"""The command: its options, its messages, and what it does not import or write."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import typing as t
from importlib.metadata import version

import duckdb
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from auditlogs_demo.database import open_database
from tap_auditlogs.report import database as report_database
from tap_auditlogs.report.catalog import known_tables
from tap_auditlogs.report.command import main
from tests.report.reports import as_duckdb, make_figures, make_page
from tests.report.rows import END, all_tables, event_row, load_tables, request_rows, write_jsonl

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD: t.Final = "correct-horse-battery"
LOG: t.Final = "cryptolens_web_api_log"


def fail(*arguments: str, standard_input: str = "") -> str:
    result = CliRunner().invoke(main, arguments, input=standard_input)
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "{folder}/nothing-here"], "no file (.parquet, .jsonl"),
        (["--from", "{folder}"], "A database needs a URL, such as duckdb:///warehouse.duckdb."),
        (["--from", "sqlite:///{folder}/other.sqlite"], "no table of this tap's streams in the default schema"),
        (["--from", "duckdb:///{folder}/missing.duckdb"], "missing.duckdb cannot be read"),
        (["--from", "s3://bucket/files"], "SQLAlchemy has no dialect for s3."),
        (["--from", f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:1/db"], "postgresql 127.0.0.1/db cannot be read"),
        (["--from", f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:port/db"], "not a SQLAlchemy URL"),
        (["--from", f"POSTGRESQL://ada:{PASSWORD}@127.0.0.1:1/db"], "SQLAlchemy has no dialect for POSTGRESQL."),
        (["--from", f"jdbc:postgresql://ada:{PASSWORD}@127.0.0.1:1/db"], "not a SQLAlchemy URL"),
        (["--from", f"postgresql:/ada:{PASSWORD}@127.0.0.1:1/db"], "not a SQLAlchemy URL"),
        (["--from", f"ada:{PASSWORD}@127.0.0.1:1/db"], "ada@127.0.0.1:1/db: there is no file"),
        (["--from", f"postgresql+psycopg://ada:old@{PASSWORD}@127.0.0.1:1/db"], "user name or password as %40"),
        (["--from", f"postgresql+psycopg://ada:old@{PASSWORD}/er@127.0.0.1:1/db"], "user name or password as %40"),
        (["--from", "sqlite:///{folder}/missing.sqlite"], "missing.sqlite cannot be read: there is no such file"),
        (["--from", ""], "--from is empty"),
        (["--from", "-"], "Standard input has no record of this tap's streams."),
        (["--from", "{files}", "--schema", "audit"], "files have no schema"),
        (["--from", "{files}", "--since", "yesterday"], "not a date or time such as 2026-11-01"),
        (["--from", "{files}", "--time-zone", "Mars/Olympus"], "not a time zone such as Europe/Berlin"),
        (["--from", "{files}", "--since", "2026-11-02", "--until", "2026-11-01"], "The period is empty"),
        (["--from", "{files}", "--since", "2027-01-01"], "would end, after the latest row, at 2026-11-28 00:00 UTC"),
        (["--from", "{files}", "--since", "0001-01-01"], "not between the years 1900 and 2200"),
        (["--from", "{files}", "--output", "{folder}/taken/page.html"], "taken: File exists"),
        ([], "Missing option '--from'"),
    ],
)
def test_a_message_says_what_to_do(arguments: list[str], message: str, tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "files", {LOG: request_rows([True])})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "taken").write_text("")
    sa.create_engine(f"sqlite:///{folder}/other.sqlite").connect().close()
    printed = fail(*(argument.format(folder=folder, files=files) for argument in arguments))
    assert message in printed
    assert PASSWORD not in printed
    assert not (folder / "missing.sqlite").exists()


def test_it_says_its_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert version("tap-auditlogs") in result.output


def test_a_full_disk_is_an_error_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = write_jsonl(tmp_path / "files", {LOG: request_rows([True])})
    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    assert fail("--from", str(folder), "--output", str(tmp_path / "page.html")) == "Error: No space left on device"


def test_what_is_no_singer_message_is_named_by_its_line() -> None:
    assert "Line 2 of standard input" in fail(
        "--from", "-", standard_input='{"type": "STATE", "value": {}}\nnonsense\n'
    )


def test_what_cannot_be_read_is_named_without_advice_on_other_programs() -> None:
    record = {"id": 1, "occurred_at": "yesterday"}
    message = json.dumps({"type": "RECORD", "stream": LOG, "record": record})
    printed = fail("--from", "-", standard_input=message)
    assert f"{LOG}: its files cannot be read" in printed
    assert "yesterday" in printed
    assert "auto_detect" not in printed


def test_a_batch_file_is_read_where_it_is(tmp_path: Path) -> None:
    (jsonl,) = write_jsonl(tmp_path / "files", {LOG: request_rows([True, False])}).iterdir()
    parquet = tmp_path / "some batch.parquet"
    duckdb.execute(f"COPY (FROM read_json('{jsonl}')) TO '{parquet}'")
    lines = f'{{"type": "BATCH", "stream": "{LOG}", "encoding": {{}}, "manifest": ["{parquet.as_uri()}"]}}\n'
    assert "50.0 % of 2 requests failed." in make_page(tmp_path, "--from", "-", standard_input=lines)
    assert "not on this machine" in fail("--from", "-", standard_input=lines.replace("file://", "s3://bucket"))


def test_the_last_record_with_a_key_counts(tmp_path: Path) -> None:
    rows = list(request_rows([True, False]))
    corrected = {**rows[1], "succeeded": True}
    folder = write_jsonl(tmp_path / "files", {LOG: [*rows, corrected]})
    assert ">0 % of 2 requests failed." in make_page(tmp_path, "--from", str(folder))


def test_records_of_two_accounts_are_two(tmp_path: Path) -> None:
    rows = [{**row, "account": account} for account in ("one", "two") for row in request_rows([True, False])]
    page = make_page(tmp_path, "--from", str(write_jsonl(tmp_path / "files", {LOG: rows})))
    assert "50.0 % of 4 requests failed." in page


def test_the_period_is_30_days_before_the_full_hour_after_the_latest_row(tmp_path: Path) -> None:
    page = make_page(tmp_path, "--from", str(write_jsonl(tmp_path / "files", {LOG: request_rows([True])})))
    assert times_of(page) == ["2026-10-29T00:00:00+00:00", "2026-11-28T00:00:00+00:00"]


def test_times_without_offset_are_those_of_the_zone(tmp_path: Path) -> None:
    folder = write_jsonl(tmp_path / "files", {LOG: request_rows([True])})
    period = ["--since", "2026-11-01", "--until", "2026-11-02T00:00:00Z", "--time-zone", "America/New_York"]
    page = make_page(tmp_path, "--from", str(folder), *period)
    assert times_of(page) == ["2026-11-01T04:00:00+00:00", "2026-11-02T00:00:00+00:00"]


def times_of(page: str) -> list[str]:
    return re.findall(r'<time datetime="([^"]*)"', page)


def test_a_glob_reads_what_it_matches(tmp_path: Path) -> None:
    folder = write_jsonl(tmp_path / "files", {LOG: request_rows([True]), "xandr_change_log": [{"service": "a"}]})
    page = make_page(tmp_path, "--from", f"{folder}/crypto*.jsonl")
    assert "1 row in 1 stream." in page


@pytest.mark.parametrize("pattern", ["*.jsonl", "", "../audit_events/*"])
def test_a_file_is_of_the_stream_that_its_folder_is_named_after(pattern: str, tmp_path: Path) -> None:
    folder = tmp_path / "openx_audit_trail" / "audit_events"
    folder.mkdir(parents=True)
    (folder / "2026-11.jsonl").write_text(json.dumps(event_row(1, END)))
    assert "1 row in 1 stream." in make_page(tmp_path, "--from", str(folder / pattern))


def test_images_are_written_for_each_chart(tmp_path: Path) -> None:
    url = as_duckdb(tmp_path, {LOG: list(request_rows([True, False] * 20))})
    make_page(tmp_path, "--from", url, "--images", str(tmp_path / "images"))
    charts = [figure.id for figure in make_figures(url).values() if figure.draw]
    written = {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    assert written.keys() == {f"{name}.{suffix}" for name in charts for suffix in ("png", "svg")}
    assert all(content.startswith(b"\x89PNG" if name.endswith("png") else b"<svg") for name, content in written.items())
    assert b"var(--" not in written["cryptolens-success.svg"]


def test_every_query_of_the_page_runs_as_it_is(tmp_path: Path) -> None:
    url = as_duckdb(tmp_path, all_tables(days=3))
    figures = make_figures(url)
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for figure in figures.values():
            for query in figure.query.split(";\n\n"):
                assert connection.execute(query).fetchall() is not None
    assert not re.search(r"%\(|:\w+_1|\?", "".join(figure.query for figure in figures.values()))


def test_a_database_is_only_read(tmp_path: Path) -> None:
    url = as_duckdb(tmp_path, {LOG: list(request_rows([True]))})
    path = tmp_path / "warehouse.duckdb"
    before = path.read_bytes()
    path.chmod(0o444)
    make_page(tmp_path, "--from", url)
    assert path.read_bytes() == before


def refuse_to_write(url: str, schema: str | None = None) -> None:
    with (
        report_database.open_database(sa.make_url(url), known_tables(), schema) as database,
        pytest.raises(sa.exc.DBAPIError, match=r"read-?only"),
    ):
        database._connection.exec_driver_sql("CREATE TABLE another (id INTEGER)")  # noqa: SLF001 - it has no other use


def test_a_connection_is_read_only(tmp_path: Path) -> None:
    tables = {LOG: list(request_rows([True]))}
    refuse_to_write(as_duckdb(tmp_path, tables))
    load_tables(f"sqlite:///{tmp_path}/warehouse.sqlite", tables)
    refuse_to_write(f"sqlite:///{tmp_path}/warehouse.sqlite")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with open_database(None) as database:
        load_tables(database.url, all_tables(), schema="audit")
        engine = sa.create_engine(database.url, poolclass=sa.NullPool)
        with engine.begin() as connection:  # of the other tables, times are without zone
            change = "ALTER COLUMN event_time TYPE timestamptz USING event_time AT TIME ZONE 'UTC'"
            connection.exec_driver_sql(f"ALTER TABLE audit.audit_events {change}")
        engine.dispose()
        yield database.url


def test_postgresql_is_only_read(postgres: str) -> None:
    refuse_to_write(postgres, "audit")


def test_postgresql_gives_the_figures_of_duckdb(postgres: str, tmp_path: Path) -> None:
    # Its session begins in another zone.
    arguments = ["--since", "2026-10-20", "--until", "2026-11-20", "--time-zone", "Europe/Berlin"]
    theirs = make_page(
        tmp_path, "--from", f"{postgres}&options=-c%20timezone%3DAmerica/New_York", "--schema", "audit", *arguments
    )
    ours = make_page(tmp_path, "--from", as_duckdb(tmp_path, all_tables()), *arguments)
    assert cells_of(theirs) == cells_of(ours)
    assert sentences_of(theirs) == sentences_of(ours)
    assert "no table of this tap's streams in the default schema" in fail("--from", postgres)
    assert "in schema elsewhere" in fail("--from", postgres, "--schema", "elsewhere")


def cells_of(page: str) -> list[str]:
    return re.findall(r"<bdi>(.*?)</bdi>", page)


def sentences_of(page: str) -> list[str]:
    return re.findall(r'class="sentence"[^>]*>(.*?)</p>', page)


@pytest.mark.parametrize("command", ["tap-auditlogs --version", "tap-auditlogs --about", "auditlogs-ocsf --version"])
def test_the_other_commands_import_none_of_it(command: str) -> None:
    name, option = command.split()
    code = (
        "import sys; from tap_auditlogs import commands\n"
        f"sys.argv = ['{name}', '{option}']\n"
        f"try: commands.{'mapper' if 'ocsf' in name else 'tap'}()\n"
        "except SystemExit: pass\n"
        "print([it for it in sys.modules if it.split('.')[0] in ('altair', 'duckdb', 'vl_convert', 'jinja2')\n"
        "       or it.startswith('tap_auditlogs.report') or it.endswith('.report')], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"


def test_without_the_extra_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "altair.py").write_text("raise ImportError('No module named altair')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from tap_auditlogs import commands; commands.report()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "pip install 'tap-auditlogs[report]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SystemExit) as ended:
        main(["--from", "-"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == ("Error: Standard input is closed: pipe Singer messages into auditlogs-report.\n")
