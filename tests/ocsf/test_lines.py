from __future__ import annotations

import json
import random
import typing as t
from io import BytesIO

import pytest

from tap_auditlogs.ocsf.mapper import OcsfMapper
from tests.ocsf.mapping import CollectingWriter, events_in, record_line, run_mapper, without_additions
from tests.ocsf.records import PIGMENT, RECORDS

if t.TYPE_CHECKING:
    from tap_auditlogs.ocsf.reader import LineReader

SCHEMA: t.Final = {"type": "SCHEMA", "schema": {"properties": {}}, "key_properties": []}
STATE: t.Final = b'{"type":"STATE","value":{"bookmarks":{"pigment_audit_events":{"a":"RECORD"}}}}\n'


def schema_line(stream: str) -> bytes:
    return json.dumps({**SCHEMA, "stream": stream}).encode() + b"\n"


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


ROWS: t.Final = b"".join(
    b'{"type":"RECORD","stream":"index_exchange_impressions","record":{"row_number":%d,"x":1.10}}\n' % number
    for number in range(50)
)
UNREADABLE: t.Final = b'{"type":"RECORD","stream":"pigment_audit_events","record":{"event_id": \n'
MESSAGES: t.Final = (
    schema_line("pigment_audit_events"),
    *(record_line(stream, record) for stream, record in RECORDS.items()),
    STATE,
    schema_line("index_exchange_impressions"),
    ROWS,
    b'{"type": "STATE", "value": 1e400}\n',
    line(type="BATCH", stream="index_exchange_impressions", encoding={}, manifest=["file:///a"]),
    line(type="BATCH", stream="pigment_audit_events", encoding={}, manifest=["file:///a"]),
    line(type="ACTIVATE_VERSION", stream="pigment_audit_events", version=1),
    line(type="SOMETHING_NEW", stream="pigment_audit_events"),
    line(type="RECORD", stream="of another tap", record={"b": 1, "a": "\N{SNOWMAN}"}),
    b"  \n",
    b"\n",
    b"no JSON, \xff\xfe\n",
    b'"RECORD"\n',
    b"[1,2]\n",
    b'{"stream":"pigment_audit_events"}\n',
    b'{"type":7}\n',
    UNREADABLE,
    STATE,
)


def test_every_line_passes_as_it_is_and_in_order() -> None:
    given = b"".join(MESSAGES)
    assert without_additions(run_mapper(given)) == given


def test_lines_pass_in_order_however_the_pipe_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = b"".join(each for each in MESSAGES if each != UNREADABLE)  # whose event has the time of the run
    whole = run_mapper(given)
    for size in (1, 7, 100, 5000):
        monkeypatch.setattr("tap_auditlogs.ocsf.reader._BLOCK_BYTES", size)
        assert run_mapper(given) == whole


def test_an_event_follows_its_record_and_comes_before_the_state() -> None:
    written = run_mapper(schema_line("pigment_audit_events") + record_line("pigment_audit_events", PIGMENT) + STATE)
    read = [json.loads(each) for each in written.splitlines()]
    assert [(it["type"], it.get("stream")) for it in read] == [
        ("SCHEMA", "pigment_audit_events"),
        ("SCHEMA", "audit_events"),
        ("RECORD", "pigment_audit_events"),
        ("RECORD", "audit_events"),
        ("STATE", None),
    ]
    assert read[1]["key_properties"] == ["event_uid"]
    assert set(read[3]["record"]) == set(read[1]["schema"]["properties"])
    assert read[3]["time_extracted"] == read[2]["time_extracted"] == read[3]["record"]["ingested_at"]


def test_the_schema_comes_once_also_where_the_source_has_none() -> None:
    written = run_mapper(record_line("pigment_audit_events", PIGMENT) * 2 + schema_line("openx_audit_trail"))
    kinds = [(it["type"], it["stream"]) for it in map(json.loads, written.splitlines())]
    assert kinds.count(("SCHEMA", "audit_events")) == 1
    assert kinds.index(("SCHEMA", "audit_events")) < kinds.index(("RECORD", "audit_events"))


def test_without_an_audit_stream_nothing_is_added() -> None:
    given = schema_line("index_exchange_impressions") + ROWS + STATE
    assert run_mapper(given) == given
    assert run_mapper(b"") == b""


def test_messages_are_understood_in_any_order_of_keys_and_any_spelling() -> None:
    message = json.loads(record_line("pigment_audit_events", PIGMENT))
    plain = events_in(run_mapper(record_line("pigment_audit_events", PIGMENT)))
    names = list(message)
    for separators in ((",", ":"), (", ", ": "), (" ,\t", " : ")):
        for _ in range(8):
            random.shuffle(names)
            text = json.dumps({name: message[name] for name in names}, separators=separators)
            for spelled in (text, " " + text, text.replace('"pigment_', '"\\u0070igment_')):
                given = spelled.encode() + b"\r\n"
                written = run_mapper(given)
                assert events_in(written) == plain
                assert without_additions(written) == given


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_a_number_that_no_json_has_does_not_hide_a_message_in_another_order(number: str) -> None:
    given = line(record={**PIGMENT, "payload": "PLACE"}, stream="pigment_audit_events", type="RECORD")
    given = given.replace(b'"PLACE"', f'{{"n":{number}}}'.encode())
    mapper = OcsfMapper(writer=CollectingWriter(), config={})
    mapper.listen(t.cast("t.IO[str]", BytesIO(given)))
    reader, writer = t.cast("LineReader", mapper.message_reader), t.cast("CollectingWriter", mapper.message_writer)
    (event,) = events_in(writer.written)
    assert event["event_uid"] == events_in(run_mapper(record_line("pigment_audit_events", PIGMENT)))[0]["event_uid"]
    assert without_additions(writer.written) == given
    assert reader.invalid_lines == 0


def test_one_odd_record_among_many_changes_no_other() -> None:
    """Records are read many at a time; read one by one, as they are for the raw data, they become the same events."""
    odd = (
        record_line("pigment_audit_events", {**PIGMENT, "additional_properties": {"more": 1}}),
        record_line("pigment_audit_events", {**PIGMENT, "event_timestamp": "yesterday"}),
        record_line("pigment_audit_events", {**PIGMENT, "payload": [1]}),
        record_line("pigment_audit_events", {**PIGMENT, "ingestion_timestamp": "0001-01-01T00:00:00+05:00"}),
        record_line("pigment_audit_events", PIGMENT).replace(b'{"type"', b'{"more":"\xff","type"'),
        record_line("pigment_audit_events", PIGMENT).replace(b'"record"', b'"more":"\xff","record"'),
        record_line("pigment_audit_events", PIGMENT).replace(b'"Headcount"', b'"half a pair: \\ud800"'),
        record_line("pigment_audit_events", PIGMENT).replace(b"Headcount", b"\xff"),
        record_line("pigment_audit_events", PIGMENT).rstrip() + record_line("pigment_audit_events", PIGMENT),
        record_line("pigment_audit_events", PIGMENT).rstrip() + b"," + record_line("pigment_audit_events", PIGMENT),
    )
    usual = [record_line("pigment_audit_events", {**PIGMENT, "event_id": f"e-{number}"}) for number in range(10)]
    for one in odd:
        together = events_in(run_mapper(b"".join([*usual[:5], one, *usual[5:]])))
        apart = [
            event
            for each in (*usual[:5], one, *usual[5:])
            for event in events_in(run_mapper(each, include_raw_data=True))
        ]
        assert len(together) == 11
        assert [comparable(event) for event in together] == [comparable(event) for event in apart]


def comparable(event: dict[str, t.Any]) -> dict[str, t.Any]:
    """Leave out the raw data, and the time of what is no JSON, which is that of the run."""
    ocsf = {name: value for name, value in event["ocsf"].items() if name != "raw_data"}
    return {**event, "ocsf": {**ocsf, "time": event["event_time"] and ocsf["time"]}}


def test_usual_records_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_line: bytes) -> t.NoReturn:
        pytest.fail("a usual record is read by itself")

    monkeypatch.setattr("tap_auditlogs.ocsf.translator.decode_json", refuse)
    record = {**PIGMENT, "payload": {"name": "\N{SNOWMAN}"}}
    assert len(events_in(run_mapper(record_line("pigment_audit_events", record) * 3))) == 3


def test_usual_records_and_others_become_the_same_events() -> None:
    """With the raw data wanted, no record is decoded by its columns."""
    for event_type in ("UserInvited", "LoginFailed", "GroupRoleAssigned", "DataExported", "SnapshotTaken", "New"):
        for payload in ({}, PIGMENT["payload"], {"userId": 7, "userName": "\u00e9"}, {"group": {"id": "g-1"}}):
            given = record_line("pigment_audit_events", {**PIGMENT, "event_type": event_type, "payload": payload})
            (usual,), (other,) = events_in(run_mapper(given)), events_in(run_mapper(given, include_raw_data=True))
            assert comparable(usual) == comparable(other)


def test_a_stream_is_known_by_its_key_and_not_by_what_a_record_holds() -> None:
    record = {"type": "RECORD", "stream": "pigment_audit_events", "record": PIGMENT}
    for given in (
        line(record=record, type="RECORD", stream="mine"),
        line(type="RECORD", record=record, stream="mine"),
        line(type="RECORD", stream="pigment_audit_events_2", record=PIGMENT),
        line(type="STATE", value=record),
        line(value=record, type="STATE"),
    ):
        assert run_mapper(given) == given


def test_a_last_line_without_line_feed_stays_a_line_of_its_own() -> None:
    given = record_line("pigment_audit_events", PIGMENT).rstrip(b"\n")
    written = run_mapper(given)
    assert len(events_in(written)) == 1
    assert written.startswith(given + b"\n")
    cut = STATE + given[:100]
    assert without_additions(run_mapper(cut)).rstrip(b"\n") == cut


def test_a_record_among_many_that_pass_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ROWS.splitlines(keepends=True)
    for size in (200, 2000, 1 << 20):
        monkeypatch.setattr("tap_auditlogs.ocsf.reader._BLOCK_BYTES", size)
        for place in (1, 25, 49):
            given = b"".join([*lines[:place], record_line("pigment_audit_events", PIGMENT), *lines[place:]])
            written = run_mapper(given)
            assert len(events_in(written)) == 1
            assert without_additions(written) == given


@pytest.mark.parametrize(("only_unified", "told"), [(False, "was passed on"), (True, "was left out")])
def test_a_batch_that_gives_no_events_is_told(caplog: pytest.LogCaptureFixture, only_unified: bool, told: str) -> None:
    batch = line(type="BATCH", stream="pigment_audit_events", encoding={}, manifest=["file:///a"])
    assert run_mapper(batch, only_unified=only_unified) == (b"" if only_unified else batch)
    assert f"A BATCH message of `pigment_audit_events` {told} without audit events" in caplog.text


def test_only_unified_leaves_the_vendors_streams_out() -> None:
    messages = [each for each in MESSAGES if each.startswith(b'{"type"') and each != UNREADABLE]
    assert run_mapper(UNREADABLE, only_unified=True).count(b"\n") == 2
    read = [json.loads(each) for each in run_mapper(b"".join(messages), only_unified=True).splitlines()]
    assert {it.get("stream") for it in read if it["type"] in {"RECORD", "SCHEMA", "BATCH", "ACTIVATE_VERSION"}} == {
        "audit_events",
        "of another tap",
    }
    assert sum(it["type"] == "STATE" for it in read) == 3
    assert len([it for it in read if it.get("stream") == "audit_events"]) == len(RECORDS) - 1 + 1
    other = line(type="RECORD", stream="of another tap", record={})
    assert run_mapper(other, only_unified=True) == other


@pytest.mark.parametrize("column", ["payload", "additional_properties", "a_new_column"])
def test_numbers_keep_their_digits(column: str) -> None:
    record = {**PIGMENT, column: "PLACE"}
    given = record_line("pigment_audit_events", record).replace(
        b'"PLACE"', b'{"amount":12345678901234567890.10,"count":123456789012345678901234567890}'
    )
    _, _, event = run_mapper(given).partition(b'"ocsf"')
    assert b'"amount":12345678901234567890.10' in event
    assert b'"count":123456789012345678901234567890' in event
