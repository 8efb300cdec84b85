"""States: what is refused, what is kept, and how a bookmark belongs to its filters."""

from __future__ import annotations

import copy
import json
import logging
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_auditlogs.core.errors import StateError
from tap_auditlogs.core.state import STATE_VERSION, Bookmark, check_state, parse_state
from tap_auditlogs.tap import TapAuditLogs
from tests.support.states import entry_of

SETTINGS = {"pigment": {"api_key": "k3y-of-pigment"}, "cryptolens": {"access_token": "t0k3n-of-cryptolens"}}
BOOKMARK = {"replication_key": "ingestion_timestamp", "replication_key_value": "2026-01-02T03:04:05.000000Z"}


def load(state: t.Any, **settings: t.Any) -> TapAuditLogs:
    return TapAuditLogs(config={**copy.deepcopy(SETTINGS), **settings}, state=parse_state(json.dumps(state)))


def bookmarks(**streams: t.Any) -> dict[str, t.Any]:
    return {"bookmarks": streams}


# The file.


@pytest.mark.parametrize("text", ["", " \n", "{", "nonsense", "{'bookmarks': {}}", "[" * 100_000])
def test_a_file_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(StateError, match=r"^The state file is (empty|not JSON)\. .*remove it"):
        parse_state(text)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ([], "a JSON array"),
        (None, "a JSON null"),
        (1, "a JSON number"),
        ("x", "a JSON string"),
        (True, "a JSON boolean"),
        ({"type": "STATE", "value": {"bookmarks": {}}}, "a whole STATE message: only its `value`"),
        ({"pigment_audit_events": {}}, "no `bookmarks`"),
        ({"singer_state": {"bookmarks": {}}}, "`meltano state get`: only its `singer_state`"),
        ({"completed": {"singer_state": {"bookmarks": {}}}}, "only the `singer_state` within its `completed`"),
        ({"bookmarks": None}, "`bookmarks` in the state is a JSON null"),
        ({"bookmarks": []}, "`bookmarks` in the state is a JSON array"),
        ({"bookmarks": {"x": []}}, "The bookmark of `x` in the state is a JSON array"),
        ({"bookmarks": {"x": None}}, "The bookmark of `x` in the state is a JSON null"),
        ({"bookmarks": {"x": "2026-01-01"}}, "The bookmark of `x` in the state is a JSON string"),
        ({"bookmarks": {}, "version": STATE_VERSION + 1}, "a later tap-auditlogs made it"),
        ({"bookmarks": {}, "version": "1"}, "has version '1'"),
        ({"bookmarks": {}, "version": True}, "has version True"),
        ({"bookmarks": {}, "version": None}, "has version None"),
        ({"bookmarks": {}, "version": 1.5}, "has version 1.5"),
    ],
)
def test_a_state_of_another_shape_is_refused_in_one_line(state: t.Any, told: str) -> None:
    with pytest.raises(StateError) as refusal:
        parse_state(json.dumps(state))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("state", [{}, {"bookmarks": {}}, {"bookmarks": {"gone": {}}, "version": 1, "other": [1]}])
def test_a_state_without_a_fault_is_taken_as_it_is(state: t.Any) -> None:
    assert parse_state(json.dumps(state)) == state


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_json_is_taken_for_no_state(value: t.Any) -> None:
    try:
        kept = check_state(value)
    except StateError:
        return
    assert kept == {} or isinstance(kept["bookmarks"], dict)


@pytest.mark.parametrize("state", [{"value": {"bookmarks": {}}}, {"bookmarks": {}, "version": 99}])
def test_a_state_handed_over_in_the_same_process_is_checked_alike(state: dict[str, t.Any]) -> None:
    with pytest.raises(StateError):
        TapAuditLogs(config=copy.deepcopy(SETTINGS), state=state)


# Bookmarks.


@pytest.mark.parametrize(
    "entry",
    [
        {**BOOKMARK, "replication_key_value": "garbage"},
        {**BOOKMARK, "replication_key_value": ""},
        {**BOOKMARK, "replication_key_value": 5},
        {**BOOKMARK, "replication_key_value": True},
        {**BOOKMARK, "replication_key_value": ["2026-01-01"]},
        {**BOOKMARK, "replication_key_value": "0000-00-00"},
        {**BOOKMARK, "replication_key_value": "9999-12-31T23:59:59Z"},
        {**BOOKMARK, "replication_key_value": "2999-01-01T00:00:00Z"},
        {**BOOKMARK, "replication_key_value": None},
        {**BOOKMARK, "replication_key": "eventTime"},
        {**BOOKMARK, "replication_key": None},
        {"replication_key_value": None},
        {"replication_key_value": None, "filters": "0123456789abcdef"},
        {"progress": {}},
        {"parts": {}},
        {"notes": {}},
        {"other_filters": {}},
        {"notes": {}, "parts": {}, "filters": "0123456789abcdef"},
        {"other_filters": {"0123456789abcdef": {"notes": {}}}},
        {"replication_key": "ingestion_timestamp"},
        {"ingestion_timestamp": "2026-01-02T03:04:05Z"},
        {"value": "2026-01-02T03:04:05Z"},
        {"partitions": [{"context": {}, **BOOKMARK}]},
        {**BOOKMARK, "progress": []},
        {**BOOKMARK, "progress": {"unknown": 1}},
        {**BOOKMARK, "other_filters": []},
        {**BOOKMARK, "other_filters": {"0123456789abcdef": 5}},
        {**BOOKMARK, "other_filters": {"0123456789abcdef": {**BOOKMARK, "replication_key_value": "garbage"}}},
        {**BOOKMARK, "filters": {"a": 1}},
        {**BOOKMARK, "notes": "x"},
    ],
)
def test_a_bookmark_that_cannot_be_understood_is_refused_and_named(entry: dict[str, t.Any]) -> None:
    with pytest.raises(
        StateError, match=r"^The bookmark of `pigment_audit_events` in the state cannot be used: "
    ) as told:
        load(bookmarks(pigment_audit_events=entry))
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 350


@pytest.mark.parametrize(
    "part", [{"replication_key_value": None}, {"progress": {}}, {"notes": {}}, {"notes": {}, "progress": {}}]
)
def test_a_part_that_has_lost_its_value_is_refused(part: dict[str, t.Any]) -> None:
    xandr = {"username": "u", "password": "p4ssw0rd-of-xandr"}
    with pytest.raises(StateError, match=r"^The bookmark of `xandr_change_log` in the state cannot be used: "):
        load(bookmarks(xandr_change_log={"parts": {"campaign": part}}), xandr=xandr)
    load(bookmarks(xandr_change_log={"parts": {"campaign": {}}}), xandr=xandr)  # as a first run begins


@pytest.mark.parametrize("value", ["5", -1, 1.5, True, None, "2026-01-01T00:00:00Z", [5]])
def test_an_id_that_is_none_is_refused(value: t.Any) -> None:
    entry = {"replication_key": "id", "replication_key_value": value}
    with pytest.raises(StateError, match="cryptolens_events"):
        load(bookmarks(cryptolens_events=entry))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        BOOKMARK,
        {"replication_key_value": "2026-01-02T03:04:05Z"},
        {
            **BOOKMARK,
            "progress_markers": {"Note": "x", "replication_key": "eventTime"},
            "replication_key_signpost": "x",
        },
        {"progress_markers": {}, "starting_replication_value": "2026-01-01"},
        {**BOOKMARK, "of_a_later_minor_version": [1]},
        {"filters": "0123456789abcdef"},
        {"notes": {"a": 1}, "parts": {}},
        {**BOOKMARK, "notes": {}},
    ],
)
def test_a_bookmark_that_can_be_understood_is_kept(entry: dict[str, t.Any]) -> None:
    tap = load(bookmarks(pigment_audit_events=copy.deepcopy(entry)))
    assert tap.streams["pigment_audit_events"].stream_state.get("replication_key_value") == entry.get(
        "replication_key_value"
    )
    assert "progress_markers" not in tap.state["bookmarks"]["pigment_audit_events"]


def test_what_the_state_says_of_other_streams_is_kept() -> None:
    others = {"removed_stream": {"partitions": [1]}, "openx_audit_trail": {"anything": {"at": "all"}}}
    tap = load({**bookmarks(pigment_audit_events=BOOKMARK, **others), "of_a_later_version": [1]})
    written = tap.state_to_write()
    assert others.items() <= written["bookmarks"].items()
    assert entry_of(written, "pigment_audit_events") == BOOKMARK
    assert (written["version"], written["of_a_later_version"]) == (STATE_VERSION, [1])


def test_a_bookmark_of_an_inactive_vendor_is_neither_judged_nor_lost() -> None:
    entry = {"replication_key": "id", "replication_key_value": "garbage"}
    tap = TapAuditLogs(config={"pigment": SETTINGS["pigment"]}, state=bookmarks(cryptolens_events=entry))
    assert tap.state["bookmarks"]["cryptolens_events"] == entry


def test_loading_changes_no_bookmark() -> None:
    entry = {**BOOKMARK, "notes": {"a": 1}}
    assert load(bookmarks(pigment_audit_events=entry)).state["bookmarks"]["pigment_audit_events"] == entry


# Progress and notes.


def test_advancing_finishes_what_was_begun() -> None:
    entry: dict[str, t.Any] = {}
    bookmark = Bookmark(entry, "id")
    bookmark.keep_progress({"cursor": "c"})
    assert (bookmark.value, bookmark.progress) == (None, {"cursor": "c"})
    bookmark.advance(7, read_on="2026-01-01")
    assert entry == {"replication_key": "id", "replication_key_value": 7, "notes": {"read_on": "2026-01-01"}}
    bookmark.advance(None, other=1)
    assert bookmark.value == 7
    assert (bookmark.note("read_on"), bookmark.note("other"), bookmark.note("nothing")) == ("2026-01-01", 1, None)


def test_kept_progress_does_not_change_with_its_source() -> None:
    bookmark = Bookmark({}, "id")
    source = {"cursor": "c"}
    bookmark.keep_progress(source)
    source["cursor"] = "d"
    assert bookmark.progress == {"cursor": "c"}


class WrittenOut(dict[str, t.Any]):
    """An entry that is read as a state whenever something in it has changed: a signal may have it written then."""

    def __setitem__(self, key: str, value: t.Any) -> None:
        super().__setitem__(key, value)
        self.read()

    def setdefault(self, key: str, default: t.Any = None) -> t.Any:
        found = super().setdefault(key, default)
        self.read()
        return found

    def update(self, *args: t.Any, **items: t.Any) -> None:
        super().update(*args, **items)
        self.read()

    def read(self) -> None:
        Bookmark(json.loads(json.dumps(self)), "id")


def test_no_step_of_a_bookmark_leaves_what_the_next_run_refuses() -> None:
    bookmark = Bookmark(WrittenOut(), "id")
    bookmark.keep_progress({"start": "x"})
    bookmark.advance(5, read_on="x")
    Bookmark(WrittenOut(), "id").part("order")


# Filters.


def run_with(entry: dict[str, t.Any], filters: dict[str, t.Any], value: t.Any = None) -> t.Any:
    """Give the bookmark with which a run under these filters starts, and let it end at a value."""
    loaded = json.loads(json.dumps(entry))
    bookmark = Bookmark(loaded, "id")
    bookmark.apply_filters(filters)
    start = bookmark.value
    if value is not None:
        bookmark.advance(value)
    entry.clear()
    entry.update(loaded)
    Bookmark(json.loads(json.dumps(entry)), "id")  # what is written can be read
    return start


def test_each_filter_finds_its_own_bookmark_again_and_again() -> None:
    entry: dict[str, t.Any] = {}
    one, two = {"product_id": 1}, {"product_id": 2}
    assert run_with(entry, {}, 10) is None
    assert run_with(entry, one, 20) is None
    assert run_with(entry, two, 30) is None
    assert run_with(entry, {}, 11) == 10
    assert run_with(entry, one, 21) == 20
    assert run_with(entry, one, 22) == 21
    assert run_with(entry, two, 31) == 30
    assert run_with(entry, {}, 12) == 11
    assert run_with(entry, two) == 31
    assert run_with(entry, one) == 22
    assert run_with(entry, {}) == 12


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.none() | st.integers(1, 99)), max_size=20))
def test_no_sequence_of_filters_mixes_bookmarks_up(runs: list[tuple[int | None, int | None]]) -> None:
    entry: dict[str, t.Any] = {}
    expected: dict[int | None, int] = {}
    for product, value in runs:
        assert run_with(entry, {} if product is None else {"product_id": product}, value) == expected.get(product)
        if value is not None:
            expected[product] = value


def test_progress_and_notes_are_put_aside_with_their_bookmark() -> None:
    entry: dict[str, t.Any] = {}
    bookmark = Bookmark(entry, "id")
    bookmark.apply_filters({"user": "a@example.com"})
    bookmark.advance(5, read_on="x")
    bookmark.keep_progress({"cursor": "c"})
    bookmark.apply_filters({})
    assert (bookmark.value, bookmark.progress, bookmark.note("read_on")) == (None, {}, None)
    bookmark.apply_filters({"user": "a@example.com"})
    assert (bookmark.value, bookmark.progress, bookmark.note("read_on")) == (5, {"cursor": "c"}, "x")


def test_the_order_of_filters_does_not_matter_and_the_state_does_not_show_them() -> None:
    entry: dict[str, t.Any] = {}
    Bookmark(entry, "id").apply_filters({"a": 1, "user": "somebody@example.com"})
    before = json.dumps(entry)
    Bookmark(entry, "id").apply_filters({"user": "somebody@example.com", "a": 1})
    assert json.dumps(entry) == before
    assert "somebody" not in before


def test_a_change_of_filters_is_warned_of_once_and_only_if_there_was_a_bookmark(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    entry: dict[str, t.Any] = {}
    run_with(entry, {"product_id": 1}, 5)
    assert caplog.records == []
    run_with(entry, {"product_id": 2}, 6)
    run_with(entry, {"product_id": 2}, 7)
    assert len(caplog.records) == 1
    assert "(product_id): starting from start_date" in caplog.text
    run_with(entry, {"product_id": 1})
    assert "going on from the bookmark kept for them" in caplog.text


def test_a_filter_of_the_settings_reaches_the_bookmark_and_a_rotated_secret_does_not() -> None:
    entry = {"replication_key": "id", "replication_key_value": 5}

    def stream(**settings: t.Any) -> t.Any:
        tap = load(
            bookmarks(cryptolens_web_api_log=copy.deepcopy(entry)),
            cryptolens={**SETTINGS["cryptolens"], **settings},
        )
        return tap.streams["cryptolens_web_api_log"]

    assert stream().bookmark.value == 5
    assert stream(access_token="another-t0k3n").bookmark.value == 5
    assert stream(product_id=3646).bookmark.value is None
