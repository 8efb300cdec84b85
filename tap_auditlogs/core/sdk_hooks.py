"""The private parts of the SDK that are overridden or used; no other module touches any.

No public hook does the same. `tests/core/test_sdk_hooks.py` fails when the SDK changes one. They are the same in
singer-sdk 0.54.9 and 0.55.0b7, and exist since the version named.

| hook | since | why |
|---|---|---|
| `Stream._sync_records` | 0.1 | A STATE after every page, and whole pages: the SDK counts records instead |
| `Stream._generate_record_messages` (called) | 0.6 | Stream maps and partial selection stay the SDK's own |
| `CustomStreamMap._eval` (named in a traceback) | 0.5 | Only its frames know which expression failed |
| `Stream._check_max_record_limit` (called) | 0.5 | `--test` ends a stream as the SDK does |
| `Stream._write_schema_message` (called) | 0.1 | A stream read in the pass of its parent has no `sync` of its own |
| `helpers._batch.SDKBatchMessage` (made) | 0.11 | The SDK has no public BATCH message |
| `helpers._batch.BaseBatchFileEncoding` (made) | 0.11 | Part of the BATCH message |
| `helpers._batch.StorageTarget` (made) | 0.11 | Opens the storage of `batch_config` as the SDK does |
| `helpers._state.StateWriter.write_state` | 0.53 | The SDK would write the state as it is kept |
| `helpers._classproperty.classproperty` (used) | 0.4 | `PluginBase._env_var_config` is one |
| `configuration._dict_config.parse_environment_config` (called) | 0.4 | Types of settings in the environment |
| `Target._process_record_message` | 0.1 | The SDK's rewrites times, and takes longer than the work itself |
| `Target._process_state_message` | 0.1 | The SDK writes the last state, whatever became of the records before it |
| `Target._process_batch_message` | 0.11 | Refused in one line |
| `Target._process_activate_version_message` | 0.1 | Refused in one line |
| `PluginBase._validate_config` | 0.1 | The SDK's messages show the value of a wrong setting, secrets included |
| `PluginBase._env_var_config` | 0.4 | The SDK's fails with a traceback, and misreads fractions and mistyped booleans |
| `PluginBase._setup_signal_handlers` | 0.40 | The SDK's handlers exit with 0 and may cut into a line |
"""

from __future__ import annotations

import abc
import logging
import os
import typing as t
from functools import cached_property

from singer_sdk import Stream, Tap, Target
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, SDKBatchMessage, StorageTarget
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._state import StateWriter
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.mapper_base import InlineMapper
from singer_sdk.plugin_base import PluginBase
from typing_extensions import override

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.redaction import redact_all_logging
from tap_auditlogs.core.stream_maps import map_failure
from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    import click
    from singer_sdk.helpers.types import Context, Record, TapState


__all__ = [
    "BaseBatchFileEncoding",
    "HookedMapper",
    "HookedTap",
    "HookedTarget",
    "PagedStream",
    "StorageTarget",
]

_BOOLEANS: t.Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class PagedStream(Stream, abc.ABC):
    """A stream that is read and written page by page instead of record by record."""

    @override
    def log(self, message: str, *args: t.Any, level: int = logging.INFO, **kwargs: t.Any) -> None:
        # The SDK logs an error only before it raises it again; then the run loop reports it.
        super().log(message, *args, level=logging.DEBUG if level == logging.ERROR else level, **kwargs)

    @abc.abstractmethod
    def get_pages(self, context: Context | None) -> Iterable[list[Record]]:
        """Yield pages of records that have the types of the schema.

        A page has been written when the generator is advanced, so the code after a `yield` may call `checkpoint`.
        """

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for page in self.get_pages(context):
            yield from page

    @override
    def _sync_records(
        self,
        context: Context | None = None,
        *,
        write_messages: bool = True,
    ) -> Generator[Record, None, None]:
        plain = self._is_plain()
        counter = self.get_record_counter()
        counter.with_context(context)
        written = 0
        with counter, self.get_sync_timer() as timer:
            timer.with_context(context)
            for page in self.get_pages(context):
                records = [record for row in page if (record := self.post_process(row, context)) is not None]
                if self.ABORT_AT_RECORD_COUNT is not None:
                    records = records[: self.ABORT_AT_RECORD_COUNT - written]
                if write_messages and self.selected:
                    self._write_page(records, plain=plain)
                counter.increment(len(records))
                written += len(records)
                if not write_messages:
                    yield from records
                if self.ABORT_AT_RECORD_COUNT is not None and written >= self.ABORT_AT_RECORD_COUNT:
                    self._check_max_record_limit(written)

    def checkpoint(self) -> None:
        """Write the state, unless it is what was written last."""
        self._tap.state_writer.write_state(self.tap_state)

    # A stream that is read in the pass of its parent is written with these; `sync` is never called for it.

    def write_schema(self) -> None:
        """Write the SCHEMA message."""
        self._write_schema_message()

    def write_page(self, records: list[Record]) -> None:
        """Write records that have the types of the schema."""
        self._write_page(records, plain=self._is_plain())

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Write encoded RECORD messages; together the pieces are whole lines, each with its line feed."""
        t.cast("MessageWriter", self._tap.message_writer).write_lines(*pieces)

    def write_batch(self, encoding: BaseBatchFileEncoding, manifest: list[str]) -> None:
        """Write a BATCH message that names these URLs of files."""
        self._tap.write_message(SDKBatchMessage(stream=self.name, encoding=encoding, manifest=manifest))

    def is_mapped(self) -> bool:
        """Return whether stream maps or flattening change the records."""
        return bool(self.config.get("flattening_enabled")) or [type(stream_map) for stream_map in self.stream_maps] != [
            SameRecordTransform
        ]

    def selected_properties(self) -> list[str]:
        """Return the names of the selected properties, in the order of the schema."""
        return [name for name in self.schema["properties"] if self.mask["properties", name]]

    def finish_records(self, records: list[Record]) -> list[Record]:
        """Return records as they are written, before stream maps and selection."""
        return records

    def _write_page(self, records: list[Record], *, plain: bool) -> None:
        writer = self._tap.message_writer
        records = self.finish_records(records)
        if plain and isinstance(writer, MessageWriter):
            writer.write_records(self.name, records)
            return
        for record in records:
            try:
                messages = list(self._generate_record_messages(record))
            except Exception as error:
                raise map_failure(error, self.name, record, self.primary_keys or ()) from error
            for message in messages:
                writer.write_message(message)

    def _is_plain(self) -> bool:
        """Return whether records are written unchanged: every property selected, no stream map, no flattening."""
        return all(self.mask.values()) and self._stream_version is None and not self.is_mapped()


class HookedPlugin(PluginBase, abc.ABC):
    """A plugin with its own messages about settings, and without the SDK's signal handlers."""

    @abc.abstractmethod
    def prepare_config(self, config: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the configuration to use, from the one given by files and environment, valid or not."""

    @abc.abstractmethod
    def config_faults(self, config: dict[str, t.Any]) -> list[str]:
        """Return one message per fault of the prepared configuration."""

    @classmethod
    def environment_variable(cls, setting: str) -> str:
        """Return the name of the variable that holds a setting with `--config=ENV`."""
        return f"{cls._env_var_prefix}{setting.upper()}"

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        redact_all_logging()
        return super().get_singer_command()

    @classproperty
    def _env_var_config(cls) -> dict[str, t.Any]:  # noqa: N805 - as in the SDK
        """Parse each setting by itself, so that an error names its variable."""
        cls.append_builtin_config(cls.config_jsonschema)
        config: dict[str, t.Any] = {}
        faults = []
        for name, spec in cls.config_jsonschema["properties"].items():
            variable = cls.environment_variable(name)
            if os.environ.get(variable) == "":  # how schedulers pass a variable that is not set
                continue
            try:
                found = parse_environment_config({"properties": {name: spec}}, cls._env_var_prefix)
                if "number" in spec.get("type", ()):
                    found = {name: float(text) for name, text in found.items()}
                if "boolean" in spec.get("type", ()):  # the SDK takes any other text for false
                    found = {name: _BOOLEANS[os.environ[variable].strip().lower()] for name in found}
            except (KeyError, ValueError):
                faults.append(
                    f"{name}: the environment variable {variable} cannot be read; objects and lists are written as "
                    "JSON, booleans as true or false"
                )
            else:
                config |= found
        if faults:
            msg = "The settings in the environment are not valid."
            raise ConfigValidationError(msg, errors=faults, schema=cls.config_jsonschema)
        return config

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self._config = self.prepare_config(self._config)
        self.append_builtin_config(self.config_jsonschema)
        faults = self.config_faults(self._config) if raise_errors else []
        if faults:
            msg = "The settings are not valid."
            raise ConfigValidationError(msg, errors=faults, schema=self.config_jsonschema)
        return super()._validate_config(raise_errors=False)  # fills in defaults

    @override
    def _setup_signal_handlers(self) -> None:
        """Install none: `tap_auditlogs.core.interrupts` takes over signals."""


class HookedTap(HookedPlugin, Tap):
    """A tap with these hooks."""

    @abc.abstractmethod
    def state_to_write(self) -> dict[str, t.Any]:
        """Return the state as STATE messages have it."""

    @override
    @cached_property
    def state_writer(self) -> StateWriter:
        return _TapStateWriter(self)


class _TapStateWriter(StateWriter):
    """Writes the state in the form that the tap gives it."""

    def __init__(self, tap: HookedTap) -> None:
        super().__init__(tap.message_writer)
        self._tap = tap

    @override
    def write_state(self, state: TapState) -> None:
        super().write_state(t.cast("TapState", self._tap.state_to_write()))


class HookedMapper(HookedPlugin, InlineMapper):
    """A mapper with these hooks."""


class HookedTarget(HookedPlugin, Target):
    """A target that accepts RECORD messages only, and decides itself when a STATE is true."""

    @abc.abstractmethod
    def take_state(self, state: dict[str, t.Any]) -> None:
        """Take the value of a STATE message, behind all records that came before it."""

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        # Without `Target`'s own, which are settings of databases.
        super(Target, cls).append_builtin_config(config_jsonschema)

    @override
    def _process_record_message(self, message_dict: dict[str, t.Any]) -> None:
        self._assert_line_requires(message_dict, {"stream", "record"})
        stream = message_dict["stream"]
        if stream not in self.mapper.stream_maps:
            msg = f"Stream `{stream}` has a RECORD before its SCHEMA: is the input from a Singer tap?"
            raise TapError(msg)
        for stream_map in self.mapper.stream_maps[stream]:
            record = stream_map.transform(message_dict["record"])
            if record is not None:
                self.get_sink(stream_map.stream_alias).process_record(record, {})

    @override
    def _process_state_message(self, message_dict: dict[str, t.Any]) -> None:
        self._assert_line_requires(message_dict, {"value"})
        self.take_state(message_dict["value"])

    @override
    def _process_batch_message(self, message_dict: dict[str, t.Any]) -> None:
        msg = (
            f"Stream `{message_dict.get('stream')}` comes as BATCH, and {self.name} takes RECORD messages only. Remove "
            "batch_config from the settings of the tap."
        )
        raise TapError(msg)

    @override
    def _process_activate_version_message(self, message_dict: dict[str, t.Any]) -> None:
        msg = (
            f"Stream `{message_dict.get('stream')}` is replaced by versions (ACTIVATE_VERSION), and {self.name} "
            "only adds rows. Leave the stream out, or switch that off in the tap."
        )
        raise TapError(msg)
