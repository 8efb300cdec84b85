"""Rows that come late, tied, dated ahead, shifted or in pages that mislead; and what the rows hold."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest

from auditlogs_sandbox.server import Sandbox
from tests.faults import oracles
from tests.faults.catalogue import OPEN
from tests.faults.marks import case, every_vendor, vendors
from tests.faults.proxy import after, rewritten
from tests.faults.runs import sync
from tests.faults.subjects import SIZE, record_key, shrink, true_keys
from tests.faults.test_answers import check_failed
from tests.support.states import has_begun_part

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox
    from tests.faults.proxy import FaultProxy, Reply, Rewrite
    from tests.faults.subjects import Keys, Subject
    from tests.support.raw_server import Talk
    from tests.support.tap_runs import Clock, Run

Config: t.TypeAlias = "dict[str, t.Any]"
Swept: t.TypeAlias = "OpenxSandbox | XandrSandbox"
SOME = {"openx": "order", "xandr": "line-item"}
LOGS = {"openx": "openx_audit_trail", "xandr": "xandr_change_log", "pigment": "pigment_audit_events"}
TIMES = {"openx": "timestamp", "xandr": "created_on"}


def written(runs: list[Run]) -> Keys:
    """The keys of all records of some runs."""
    return oracles.written_keys(message for run in runs for message in run.messages)


def tie(account: t.Any, name: str, count: int, age: timedelta) -> None:
    """Let rows come that all have one time."""
    if name == "pigment":
        t.cast("PigmentSandbox", account).add_tie(account.world.now().replace(microsecond=0) - age, count)
    elif name == "cryptolens":
        for _ in range(count):
            t.cast("CryptolensSandbox", account).add_row(account.web_api_log, age=age)
    else:
        kind = SOME[name]
        for _ in range(count):
            t.cast("Swept", account).change(kind, account.catalogue.live(kind)[1].id, age=age)


@case("C8", "cryptolens")
@case("C13", "cryptolens")
@case("B1")
@vendors("pigment", "cryptolens", "openx", "xandr")
def test_b1_a_tie_across_pages_survives_a_cut_within_it(sandbox: Sandbox, subject: Subject, account: t.Any) -> None:
    age = timedelta(minutes=10)
    tie(account, subject.name, 25, age)
    run = sync(sandbox.config)
    tie(account, subject.name, 3, age)  # and more of it after the bookmark has come to that time
    truth = sandbox.truth()
    for cut, message in enumerate(run.messages):
        if message["type"] == "STATE":
            again = sync(sandbox.config, message["value"])
            written = [run.messages[: cut + 1], again.messages]
            if subject.sweeps and has_begun_part(message["value"]):
                written.append(sync(sandbox.config, again.state).messages)
            assert oracles.gaps(truth, *written) == []


@case("B2")
@vendors("openx", "xandr")
@pytest.mark.parametrize("minutes", [1, 30, 55])
def test_b2_a_change_that_is_logged_late_is_found(
    sandbox: Sandbox, subject: Subject, account: t.Any, minutes: int
) -> None:
    kind = SOME[subject.name]
    items = account.catalogue.live(kind)
    account.change(kind, items[0].id)
    first = sync(sandbox.config)
    second = sync(sandbox.config, first.state)
    account.change(kind, items[1].id, age=timedelta(minutes=minutes))
    third = sync(sandbox.config, second.state)
    assert oracles.gaps(sandbox.truth(), first.messages, second.messages, third.messages) == []


@case("B3")
@vendors("openx", "xandr")
def test_b3_a_change_logged_later_than_the_look_back_is_found_by_the_next_full_scan_if_at_all(
    subject: Subject, clock: Clock
) -> None:
    clock.shift = -timedelta(days=8)
    with Sandbox(seed=5, vendors=[subject.name], size=SIZE, clock=clock) as sandbox:
        shrink(sandbox, [subject])
        account: t.Any = sandbox.vendor(subject.name)
        kind = SOME[subject.name]
        items = account.catalogue.live(kind)
        runs = [sync(sandbox.config)]
        clock.shift = -timedelta(days=2)
        account.change(kind, items[0].id)
        runs.append(sync(sandbox.config, runs[-1].state))
        before = true_keys(sandbox.truth())
        account.change(kind, items[1].id, age=timedelta(days=3))
        late = true_keys(sandbox.truth())
        account.change(kind, items[2].id, age=timedelta(days=30))  # before the last full scan, too
        runs.append(sync(sandbox.config, runs[-1].state))
        assert oracles.missing(before, written(runs)) == []
        assert oracles.missing(late, written(runs))
        clock.shift = -timedelta(hours=20)
        runs.append(sync(sandbox.config, runs[-1].state))
        assert [run.exit_code for run in runs] == [0] * 4
        assert oracles.missing(late, written(runs)) == []
        assert oracles.gaps(sandbox.truth(), *(run.messages for run in runs))  # the README says what is lost


@case("B7")
@vendors("openx", "xandr")
@pytest.mark.parametrize("minutes", [-10, 10])
def test_b7_only_the_vendors_clock_counts(
    sandbox: Sandbox, subject: Subject, account: t.Any, clock: Clock, minutes: int
) -> None:
    clock.shift = timedelta(minutes=minutes)
    look_back = {"openx": "lookback_days", "xandr": "lookback_hours"}[subject.name]
    config = {subject.name: {**sandbox.config[subject.name], look_back: 0}}
    kind = SOME[subject.name]
    items = account.catalogue.live(kind)
    account.change(kind, items[0].id)
    runs = [sync(config)]
    for item in items[1:3]:
        clock.shift += timedelta(seconds=90)
        account.change(kind, item.id)
        runs.append(sync(config, runs[-1].state))
    assert [run.exit_code for run in runs] == [0] * 3
    assert oracles.gaps(sandbox.truth(), *(run.messages for run in runs)) == []
    marks = runs[-1].bookmark(LOGS[subject.name])["parts"][kind]
    now = sandbox.world.now()
    assert now - timedelta(seconds=60) < oracles.moment(marks["notes"]["swept"]) <= now


@case("B9")
@vendors("openx", "xandr")
@pytest.mark.parametrize("gone", [True, False], ids=["missing", "null"])
def test_b9_rows_without_a_time_are_kept_and_move_no_bookmark(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, gone: bool
) -> None:
    time = TIMES[subject.name]

    def without_time(page: t.Any) -> t.Any:
        emptied = with_fields(subject, {time: None}, page)
        return json.loads(json.dumps(emptied).replace(f'"{time}": null', '"other": null')) if gone else emptied

    proxy.inject(rewritten(without_time), subject.page)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    parts = run.bookmark(LOGS[subject.name])["parts"]
    assert parts
    assert not any("replication_key_value" in part for part in parts.values())


@case("B15", "xandr")
@vendors("xandr")
def test_b15_a_bookmark_older_than_what_is_kept_warns_of_the_range_that_is_lost(subject: Subject, clock: Clock) -> None:
    clock.shift = -timedelta(days=200)
    with Sandbox(seed=5, vendors=[subject.name], size=SIZE, clock=clock) as sandbox:
        shrink(sandbox, [subject])
        first = sync(sandbox.config)
        read_until = sandbox.world.now()
        clock.shift = timedelta()
        account: t.Any = sandbox.vendor(subject.name)
        subject.add(account)
        second = sync(sandbox.config, first.state)
        assert second.exit_code == 0, second.log
        assert oracles.gaps(sandbox.truth(), first.messages, second.messages) == []
        kept_since = sandbox.world.now() - timedelta(days=180)
        (warning,) = [line for line in second.log.splitlines() if "`line-item`" in line and LOGS["xandr"] + "`" in line]
        assert "may be lost" in warning
        assert all(f"{moment:%Y-%m-%dT%H:}" in warning for moment in (read_until, kept_since))
        assert "may be lost" not in sync(sandbox.config, second.state).log


@case("B6")
@vendors("openx", "xandr")
@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(days=25_000)])
def test_b6_a_change_dated_ahead_carries_no_bookmark_with_it(
    sandbox: Sandbox, subject: Subject, account: t.Any, clock: Clock, ahead: timedelta
) -> None:
    clock.shift = -timedelta(hours=20)
    kind = SOME[subject.name]
    items = account.catalogue.live(kind)
    account.change(kind, items[0].id, age=-ahead)
    first = sync(sandbox.config)
    assert first.exit_code == 0, first.log
    account.change(kind, items[1].id)
    clock.shift += timedelta(minutes=15)  # what was ahead by minutes is real now
    second = sync(sandbox.config, first.state)
    assert second.exit_code == 0, second.log
    now = sandbox.world.now()
    time = TIMES[subject.name]
    real = {
        stream: [row for row in rows if oracles.moment(row[time]) <= now] for stream, rows in sandbox.truth().items()
    }
    assert oracles.gaps(real, first.messages, second.messages) == []


@case("B12", "openx")
@case("C1", "openx")
@pytest.mark.parametrize("inserts", [1, 2, 5])
def test_c1_rows_that_come_in_at_the_head_while_paging_push_none_out(
    sandbox: Sandbox, account: OpenxSandbox, inserts: int
) -> None:
    account.listing.newest_first = True
    account.paging.most = 10
    account.fill({"order": 3}, changes=40)
    before = sandbox.truth()
    account.audit_trail.head_inserts = inserts
    run = sync(sandbox.config)
    assert run.exit_code == 0, run.log
    account.audit_trail.head_inserts = 0
    assert oracles.gaps(before, run.messages) == []
    again = sync(sandbox.config, run.state)
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


@case("C1", "pigment", "cryptolens", "openx", "xandr")
@case("C11", "openx", "xandr")
@every_vendor
def test_c1_news_before_each_page_are_there_after_the_next_run(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: t.Any
) -> None:
    if subject.name == "pigment":
        account.snapshot = False
    before = sandbox.truth()
    if subject.name == "index_exchange":  # the news replace a file: its old version is gone
        before = {"index_exchange_bids": before["index_exchange_bids"]}
    proxy.inject(after(lambda: subject.add(account)), subject.page, times=1 if subject.name == "index_exchange" else 4)
    run = sync(config)
    assert run.exit_code == 0, run.log
    proxy.clear_faults()
    assert oracles.gaps(before, run.messages) == []
    again = sync(config, run.state)
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


def overlapping(key: str) -> Rewrite:
    """Let each page begin with the last two rows of the one before it."""
    before: list[t.Any] = []

    def change(page: t.Any) -> t.Any:
        rows = page[key]
        overlap = list(before)
        before[:] = rows[-2:]
        return {**page, key: overlap + rows}

    return change


@case("C11", "pigment")
def test_c11_rows_of_the_page_before_come_as_equal_records(sandbox: Sandbox, proxy: FaultProxy, config: Config) -> None:
    proxy.inject(rewritten(overlapping("events")))
    check_equal_duplicates(sandbox, sync(config))


@case("C11", "cryptolens")
def test_c11_rows_at_or_below_the_cursor_are_an_error_and_lose_nothing(
    sandbox: Sandbox, proxy: FaultProxy, config: Config
) -> None:
    """The vendor promises ids above the cursor: where that does not hold, going on could lose rows."""
    proxy.inject(rewritten(overlapping("logs")), "GetWebAPILog")
    run = sync(config)
    check_failed(sandbox.truth(), run)
    assert "do not come in the order of their ids" in run.log
    proxy.clear_faults()
    again = sync(config, run.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


def check_equal_duplicates(sandbox: Sandbox, run: Run) -> None:
    """All rows are there, some twice, and then in equal records, which a target stores as one."""
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    assert oracles.unknown_records(sandbox.truth(), run.messages) == []
    stream = LOGS["pigment"]
    by_key: dict[t.Any, list[t.Any]] = {}
    for record in run.records(stream):
        by_key.setdefault(record_key(stream, record), []).append(record)
    assert any(len(records) > 1 for records in by_key.values())
    assert all(record == records[0] for records in by_key.values() for record in records)


@case("C2", "openx")
@case("C2", "xandr")
@vendors("openx", "xandr")
def test_c2_objects_deleted_while_they_are_listed_hide_no_other(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: t.Any
) -> None:
    kind = SOME[subject.name]
    account.fill({kind: 9}, changes=2)
    config[subject.name] = proxy.in_front(sandbox.config)[subject.name]

    def delete_first() -> None:
        live = account.catalogue.live(kind)
        if len(live) > 6:
            account.delete(kind, live[0].id)

    proxy.inject(after(delete_first), f"/{kind}", skip=1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []


@case("C3", "pigment")
@pytest.mark.parametrize("empty", [{1}, {2, 3}, {1, 2, 3, 4, 5}])
def test_c3_empty_pages_before_the_last_are_passed(sandbox: Sandbox, account: PigmentSandbox, empty: set[int]) -> None:
    account.empty_pages = empty
    run = sync(sandbox.config)
    assert oracles.gaps(sandbox.truth(), run.messages) == []


@case("C4", "index_exchange")
@pytest.mark.parametrize("change", [{"count": 999}, {"next": "abc"}, {"nextPage": 2}])
def test_c4_a_list_that_says_there_is_more_is_an_error(
    sandbox: Sandbox, account: IndexExchangeSandbox, change: dict[str, t.Any]
) -> None:
    account.list_changes = change
    run = sync(sandbox.config)
    check_failed(sandbox.truth(), run)
    assert "the list is not complete" in run.log


@case("C5", "pigment")
@case("C6", "pigment")
@case("C7", "pigment")
@pytest.mark.parametrize("loop", [1, 2, 3, None])
def test_c6_cursors_that_lead_nowhere_end_the_run(sandbox: Sandbox, account: PigmentSandbox, loop: int | None) -> None:
    account.cursor_loop = loop
    account.endless = loop is None
    check_failed(sandbox.truth(), sync(sandbox.config))


@case("C10", "pigment")
def test_c10_a_cursor_that_expired_between_runs_loses_nothing(
    sandbox: Sandbox, account: PigmentSandbox, proxy: FaultProxy, config: Config
) -> None:
    run = sync(sandbox.config)
    for message in run.messages:
        if message["type"] == "STATE":
            account.expire_cursors()
            again = sync(config, message["value"])
            assert again.exit_code == 0, again.log
            cut = run.messages[: run.messages.index(message)]
            assert oracles.gaps(sandbox.truth(), cut, again.messages) == []
    assert proxy.requests


# What the rows hold.

FIELDS = {
    "pigment": "eventType",
    "cryptolens": "key",
    "openx": "ip",
    "xandr": "request_source",
    "index_exchange": "downloadStatus",
}
"""A field of text that the schema knows, of each vendor's rows."""
STRANGE: dict[str, dict[str, t.Any]] = {
    "new": {"brandNew": {"deep": [1, None, {"x": "é"}]}},
    "many": {f"new_{number}": number for number in range(50)},
}


def with_fields(subject: Subject, fields: dict[str, t.Any], page: t.Any) -> t.Any:
    """Give every row of a page further fields."""
    if subject.name == "pigment":
        return {**page, "events": [{**row, **fields} for row in page["events"]]}
    if subject.name == "cryptolens":
        key = "logs" if "logs" in page else "events"
        return {**page, key: [{**row, **fields} for row in page[key]]}
    if subject.name == "openx":
        return {**page, "objects": [{**row, **fields} for row in page["objects"]]}
    if subject.name == "xandr":
        rows = [{**row, **fields} for row in page["response"]["change_logs"]]
        return {"response": {**page["response"], "change_logs": rows}}
    return {**page, "availableDownloads": [{**row, **fields} for row in page["availableDownloads"]]}


@case("G1")
@pytest.mark.parametrize("strange", STRANGE)
@every_vendor
def test_g1_new_fields_are_kept(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, strange: str
) -> None:
    fields = STRANGE[strange]
    proxy.inject(rewritten(lambda page: with_fields(subject, fields, page)), subject.page)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    stream = {"index_exchange": "index_exchange_files", "xandr": "xandr_change_log"}.get(
        subject.name, next(iter(sandbox.truth()))
    )
    records = [message for message in run.messages if message.get("stream") == stream]
    assert oracles.dropped_fields(records, set(fields)) == []


@case("G2")
@case("G4")
@case("G5")
@case("G7")
@pytest.mark.parametrize(
    "value", [{"an": "object"}, [1], "true", True, None, 10**19, -1.5, "x" * 5000, "nul \0, \ud83d", 1e300]
)
@every_vendor
def test_g2_a_field_of_another_type_leaves_records_that_fit_their_schema(
    proxy: FaultProxy, config: Config, subject: Subject, value: t.Any
) -> None:
    fields = {FIELDS[subject.name]: value}
    proxy.inject(rewritten(lambda page: with_fields(subject, fields, page)), subject.page)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    run.stdout.decode()  # UTF-8 for every target


@case("G8")
@every_vendor
def test_g8_of_two_equal_keys_the_last_counts(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject
) -> None:
    name = FIELDS[subject.name]
    fed: list[int] = []

    def twice(talk: Talk, ask: Callable[[], Reply]) -> None:
        reply = ask()
        body, count = re.subn(rb'("%b" *: *)' % name.encode(), rb'\1"the first",\1', reply.body)
        fed.append(count)
        talk.send(replace(reply, body=body).whole())

    sync(sandbox.config)  # Index Exchange notes in its list what has been downloaded
    plain = sync(sandbox.config)
    proxy.inject(twice, subject.page)
    run = sync(config)
    assert sum(fed) > 0
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    for stream in sandbox.truth():
        assert run.records(stream) == plain.records(stream)


ODD_TIMES: list[t.Any] = ["2016-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-12:00", "soon", 10**13]


@case("B16", "cryptolens", "openx")
@vendors("pigment", "cryptolens", "openx", "xandr")
@pytest.mark.parametrize("odd", ODD_TIMES)
def test_b16_rows_with_a_time_that_is_none_are_kept_and_move_no_bookmark(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, odd: t.Any
) -> None:
    """As in B9; of Cryptolens, whose bookmark is an id, the time only says whether a row is settled."""
    time = {"pigment": "ingestionTimestamp", "cryptolens": "time", **TIMES}[subject.name]
    proxy.inject(
        rewritten(lambda page: with_fields(subject, {time: odd}, page)),
        "GetWebAPILog" if subject.name == "cryptolens" else subject.page,
    )
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    stream = next(iter(sandbox.truth()))
    bookmark = run.bookmark(stream)
    assert not any("replication_key_value" in part for part in (bookmark, *bookmark.get("parts", {}).values()))
    kept = [str(odd) in json.dumps([record], default=str) for record in run.records(stream)]
    assert kept
    assert all(kept)


@case("B16", "cryptolens", "openx", "xandr")
@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("pigment", marks=pytest.mark.xfail(strict=True, reason=OPEN["B16", "pigment"])),
        *("cryptolens", "openx", "xandr"),
    ],
)
def test_b16_rows_of_the_year_1_are_kept_and_so_is_what_follows(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: t.Any
) -> None:
    time = {"pigment": "ingestionTimestamp", "cryptolens": "time", **TIMES}[subject.name]
    proxy.inject(
        rewritten(lambda page: with_fields(subject, {time: "0001-01-01T00:00:00Z"}, page)),
        "GetWebAPILog" if subject.name == "cryptolens" else subject.page,
    )
    first = sync(config)
    assert first.exit_code == 0, first.log
    assert oracles.gaps(sandbox.truth(), first.messages) == []
    proxy.clear_faults()
    subject.add(account)
    second = sync(config, first.state)
    assert second.exit_code == 0, second.log
    assert oracles.gaps(sandbox.truth(), first.messages, second.messages) == []


@case("G9", "pigment")
def test_g9_rows_without_an_id_are_not_lost(sandbox: Sandbox, proxy: FaultProxy, config: Config) -> None:
    def without_ids(page: t.Any) -> t.Any:
        events = [{name: value for name, value in row.items() if name != "eventId"} for row in page["events"]]
        return {**page, "events": events}

    proxy.inject(rewritten(without_ids))
    run = sync(config)
    written = {record["event_id"] for record in run.records("pigment_audit_events")}
    assert len(written) == len(sandbox.truth()["pigment_audit_events"])


def doubled(page: t.Any) -> t.Any:
    """Give every row of a page twice."""
    match page:
        case {"objects": rows}:
            return {**page, "objects": rows * 2}
        case {"response": {"change_logs": rows} as response}:
            return {"response": {**response, "change_logs": rows * 2}}
        case _:
            return {**page, "availableDownloads": page["availableDownloads"] * 2, "count": 2 * page["count"]}


@case("G10", "pigment")
def test_g10_what_comes_twice_comes_as_equal_records(sandbox: Sandbox, proxy: FaultProxy, config: Config) -> None:
    proxy.inject(rewritten(lambda page: {**page, "events": page["events"] * 2}))
    check_equal_duplicates(sandbox, sync(config))


@case("G10", "cryptolens")
def test_g10_an_id_that_comes_twice_is_an_error_and_loses_nothing(
    sandbox: Sandbox, proxy: FaultProxy, config: Config
) -> None:
    proxy.inject(rewritten(lambda page: {**page, "logs": page["logs"] * 2}), "GetWebAPILog", skip=1)
    run = sync(config)
    check_failed(sandbox.truth(), run)
    proxy.clear_faults()
    again = sync(config, run.state)
    assert oracles.gaps(sandbox.truth(), run.messages, again.messages) == []


@case("G10")
@vendors("openx", "xandr", "index_exchange")
def test_g10_what_comes_twice_is_written_once(
    sandbox: Sandbox, proxy: FaultProxy, config: Config, subject: Subject, account: t.Any
) -> None:
    if subject.name == "openx":
        account.paging.most = 100  # one page for each history: the offset counts what comes twice
    proxy.inject(rewritten(doubled), subject.page)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert oracles.gaps(sandbox.truth(), run.messages) == []
    for stream in sandbox.truth():
        records = run.records(stream)
        assert len({record_key(stream, record) for record in records}) == len(records)


@case("G11")
@vendors("pigment", "openx", "xandr")
def test_g11_what_is_changed_under_the_same_id_within_the_look_back_is_written_again(
    proxy: FaultProxy, config: Config, subject: Subject, account: t.Any
) -> None:
    stream = LOGS[subject.name]
    subject.add(account)
    first = sync(config)
    vendors_name, name = {
        "pigment": ("eventType", "event_type"),
        "openx": ("ip", "ip"),
        "xandr": ("request_source", "request_source"),
    }[subject.name]
    proxy.inject(rewritten(lambda page: with_fields(subject, {vendors_name: "other"}, page)), subject.page)
    second = sync(config, first.state)
    assert second.exit_code == 0, second.log
    extracted = [
        {
            record_key(stream, message["record"]): message["time_extracted"]
            for message in run.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        }
        for run in (first, second)
    ]
    again = extracted[0].keys() & extracted[1].keys()
    assert again
    assert all(extracted[0][key] < extracted[1][key] for key in again)
    assert {record[name] for record in second.records(stream)} == {"other"}
