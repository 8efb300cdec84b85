"""Every event of all sandboxes, through the installed commands, is valid OCSF 1.8.0 and holds no secret.

    uv run pytest tests/ocsf/test_sandboxes.py -rP

shows how many events there are of each vendor.
"""

from __future__ import annotations

import json
import sys
import typing as t
from collections import Counter, deque
from pathlib import Path

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.xandr import XandrSandbox
from tap_auditlogs.ocsf.mapper import OcsfMapper
from tests.ocsf.mapping import events_in, without_additions
from tests.ocsf.mapping import run_mapper as run
from tests.ocsf.validator import faults
from tests.support.tap_process import TapRunner

if t.TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

Json: t.TypeAlias = "dict[str, t.Any]"

COMMAND: t.Final = str(Path(sys.executable).with_name("auditlogs-ocsf"))
STREAMS: t.Final = OcsfMapper(config={"include_usage_events": True}).mapped_streams
SETTINGS: t.Final[Sequence[dict[str, bool]]] = (
    {},
    {"include_usage_events": True, "include_raw_data": True},
    {"hash_license_keys": False, "only_unified": True},
)


class Extracted(t.NamedTuple):
    """What the tap has read from all sandboxes, with all that it can be asked to include."""

    lines: bytes
    records: dict[str, list[Json]]
    tokens: Sequence[str]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    with Sandbox(seed=11, size=400) as sandbox:
        config: Json = json.loads(json.dumps(sandbox.config))
        config["xandr"] |= {"include_session_id": True, "include_raw_json": True, "include_unchanged_fields": True}
        done = TapRunner(tmp_path_factory.mktemp("tap")).run(config=config)
        tokens = [*sandbox.vendor("xandr", XandrSandbox).secrets()]
    assert done.code == 0, done.stderr
    records = {stream: done.records(stream) for stream in STREAMS}
    assert all(records.values())
    return Extracted(done.stdout, records, tokens)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_every_event_is_valid(extracted: Extracted, settings: dict[str, bool]) -> None:
    events = events_in(run(extracted.lines, **settings))
    counts = Counter(event["vendor"] for event in events)
    wrong = {event["event_uid"]: found for event in events if (found := faults(event["ocsf"]))}
    assert wrong == {}
    assert counts.keys() == {"pigment", "cryptolens", "openx", "xandr"}
    expected = {
        stream: len(records)
        for stream, records in extracted.records.items()
        if stream != "cryptolens_events" or settings.get("include_usage_events")
    }
    assert Counter(event["source_stream"] for event in events) == expected
    assert len({event["event_uid"] for event in events}) == len(events)
    assert not [event for event in events if event["action"] == "not understood"]


def test_no_secret_enters(extracted: Extracted) -> None:
    written = run(extracted.lines, include_usage_events=True, include_raw_data=True)
    added = b"".join(line for line in written.splitlines(keepends=True) if b'"audit_events"' in line[:40]).decode()
    sessions = {record["session_id"] for record in extracted.records["xandr_change_log_detail"]} - {None}
    keys = {record["key"] for record in extracted.records["cryptolens_web_api_log"]} - {None, ""}
    assert sessions
    assert keys
    assert not [secret for secret in {*sessions, *keys, *extracted.tokens} if secret in added]


def test_nothing_of_a_record_is_dropped(extracted: Extracted) -> None:
    """Every text and number of the source is somewhere in the event."""
    written = run(extracted.lines, hash_license_keys=False, include_usage_events=True)
    by_uid = {(event["source_stream"], event["event_uid"]): event for event in events_in(written)}
    assert len(by_uid) == sum(map(len, extracted.records.values()))
    sources: deque[Json] = deque()
    for message in map(json.loads, written.splitlines()):
        if message["type"] == "STATE":
            assert not sources, "an event comes behind the STATE that covers its record"
        if message["type"] != "RECORD":
            continue
        if message["stream"] in STREAMS:
            sources.append(message)
        if message["stream"] == "audit_events":
            source, event = sources.popleft(), message["record"]
            assert event["source_stream"] == source["stream"]
            lost = set(leaves(source["record"])) - set(leaves(event)) - set(derived(source["record"]))
            assert lost == set(), source["record"]
    assert not sources


def leaves(value: object) -> t.Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from leaves(item)
        case list():
            for item in value:
                yield from leaves(item)
        case bool() | None:
            return
        case str():
            yield value
            try:
                parsed = json.loads(value)  # a text that is JSON may stand there taken apart
            except ValueError:
                yield from value.split(", ")
                return
            yield from [parsed] if isinstance(parsed, str) else leaves(parsed)
        case _:
            yield str(value)


def derived(record: Json) -> t.Iterator[str]:
    """Give what stands in the event in another form."""
    if isinstance(record.get("key"), str):
        yield from (str(record["product_id"]), record["key"])  # with a colon between
    if isinstance(record.get("method"), str):
        yield record["method"]  # in capitals
    if record.get("session_id"):
        yield record["session_id"]
    if "ingestion_timestamp" in record:
        yield record["ingestion_timestamp"]  # in milliseconds
    if isinstance(record.get("changes"), list):
        for change in record["changes"]:
            yield from (change.get("field_name"), change.get("old_value"), change.get("new_value"))
    yield from filter(None, (record.get("ip_info"), record.get("data")))  # taken apart
    yield from (str(record.get(name)) for name in ("resource_type", "resource_action"))  # after words


def test_the_vendors_lines_pass_as_they_are(extracted: Extracted) -> None:
    assert without_additions(run(extracted.lines)) == extracted.lines


def test_events_are_the_same_in_every_process(extracted: Extracted) -> None:
    assert run(extracted.lines) == run(extracted.lines)
