from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import typing as t
from datetime import datetime, timedelta

import pytest

from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tap_auditlogs.tap import TapAuditLogs
from tests.support.states import entry_of
from tests.support.tap_process import environment
from tests.support.tap_runs import parse_lines, records_of, states_of, sync

if t.TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.wrappers import Request

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.support.tap_process import TapRunner
    from tests.support.tap_runs import Clock, Run

Settings: t.TypeAlias = "dict[str, t.Any]"

FILES, IMPRESSIONS, BIDS, HOURLY = (f"index_exchange_{name}" for name in ("files", "impressions", "bids", "hourly"))


def catalog(*streams: str, config: Settings) -> dict[str, t.Any]:
    """Select these streams only."""
    entries: list[dict[str, t.Any]] = TapAuditLogs(config=config).catalog_dict["streams"]
    for entry in entries:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["stream"] in streams
    chosen: dict[str, t.Any] = json.loads(json.dumps({"streams": entries}))
    return chosen


def hours_of(run: Run, stream: str) -> list[str]:
    return list(dict.fromkeys(record["hour"] for record in run.records(stream)))


def text(hour: datetime) -> str:
    return hour.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def downloads(sandbox: Sandbox) -> list[str]:
    return [request.path for request in sandbox.requests if "/files/" in request.path]


@pytest.fixture
def hour(vendor: IndexExchangeSandbox) -> datetime:
    """An hour with one impression file of 10 rows, the only one there is."""
    newest = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(newest), 10)
    return newest


def test_each_file_is_downloaded_once_and_hours_come_oldest_first(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings
) -> None:
    run = sync(config)
    assert run.exit_code == 0
    paths = downloads(sandbox)
    assert len(paths) == len(set(paths)) == len(vendor.truth()[FILES])
    hours = [record["hour"] for record in run.records(FILES)]
    assert hours == sorted(hours)


def test_every_state_covers_only_what_stands_before_it(config: Settings) -> None:
    run = sync(config)
    written: set[tuple[str, str]] = set()
    for message in run.messages:
        if message["type"] == "RECORD" and message["stream"] == FILES:
            written.add((message["record"]["hour"][:13], message["record"]["md5sum"][:16]))
        if message["type"] == "STATE":
            manifest = entry_of(message["value"], FILES).get("notes", {}).get("manifest", {})
            told = {
                (hour, word.partition(":")[0])
                for hours in manifest.values()
                for hour, words in hours.items()
                for word in words.split(" ")
                if word != "-"
            }
            assert told <= written
    assert len(states_of(run.messages)) >= len(run.records(FILES))


def test_no_run_from_any_state_leaves_a_gap(vendor: IndexExchangeSandbox, config: Settings) -> None:
    first = sync(config)
    rows = {json.dumps(record) for record in first.records(IMPRESSIONS)}
    lines = first.stdout.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if b'"STATE"' in line]
    for place in places[:: max(1, len(places) // 5)]:
        before = parse_lines(b"".join(lines[: place + 1]))
        second = sync(config, states_of(before)[-1])
        found = {json.dumps(record) for record in [*records_of(before, IMPRESSIONS), *second.records(IMPRESSIONS)]}
        assert found == rows
        repeated = {record["hour"] for record in records_of(before, IMPRESSIONS)} & set(hours_of(second, IMPRESSIONS))
        assert len(repeated) <= 1
    assert vendor.hours


def test_a_republished_hour_arrives_on_the_next_run(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    first = sync(config)
    file = vendor.republish(HourKey(hour), 4)
    second = sync(config, first.state)
    assert second.exit_code == 0
    assert [record["row_number"] for record in second.records(IMPRESSIONS)] == [1, 2, 3, 4]
    assert {record["file_md5"] for record in second.records(IMPRESSIONS)} == {file.content.md5sum}
    assert [record["md5sum"] for record in second.records(FILES)] == [file.content.md5sum]
    assert sum(record["impressions"] for record in second.records(HOURLY)) == 4


@pytest.mark.case("F6", "index_exchange")
def test_a_late_hour_before_those_read_arrives(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    first = sync(config)
    late = hour - timedelta(hours=20)
    vendor.publish(HourKey(late), 3)
    second = sync(config, first.state)
    assert hours_of(second, IMPRESSIONS) == [text(late)]


def test_a_stream_selected_later_starts_from_start_date(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.publish(HourKey(hour - timedelta(hours=5)), 3)
    first = sync(config, catalog=catalog(FILES, IMPRESSIONS, config=config))
    assert not first.records(HOURLY)
    config["start_date"] = text(hour - timedelta(hours=1))
    second = sync(config, first.state, catalog(FILES, IMPRESSIONS, HOURLY, config=config))
    assert hours_of(second, HOURLY) == [text(hour)]
    assert not second.records(IMPRESSIONS)
    assert not second.records(FILES)


def test_other_dimensions_start_again_and_have_other_keys(config: Settings, hour: datetime) -> None:
    first = sync(config)
    config["index_exchange"]["hourly_dimensions"] = ["country"]
    second = sync(config, first.state)
    assert sum(record["impressions"] for record in second.records(HOURLY)) == 10
    assert not second.records(IMPRESSIONS)
    assert not {r["group_key"] for r in first.records(HOURLY)} & {r["group_key"] for r in second.records(HOURLY)}
    assert "country" in second.records(HOURLY)[0]
    assert hours_of(second, HOURLY) == [text(hour)]


def test_start_and_end_cut_by_hour(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    for back in (1, 2, 3):
        vendor.publish(HourKey(hour - timedelta(hours=back)), 2)
    config["start_date"] = text(hour - timedelta(hours=2))
    config["end_date"] = text(hour)
    first = sync(config)
    assert hours_of(first, IMPRESSIONS) == [text(hour - timedelta(hours=2)), text(hour - timedelta(hours=1))]
    del config["end_date"]
    assert hours_of(sync(config, first.state), IMPRESSIONS) == [text(hour)]


def test_parts_come_and_go_and_the_files_table_follows(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    key = HourKey(hour, "bids")
    vendor.publish(key, 9, parts=3)
    first = sync(config)
    assert [(r["part"], r["parts"]) for r in first.records(FILES) if r["event_type"] == "bids"] == [
        (0, 3),
        (1, 3),
        (2, 3),
    ]
    vendor.set_parts(key, 2)
    second = sync(config, first.state)
    records = {r["part"]: r for r in second.records(FILES)}
    assert {part: record["parts"] for part, record in records.items()} == {0: 2, 1: 2, 2: 2}
    assert records[2]["md5sum"] is None
    assert records[0]["md5sum"] is not None
    assert not second.records(BIDS)
    vendor.set_parts(key, 4, rows=5)
    third = sync(config, second.state)
    assert {r["part"]: r["parts"] for r in third.records(FILES)} == {0: 4, 1: 4, 2: 4, 3: 4}
    assert {r["part"] for r in third.records(BIDS)} == {2, 3}
    assert not sync(config, third.state).records(FILES)


@pytest.mark.parametrize("lever", ["damaged_downloads", "wrong_md5_listings"])
def test_wrong_bytes_are_fetched_again_before_any_row(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, lever: str
) -> None:
    setattr(vendor.file(HourKey(hour)), lever, 1)
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert [record["row_number"] for record in run.records(IMPRESSIONS)] == list(range(1, 11))


@pytest.mark.parametrize(
    "fault",
    [
        {"damaged_downloads": math.inf},
        {"wrong_md5_listings": math.inf},
        {"status": 404},
        {"status": 403},
        {"status": 503},
        {"redirect": "/elsewhere"},
        {"download_url": "https://127.0.0.1:1/x"},
        {"download_url": "http://storage.example/x"},
        {"download_url": "file:///etc/passwd"},
    ],
)
def test_a_file_that_stays_bad_is_named_and_the_others_go_on(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, fault: dict[str, t.Any]
) -> None:
    bad = hour - timedelta(hours=3)
    vendor.publish(HourKey(bad), 5)
    for name, value in fault.items():
        setattr(vendor.file(HourKey(bad)), name, value)
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour)]
    assert f"file impressions/41/{bad:%Y-%m-%dT%H}/0" in run.log
    for name in fault:
        setattr(vendor.file(HourKey(bad)), name, 0 if name in {"damaged_downloads", "wrong_md5_listings"} else None)
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert hours_of(healed, IMPRESSIONS) == [text(bad)]


def publish_before(
    vendor: IndexExchangeSandbox, hour: datetime, *, bad: set[int], good: set[int], status: int = 503
) -> None:
    """Publish files so many hours before an hour; the bad ones are answered with a status."""
    for back in bad | good:
        published = vendor.publish(HourKey(hour - timedelta(hours=back)), 2)
        published.files[0].status = status if back in bad else None


def test_behind_three_files_in_a_row_that_a_server_does_not_give_each_is_tried_once(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    config["index_exchange"]["max_concurrency"] = 1
    publish_before(vendor, hour, bad={9, 8, 7, 6, 5, 4, 2}, good={10, 3, 1})
    run = sync(config)
    assert run.exit_code == 1
    came = [hour - timedelta(hours=back) for back in (10, 3, 1, 0)]
    assert hours_of(run, IMPRESSIONS) == [text(moment) for moment in came]
    ids = {back: vendor.file(HourKey(hour - timedelta(hours=back))).id for back in (9, 8, 7, 4)}
    tries = {back: sum(path.endswith(f"/{id_}") for path in downloads(sandbox)) for back, id_ in ids.items()}
    assert tries == {9: 5, 8: 5, 7: 5, 4: 1}
    publish_before(vendor, hour, bad=set(), good={9, 8, 7, 6, 5, 4, 2})
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert len(hours_of(healed, IMPRESSIONS)) == 7


def test_a_download_that_waits_for_its_next_try_does_not_keep_an_ended_process_alive(
    tap_runner: TapRunner, sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.publish(HourKey(hour), 20_000)
    later = vendor.publish(HourKey(hour + timedelta(hours=1)), 2).files[0].id
    sandbox.faults.add(Fault(path=f"/files/{later}", times=None, status=503, headers={"Retry-After": "100"}))
    process = tap_runner.start(config=config)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stderr as log:
        while b"Trying again in 10" not in log.readline():
            pass
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert b"Traceback" not in log.read()


def test_a_file_that_comes_shows_that_the_server_gives_some(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    publish_before(vendor, hour, bad={4, 3, 1}, good={2})
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour - timedelta(hours=2)), text(hour)]
    assert "3 files or lists are left for the next run" in run.log


def test_files_that_are_gone_are_asked_once_and_say_nothing_about_the_others(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    publish_before(vendor, hour, bad={3, 2, 1}, good=set(), status=404)
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour)]
    paths = downloads(sandbox)
    assert len(paths) == len(set(paths)) == 4


@pytest.mark.parametrize("status", [401, 429])
def test_an_answer_that_is_about_all_files_ends_the_pass_at_once(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, status: int
) -> None:
    publish_before(vendor, hour, bad={1}, good={2}, status=status)
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour - timedelta(hours=2))]
    assert "Listing the files again" not in run.log


def test_a_file_whose_hour_has_got_another_number_of_parts_is_left_for_the_next_run(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    config["index_exchange"]["event_types"] = ["bids"]
    key = HourKey(hour, "bids")
    vendor.publish(key, 3)

    def replace_by_two(_request: Request) -> None:
        vendor.publish(key, 8, parts=2)  # the first has the URL of the one that was there

    sandbox.faults.add(Fault(path="/files/", callback=replace_by_two))
    run = sync(config)
    assert run.exit_code == 1
    assert not run.records(FILES)
    assert not run.records(BIDS)
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert [(record["part"], record["parts"]) for record in healed.records(FILES)] == [(0, 2), (1, 2)]
    assert len(healed.records(BIDS)) == 8


@pytest.mark.parametrize(
    "shape",
    [
        *("truncated", "trailing_junk", "bit_flip", "bomb", "html", "zero_bytes", "not_compressed"),
        *("unterminated_quote", "duplicate_header", "utf16", "empty_csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_for_the_next_run(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, shape: str
) -> None:
    bad = hour - timedelta(hours=3)
    vendor.publish(HourKey(bad), 5, shape=shape)
    run = sync(config)
    assert run.exit_code == 1
    assert text(hour) in hours_of(run, IMPRESSIONS)
    assert hours_of(run, FILES) == [text(hour)]
    assert "It is left for the next run" in run.log
    assert "Traceback" not in run.log


def test_a_token_that_dies_is_renewed_once(vendor: IndexExchangeSandbox, config: Settings) -> None:
    vendor.identity.token_calls = 5
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert len(vendor.identity.tokens) > 2


def test_a_wrong_key_fails_at_once(sandbox: Sandbox, config: Settings) -> None:
    config["index_exchange"]["client_key"] = "d3Jvbmc6a2V5LXdyb25n"
    run = sync(config)
    assert run.exit_code == 1
    assert "the client key is not accepted" in run.log
    assert len([request for request in sandbox.requests if request.path.endswith("/token")]) == 1


def test_id_and_secret_do_as_well_as_the_key(vendor: IndexExchangeSandbox, config: Settings) -> None:
    del config["index_exchange"]["client_key"]
    config["index_exchange"]["client_id"] = vendor.identity.client.id
    config["index_exchange"]["client_secret"] = vendor.identity.client.secret
    assert sync(config).exit_code == 0


def test_a_refused_mapping_is_skipped_with_one_warning(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.forbidden |= {"mappings/dsps", "mappings/campaigns"}
    run = sync(config)
    assert run.exit_code == 0
    assert run.log.count("`index_exchange_campaigns` is skipped") == 1
    assert hours_of(run, HOURLY) == [text(hour)]
    assert {record["dsp_name"] for record in run.records(HOURLY)} == {None}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (7, "a row is not an object but 7"),
        ({"dsp_name": "no id"}, "a row has no dsp_id, part of the key: {'dsp_name': 'no id'}"),
        ({"dsp_id": [51]}, "part of the key, is a list that does not fit its type"),
        ({"dsp_id": "51 or so"}, "part of the key, is a text that does not fit its type"),
        ({"dsp_id": 10**400}, "part of the key, is a number that does not fit its type"),
        ({"dsp_id": True}, "part of the key, is a boolean that does not fit its type"),
    ],
)
def test_a_mapping_row_without_a_key_is_named_and_the_others_go_on(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, row: t.Any, problem: str
) -> None:
    good = len(vendor.catalog.dsps)
    vendor.catalog.dsps.insert(1, row)
    run = sync(config)
    assert run.exit_code == 1
    assert len(run.records("index_exchange_dsps")) == good
    summary = run.log.splitlines()[-1]
    assert f"`index_exchange_dsps`: index_exchange: /mappings/dsps: 1 of {good + 1} rows cannot be read: " in summary
    assert problem in summary
    assert hours_of(run, HOURLY) == [text(hour)]


def test_names_of_a_wrong_type_are_no_names(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    for dsp in vendor.catalog.dsps:
        dsp["dsp_name"] = {"en": dsp["dsp_name"]}
    run = sync(config)
    assert run.exit_code == 0
    assert hours_of(run, HOURLY) == [text(hour)]
    assert {record["dsp_name"] for record in run.records(HOURLY)} == {None}
    assert all(record["additional_properties"]["dsp_name"] for record in run.records("index_exchange_dsps"))


def test_a_refused_list_is_a_failure(vendor: IndexExchangeSandbox, config: Settings) -> None:
    vendor.forbidden |= {"downloads"}
    run = sync(config)
    assert run.exit_code == 1
    summary = run.log.splitlines()[-1]
    assert "`index_exchange_files`" in summary
    assert "`index_exchange_impressions`, `index_exchange_hourly`:" in summary
    assert "`index_exchange_bids`" not in summary


def test_where_one_list_is_refused_the_files_of_the_other_are_read(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    config["index_exchange"]["event_types"] = ["bids", "impressions"]
    vendor.forbidden |= {"downloads/bidevents"}
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour)]
    summary = run.log.splitlines()[-1]
    assert "`index_exchange_bids`" in summary
    assert "`index_exchange_impressions`" not in summary
    vendor.forbidden.clear()
    vendor.publish(HourKey(hour, "bids"), 2)
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert hours_of(healed, "index_exchange_bids") == [text(hour)]
    assert not healed.records(IMPRESSIONS)


def test_names_that_fail_are_asked_for_once_and_keep_nothing_else_back(
    sandbox: Sandbox, vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    publish_before(vendor, hour, bad=set(), good={3, 2, 1})
    sandbox.faults.add(Fault(path="/mappings/dsps", times=None, status=400))
    run = sync(config, None, catalog(FILES, IMPRESSIONS, HOURLY, config=config))
    assert run.exit_code == 1
    assert len(hours_of(run, IMPRESSIONS)) == len(hours_of(run, FILES)) == 4
    assert not run.records(HOURLY)
    assert sum("/mappings/dsps" in request.path for request in sandbox.requests) == 1
    sandbox.faults.replace([])
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert len(hours_of(healed, HOURLY)) == 4
    assert not healed.records(IMPRESSIONS)


def test_a_later_start_date_leaves_no_hole(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    config["index_exchange"]["event_types"] = ["bids"]
    first = HourKey(hour - timedelta(hours=3), "bids")
    vendor.publish(first, 8, parts=2)
    before = sync(config)
    config["start_date"] = text(hour)
    vendor.publish(first, 12, parts=3)
    between = HourKey(hour - timedelta(hours=2), "bids")
    vendor.publish(between, 2)
    grown = sync(config, before.state)
    parts = {record["part"] for record in grown.records("index_exchange_bids") if record["hour"] == text(first.hour)}
    assert parts == {0, 1, 2}
    assert text(between.hour) in hours_of(grown, "index_exchange_bids")
    vendor.publish(first, 4, parts=1)
    shrunk = sync(config, grown.state)
    gone = [record["part"] for record in shrunk.records(FILES) if record["md5sum"] is None]
    assert gone == [1, 2]


def test_names_do_not_multiply_rows(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    vendor.repeats_names = True
    run = sync(config)
    assert sum(record["impressions"] for record in run.records(HOURLY)) == 10
    assert hours_of(run, HOURLY) == [text(hour)]


def test_signs_of_a_second_page_are_an_error(vendor: IndexExchangeSandbox, config: Settings) -> None:
    for change in ({"next": "/downloads?page=2"}, {"count": 10_000}):
        vendor.list_changes = change
        run = sync(config)
        assert run.exit_code == 1
        assert "the list is not complete" in run.log


@pytest.mark.case("B15", "index_exchange")
def test_unlisted_hours_and_a_quiet_vendor_are_told(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, clock: Clock
) -> None:
    config["index_exchange"]["event_types"] = ["impressions"]
    vendor.publish(HourKey(hour - timedelta(hours=50)), 1)
    assert "is listed for" in sync(config).log
    first = sync(config)
    assert "pauses after" not in first.log
    clock.shift += timedelta(days=15)
    vendor.clear()
    second = sync(config, first.state)
    assert "may be lost" in second.log
    assert "pauses after" in second.log


def test_hours_from_an_end_date_on_count_as_unread(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, clock: Clock
) -> None:
    vendor.publish(HourKey(hour), 1)
    first = sync(config)
    clock.shift += timedelta(days=10)
    back_fill = sync({**config, "end_date": text(hour)}, first.state)
    assert back_fill.state == first.state
    later = sync({**config, "end_date": text(hour + timedelta(days=1))}, back_fill.state)
    clock.shift += timedelta(days=6)
    assert f"read up to {hour + timedelta(days=1):%Y-%m-%d}: those of hours to" in sync(config, later.state).log


def test_an_hour_is_missed_only_when_it_is_wanted_and_later_than_documented(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, clock: Clock
) -> None:
    vendor.publish(HourKey(hour - timedelta(hours=2)), 1)
    missing = hour - timedelta(hours=1)  # began 4 to 5 hours ago
    clock.shift += timedelta(hours=30)
    assert "is listed for" not in sync(config).log
    clock.shift += timedelta(hours=3)
    told = "No file of impressions/41 is listed for 1 hours between others, older than they should be to appear: "
    assert f"{told}{missing:%Y-%m-%dT%H}." in sync(config).log
    config["start_date"] = text(hour)
    assert "is listed for" not in sync(config).log


def test_files_on_the_same_host_are_asked_with_their_query_unchanged(
    vendor: IndexExchangeSandbox, config: Settings
) -> None:
    vendor.link_query = "a=&b=%2C,&sig=x%2By/z="
    assert sync(config).exit_code == 0


def test_every_message_about_a_download_names_the_file(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.file(HourKey(hour)).download_url = "https://10.0.0.1/file"
    run = sync(config)
    assert run.exit_code == 1
    lines = [line for line in run.log.splitlines() if "the download URL is on a host that is not public" in line]
    assert len(lines) >= 2
    assert all(f"file impressions/41/{hour:%Y-%m-%dT%H}/0: " in line for line in lines), lines


def test_a_state_that_is_no_manifest_is_refused(config: Settings) -> None:
    first = sync(config)
    first.state["bookmarks"][FILES]["notes"][0]["manifest"] = {"bids/41": {"2026-11-20T05": "x"}}
    run = sync(config, first.state)
    assert run.exit_code == 1
    assert "cannot be used" in run.log
    assert not run.records(FILES)


def test_deselected_columns_stay_away_and_the_rest_is_the_same(config: Settings, hour: datetime) -> None:
    chosen = catalog(FILES, IMPRESSIONS, config=config)
    for entry in chosen["streams"]:
        for item in entry["metadata"]:
            if entry["stream"] == IMPRESSIONS and item["breadcrumb"] == ["properties", "country"]:
                item["metadata"]["selected"] = False
    run = sync(config, catalog=chosen)
    everything = sync(config)
    assert hours_of(run, IMPRESSIONS) == [text(hour)]
    for record, whole in zip(run.records(IMPRESSIONS), everything.records(IMPRESSIONS), strict=True):
        assert "country" not in record
        assert record == {name: value for name, value in whole.items() if name != "country"}


def test_stream_maps_work_on_the_ordinary_path(config: Settings, hour: datetime) -> None:
    config["stream_maps"] = {IMPRESSIONS: {"country": "country.lower() if country else None", "__alias__": "mapped"}}
    run = sync(config)
    assert run.exit_code == 0
    assert len(run.records("mapped")) == 10
    assert {record["hour"] for record in run.records("mapped")} == {text(hour)}


def test_the_archive_keeps_verified_files(
    vendor: IndexExchangeSandbox, sandbox: Sandbox, config: Settings, hour: datetime, tmp_path: Path
) -> None:
    vendor.publish(HourKey(hour, "bids"), 4, parts=2)
    config["index_exchange"]["archive_url"] = tmp_path.as_uri()
    first = sync(config)
    assert first.exit_code == 0, first.log
    name = f"{hour:%Y-%m-%dT%H}"
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.gz"))
    assert kept == [f"bids/41/{name}.part-0.gz", f"bids/41/{name}.part-1.gz", f"impressions/41/{name}.gz"]
    file = vendor.file(HourKey(hour))
    assert (tmp_path / kept[2]).stat().st_size == file.content.size
    assert (tmp_path / f"{kept[2]}.md5").read_text().strip() == file.content.md5sum
    sandbox.requests.clear()
    assert not downloads(sandbox)
    assert sync(config, first.state).state == first.state
    vendor.republish(HourKey(hour), 3)
    second = sync(config, first.state)
    assert second.exit_code == 0
    assert (tmp_path / f"{kept[2]}.md5").read_text().strip() == vendor.file(HourKey(hour)).content.md5sum


def test_an_archive_that_cannot_be_written_does_not_hold_up_the_rows(
    config: Settings, hour: datetime, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    config["index_exchange"]["archive_url"] = (blocked / "below").as_uri()
    run = sync(config)
    assert run.exit_code == 1
    assert hours_of(run, IMPRESSIONS) == [text(hour)]
    assert "in the archive" in run.log
    config["index_exchange"]["archive_url"] = (tmp_path / "other").as_uri()
    healed = sync(config, run.state)
    assert healed.exit_code == 0
    assert not healed.records(IMPRESSIONS)
    assert list((tmp_path / "other").rglob("*.gz"))


def test_children_run_without_the_files_stream_too(config: Settings, hour: datetime) -> None:
    chosen = catalog(IMPRESSIONS, config=config)
    first = sync(config, catalog=chosen)
    assert hours_of(first, IMPRESSIONS) == [text(hour)]
    assert not first.records(FILES)
    second = sync(config, first.state, chosen)
    assert not second.records(IMPRESSIONS)
    third = sync(config, second.state, catalog(FILES, IMPRESSIONS, config=config))
    assert hours_of(third, FILES) == [text(hour)]
    assert not third.records(IMPRESSIONS)


def test_without_the_extra_the_same_records_come_and_the_log_says_how_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, config: Settings, hour: datetime
) -> None:
    whole = sync(config)
    for module in [name for name in sys.modules if name.startswith("tap_auditlogs.vendors.index_exchange.bulk")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "polars", None)
    run = sync({**config, "batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///nowhere"}}})
    assert run.exit_code == 0
    assert "tap-auditlogs[bulk] is not installed" in run.log
    assert run.records(IMPRESSIONS) == whole.records(IMPRESSIONS)
    assert run.records(HOURLY) == whole.records(HOURLY)
    assert hours_of(run, IMPRESSIONS) == [text(hour)]


def test_what_the_command_says_of_itself_needs_no_heavy_library(tap_runner: TapRunner) -> None:
    check = "import atexit, sys; atexit.register(lambda: print('polars' in sys.modules))"
    for option in ("--version", "--about"):
        outcome = subprocess.run(
            tap_runner.command(option, before=check), capture_output=True, check=True, env=environment(), timeout=60
        )
        assert outcome.stdout.splitlines()[-1] == b"False"


def test_a_trial_reads_the_beginning_of_a_file_only(
    tap_runner: TapRunner, vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    config["index_exchange"]["archive_url"] = (tmp_path / "archive").as_uri()
    outcome = tap_runner.run("--test", config=config)
    assert outcome.code == 0, outcome.stderr
    for stream in (FILES, IMPRESSIONS, BIDS, HOURLY):
        assert len(outcome.records(stream)) == 1
    assert not (tmp_path / "archive").exists()
    assert vendor.hours


@pytest.mark.exhaustive
def test_a_signal_in_the_middle_of_a_large_file_ends_the_run_with_whole_lines(
    tap_runner: TapRunner, vendor: IndexExchangeSandbox, config: Settings, tmp_path: Path
) -> None:
    newest = vendor.hours[-1]
    vendor.clear()
    vendor.publish_file(generate_file(tmp_path / "large.gz", 60_000, hour=newest))
    (tmp_path / "temporary").mkdir()
    process = tap_runner.start(config=config, env={"TMPDIR": str(tmp_path / "temporary")})
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2000)]
    process.send_signal(signal.SIGTERM)
    rest, log = process.communicate(timeout=60)
    assert process.returncode == 143, log.decode()
    messages = parse_lines(b"".join(lines) + rest)
    assert (b"".join(lines) + rest).endswith(b"\n")
    assert messages[-1]["type"] == "STATE"
    assert "manifest" not in json.dumps(messages[-1])
    assert len(records_of(messages, IMPRESSIONS)) < 60_000
    assert not list((tmp_path / "temporary").iterdir())


_FULL_FOR_A_MOMENT = """
from tap_auditlogs.core.errors import OutputError
from tap_auditlogs.core.writer import MessageWriter
def write_lines(*_):
    raise OutputError("the disk was full for a moment")
MessageWriter.write_lines = write_lines
"""


@pytest.mark.usefixtures("hour")
def test_nothing_follows_rows_that_were_not_taken_whole(tap_runner: TapRunner, config: Settings) -> None:
    chosen = catalog(FILES, IMPRESSIONS, config=config)
    outcome = tap_runner.run(config=config, catalog=chosen, before=_FULL_FOR_A_MOMENT)
    assert outcome.failed_plainly, outcome.stderr
    assert "the disk was full for a moment" in outcome.stderr
    assert {message["type"] for message in outcome.messages} == {"SCHEMA"}
