"""The chart of Cryptolens' own article "Data analysis and reports", on the same rows.

The article's script, in short, with the faults that keep it from running as printed:

    from datetime import datetime, timedelta, date         # and then `datetime.datetime`, which does not exist
    month_back = int(datetime.datetime.timestamp(...today() - datetime.timedelta(days=30)))
    while True:
        res = Key.get_web_api_log(...)                      # which the vendor's SDK has in `AI`
        if res[0] == None: break
        logs = logs + res[0]
        if res[0][-1]["time"] < month_back: break           # an IndexError where the log is younger than a month
        ending_before = res[0][-1]["id"]
    logs = logs[logs["time"] > month_back]
    logs["Success"] = logs["state"] % 100 // 10 - 1
    logs[logs["Success"] == 0] = "Success"                  # overwrites all columns of these rows
    logs[logs["Success"] == 1] = "Failure"                  # likewise
    logs["Success"].value_counts(normalize=True).plot(kind="bar")
"""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from licensing.internal import HelperMethods  # type: ignore[import-untyped] # the vendor's SDK ships no types
from licensing.methods import AI  # type: ignore[import-untyped] # the vendor's SDK ships no types

from auditlogs_sandbox.server import Sandbox
from tests.report.reports import as_duckdb, by_first, make_figures
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG: t.Final = "cryptolens_web_api_log"
NAMES: t.Final = {0: "Success", 1: "Failure"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["cryptolens"], size=3000) as running:
        yield running


@pytest.fixture
def month_back() -> datetime:
    return datetime.now(tz=UTC).replace(microsecond=0) - timedelta(days=30)


def read_as_the_script(
    sandbox: Sandbox, month_back: datetime, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, t.Any]]:
    monkeypatch.setattr(HelperMethods, "server_address", f"{sandbox.config['cryptolens']['api_url']}/")
    token = sandbox.config["cryptolens"]["access_token"]
    logs: list[dict[str, t.Any]] = []
    while True:
        page, _ = AI.get_web_api_log(
            token, order_by="Id descending", limit=1000, ending_before=logs[-1]["id"] if logs else 0
        )
        if not page:
            break
        logs += page
        if page[-1]["time"] < month_back.timestamp():
            break
    return [row for row in logs if row["time"] > month_back.timestamp()]


def shares_of_the_script(logs: list[dict[str, t.Any]]) -> dict[t.Any, float]:
    counts = Counter(row["state"] % 100 // 10 - 1 for row in logs)
    return {NAMES.get(value, value): number / counts.total() for value, number in counts.items()}


def load(sandbox: Sandbox, folder: Path) -> str:
    config = {"cryptolens": {**sandbox.config["cryptolens"], "settle_seconds": 0}}
    return as_duckdb(folder, {LOG: sync(config).records(LOG)})


def test_the_share_of_failed_requests_is_that_of_the_script(
    sandbox: Sandbox, month_back: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logs = read_as_the_script(sandbox, month_back, monkeypatch)
    assert len(logs) > 100
    script = shares_of_the_script(logs)
    end = month_back + timedelta(days=31)
    since = month_back + timedelta(seconds=1)  # the script's comparison is strict
    figure = make_figures(load(sandbox, tmp_path), end=end, length=end - since)["cryptolens-success"]
    shown = by_first(figure)
    assert {name: row["Requests"] / len(logs) for name, row in shown.items()} == {
        "successful": script["Success"],
        "failed": script["Failure"],
        # The script draws a bar for each other value: of the third digit it knows 1 and 2 only.
        "outcome unknown": pytest.approx(sum(share for name, share in script.items() if name not in NAMES.values())),
    }
    assert figure.sentence.startswith(f"{100 * script['Failure']:.1f} % of {len(logs)} requests failed")


def test_the_script_loses_the_other_columns_and_the_report_does_not(
    sandbox: Sandbox, month_back: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pd = pytest.importorskip("pandas", reason="in the dependency group `stores`")
    logs = read_as_the_script(sandbox, month_back, monkeypatch)
    frame = pd.DataFrame(logs).astype(object)  # today's pandas refuses text in a column of integers
    frame["Success"] = frame["state"] % 100 // 10 - 1
    frame[frame["Success"] == 0] = "Success"
    frame[frame["Success"] == 1] = "Failure"
    ratio = frame["Success"].value_counts(normalize=True).to_dict()
    assert ratio == pytest.approx(shares_of_the_script(logs))

    # Of each of these rows nothing is left: neither the method nor the key that failed can be told any more.
    failed = frame[frame["Success"] == "Failure"]
    assert set(failed["state"]) == set(failed["key"]) == set(failed["time"]) == {"Failure"}
    # Writing into the column alone keeps them.
    right = pd.DataFrame(logs)
    right["Success"] = right["state"].map(lambda state: NAMES.get(state % 100 // 10 - 1, "unknown"))
    methods = right[right["Success"] == "Failure"]["state"] // 100
    end = month_back + timedelta(days=31)
    figures = make_figures(load(sandbox, tmp_path), end=end, length=end - month_back - timedelta(seconds=1))
    shown = [row["Failed"] for row in by_first(figures["cryptolens-methods"]).values() if row["Failed"]]
    assert sorted(shown) == sorted(methods.value_counts().to_list())
