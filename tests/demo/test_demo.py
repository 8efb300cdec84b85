from __future__ import annotations

import fcntl
import re
import shutil
import signal
import typing as t
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlogs_demo import cli
from auditlogs_demo.audit_trail import QUESTION
from auditlogs_demo.database import Database, open_database
from auditlogs_demo.errors import DemoError
from auditlogs_demo.flow import Bookkeeper, _primary_keys, run_demo
from auditlogs_demo.report import source_keys
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.ocsf.mapper import OcsfMapper
from tests.support.postgres import PostgresServer

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
TIMES = "SELECT time, occurred_at FROM cryptolens_web_api_log"


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_two_runs_load_what_the_source_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither the depth of the clone nor the user's own settings matter.
    monkeypatch.setenv("TAP_AUDITLOGS_START_DATE", "2030-01-01T00:00:00Z")
    monkeypatch.delenv("TARGET_POSTGRES_SQLALCHEMY_URL", raising=False)
    clone = tmp_path.joinpath(*["a-rather-long-name-for-a-folder"] * 4)
    clone.mkdir(parents=True)
    shutil.copy(ROOT / "meltano.yml", clone)
    (clone / ".env").write_text("TAP_AUDITLOGS_START_DATE=2030-01-01T00:00:00Z\n")
    printed: list[str] = []
    answers = ask_at_the_end(monkeypatch, [*questions_of_the_guide(), TIMES])

    assert run_demo(clone, seed=7, size=150, echo=printed.append)

    with Sandbox(seed=7, size=150) as twin:
        keys = _primary_keys(twin.config)
        before = {stream: source_keys(stream, rows, keys[stream]) for stream, rows in twin.truth().items()}
        twin.advance()
        truth = twin.truth()
        # A file that was replaced may have fewer rows now; the table keeps the surplus ones of the first run.
        after = {stream: before[stream] | source_keys(stream, rows, keys[stream]) for stream, rows in truth.items()}
    text = "\n".join(printed)
    cells = {words[0]: words[1:4] for line in text.splitlines() if (words := line.split())}
    for stream, found in after.items():
        count, new = len(found), len(found) - len(before[stream])
        assert cells[stream] == [f"{count:,}", f"{count:,}", f"{new:,}"]
        assert (new > 0) == (stream != "index_exchange_malformed_rows")  # generated files are well-formed
    mapped = sum(len(after[stream]) for stream in OcsfMapper(config={}).mapped_streams)
    assert cells["audit_events"][:2] == [f"{mapped:,}"] * 2
    check_answers(answers, truth)
    hours = answers[2]
    assert [f"  {hour}  {count}" for hour, count in hours[:5]] == printed[-6].splitlines()[1:]
    assert "Source and tables have the same keys after both runs." in text
    assert {item.name for item in clone.iterdir()} == {"meltano.yml", ".env", ".demo"}
    page = (clone / ".demo" / "report.html").read_text(encoding="utf-8")
    for stream, found in after.items():
        assert not found or re.search(
            rf"<bdi>{stream}</bdi></th>\s*<td class=\"number\"><bdi>{len(found):,}</bdi>", page
        )


def questions_of_the_guide() -> list[str]:
    page = (ROOT / "docs" / "audit-trail.md").read_text(encoding="utf-8")
    return re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def ask_at_the_end(monkeypatch: pytest.MonkeyPatch, questions: Sequence[str]) -> list[list[tuple[t.Any, ...]]]:
    """Query the demo's database, whose time zone is not UTC, before it goes away."""
    answers: list[list[tuple[t.Any, ...]]] = []

    @contextmanager
    def opened(url: str | None) -> Iterator[Database]:
        with open_database(url) as database:
            PostgresServer(database).execute(
                "ALTER SYSTEM SET timezone = 'America/New_York'", "SELECT pg_reload_conf()"
            )
            yield database
            answers.extend(database.ask(question)[1] for question in questions)

    monkeypatch.setattr("auditlogs_demo.flow.open_database", opened)
    return answers


def check_answers(answers: list[list[tuple[t.Any, ...]]], truth: dict[str, list[dict[str, t.Any]]]) -> None:
    """Compare the answers with what the source says."""
    changes, actions, failures, times = answers
    assert times
    assert all(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) == moment for seconds, moment in times)
    transactions = [
        row
        for row in truth["xandr_change_log_detail"]
        if (row["service"], row["resource_id"]) == ("advertiser", 4143139)
    ]
    assert sorted((str(row["user_id"]), row["user_full_name"]) for row in transactions) == sorted(
        (actor_id, name) for _, actor_id, name, *_ in changes
    )
    assert any(after for *_, after in changes)
    assert {vendor for _, vendor, *_ in actions} >= {"pigment"}
    failed = [row for row in truth["cryptolens_web_api_log"] if str(row["state"]).startswith(("202",))]
    assert len(failures) < 24  # or else some would be left out
    assert sum(count for _, count in failures) == len(failed)
    assert all(count for _, count in failures)


def test_the_demo_asks_a_question_of_the_guide() -> None:
    assert QUESTION in questions_of_the_guide()


class TablesInMemory:
    """Stands in for the database."""

    def __init__(self, tables: dict[str, list[tuple[t.Any, ...]]]) -> None:
        self.tables = tables

    def read_keys(self, table: str, columns: Sequence[str]) -> list[tuple[t.Any, ...]]:
        assert list(columns) == ["id"]
        return self.tables.get(table, [])


def test_a_row_that_did_not_arrive_is_found_after_the_run_it_is_missing_in() -> None:
    with Sandbox(size=150, vendors=["cryptolens"]) as sandbox:
        streams = dict.fromkeys(sandbox.truth(), ("id",))
        tables = TablesInMemory({})
        books = Bookkeeper(sandbox, tables, streams)
        tables.tables = {stream: [(row["id"],) for row in rows] for stream, rows in sandbox.truth().items()}
        assert not any(list(result.differences()) for result in books.compare().values())
        sandbox.advance()
        late = books.compare()
    assert all(list(result.differences()) for result in late.values())


def test_a_stream_that_only_one_side_knows_is_an_error() -> None:
    with (
        Sandbox(size=150, vendors=["cryptolens"]) as sandbox,
        pytest.raises(DemoError, match="cryptolens_events"),
    ):
        Bookkeeper(sandbox, TablesInMemory({}), {"cryptolens_web_api_log": ("id",)})


def test_outside_a_clone_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.main)
    assert result.exit_code == 1
    assert result.output.strip().splitlines() == [
        f"There is no meltano.yml in {tmp_path}: run the demo in a clone of the repository."
    ]


def test_a_difference_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for agree, code in ((True, 0), (False, 1)):
        monkeypatch.setattr("auditlogs_demo.cli.run_demo", lambda *_a, _agree=agree, **_k: _agree)
        assert CliRunner().invoke(cli.main).exit_code == code


def test_two_demos_in_one_clone_do_not_meet(tmp_path: Path) -> None:
    shutil.copy(ROOT / "meltano.yml", tmp_path)
    (tmp_path / ".demo").mkdir()
    with (tmp_path / ".demo" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DemoError, match="Another demo is running"):
            run_demo(tmp_path, seed=1, size=10, echo=print)
