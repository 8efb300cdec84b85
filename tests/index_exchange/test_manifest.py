from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tap_auditlogs.vendors.index_exchange.manifest import FileKey, Manifest, Work, missing_hours, work_due

HOUR = datetime(2026, 11, 20, 5, tzinfo=UTC)
OLD, NEW = "a" * 32, "b" * 32
ALL = {Work.RECORD, Work.ROWS, Work.HOURLY, Work.ARCHIVE}


def key(hour: datetime = HOUR, part: int = 0, event_type: str = "bids") -> FileKey:
    return FileKey(hour, event_type, 41, part)


def test_a_file_id_is_text_in_utc_so_that_no_two_hours_of_a_night_share_it() -> None:
    assert key(part=1).file_id == "bids/41/2026-11-20T05/1"
    night = [datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (5, 6)]  # both 01:00 in New York
    assert [key(hour).file_id for hour in night] == ["bids/41/2026-11-01T05/0", "bids/41/2026-11-01T06/0"]


def test_what_is_finished_survives_the_state() -> None:
    manifest = Manifest()
    manifest.set_parts("bids/41", HOUR, 3)
    manifest.finish(key(part=1), OLD, [Work.ROWS], parts=3)
    manifest.finish(key(part=1), OLD, [Work.RECORD], parts=3)
    saved = manifest.dump()
    assert saved == {"bids/41": {"2026-11-20T05": "- aaaaaaaaaaaaaaaa:fr -"}}
    loaded = Manifest.load(json.loads(json.dumps(saved)))
    assert loaded.dump() == saved
    assert loaded.done(key(part=1), OLD) == {Work.ROWS, Work.RECORD}
    assert not loaded.done(key(part=1), NEW)
    assert not loaded.done(key(part=0), OLD)
    assert not loaded.done(key(part=7), OLD)


@pytest.mark.case("H9", "index_exchange")
def test_the_state_of_14_days_is_small() -> None:
    manifest = Manifest()
    now = HOUR + timedelta(days=15, hours=12)
    keys = []
    for step in range(400):
        hour = now - timedelta(hours=step)
        for part in range(4):
            keys.append(key(hour, part))
            manifest.finish(keys[-1], OLD, ALL - {Work.HOURLY}, parts=4)
        keys.append(key(hour, event_type="impressions"))
        manifest.finish(keys[-1], OLD, ALL, parts=1)
    manifest.prune([], now)
    saved = manifest.dump()
    assert len(saved["bids/41"]) == len(saved["impressions/41"]) == 24 * 14 + 36 + 1
    assert len(json.dumps(saved)) < 64 * 1024


@pytest.mark.case("F4", "index_exchange")
def test_an_entry_stays_while_its_file_is_listed() -> None:
    manifest = Manifest()
    manifest.finish(key(), OLD, ALL, parts=1)
    manifest.prune([key()], HOUR + timedelta(days=100))
    assert manifest.done(key(), OLD) == ALL
    manifest.prune([], HOUR + timedelta(days=100))
    assert not manifest.done(key(), OLD)


@pytest.mark.parametrize(
    ("finished_md5", "finished", "start", "end", "due"),
    [
        (None, set(), None, None, ALL),
        (OLD, ALL, None, None, ALL),
        (NEW, ALL, None, None, set()),
        (NEW, {Work.ROWS}, None, None, ALL - {Work.ROWS}),
        (None, set(), HOUR, None, ALL),
        (None, set(), HOUR + timedelta(hours=1), None, set()),
        (OLD, {Work.ROWS}, HOUR + timedelta(hours=1), None, {Work.ROWS}),  # begun: its bookmark counts, not the start
        (NEW, {Work.ROWS}, HOUR + timedelta(hours=1), None, set()),
        (None, set(), None, HOUR, set()),
        (OLD, ALL, None, HOUR, set()),
        (None, set(), None, HOUR + timedelta(hours=1), ALL),
    ],
)
def test_work_is_due_by_version_and_time(
    finished_md5: str | None, finished: set[Work], start: datetime | None, end: datetime | None, due: set[Work]
) -> None:
    manifest = Manifest()
    if finished_md5 is not None:
        manifest.finish(key(), finished_md5, finished, parts=1)
    assert work_due(key(), NEW, manifest, ALL, start=start, end=end) == due


def test_another_number_of_parts_makes_all_their_records_due_again() -> None:
    manifest = Manifest()
    for part in range(3):
        manifest.finish(key(part=part), OLD, ALL, parts=3)
    assert manifest.vanished_parts("bids/41", HOUR, 2) == [2]
    manifest.set_parts("bids/41", HOUR, 2)
    assert manifest.done(key(part=1), OLD) == ALL - {Work.RECORD}
    assert not manifest.done(key(part=2), OLD)
    assert manifest.vanished_parts("bids/41", HOUR, 1) == []  # its record was not written again yet
    manifest.set_parts("bids/41", HOUR, 4)
    manifest.finish(key(part=3), OLD, ALL, parts=4)
    assert manifest.done(key(part=3), OLD) == ALL


def test_forgetting_a_kind_of_work_leaves_the_others() -> None:
    manifest = Manifest()
    manifest.finish(key(), OLD, ALL, parts=1)
    manifest.forget(Work.HOURLY)
    assert manifest.done(key(), OLD) == ALL - {Work.HOURLY}


@pytest.mark.parametrize(
    "garbage",
    [
        [],
        "text",
        {"bids/41": []},
        {"bids": {}},
        {"clicks/41": {}},
        {"bids/41": {"2026-11-20": "-"}},
        {"bids/41": {"2026-11-20T05": 7}},
        {"bids/41": {"2026-11-20T05": ""}},
        {"bids/41": {"2026-11-20T05": "aaaa:f"}},
        {"bids/41": {"2026-11-20T05": "aaaaaaaaaaaaaaaa:fx"}},
    ],
)
def test_garbage_is_refused(garbage: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Manifest.load(garbage)


def test_holes_are_found_between_hours() -> None:
    hours = [HOUR + timedelta(hours=step) for step in (0, 1, 4)]
    holes = [HOUR + timedelta(hours=2), HOUR + timedelta(hours=3)]
    year = timedelta(days=365)
    assert missing_hours(hours, since=HOUR - year, until=HOUR + year) == holes
    assert missing_hours(hours, since=HOUR - year, until=holes[1]) == holes[:1]
    assert missing_hours(hours, since=holes[1], until=HOUR + year) == holes[1:]
    assert missing_hours(hours, since=HOUR + year, until=HOUR + 2 * year) == []
    assert missing_hours(hours, since=HOUR - 2 * year, until=HOUR - year) == []


def test_hours_of_any_year_have_one_form_which_the_state_takes_back() -> None:
    early = key(datetime(1, 1, 1, 5, tzinfo=UTC))
    assert early.file_id == "bids/41/0001-01-01T05/0"
    manifest = Manifest()
    manifest.finish(early, "a" * 32, {Work.ROWS}, parts=1)
    assert Manifest.load(manifest.dump()).done(early, "a" * 32) == {Work.ROWS}
