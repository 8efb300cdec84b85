"""The private parts of the SDK that the tap rests on: these tests fail when a new SDK changes one."""

from __future__ import annotations

import copy
import inspect
import json
import re
import typing as t
from pathlib import Path

import pytest
import singer_sdk.configuration._dict_config
import singer_sdk.helpers._batch
import singer_sdk.helpers._classproperty
from singer_sdk import Stream, Target
from singer_sdk.mapper import CustomStreamMap
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib.encoding import GenericSingerWriter

import tap_auditlogs
from auditlogs_sandbox.faults import Fault
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.core import sdk_hooks
from tap_auditlogs.core.sdk_hooks import HookedPlugin, HookedTarget, PagedStream
from tap_auditlogs.core.writer import MessageWriter
from tap_auditlogs.tap import TapAuditLogs
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tap_runs import Run

# As read in singer-sdk 0.54.9. Before changing one of these, read what the SDK does now and change the hook with it.
SIGNATURES = {
    "Stream._sync_records": "(self, context: 'types.Context | None' = None, *, write_messages: 'bool' = True) "
    "-> 't.Generator[dict, t.Any, t.Any]'",
    "Stream._generate_record_messages": "(self, record: 'types.Record') "
    "-> 't.Generator[singer.RecordMessage, None, None]'",
    "Stream._check_max_record_limit": "(self, current_record_index: 'int') -> 'None'",
    "Stream._write_schema_message": "(self) -> 'None'",
    "Target._process_record_message": "(self, message_dict: 'dict') -> 'None'",
    "Target._process_state_message": "(self, message_dict: 'dict') -> 'None'",
    "Target._process_batch_message": "(self, message_dict: 'dict') -> 'None'",
    "Target._process_activate_version_message": "(self, message_dict: 'dict') -> 'None'",
    "PluginBase._validate_config": "(self, *, raise_errors: 'bool' = True) -> 'list[str]'",
    "PluginBase._setup_signal_handlers": "(self) -> 'None'",
}
OWNERS: dict[str, object] = {
    "Stream": Stream,
    "Target": Target,
    "PluginBase": PluginBase,
    "CustomStreamMap": CustomStreamMap,
    "configuration": singer_sdk.configuration,
    "helpers": singer_sdk.helpers,
}


def hooks_in_the_table() -> list[str]:
    return re.findall(r"^\| `([\w.]+)`", sdk_hooks.__doc__ or "", re.MULTILINE)


def test_the_table_of_the_module_names_private_hooks() -> None:
    hooks = hooks_in_the_table()
    assert set(SIGNATURES) <= set(hooks)
    assert len(hooks) == len(set(hooks))
    assert all("._" in hook for hook in hooks)


@pytest.mark.parametrize("hook", hooks_in_the_table())
def test_every_hook_in_the_table_is_there_in_the_sdk(hook: str) -> None:
    owner, *path = hook.split(".")
    found = OWNERS[owner]
    for name in path:
        assert name in vars(found), f"the SDK has no {hook} any more"
        found = vars(found)[name]


@pytest.mark.parametrize("hook", SIGNATURES)
def test_every_hook_has_the_signature_it_had(hook: str) -> None:
    owner, name = hook.split(".")
    assert str(inspect.signature(getattr(OWNERS[owner], name))) == SIGNATURES[hook]


def test_every_private_override_stands_in_the_table() -> None:
    named = {hook.rpartition(".")[2] for hook in hooks_in_the_table()}
    pairs = (
        (PagedStream, Stream),
        (HookedPlugin, PluginBase),
        (HookedTarget, Target),
        (MessageWriter, GenericSingerWriter),
    )
    for own, base in pairs:
        private = {name for name in vars(own) if name.startswith("_") and not name.startswith(("__", "_abc"))}
        assert {name for name in private if hasattr(base, name)} <= named


def test_no_other_module_overrides_a_private_part() -> None:
    for stream in TapAuditLogs(validate_config=False).streams.values():
        for kind in type(stream).__mro__:
            if kind.__module__.startswith("tap_auditlogs.") and kind is not PagedStream:
                private = {name for name in vars(kind) if re.match(r"_[a-z]", name) and not name.startswith("_abc")}
                assert not {name for name in private if hasattr(Stream, name)}, kind


def test_no_other_module_imports_a_private_part() -> None:
    package = Path(tap_auditlogs.__file__).parent
    importing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(?:from|import) singer_sdk[\w.]*(?:\._| import _)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert importing == {"core/sdk_hooks.py"}


def test_an_error_of_a_stream_is_logged_by_the_run_loop_only(sandbox: Sandbox) -> None:
    sandbox.faults.replace([Fault(path="GetEvents", status=403, times=None)])
    done = sync({"cryptolens": sandbox.config["cryptolens"]})
    sandbox.faults.replace([])
    (error,) = [line for line in done.log.splitlines() if line.startswith("ERROR")]
    assert "2 of 3 streams are complete" in error


def test_the_sync_calls_the_hook() -> None:
    """`Stream.sync` is final and must go through `_sync_records`, or pages and states would not be ours."""
    assert "self._sync_records(context=context)" in inspect.getsource(Stream.sync)


def test_the_constructor_calls_the_hooks() -> None:
    source = inspect.getsource(PluginBase.__init__)
    for call in ("self._env_var_config", "self._validate_config(raise_errors=", "self._setup_signal_handlers()"):
        assert call in source


# What would go wrong without the SDK's own way from records to messages.


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=9, vendors=["pigment", "cryptolens"], size=120) as running:
        yield running


def complete(config: dict[str, t.Any], catalog: dict[str, t.Any] | None = None) -> Run:
    done = sync(config, catalog=catalog)
    assert done.exit_code == 0, done.log
    return done


def discovered(config: dict[str, t.Any]) -> dict[str, t.Any]:
    return copy.deepcopy(TapAuditLogs(config=config).catalog_dict)


def schema(done: Run, stream: str) -> dict[str, t.Any]:
    (found,) = (m["schema"] for m in done.messages if m["type"] == "SCHEMA" and m["stream"] == stream)
    return t.cast("dict[str, t.Any]", found)


def test_stream_maps_apply(sandbox: Sandbox) -> None:
    maps = {
        "cryptolens_web_api_log": {
            "__filter__": "state == 2011",
            "__alias__": "licenses",
            "ip": None,
            "shouted": "friendly_name.upper() if friendly_name else ''",
        },
        "cryptolens_events": "__NULL__",
        "pigment_audit_events": {"event_id": "event_id", "event_type": "event_type", "__else__": None},
    }
    plain = complete(sandbox.config).records("cryptolens_web_api_log")
    done = complete({**sandbox.config, "stream_maps": maps})
    records = done.records("licenses")
    assert [record["id"] for record in records] == [record["id"] for record in plain if record["state"] == 2011]
    assert records
    assert all("ip" not in record for record in records)
    assert [record["shouted"] for record in records] == [(record["friendly_name"] or "").upper() for record in records]
    assert "ip" not in schema(done, "licenses")["properties"]
    assert done.records("cryptolens_events") == []
    events = done.records("pigment_audit_events")
    assert len(events) == len(sandbox.truth()["pigment_audit_events"])
    assert all(set(event) == {"event_id", "event_type"} for event in events)
    assert done.state == complete(sandbox.config).state


def test_flattening_applies_and_loses_nothing(sandbox: Sandbox) -> None:
    plain = {record["event_id"]: record for record in complete(sandbox.config).records("pigment_audit_events")}
    done = complete({**sandbox.config, "flattening_enabled": True, "flattening_max_depth": 1})
    records = done.records("pigment_audit_events")
    assert len(records) == len(plain)
    properties = schema(done, "pigment_audit_events")["properties"]
    for record in records:
        assert set(record) == set(properties)
        for name, value in plain[record["event_id"]].items():
            assert (json.loads(record[name]) if isinstance(value, dict) else record[name]) == value


def test_deselected_fields_are_left_out(sandbox: Sandbox) -> None:
    config = {"cryptolens": sandbox.config["cryptolens"]}
    catalog = discovered(config)
    left_out = {"ip", "machine_code", "additional_properties"}
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] and entry["breadcrumb"][-1] in left_out:
                entry["metadata"]["selected"] = False
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] != "cryptolens_object_log"
    plain = complete(config)
    done = complete(config, catalog)
    expected = [
        {name: value for name, value in record.items() if name not in left_out}
        for record in plain.records("cryptolens_web_api_log")
    ]
    assert done.records("cryptolens_web_api_log") == expected
    assert expected
    assert not left_out & set(schema(done, "cryptolens_web_api_log")["properties"])
    assert done.records("cryptolens_object_log") == []


def test_a_catalog_cannot_change_how_a_stream_replicates(sandbox: Sandbox) -> None:
    config = {"pigment": sandbox.config["pigment"]}
    catalog = discovered(config)
    (stream,) = catalog["streams"]
    stream["replication_method"] = "FULL_TABLE"
    stream["replication_key"] = "event_time"
    done = complete(config, catalog)
    assert done.state == complete(config).state
    assert {message["type"] for message in done.messages} == {"SCHEMA", "RECORD", "STATE"}
