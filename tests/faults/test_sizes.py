"""However much there is: memory stays as it is, and what no log holds is told and left."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import typing as t

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile
from auditlogs_sandbox.vendors.index_exchange.rows import HEADERS
from tests.faults import oracles
from tests.faults.marks import case, every_vendor
from tests.faults.memory import FILE_LIMIT_MIB, LIMIT_MIB, read_file, read_source, run_measured
from tests.faults.proxy import FaultProxy, Reply, status
from tests.faults.runs import sync
from tests.faults.sources import SOURCES
from tests.faults.subjects import SUBJECTS
from tests.faults.test_answers import check_failed
from tests.faults.test_files import check_left_for_later
from tests.faults.test_rows import with_fields
from tests.support.tap_runs import Run

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.faults.proxy import Action
    from tests.faults.subjects import Subject
    from tests.support.raw_server import Talk
    from tests.support.tap_process import TapRunner

Config: t.TypeAlias = "dict[str, t.Any]"
GIB: t.Final = 1 << 30
MIB: t.Final = 1 << 20
DEEP: t.Final = "[" * 20_000 + "]" * 20_000
WITHOUT_BULK: t.Final = "import sys; sys.modules['tap_auditlogs.vendors.index_exchange.bulk'] = None"
LARGEST_LINE: t.Final = 16 * 1024
"""Of the output; the records of the cells made up here are longer."""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured and limited as Linux does it")


# Memory does not grow with the number of records.


@on_linux
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "stream", "few"),
    [
        ("pigment", "pigment_audit_events", 10_000),
        ("cryptolens", "cryptolens_web_api_log", 10_000),
        ("openx", "openx_audit_trail", 4_000),
        ("xandr", "xandr_change_log", 4_000),
    ],
)
def test_five_times_the_records_take_no_more_memory(tmp_path: Path, name: str, stream: str, few: int) -> None:
    small, large = (read_source(SOURCES[name](count), [stream], tmp_path).peak_mib for count in (few, 5 * few))
    assert large < LIMIT_MIB
    assert large - small < 10, f"{small:.0f} MiB, then {large:.0f} MiB"


@on_linux
@pytest.mark.parametrize(
    ("name", "stream"), [("openx", "openx_audit_trail"), ("xandr", "xandr_change_log")], ids=["openx", "xandr"]
)
def test_of_objects_that_have_not_changed_little_is_kept(tmp_path: Path, name: str, stream: str) -> None:
    """Each run lists them all; the second one has none to ask."""
    state = read_source(SOURCES[name](20), [stream], tmp_path).state
    small, large = (
        read_source(SOURCES[name](20 * objects), [stream], tmp_path, state=state, expected=0).peak_mib
        for objects in (1_000, 21_000)
    )
    assert large - small < 10, f"{small:.0f} MiB, then {large:.0f} MiB"


@pytest.mark.exhaustive
@on_linux
@case("F10", "index_exchange")
@pytest.mark.parametrize(
    ("before", "few", "many", "margin"),
    # The smaller file already fills all blocks of the bulk path; 480,000 rows are 144 MiB.
    [(None, 120_000, 600_000, 40), (WITHOUT_BULK, 10_000, 50_000, 10)],
    ids=["bulk", "ordinary"],
)
def test_f10_a_file_five_times_as_large_takes_no_more_memory(
    tmp_path: Path, before: str | None, few: int, many: int, margin: int
) -> None:
    small, large = (read_file(rows, tmp_path, before=before).peak_mib for rows in (few, many))
    assert large < FILE_LIMIT_MIB
    assert large - small < margin, f"{small:.0f} MiB, then {large:.0f} MiB"


# Files of nothing.


_BLANKS: t.Final = b"," * (len(HEADERS["impressions"]) - 1) + b"\n"
PIECES: t.Final = {
    "line": b"0" * (16 * MIB),
    "rows": (b"0" * 65_000 + _BLANKS) * 250,
    "cells": b"0" * (15 * MIB) + _BLANKS,
}
FILES: t.Final = {
    "line": "it has a line longer than 16 MiB",
    "rows": "the file decompresses to more than any log file would",
    "cells": "the file decompresses to more than any log file would",
}


def write_large(path: Path, account: IndexExchangeSandbox, made: str) -> GeneratedFile:
    """Write a file as small as gzip makes it: the same again and again, each time a member of its own."""
    header = gzip.compress(",".join(HEADERS["impressions"]).encode() + b"\n", mtime=0)
    size = GIB if made == "line" else GIB // 2
    content = header + gzip.compress(PIECES[made], mtime=0) * (size // len(PIECES[made]))
    path.write_bytes(content)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return GeneratedFile(path, account.hours[0], rows=0, size=len(content), csv_size=size, md5sum=digest)


@on_linux
@case("F9", "index_exchange")
@case("F10", "index_exchange")
@case("F18", "index_exchange")
@pytest.mark.parametrize(
    ("made", "before", "limit"),
    [
        ("line", None, FILE_LIMIT_MIB),
        ("line", WITHOUT_BULK, 200),
        pytest.param("rows", None, FILE_LIMIT_MIB, marks=pytest.mark.exhaustive),
        pytest.param("cells", None, FILE_LIMIT_MIB, marks=pytest.mark.exhaustive),
        pytest.param("cells", WITHOUT_BULK, 300, marks=pytest.mark.exhaustive),
    ],
    ids=["line-bulk", "line-ordinary", "rows-bulk", "cells-bulk", "cells-ordinary"],
)
def test_f9_f10_a_huge_file_of_nothing_is_left_in_little_memory(
    sandbox: Sandbox,
    account: IndexExchangeSandbox,
    tap_runner: TapRunner,
    tmp_path: Path,
    made: str,
    before: str | None,
    limit: float,
) -> None:
    file = write_large(tmp_path / "large.gz", account, made)
    account.publish_file(file, HourKey(account.hours[0]))
    lines: list[bytes] = []
    taken = run_measured(
        tap_runner.command(config=sandbox.config, before=before),
        lambda line: lines.append(line) if len(line) < LARGEST_LINE else None,
    )
    assert taken.peak_mib < limit
    assert FILES[made] in taken.log.splitlines()[-1]
    assert "Traceback" not in taken.log
    check_left_for_later(sandbox, account, Run(taken.code, b"".join(lines), taken.log))


# Answers of nothing.

BOMB: t.Final = gzip.compress(b" " * (16 * MIB), mtime=0) * (GIB // (16 * MIB))


@on_linux
@case("F9")
@every_vendor
def test_f9_a_page_that_unpacks_to_a_gibibyte_ends_in_an_error(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner
) -> None:
    proxy.inject(status(200, {"Content-Encoding": "gzip"}, BOMB), subject.page, skip=1)
    lines: list[bytes] = []
    taken = run_measured(tap_runner.command(config=config), lines.append)
    assert taken.peak_mib < 800  # several threads may each meet one
    assert "the answer is larger than 128 MiB" in taken.log.splitlines()[-1]
    check_failed(sandbox.truth(), Run(taken.code, b"".join(lines), taken.log))


# JSON nested deeper than anything can go down.


def with_deep_field(subject: Subject) -> Action:
    """Pass the answer on with a field in each row that is nested 20,000 deep."""

    def act(talk: Talk, ask: Callable[[], Reply]) -> None:
        reply = ask()
        page = json.dumps(with_fields(subject, {"brandNew": "deep"}, json.loads(reply.body)))
        talk.send(Reply(reply.status, reply.headers, page.replace('"deep"', DEEP).encode()).whole())

    return act


@case("G6")
@every_vendor
def test_g6_a_page_nested_20_000_deep_is_told_and_gone_on_from(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner
) -> None:
    proxy.inject(with_deep_field(subject), subject.page, skip=1)
    done = tap_runner.run(config={**config, "max_retry_wait_seconds": 0})
    assert "the JSON of the answer is nested too deep" in done.stderr.splitlines()[-1]
    check_failed(sandbox.truth(), Run(done.code, done.stdout, done.stderr))
    proxy.clear_faults()
    again = sync(config, done.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(sandbox.truth(), done.messages, again.messages) == []


@case("G6")
@case("A5")
@every_vendor
def test_g6_answers_nested_20_000_deep_fail_their_vendor_only(all_vendors: Sandbox, vendor: str) -> None:
    with FaultProxy(all_vendors.url) as proxy:
        proxy.inject(status(200, body=DEEP), f"/{vendor}/")
        run = sync(proxy.in_front(all_vendors.config))
    check_failed(all_vendors.truth(), run)
    others = {stream: rows for stream, rows in all_vendors.truth().items() if not stream.startswith(vendor)}
    assert oracles.gaps(others, run.messages) == []


NESTED: t.Final = {
    "config": '{"pigment": {"api_key": "a-key-of-nobody", "lookback_hours": %s}}',
    "state": '{"bookmarks": {"of_another_tap": {"x": %s}}}',
    "catalog": '{"streams": [{"tap_stream_id": "pigment_audit_events", "schema": {"properties": {"x": %s}}}]}',
}


@case("G6", *SUBJECTS)
@pytest.mark.parametrize(
    ("kind", "levels"),
    [("config", 900), ("config", 20_000), ("state", 900), ("state", 20_000), ("catalog", 20_000)],
)
def test_g6_a_file_that_is_nested_deep_is_refused_before_anything_is_asked(
    all_vendors: Sandbox, tap_runner: TapRunner, kind: str, levels: int
) -> None:
    all_vendors.requests.clear()
    deep = '{"a": ' * levels + "1" + "}" * levels
    files: dict[str, t.Any] = {"config": all_vendors.config, kind: NESTED[kind] % deep}
    outcome = tap_runner.run(**files)
    assert outcome.code in {1, 2}  # 2 is the command line's own, for a file that is no configuration
    assert "Traceback" not in outcome.stderr
    assert any(word in outcome.stderr.splitlines()[-1] for word in (kind, "Settings: pigment"))
    assert outcome.stdout == b""
    assert not all_vendors.requests


# Too little memory.

MARGIN: t.Final = 96 * MIB
LITTLE_MEMORY: t.Final = f"""
import resource, threading
import tap_auditlogs.tap
threading.stack_size(1 << 19)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + {MARGIN},) * 2)
"""


def with_large_field(subject: Subject) -> Action:
    """Pass the answer on with a field that nearly fills the memory."""

    def act(talk: Talk, ask: Callable[[], Reply]) -> None:
        reply = ask()
        page = json.dumps(with_fields(subject, {"brandNew": "large"}, json.loads(reply.body)))
        large = '"' + "x" * (MARGIN * 2 // 3) + '"'
        talk.send(Reply(reply.status, reply.headers, page.replace('"large"', large, 1).encode()).whole())

    return act


@on_linux
@case("I10")
@every_vendor
def test_i10_a_page_that_does_not_fit_into_the_memory_is_told_and_gone_on_from(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, tap_runner: TapRunner
) -> None:
    proxy.inject(with_large_field(subject), subject.page, skip=1)
    # Else each thread takes a part of the memory for itself, and how many threads there are then is a matter of chance.
    done = tap_runner.run(config=config, before=LITTLE_MEMORY, env={"MALLOC_ARENA_MAX": "1"})
    assert "out of memory" in done.stderr.splitlines()[-1], done.stderr
    check_failed(sandbox.truth(), Run(done.code, done.stdout, done.stderr))
    proxy.clear_faults()
    again = sync(config, done.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(sandbox.truth(), done.messages, again.messages) == []
