"""Each oracle reports the mutants it is meant for, and nothing for the real tap."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import typing as t
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.openx import OpenxSandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox
from tests.faults import oracles
from tests.faults.mutants import MUTANTS, applied
from tests.faults.proxy import OtherHost, rewritten, status
from tests.faults.runs import sync
from tests.faults.subjects import SUBJECTS
from tests.faults.test_answers import paced_requests
from tests.support.tap_process import environment

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import FaultProxy
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Clock

ROOT = Path(__file__).parents[2]


class Stage:
    """What a trial needs: the sandbox, the proxy, and the waits of the runs."""

    def __init__(self, sandbox: Sandbox, proxy: FaultProxy, clock: Clock, waits: list[float]) -> None:
        self.sandbox = sandbox
        self.proxy = proxy
        self.clock = clock
        self.waits = waits
        self.config = proxy.in_front(sandbox.config)

    def check(self, *runs: t.Any) -> list[str]:
        """Report records that successive runs have missed."""
        return oracles.gaps(self.sandbox.truth(), *(run.messages for run in runs))


Trial: t.TypeAlias = "Callable[[Stage], list[str]]"


def _named(value: object) -> str:
    return str(getattr(value, "__name__", value))


def late_event(stage: Stage) -> list[str]:
    pigment = stage.sandbox.vendor("pigment", PigmentSandbox)
    pigment.add_event(stage.sandbox.world.now() - timedelta(seconds=9))
    first = sync(stage.config)
    pigment.add_event(stage.sandbox.world.now() - timedelta(hours=20))
    return stage.check(first, sync(stage.config, first.state))


def tie_with_the_bookmark(stage: Stage) -> list[str]:
    stage.config["pigment"]["lookback_hours"] = 0
    pigment = stage.sandbox.vendor("pigment", PigmentSandbox)
    moment = stage.sandbox.world.now().replace(microsecond=0) - timedelta(seconds=9)
    pigment.add_event(moment)
    first = sync(stage.config)
    pigment.add_event(moment)
    return stage.check(first, sync(stage.config, first.state))


def plain_run(stage: Stage) -> list[str]:
    run = sync(stage.config)
    return (
        oracles.premature_states(stage.sandbox.truth(), run.messages)
        + stage.check(run)
        + oracles.unknown_records(stage.sandbox.truth(), run.messages)
        + oracles.singer_faults(run.stdout)
    )


def lines_of_a_run(stage: Stage) -> list[str]:
    return oracles.singer_faults(sync(stage.config).stdout)


def next_id_follows(stage: Stage) -> list[str]:
    """The next row has the very next id."""
    cryptolens = stage.sandbox.vendor("cryptolens", CryptolensSandbox)
    log = cryptolens.web_api_log
    first = sync(stage.config)
    log.next_id = log.entries[-1].id + 1
    cryptolens.add_row(log, age=timedelta(minutes=10))
    return stage.check(first, sync(stage.config, first.state))


def committed_late(stage: Stage) -> list[str]:
    cryptolens = stage.sandbox.vendor("cryptolens", CryptolensSandbox)
    cryptolens.begin_row(cryptolens.web_api_log, age=timedelta(seconds=20))
    cryptolens.add_row(cryptolens.web_api_log, age=timedelta(seconds=10))
    first = sync(stage.config)
    cryptolens.commit_rows()
    stage.clock.shift += timedelta(minutes=20)
    return stage.check(first, sync(stage.config, first.state))


def empty_page_between(stage: Stage) -> list[str]:
    stage.sandbox.vendor("pigment", PigmentSandbox).empty_pages = {2}
    return plain_run(stage)


def late_change(stage: Stage) -> list[str]:
    openx = stage.sandbox.vendor("openx", OpenxSandbox)
    orders = openx.catalogue.live("order")
    openx.change("order", orders[0].id, age=timedelta(seconds=5))
    first = sync(stage.config)
    second = sync(stage.config, first.state)  # no full scan is due any more
    openx.change("order", orders[1].id, age=timedelta(hours=5))
    return stage.check(first, second, sync(stage.config, second.state))


def change_of_the_year_2099(stage: Stage) -> list[str]:
    """Rows that come after one dated in the future are read, and the state can be loaded."""
    pigment = stage.sandbox.vendor("pigment", PigmentSandbox)
    pigment.add_event(stage.sandbox.world.now() + timedelta(days=25_000))
    first = sync(stage.config)
    pigment.add_event(stage.sandbox.world.now() - timedelta(seconds=9))
    return stage.check(first, sync(stage.config, first.state))


def another_file_comes(stage: Stage) -> list[str]:
    """The vendor sends the valid file of another hour."""
    files = stage.sandbox.vendor("index_exchange", IndexExchangeSandbox)
    one, other = (files.file(HourKey(hour)).content for hour in files.hours[:2])
    truth = stage.sandbox.truth()
    files.file(HourKey(files.hours[0])).content = type(one)(other.source, other.size, one.md5sum, one.rows)
    run = sync(stage.config)
    return oracles.wrong_exit(truth, run.exit_code, run.messages, run.log) + _wrong_rows(truth, run.messages)


def _wrong_rows(truth: oracles.Truth, messages: list[oracles.Message]) -> list[str]:
    """Compare the records of a file with its rows."""
    stream = "index_exchange_impressions"
    true_times = {(row["file_md5"], row["row_number"], row["timestamp"].replace(" ", "T")) for row in truth[stream]}
    return [
        f"a record that its file does not have: {record['file_md5']} {record['row_number']}"
        for message in messages
        if message["type"] == "RECORD" and message["stream"] == stream
        for record in [message["record"]]
        if (record["file_md5"], record["row_number"], str(record["timestamp"])[:19]) not in true_times
    ]


def published_again(stage: Stage) -> list[str]:
    files = stage.sandbox.vendor("index_exchange", IndexExchangeSandbox)
    first = sync(stage.config)
    files.republish(HourKey(files.hours[0]), 4)
    return stage.check(first, sync(stage.config, first.state))


def outage(stage: Stage) -> list[str]:
    stage.proxy.inject(status(503), "/ai/Get", skip=2)
    run = sync(stage.config)
    return oracles.wrong_exit(stage.sandbox.truth(), run.exit_code, run.messages, run.log)


def no_page(stage: Stage) -> list[str]:
    stage.proxy.inject(rewritten(lambda _body: {"result": 0, "message": ""}), "GetWebAPILog", skip=1)
    run = sync(stage.config)
    return oracles.wrong_exit(stage.sandbox.truth(), run.exit_code, run.messages, run.log)


def throttled(stage: Stage) -> list[str]:
    stage.proxy.inject(status(429, {"Retry-After": "7"}), times=1)
    sync(stage.config)
    return oracles.too_short_waits(stage.waits, asked=7)


def interrupted_and_resumed(stage: Stage) -> list[str]:
    """An outage after several pages or objects, then a resumed run."""
    ((name, settings),) = stage.config.items()
    if SUBJECTS[name].sweeps:
        settings["max_concurrency"] = 1  # else it is a matter of chance which objects are done
    stage.proxy.inject(status(503), SUBJECTS[name].page, skip=4 if name == "openx" else 3)
    first = sync(stage.config)
    stage.proxy.clear_faults()
    second = sync(stage.config, first.state)
    return stage.check(first, second) + oracles.repeats(first.messages, second.messages, first.state)


def paced(stage: Stage) -> list[str]:
    return oracles.too_fast(paced_requests(stage.proxy, stage.config), most=4, per_seconds=0.1)


def temporary_files(stage: Stage) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tempfile, "tempdir", folder):
        sync(stage.config)
        return oracles.leaked(stage.sandbox.secrets(), folder=Path(folder))


def redirected(stage: Stage) -> list[str]:
    with OtherHost() as other_host:
        stage.proxy.inject(other_host.redirect_here(307))
        sync(stage.config)
        told = [str(request) for request in other_host.requests]
    return oracles.leaked(stage.sandbox.secrets(), *told)


def echoed(stage: Stage) -> list[str]:
    token = stage.config["cryptolens"]["access_token"]
    stage.proxy.inject(status(200, body=json.dumps({"result": 1, "message": f"the token {token} is odd"})))
    run = sync(stage.config)
    return oracles.leaked(stage.sandbox.secrets(), run.stdout, run.log)


def new_field(stage: Stage) -> list[str]:
    def with_news(page: t.Any) -> t.Any:
        return {**page, "events": [{**event, "brandNew": 1} for event in page["events"]]}

    stage.proxy.inject(rewritten(with_news))
    run = sync(stage.config)
    return oracles.dropped_fields(run.messages, {"brandNew"})


TRIALS: dict[str, tuple[str, Trial]] = {
    "no_lookback": ("pigment", late_event),
    "exclusive_start": ("pigment", tie_with_the_bookmark),
    "bookmark_off_by_one": ("cryptolens", next_id_follows),
    "no_settle_time": ("cryptolens", committed_late),
    "empty_page_ends_stream": ("pigment", empty_page_between),
    "no_sweep_lookback": ("openx", late_change),
    "bookmark_follows_future_row": ("pigment", change_of_the_year_2099),
    "md5_not_checked": ("index_exchange", another_file_comes),
    "manifest_ignores_md5": ("index_exchange", published_again),
    "stream_error_ignored": ("cryptolens", outage),
    "missing_rows_read_as_empty": ("cryptolens", no_page),
    "retry_after_ignored": ("pigment", throttled),
    "follows_redirects": ("cryptolens", redirected),
    "secrets_not_masked": ("cryptolens", echoed),
    "unknown_fields_dropped": ("pigment", new_field),
    "prints_to_stdout": ("pigment", lines_of_a_run),
    "extra_record": ("pigment", plain_run),
    "wrong_type": ("pigment", lines_of_a_run),
    "schema_after_records": ("pigment", lines_of_a_run),
    "secrets_in_temporary_file": ("pigment", temporary_files),
}
EXPECTED = {
    "extra_record": "records belong to no row",
    "wrong_type": "7 is not of type 'string'",
    "schema_after_records": "before its SCHEMA",
    "secrets_in_temporary_file": "a secret is in the file",
    "progress_not_kept": "repeated",
    "no_rate_limit": "requests within",
}
"""The message that has to be reported, where a trial has several oracles."""
SEVERAL_VENDORS: dict[str, tuple[Trial, tuple[str, ...]]] = {
    "progress_not_kept": (interrupted_and_resumed, ("pigment", "openx", "xandr")),
    "no_rate_limit": (paced, ("pigment", "xandr")),
}
ON_PLAIN_RUNS = {
    "state_before_last_record": ("pigment", "cryptolens", "openx", "xandr"),
    "last_row_of_page_dropped": ("pigment", "cryptolens", "openx", "xandr", "index_exchange"),
    "sweep_position_too_far": ("openx", "xandr"),
}
ALL_TRIALS: list[tuple[str, str, Trial]] = [
    *((name, vendor, trial) for name, (vendor, trial) in TRIALS.items()),
    *((name, vendor, plain_run) for name, names in ON_PLAIN_RUNS.items() for vendor in names),
    *((name, vendor, trial) for name, (trial, names) in SEVERAL_VENDORS.items() for vendor in names),
]
BY_PROCESS = ("exit_code_0_on_signal", "invalid_state_ignored")


# Signals are blocked before the imports, some of which start threads.
RUN_MUTANT = """
from tap_auditlogs.core.interrupts import interrupts
interrupts.install()
from tests.faults.mutants import main
main()
"""


@pytest.mark.parametrize(("mutant", "vendor", "trial"), ALL_TRIALS, ids=_named)
def test_an_oracle_reports_the_mutant(
    sandbox: Sandbox,
    proxy: FaultProxy,
    clock: Clock,
    waits: list[float],
    mutant: str,
    trial: Trial,
) -> None:
    with applied(mutant):
        findings = trial(Stage(sandbox, proxy, clock, waits))
    assert [finding for finding in findings if EXPECTED.get(mutant, "") in finding]


@pytest.mark.parametrize(
    ("vendor", "trial"),
    list(dict.fromkeys((vendor, trial) for _, vendor, trial in ALL_TRIALS)),
    ids=_named,
)
def test_no_oracle_reports_the_tap(
    sandbox: Sandbox, proxy: FaultProxy, clock: Clock, waits: list[float], trial: Trial
) -> None:
    assert trial(Stage(sandbox, proxy, clock, waits)) == []


@pytest.mark.parametrize("vendor", ["pigment"])
@pytest.mark.parametrize("mutant", BY_PROCESS)
def test_a_mutant_of_the_process_exits_with_0(
    sandbox: Sandbox, proxy: FaultProxy, tap_runner: TapRunner, mutant: str
) -> None:
    """The tap itself ends with 143 and with 1: see `test_ends` and `test_state_files`."""
    config = proxy.in_front(sandbox.config)
    command = [sys.executable, "-c", RUN_MUTANT, mutant, f"--config={tap_runner.file(config)}"]
    if mutant == "exit_code_0_on_signal":
        proxy.inject(status(503, {"Retry-After": "60"}))
    else:
        command.append(f"--state={tap_runner.file('[]')}")
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        if mutant == "exit_code_0_on_signal":
            assert process.stderr is not None
            next(line for line in process.stderr if b"Trying again" in line)
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_every_mutant_has_a_trial() -> None:
    assert set(MUTANTS) == {name for name, _, _ in ALL_TRIALS} | set(BY_PROCESS)
