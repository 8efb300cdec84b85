from __future__ import annotations

import fcntl
import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner

from tap_auditlogs.demo import cli
from tap_auditlogs.demo.errors import DemoError
from tap_auditlogs.demo.flow import Bookkeeper, run_demo
from tap_auditlogs.sandbox.server import Sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]


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

    assert run_demo(clone, seed=7, size=150, echo=printed.append)

    with Sandbox(seed=7, size=150) as twin:
        before = {stream: len(rows) for stream, rows in twin.truth().items()}
        twin.advance()
        after = {stream: len(rows) for stream, rows in twin.truth().items()}
    text = "\n".join(printed)
    cells = {words[0]: words[1:4] for line in text.splitlines() if (words := line.split())}
    for stream, count in after.items():
        assert cells[stream] == [f"{count:,}", f"{count:,}", f"{count - before[stream]:,}"]
        assert count > before[stream]
    assert "Source and tables have the same keys after both runs." in text
    assert {item.name for item in clone.iterdir()} == {"meltano.yml", ".env", ".demo"}


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


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "waitress" else object())
    result = CliRunner().invoke(cli.main)
    assert result.exit_code == 1
    assert result.output == "The demo needs more than the tap: pip install 'tap-auditlogs[demo]'\n"


def test_a_difference_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for agree, code in ((True, 0), (False, 1)):
        monkeypatch.setattr("tap_auditlogs.demo.flow.run_demo", lambda *_a, _agree=agree, **_k: _agree)
        assert CliRunner().invoke(cli.main).exit_code == code


def test_two_demos_in_one_clone_do_not_meet(tmp_path: Path) -> None:
    shutil.copy(ROOT / "meltano.yml", tmp_path)
    (tmp_path / ".demo").mkdir()
    with (tmp_path / ".demo" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DemoError, match="Another demo is running"):
            run_demo(tmp_path, seed=1, size=10, echo=print)
