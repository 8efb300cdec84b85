"""Loads the audit logs of the accounts in accounts.yml, one task per account and vendor.

`auditlogs` runs every hour and goes on from each account's bookmark. `auditlogs_backfill` is started by hand, with a
range of time that it cuts into windows; it leaves the bookmarks alone.

Workers need the Meltano project in AUDITLOGS_PROJECT, and in their environment the settings of the target and
MELTANO_DATABASE_URI, where all of them keep the states.
"""

from __future__ import annotations

import json
import os
import shlex
import typing as t
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, Connection, Param, task
from airflow.sdk.exceptions import AirflowException
from typing_extensions import override

if t.TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

PROJECT = Path(os.environ.get("AUDITLOGS_PROJECT", "/opt/auditlogs"))
PROGRAMS = PROJECT / ".venv" / "bin"
PIPELINE = "tap-auditlogs auditlogs-ocsf target-postgres"

ACCOUNTS: dict[str, list[str]] = {}
for entry in yaml.safe_load(Path(__file__).with_name("accounts.yml").read_text(encoding="utf-8")):
    if entry["account"] in ACCOUNTS.setdefault(entry["vendor"], []):
        raise ValueError(f"accounts.yml names {entry} twice: two tasks would share a state")
    ACCOUNTS[entry["vendor"]].append(entry["account"])


def settings(vendor: str, account: str) -> dict[str, str]:
    """Return the settings of an account as Meltano's environment variables."""
    given = Connection.get(f"auditlogs_{vendor}_{account}").extra_dejson
    return {
        f"TAP_AUDITLOGS_{vendor}_{name}".upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in {**given, "account": account}.items()
    }


class Meltano(BaseOperator):
    """Runs Meltano, in a process that ends with the task."""

    def __init__(self, **kwargs: t.Any) -> None:
        super().__init__(**kwargs)
        self._process = SubprocessHook()

    def run(self, script: str, variables: dict[str, str]) -> None:
        """Run a shell script in the project.

        Runs of one extractor in the same `.meltano` would mix up their catalogs and states, so each has its own folder.
        Meltano's log goes there, too, since Airflow has its content.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        with TemporaryDirectory(prefix="meltano-") as folder:
            environment = {
                **kept,
                **variables,
                "MELTANO_SYS_DIR_ROOT": folder,
                "XDG_STATE_HOME": folder,
                "PATH": os.pathsep.join((str(PROGRAMS), kept.get("PATH", os.defpath))),
            }
            result = self._process.run_command(
                ["bash", "-euo", "pipefail", "-c", script], environment, cwd=str(PROJECT)
            )
        if result.exit_code:
            raise AirflowException(f"Meltano ended with exit code {result.exit_code}; the log above has the reason")

    @override
    def on_kill(self) -> None:
        self._process.send_sigterm()


class Prepare(Meltano):
    """Creates what is missing of Meltano's database and of the tables: of two runs that create the same, one fails."""

    @override
    def execute(self, context: Context) -> None:
        variables: dict[str, str] = {}
        for vendor, accounts in ACCOUNTS.items():
            variables |= settings(vendor, accounts[0])
        # With --test=schema the tap writes SCHEMA messages only, and requests nothing from the vendors.
        plugins = ("tap-auditlogs --test=schema", "mapper-auditlogs-ocsf", "target-postgres")
        pipe = " | ".join(f"meltano invoke {plugin}" for plugin in plugins)
        self.run(f"meltano state list >/dev/null\n{pipe}", variables)


class LoadAccount(Meltano):
    """Loads one account of one vendor: from its bookmark on, or a window of time, [from, to]."""

    def __init__(self, *, vendor: str, account: str, window: list[str] | None = None, **kwargs: t.Any) -> None:
        super().__init__(**kwargs)
        self.vendor = vendor
        self.account = account
        self.window = window

    @override
    def execute(self, context: Context) -> None:
        state = [self.vendor, self.account]
        variables = settings(self.vendor, self.account)
        if self.window:
            # A state of its own, so that a window that failed goes on where it stopped.
            state += ["backfill", *self.window]
            variables |= dict(zip(("TAP_AUDITLOGS_START_DATE", "TAP_AUDITLOGS_END_DATE"), self.window, strict=True))
        suffix = "-".join(state).replace(":", "")
        # After the loss of a worker, Meltano takes its run for active for minutes. Airflow starts no task twice.
        self.run(f"meltano run --force --state-id-suffix={shlex.quote(suffix)} {PIPELINE}", variables)


def load(vendor: str, **options: t.Any) -> OperatorPartial:
    """Return the task that loads the accounts of a vendor, to be expanded. The pool holds the vendor's limit."""
    return LoadAccount.partial(
        task_id=vendor,
        vendor=vendor,
        pool=f"auditlogs_{vendor}",
        map_index_template="{{ ([task.account] + (task.window or [])) | join(' ') }}",
        retries=3,  # after core.default_task_retry_delay, five minutes unless configured
        **options,
    )


with DAG(
    "auditlogs", schedule="@hourly", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1
):
    prepare = Prepare(task_id="prepare", retries=1)
    for name, accounts in ACCOUNTS.items():
        # One account's missing connection must not hold up the others.
        prepare >> load(name, trigger_rule="all_done").expand(account=accounts)


with DAG(
    "auditlogs_backfill",
    schedule=None,
    max_active_runs=1,
    params={
        "from": Param(description="Begin, inclusive", type="string", format="date-time"),
        "to": Param(description="End, exclusive", type="string", format="date-time"),
        "days": Param(7, description="Length of a window", type="integer", minimum=1),
        "account": Param(None, description="Only this account", type=["null", "string"]),
    },
):

    @task
    def windows(accounts: list[str], params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """Return each window of each account."""
        begin, end = (datetime.fromisoformat(params[name]) for name in ("from", "to"))
        edges = [begin]
        while edges[-1] < end:
            edges.append(min(edges[-1] + timedelta(days=params["days"]), end))
        return [
            {"account": account, "window": [edge.isoformat() for edge in window]}
            for account in accounts
            if params["account"] in {None, account}
            for window in pairwise(edges)
        ]

    for name, accounts in ACCOUNTS.items():
        load(name).expand_kwargs(windows.override(task_id=f"{name}_windows")(accounts))
