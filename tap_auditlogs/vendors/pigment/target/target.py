"""The target: spools every record, imports at the end of input, and writes the STATE that is thereby true."""

from __future__ import annotations

import logging
import sys
import typing as t
from contextlib import ExitStack
from pathlib import Path

import msgspec
from singer_sdk import Sink
from singer_sdk.helpers.capabilities import PluginCapabilities
from typing_extensions import override

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.reader import MessageReader
from tap_auditlogs.core.reader_command import ReaderCommand
from tap_auditlogs.core.redaction import redact
from tap_auditlogs.core.sdk_hooks import HookedTarget
from tap_auditlogs.core.settings import http_options, secrets_of, with_defaults, without_absent
from tap_auditlogs.core.writer import MessageWriter
from tap_auditlogs.vendors.pigment.target.imports import ImportClient
from tap_auditlogs.vendors.pigment.target.load import StreamLoad
from tap_auditlogs.vendors.pigment.target.pending_states import PendingStates
from tap_auditlogs.vendors.pigment.target.settings import SETTINGS, target_faults
from tap_auditlogs.vendors.pigment.target.spool import RowSpool

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

logger = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder(decimal_format="number")


class SpoolSink(Sink):
    """Hands records to the stream's spool, which outlives a change of the stream's schema."""

    def __init__(
        self,
        target: TargetPigment,
        stream_name: str,
        schema: dict[str, t.Any],
        key_properties: t.Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._load = target.open_load(stream_name, schema, key_properties or ())

    @property
    @override
    def max_size(self) -> int:
        return sys.maxsize  # the whole run is one batch: only its last row tells the order of columns

    @override
    def get_validator(self) -> None:
        return None  # CSV has no types to conform to

    @override
    def process_record(self, record: dict[str, t.Any], context: dict[str, t.Any]) -> None:
        if self._load is not None:
            self._load.spool.add(record)

    @override
    def process_batch(self, context: dict[str, t.Any]) -> None:
        """Do nothing: the target imports every stream at the end of input."""


class TargetPigment(ReaderCommand, HookedTarget):
    """Singer target that loads any stream into Pigment through its import API."""

    name = "target-pigment"
    package_name = "tap-auditlogs"
    config_jsonschema = SETTINGS.to_dict()
    default_sink_class = SpoolSink
    message_reader_class = MessageReader
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, *, writer: MessageWriter | None = None, **options: t.Any) -> None:
        super().__init__(**options)
        self._writer = writer or MessageWriter()
        self._loads: dict[str, StreamLoad | None] = {}
        self._states = PendingStates()
        if folder := self.config.get("csv_folder"):
            _make_folder(Path(folder))

    @override
    def prepare_config(self, config: dict[str, t.Any]) -> dict[str, t.Any]:
        redact.add(*secrets_of(config, self.config_jsonschema))
        return {
            "import_configurations": {},
            **with_defaults(without_absent(config, ()), self.config_jsonschema),
        }

    @override
    def config_faults(self, config: dict[str, t.Any]) -> list[str]:
        return target_faults(config, self.config_jsonschema)

    # Messages

    def open_load(self, stream: str, schema: Mapping[str, t.Any], key_properties: Sequence[str]) -> StreamLoad | None:
        """Return what happens to a stream's records; None if they are dropped, which is said once."""
        if stream not in self._loads:
            self._loads[stream] = self._make_load(stream, schema, key_properties)
        load = self._loads[stream]
        if load is not None:
            load.schema = schema
        return load

    def _make_load(self, stream: str, schema: Mapping[str, t.Any], key_properties: Sequence[str]) -> StreamLoad | None:
        if stream not in self.config["import_configurations"] and not self.config.get("csv_folder"):
            logger.warning(
                "Stream `%s` is left out: it has no entry in import_configurations, and csv_folder is not set.",
                stream,
            )
            return None
        return StreamLoad(stream, schema, RowSpool(stream, key_properties), self.config)

    @override
    def take_state(self, state: dict[str, t.Any]) -> None:
        self._states.add(state, [load.stream for load in self._loaded()])

    def _loaded(self) -> list[StreamLoad]:
        return [load for load in self._loads.values() if load is not None and load.spool.rows]

    @override
    def process_endofpipe(self) -> None:
        client = self._make_client()
        imported: set[str] = set()
        self._write_state(imported)
        with ExitStack() as spools:
            for load in self._loads.values():
                if load is not None:
                    spools.callback(load.spool.close)
            for load in self._loaded():
                load.finish(client)
                imported.add(load.stream)
                self._write_state(imported)

    def _make_client(self) -> ImportClient | None:
        if not self.config["import_configurations"]:
            return None
        options = http_options(self.config, f"{self.name}/{self.plugin_version}")
        return ImportClient(self.config["api_url"], self.config["api_key"], options)

    def _write_state(self, imported: set[str]) -> None:
        state = self._states.take_covered(imported)
        if state is not None:
            self._writer.write_lines(_encoder.encode(state) + b"\n")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"csv_folder: {folder} cannot be made ({error.strerror})."
        raise TapError(msg) from error
