"""`deploy/accounts`: two accounts of each vendor with the same ids share tables; nothing is overwritten or mixed."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from auditlogs_demo.meltano import LOADER, Pipeline, flatten_settings, to_environment
from auditlogs_sandbox.server import Sandbox
from scripts.meltano_yml import complete_schema, settings_of
from tap_auditlogs.tap import TapAuditLogs
from tests.deploy.meltano_project import ROOT, MeltanoProject, record_counts
from tests.support.postgres import load, postgres_server
from tests.support.tap_runs import Clock, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.postgres import PostgresServer

MAPPER = Path(sys.executable).with_name("auditlogs-ocsf")
# Six runs of whole pipelines in one fixture, on a machine that may be busy.
pytestmark = pytest.mark.timeout(1800)

EXAMPLE = ROOT / "deploy" / "accounts" / "meltano.yml"
ACCOUNTS = ("emea", "apac")
IN_THE_EXAMPLE = ("pigment", "cryptolens")

# A file that is generated anew with fewer rows leaves the others in the table.
SHRUNK = {"index_exchange_impressions", "index_exchange_bids", "index_exchange_hourly"}
# Its second run reads the new rows only; Pigment and others look back.
COUNTED = "cryptolens_web_api_log"

SecondRuns: t.TypeAlias = "tuple[int, Counter[str], Counter[str]]"
Settings: t.TypeAlias = "dict[str, dict[str, t.Any]]"

# The account, what contains it, the time of the run, and what Index Exchange knows of earlier downloads.
NOT_COMPARED = ["account", "event_uid", "ocsf", "ingested_at", "download_status"]


@pytest.fixture(scope="module")
def example() -> dict[str, t.Any]:
    loaded: dict[str, t.Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    return loaded


def test_the_settings_are_declared_as_the_code_has_them(example: dict[str, t.Any]) -> None:
    (parent, *_) = example["plugins"]["extractors"]
    known = {it["name"]: it for it in settings_of(complete_schema(TapAuditLogs))}
    for setting in parent["settings"]:
        assert setting == {name: known[setting["name"]][name] for name in setting}
        assert ("sensitive" in setting) == ("sensitive" in known[setting["name"]])
    assert parent["capabilities"] == [str(it) for it in TapAuditLogs.capabilities]


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """One per account: the same ids, since these follow from the seed, at other times, since the clocks differ."""
    now = datetime.now(UTC)
    within_an_hour = now.replace(minute=30, second=0) - timedelta(hours=now.minute < 30) - now
    with ExitStack() as stack:
        yield {
            account: stack.enter_context(Sandbox(seed=7, size=40, clock=Clock(within_an_hour - timedelta(minutes=it))))
            for it, account in enumerate(ACCOUNTS)
        }


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def project(
    example: dict[str, t.Any],
    sandboxes: dict[str, Sandbox],
    server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> MeltanoProject:
    """The example with the installed commands, all settings declared and all vendors in use."""
    folder = tmp_path_factory.mktemp("accounts")
    for plugins in example["plugins"].values():
        for plugin in plugins:
            plugin.pop("pip_url", None)
    example["plugins"]["extractors"][0]["settings"] = list(settings_of(complete_schema(TapAuditLogs)))
    prepared = folder / "prepared.yml"
    prepared.write_text(yaml.safe_dump(example), encoding="utf-8")
    base = Pipeline.create(folder, prepared, tap={}, loaders={LOADER: {"sqlalchemy_url": server.database.url}})
    # Read from the shared extractor's name by both, in place of the example's date, which is after the oldest rows.
    environment = {**base.environment, "TAP_AUDITLOGS_START_DATE": "2020-01-01T00:00:00Z"}
    for account, sandbox in sandboxes.items():
        environment |= to_environment(f"tap-auditlogs-{account}", flatten_settings(settings_for(sandbox, account)))
    return MeltanoProject(folder, environment)


def settings_for(sandbox: Sandbox, account: str) -> Settings:
    """What the example leaves to the environment: it names the accounts of two vendors itself."""
    return {
        vendor: {**config} if vendor in IN_THE_EXAMPLE else {**config, "account": account}
        for vendor, config in sandbox.config.items()
    }


@pytest.fixture(scope="module")
def second_runs(project: MeltanoProject, sandboxes: dict[str, Sandbox]) -> SecondRuns:
    """Load both accounts, add rows to one of them, load both again: the new rows, and what each second run read."""
    for account in ACCOUNTS:
        project.run("run", account)
    before = len(sandboxes["emea"].truth()[COUNTED])
    sandboxes["emea"].advance()
    new = len(sandboxes["emea"].truth()[COUNTED]) - before
    read = {account: record_counts(project.run("run", account).stderr) for account in ACCOUNTS}
    return new, read["emea"], read["apac"]


def rows_of(server: PostgresServer, table: str, where: str = "true") -> Counter[str]:
    if server.query(f"SELECT to_regclass('{table}')") == [(None,)]:
        return Counter()  # a stream without rows has no table
    rows = server.query(
        f"""SELECT (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each(to_jsonb(t) - ARRAY{NOT_COMPARED})
            WHERE NOT starts_with(key, '_sdc_')) FROM {table} AS t WHERE {where}"""  # noqa: S608 - no input
    )
    return Counter(row for (row,) in rows)


def ids_of(server: PostgresServer, table: str, key: Sequence[str]) -> set[tuple[t.Any, ...]]:
    return set(server.query(f"SELECT {', '.join(key)} FROM {table}"))  # noqa: S608 - no input


def load_alone(server: PostgresServer, sandbox: Sandbox, folder: Path, schema: str) -> None:
    """Load one account without the setting `account` into tables of its own, the reference."""
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    mapped = subprocess.run([MAPPER], input=run.stdout, capture_output=True, check=True, timeout=60)
    loaded = load(server, mapped.stdout, folder, default_target_schema=schema)
    assert loaded.returncode == 0, loaded.stderr


@pytest.fixture(scope="module")
def alone(
    second_runs: SecondRuns,  # noqa: ARG001 - the sources must have all their rows
    server: PostgresServer,
    sandboxes: dict[str, Sandbox],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The schema of each account's reference."""
    for account, sandbox in sandboxes.items():
        load_alone(server, sandbox, tmp_path_factory.mktemp(account), f"{account}_alone")
    return {account: f"{account}_alone" for account in sandboxes}


@pytest.mark.exhaustive
def test_nothing_is_overwritten_and_nothing_mixed(
    server: PostgresServer, sandboxes: dict[str, Sandbox], alone: dict[str, str]
) -> None:
    seen: dict[str, list[Counter[str]]] = {}
    for account, sandbox in sandboxes.items():
        for stream, truth in sandbox.truth().items():
            expected = rows_of(server, f"{alone[account]}.{stream}")
            found = rows_of(server, f"audit.{stream}", f"account = '{account}'")
            assert not expected - found
            assert found == expected or (account == "emea" and stream in SHRUNK)
            assert expected.total() == len(truth)
            seen.setdefault(stream, []).append(expected)
    streams = TapAuditLogs(validate_config=False).streams
    # The ids are the same, and yet the rows differ: else none could have been overwritten, nor be seen to be.
    for stream in ("pigment_audit_events", "cryptolens_web_api_log", "xandr_change_log", "openx_audit_trail"):
        emea, apac = seen[stream]
        assert not emea & apac
        ids = [ids_of(server, f"{alone[account]}.{stream}", streams[stream].primary_keys) for account in ACCOUNTS]
        assert ids[0] > ids[1]  # one has new rows


@pytest.mark.exhaustive
def test_audit_events_has_every_event_of_both_accounts_once(server: PostgresServer, alone: dict[str, str]) -> None:
    expected: Counter[str] = Counter()
    for account, schema in alone.items():
        server.execute(f"UPDATE {schema}.audit_events SET tenant = '{account}' WHERE tenant IS NULL")  # noqa: S608 - no input
        expected += rows_of(server, f"{schema}.audit_events")
    assert rows_of(server, "audit.audit_events") == expected
    assert expected.total() > 100


@pytest.mark.exhaustive
def test_each_account_has_its_own_state(project: MeltanoProject, second_runs: SecondRuns) -> None:
    new, emea, apac = second_runs
    assert emea[COUNTED] == new > 0
    assert apac[COUNTED] == 0
    names = project.run("state", "list").stdout
    assert {line.strip() for line in names.splitlines()} == {
        f"prod:tap-auditlogs-{account}-to-target-postgres" for account in ACCOUNTS
    }
