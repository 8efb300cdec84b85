"""A tap assembled from a registry of vendors, with a command line that fails in plain words."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from functools import partial

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_auditlogs.core.connection import Connection
from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.redaction import redact
from tap_auditlogs.core.run import EXIT_FAILED, is_wanted, log_config_faults, run
from tap_auditlogs.core.sdk_hooks import HookedTap
from tap_auditlogs.core.settings import check_config, http_options, secrets_of, with_defaults, without_absent
from tap_auditlogs.core.state import STATE_VERSION, check_state, pack_entry, parse_state, unpack_entry
from tap_auditlogs.core.stream_maps import NULL_HINT, idle_maps, unused_maps
from tap_auditlogs.core.writer import MessageWriter

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_auditlogs.core.http import HttpClient, HttpOptions
    from tap_auditlogs.core.stream import AuditStream
    from tap_auditlogs.core.vendor import Vendor


class RegistryTap(HookedTap):
    """A tap whose settings and streams are those of its vendors.

    A vendor is active when its settings object is present. Without any, discovery lists all streams and a sync
    ends with a message.

    Attributes:
        vendors: The registry.
    """

    vendors: t.ClassVar[Sequence[Vendor]] = ()
    message_writer_class = MessageWriter
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    # Settings

    @override
    def prepare_config(self, config: dict[str, t.Any]) -> dict[str, t.Any]:
        redact.add(*secrets_of(config, self.config_jsonschema))
        present = without_absent(config, {vendor.name for vendor in self.vendors})
        return with_defaults(present, self.config_jsonschema)

    @override
    def config_faults(self, config: dict[str, t.Any]) -> list[str]:
        faults = check_config(config, self.config_jsonschema, self.vendors)
        if not faults and not any(vendor.name in config for vendor in self.vendors):
            names = ", ".join(f"`{vendor.name}`" for vendor in self.vendors)
            variable = self.environment_variable(self.vendors[0].name)
            hint = f"With --config=ENV a vendor is one variable, such as {variable}, that holds a JSON object."
            faults = [f"No vendor is configured. Set the settings of at least one of {names}. {hint}"]
        return faults

    # Streams

    @property
    def active_vendors(self) -> list[Vendor]:
        """The vendors with settings."""
        return [vendor for vendor in self.vendors if self.config.get(vendor.name)]

    @override
    def discover_streams(self) -> list[AuditStream]:
        streams: list[AuditStream] = []
        for vendor in self.active_vendors or self.vendors:
            connection = Connection(self.config.get(vendor.name) or {}, partial(self.connect_vendor, vendor))
            streams += [stream_type(self, connection) for stream_type in vendor.streams]
        return streams

    def connect_vendor(self, vendor: Vendor) -> HttpClient:
        """Called when first needed: discovery runs on settings that nobody has checked."""
        return vendor.connect(self.config[vendor.name], self.vendor_options(vendor))

    def vendor_options(self, _vendor: Vendor) -> HttpOptions:
        """Return the HTTP settings for a vendor's clients."""
        return http_options(self.config, f"{self.name}/{self.plugin_version}")

    @override
    def setup_mapper(self) -> None:
        # The SDK's own checks maps against every schema, also against that of a deselected stream, which is empty.
        super(Tap, self).setup_mapper()
        maps = self.mapper.stream_maps_dict
        selected = [name for name, stream in self.streams.items() if stream.selected]
        if unused := unused_maps(maps, selected):
            self.logger.warning("stream_maps: %s match no selected stream and are ignored.", ", ".join(unused))
        if idle := idle_maps(maps):
            self.logger.warning("stream_maps: %s change nothing. %s", ", ".join(idle), NULL_HINT)
        if absent := self.streams.keys() - self.catalog.keys():
            names = ", ".join(sorted(absent))
            self.logger.warning("The catalog has no %s: not read. Run --discover again to select from them.", names)
        for name, stream in self.streams.items():
            if name not in absent:
                self.mapper.stream_maps_dict = maps if stream.selected else {}
                self.mapper.register_raw_streams_from_catalog(Catalog({name: self.catalog[name]}))
        self.mapper.stream_maps_dict = maps

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        super().append_builtin_config(config_jsonschema)
        properties = config_jsonschema["properties"]
        description = properties["stream_maps"]["description"]
        if NULL_HINT not in description:  # copied, since all plugins of a process share it
            properties["stream_maps"] = {**properties["stream_maps"], "description": f"{description} {NULL_HINT}"}

    # State

    @override
    def load_state(self, state: dict[str, t.Any]) -> None:
        state = {"bookmarks": {}, **check_state(state), "version": STATE_VERSION}
        bookmarks = {
            name: unpack_entry(entry) if name in self.streams else entry for name, entry in state["bookmarks"].items()
        }
        for name, stream in self.streams.items():
            if t.cast("AuditStream", stream).has_bookmark and is_wanted(stream):
                bookmarks.setdefault(name, {})  # written as nulls, so that no merge brings an older bookmark back
        t.cast("dict[str, t.Any]", self.state).update({**state, "bookmarks": bookmarks})
        for stream in self.streams.values():
            t.cast("AuditStream", stream).check_state()

    @override
    def state_to_write(self) -> dict[str, t.Any]:
        bookmarks = {
            name: pack_entry(entry) if name in self.streams else entry
            for name, entry in self.state.get("bookmarks", {}).items()
        }
        return {**self.state, "bookmarks": bookmarks}

    # Command line

    @classmethod
    def invoke(  # type: ignore[override] # as in the SDK's own Tap.invoke
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: t.Any = None,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        """Run the tap; the process's exit code is the run's."""
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        sys.exit(cls._run(config, state=state, catalog=catalog))

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        # Unchecked, since streams are listed before all settings are there; streams may fail on one of a wrong type.
        try:
            super().cb_discover(ctx, param, value)
        except (AttributeError, LookupError, TypeError, ValueError):
            config = ctx.params["config"]
            try:
                cls(config=config.config, parse_env_config=config.parse_env, setup_mapper=False)
            except ConfigValidationError as error:
                log_config_faults(error)
                ctx.exit(EXIT_FAILED)
            raise

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        if value == CliTestOptionValue.All.value:
            ctx.exit(cls._run(ctx.params.get("config"), record_limit=1))
        try:
            super().cb_test(ctx, param, value)
        except ConfigValidationError as error:
            log_config_faults(error)
            ctx.exit(EXIT_FAILED)
        except (MapExpressionError, StreamMapConfigError) as error:
            cls.logger.error("%s", _tell_map_fault(error))  # noqa: TRY400 - a traceback would not help
            ctx.exit(EXIT_FAILED)

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:
        try:
            given = super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise click.BadParameter(_tell_config_fault(error), ctx, param) from error
        return given

    @classmethod
    def _run(
        cls,
        config: t.Any,
        *,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
        record_limit: int | None = None,
    ) -> int:
        def make_tap(writer: MessageWriter) -> RegistryTap:
            try:
                return cls(
                    config=config.config if config else None,
                    parse_env_config=bool(config and config.parse_env),
                    state=parse_state(_read(state, "state")) if state else None,
                    catalog=_parse_catalog(_read(catalog, "catalog")) if catalog else None,
                    message_writer=writer,
                )
            except (MapExpressionError, StreamMapConfigError) as error:
                raise TapError(_tell_map_fault(error)) from error
            except RecursionError as error:
                raise TapError("The configuration, the state or the catalog is nested too deep.") from error

        return run(make_tap, record_limit=record_limit)


def _tell_map_fault(error: Exception) -> str:
    return f"The setting stream_maps cannot be used: {error}"


def _tell_config_fault(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case OSError():
            return f"the file cannot be read ({os.strerror(error.errno or 0)})"
        case ValueError() if hasattr(error, "lineno"):  # of whichever parser the SDK takes
            return f"the file is not JSON (line {error.lineno}, column {getattr(error, 'colno', 1)})"
        case _:
            return "the file does not hold a JSON object"


def _read(file: t.IO[str], kind: str) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        msg = f"The {kind} file is not UTF-8 text."
        raise TapError(msg) from error


def _parse_catalog(text: str) -> Catalog:
    try:
        catalog = Catalog.from_dict({"streams": json.loads(text)["streams"]})
        "".join(name + (entry.stream or "") for name, entry in catalog.items())  # fails if one is not text
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TapError("The catalog file is not a Singer catalog. Make one with --discover.") from error
    return catalog
