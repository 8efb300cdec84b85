from __future__ import annotations

import json

import msgspec

from tap_auditlogs.core.record_message import RecordMessage, record_envelope


def test_the_envelope_is_that_of_the_message() -> None:
    before, after = record_envelope("files")
    line = before + b'{"id": 1}' + after
    whole = json.loads(line)
    assert whole.keys() == {"type", "stream", "record", "time_extracted"}
    assert line == msgspec.json.encode(RecordMessage("files", msgspec.Raw(b'{"id": 1}'), whole["time_extracted"]))


def test_a_message_without_a_time_has_no_such_key() -> None:
    assert msgspec.json.encode(RecordMessage("files", {"id": 1})) == (
        b'{"type":"RECORD","stream":"files","record":{"id":1}}'
    )
