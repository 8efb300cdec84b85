"""Index Exchange's files: proven before a row of them is written, left for the next run where that fails."""

from __future__ import annotations

import resource
import subprocess
import sys
import typing as t

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.faults import oracles
from tests.faults.marks import case
from tests.faults.runs import sync
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from auditlogs_sandbox.vendors.index_exchange.files import PublishedFile
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Run

Config: t.TypeAlias = "dict[str, t.Any]"
IMPRESSIONS = "index_exchange_impressions"
ALWAYS = float("inf")


@pytest.fixture
def first_file(account: IndexExchangeSandbox) -> PublishedFile:
    return account.file(HourKey(account.hours[0]))


def readable(sandbox: Sandbox) -> oracles.Truth:
    """What must be there although a file cannot be read: all rows but that file's, which the truth leaves out."""
    return {stream: rows for stream, rows in sandbox.truth().items() if stream != "index_exchange_files"}


def check_left_for_later(sandbox: Sandbox, account: IndexExchangeSandbox, run: Run) -> None:
    """The file is named, none of its rows is there, the others are, and the next run asks for it again."""
    assert run.exit_code == 1
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.wrong_exit(sandbox.truth(), run.exit_code, run.messages, run.log) == []
    assert oracles.gaps(readable(sandbox), run.messages) == []
    assert oracles.premature_states(sandbox.truth(), run.messages) == []
    hour = account.hours[0]
    assert f"impressions/41/{hour:%Y-%m-%dT%H}/0" in run.log.splitlines()[-1]
    manifest = run.bookmark("index_exchange_files")["notes"]["manifest"]
    assert f"{hour:%Y-%m-%dT%H}" not in manifest["impressions/41"]


@case("F1", "index_exchange")
@pytest.mark.parametrize("lever", ["damaged_downloads", "wrong_md5_listings"])
def test_f1_a_file_that_is_wrong_once_is_fetched_again(sandbox: Sandbox, first_file: PublishedFile, lever: str) -> None:
    setattr(first_file, lever, 1)
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert oracles.unknown_records(sandbox.truth(), run.messages) == []


@case("F2", "index_exchange")
@pytest.mark.parametrize("lever", ["damaged_downloads", "wrong_md5_listings"])
def test_f2_a_file_that_stays_wrong_is_left_and_the_others_go_on(
    sandbox: Sandbox, account: IndexExchangeSandbox, first_file: PublishedFile, lever: str
) -> None:
    setattr(first_file, lever, ALWAYS)
    run = sync(sandbox.config)
    check_left_for_later(sandbox, account, run)
    assert first_file.content.md5sum not in run.stdout.decode()
    setattr(first_file, lever, 0)
    again = sync(sandbox.config, run.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


@case("G11", "index_exchange")
@case("F3", "index_exchange")
@pytest.mark.parametrize("rows", [3, 9, 0])
def test_f3_a_file_published_again_is_written_again_whole(
    sandbox: Sandbox, account: IndexExchangeSandbox, rows: int
) -> None:
    first = sync(sandbox.config)
    account.republish(HourKey(account.hours[0]), rows)
    second = sync(sandbox.config, first.state)
    assert second.exit_code == 0
    assert len(second.records(IMPRESSIONS)) == rows
    assert oracles.gaps(sandbox.truth(), first.messages, second.messages) == []


@case("F5", "index_exchange")
@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_f5_a_listed_file_that_cannot_be_had_is_left(
    sandbox: Sandbox, account: IndexExchangeSandbox, first_file: PublishedFile, status: int
) -> None:
    first_file.status = status
    run = sync(sandbox.config)
    check_left_for_later(sandbox, account, run)
    first_file.status = None
    again = sync(sandbox.config, run.state)
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


@case("B2", "index_exchange")
@case("F6", "index_exchange")
def test_f6_an_hour_that_comes_late_is_read_when_it_comes(sandbox: Sandbox, account: IndexExchangeSandbox) -> None:
    missing = account.hours[1]
    account.withdraw(HourKey(missing))
    first = sync(sandbox.config)
    assert first.exit_code == 0
    account.publish(HourKey(missing), 4)
    second = sync(sandbox.config, first.state)
    assert oracles.gaps(sandbox.truth(), first.messages, second.messages) == []


UNREADABLE = (
    *("truncated", "truncated_trailer", "truncated_length"),  # F7
    *("trailing_junk", "bit_flip", "html", "not_compressed", "zero_bytes"),  # F8
    *("duplicate_header", "unterminated_quote", "utf16"),  # F13, F15, F17
)


@case("F7", "index_exchange")
@case("F8", "index_exchange")
@case("F13", "index_exchange")
@case("F15", "index_exchange")
@case("F17", "index_exchange")
@pytest.mark.parametrize("shape", UNREADABLE)
def test_f7_to_f17_what_cannot_be_read_is_left_with_an_error(
    sandbox: Sandbox, account: IndexExchangeSandbox, shape: str
) -> None:
    account.publish(HourKey(account.hours[0]), 6, shape=shape)
    run = sync(sandbox.config)
    check_left_for_later(sandbox, account, run)


@case("F12", "index_exchange")
@case("F13", "index_exchange")
@case("F14", "index_exchange")
@case("F23", "index_exchange")
@pytest.mark.parametrize(
    "shape",
    [
        "header_only",
        "bom",
        "crlf",
        "no_final_newline",
        "all_quoted",
        "quoted_newlines",
        "doubled_quotes",
        "long_field",
        "masked",
        "blank",
        "new_column",
        "missing_column",
        "reordered",
        "two_members",
        "trailing_zeros",
        "no_revenue",
        "huge_amount",
    ],
)
def test_f12_to_f23_what_can_be_read_is_read_whole(sandbox: Sandbox, account: IndexExchangeSandbox, shape: str) -> None:
    account.publish(HourKey(account.hours[0]), 6, shape=shape)
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    truth = sandbox.truth()
    del truth["index_exchange_hourly"]  # whose keys are the tap's own
    assert oracles.gaps(truth, run.messages) == []


@case("F19", "index_exchange")
def test_f19_files_of_a_storage_are_asked_without_the_token(sandbox: Sandbox, account: IndexExchangeSandbox) -> None:
    """A host other than the API's is asked over https only; over http nothing is sent, so no token either."""
    account.links_to_storage = True
    account.storage_host = "127.0.0.2:1"
    run = sync(sandbox.config)
    assert run.exit_code == 1
    assert "on another host than the API and not https" in run.log
    assert not [request for request in sandbox.requests if "/storage/" in request.path]


@case("F22", "index_exchange")
def test_f22_a_signed_url_is_asked_byte_by_byte(sandbox: Sandbox, account: IndexExchangeSandbox) -> None:
    account.link_query = "b=&a=1%2C2,3&sig=%2B+/=&z"
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert oracles.leaked([account.link_query], run.stdout, run.log) == []


@case("F21", "index_exchange")
def test_f21_names_in_the_list_are_never_paths(sandbox: Sandbox, account: IndexExchangeSandbox, tmp_path: Path) -> None:
    account.entry_changes = {"fileName": "../../x", "subscriptionName": "/etc/../x"}
    config = {"index_exchange": {**sandbox.config["index_exchange"], "archive_url": str(tmp_path / "archive")}}
    assert sync(config).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}


@case("F11", "index_exchange")
def test_f11_a_full_disk_is_told_and_leaves_nothing(
    sandbox: Sandbox, account: IndexExchangeSandbox, tap_runner: TapRunner, tmp_path: Path
) -> None:
    hour = account.hours[0]
    account.publish(HourKey(hour), 4000)
    limit = f"import resource, os, sys; resource.setrlimit({resource.RLIMIT_FSIZE}, (40_000, 40_000)); "
    command = tap_runner.command(config=sandbox.config)
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", limit + "os.execv(sys.argv[1], sys.argv[1:])", *command],
        env=environment(TMPDIR=str(tmp_path / "temporary")),
        capture_output=True,
        check=False,
        timeout=60,
    )
    seen = oracles.read(done.stdout)
    stderr = done.stderr.decode()
    assert done.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert "cannot be stored in the temporary folder" in stderr
    assert list((tmp_path / "temporary").iterdir()) == []
    assert oracles.premature_states(sandbox.truth(), seen) == []
    states = [message["value"] for message in seen if message["type"] == "STATE"]
    again = sync(sandbox.config, states[-1])
    assert again.exit_code == 0
    assert oracles.gaps(sandbox.truth(), seen, again.messages) == []
