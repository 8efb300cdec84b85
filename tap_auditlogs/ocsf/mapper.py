"""The command `auditlogs-ocsf`: a Singer mapper that adds the stream `audit_events`.

Messages are passed on unchanged. Audit events follow the records that they are made of, before the next STATE message.
"""

from __future__ import annotations

import logging
import typing as t
from functools import cached_property

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.singerlib.messages import SchemaMessage
from typing_extensions import override

from tap_auditlogs.core.reader_command import ReaderCommand
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES
from tap_auditlogs.core.sdk_hooks import HookedMapper
from tap_auditlogs.core.settings import check_config, with_defaults, without_absent
from tap_auditlogs.ocsf import schema
from tap_auditlogs.ocsf.mapping import Options
from tap_auditlogs.ocsf.reader import LineReader
from tap_auditlogs.ocsf.translator import Translator
from tap_auditlogs.ocsf.writer import LineWriter
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import PurePath

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib.messages import Message

    from tap_auditlogs.core.vendor import Vendor
    from tap_auditlogs.ocsf.mapping import StreamMapping

logger = logging.getLogger(__name__)

Json: t.TypeAlias = "dict[str, t.Any]"


class OcsfMapper(ReaderCommand, HookedMapper):
    """Adds the stream audit_events, OCSF 1.8.0, to what tap-auditlogs extracts."""

    name = "auditlogs-ocsf"
    package_name = "tap-auditlogs"
    writer_class = LineWriter
    vendors: t.ClassVar[Sequence[Vendor]] = VENDORS
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    config_jsonschema: t.ClassVar[Json] = th.PropertiesList(
        th.Property(
            "only_unified",
            th.BooleanType,
            default=False,
            title="Only the unified stream",
            description="Leave out the vendors' own streams, Index Exchange's included; only audit_events goes on.",
        ),
        th.Property(
            "include_usage_events",
            th.BooleanType,
            default=False,
            title="Include usage events",
            description="Map cryptolens_events as well: what the account's own software registers about its users.",
        ),
        th.Property(
            "hash_license_keys",
            th.BooleanType,
            default=True,
            title="Hash license keys",
            description="Put SHA-256 hashes in place of the license keys of Cryptolens in audit_events.",
        ),
        th.Property(
            "include_raw_data",
            th.BooleanType,
            default=False,
            title="Include raw data",
            description="Put the source record, without secrets, as JSON text into the raw_data of each event.",
        ),
        additional_properties=False,
    ).to_dict()

    def __init__(
        self,
        *,
        writer: LineWriter | None = None,
        config: dict[str, t.Any] | PurePath | str | list[PurePath | str] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
    ) -> None:
        writer = writer or LineWriter()
        super().__init__(
            config=config,
            parse_env_config=parse_env_config,
            validate_config=validate_config,
            message_writer=writer,
        )
        self._translators = dict(self._load_translators())
        self._schema_is_written = False
        self._changed_sources: set[str] = set()
        self.message_reader = LineReader(
            writer,
            watched=self._translators,
            dropped=self._vendor_streams if self.config["only_unified"] else (),
            translate=self._translate,
        )

    # Settings

    @override
    def prepare_config(self, config: Json) -> Json:
        return with_defaults(without_absent(config, ()), self.config_jsonschema)

    @override
    def config_faults(self, config: Json) -> list[str]:
        return check_config(config, self.config_jsonschema, ())

    def _load_translators(self) -> Iterator[tuple[str, Translator]]:
        options = Options(
            include_usage_events=self.config["include_usage_events"],
            hash_license_keys=self.config["hash_license_keys"],
        )
        for vendor in self.vendors:
            if not vendor.audit_streams:
                continue
            mappings: Sequence[StreamMapping] = vendor.load("ocsf").create(options)
            for mapping in mappings:
                yield (
                    mapping.stream,
                    Translator(vendor.name, mapping, include_raw_data=self.config["include_raw_data"]),
                )

    @cached_property
    def _vendor_streams(self) -> dict[str, t.Any]:
        streams: Iterator[t.Any] = (stream for vendor in self.vendors for stream in vendor.streams)
        # The SDK declares a stream's name and schema as attributes of instances only.
        return {stream.name: stream for stream in streams}

    @cached_property
    def _nested(self) -> dict[str, list[str]]:
        """The properties of each watched stream that are objects or lists."""
        return {
            name: [
                key
                for key, spec in self._vendor_streams[name].schema["properties"].items()
                if _is_nested(spec) and key != ADDITIONAL_PROPERTIES
            ]
            for name in self._translators
        }

    @property
    def mapped_streams(self) -> Collection[str]:
        """The streams that are mapped to audit events with these settings."""
        return self._translators.keys()

    # Messages: the reader has passed the line on already; returned messages are added after it.

    @override
    def map_schema_message(self, message_dict: Json) -> Iterable[Message]:
        if not self._schema_is_written:
            self._schema_is_written = True
            yield SchemaMessage(schema.NAME, schema.SCHEMA, [schema.KEY])
        if message_dict:
            properties = _object(_object(message_dict.get("schema")).get("properties"))
            self._check_source(message_dict["stream"], properties)

    def _check_source(self, stream: str, properties: Json) -> None:
        """Warn about objects and lists that were flattened or removed, since events need their content."""
        changed = [name for name in self._nested[stream] if not _is_nested(_object(properties.get(name)))]
        if changed and stream not in self._changed_sources:
            self._changed_sources.add(stream)
            logger.warning(
                "`%s`: flattened or removed before the mapper: %s. Audit events lack what was in them. Apply stream "
                "maps and flattening in the loader instead, after the mapper.",
                stream,
                ", ".join(f"`{name}`" for name in changed),
            )

    @override
    def map_record_message(self, message_dict: Json) -> Iterable[Message]:
        return ()  # the reader passes RECORD messages to `_translate`, many at a time

    @override
    def map_state_message(self, message_dict: Json) -> Iterable[Message]:
        return ()

    @override
    def map_activate_version_message(self, message_dict: Json) -> Iterable[Message]:
        return ()  # events of earlier versions remain valid

    @override
    def map_batch_message(self, message_dict: Json) -> Iterable[Message]:
        logger.warning(
            "A BATCH message of `%s` %s without audit events, which are made from RECORD messages only.",
            message_dict["stream"],
            "was left out" if self.config["only_unified"] else "was passed on",
        )
        return ()

    def _translate(self, stream: str, lines: bytes, count: int) -> bytes:
        events = self._translators[stream].translate(lines, count)
        writer = t.cast("LineWriter", self.message_writer)
        return b"".join(map(writer.format_message, self.map_schema_message({}))) + events

    @override
    def process_endofpipe(self) -> None:
        understood = sum(translator.counts[True] for translator in self._translators.values())
        failed = {name: each.counts[False] for name, each in self._translators.items() if each.counts[False]}
        logger.info("%d records became audit events.", understood + sum(failed.values()))
        self._warn_of_unknown_streams()
        if failed:
            told = ", ".join(f"{count} of `{name}`" for name, count in failed.items())
            logger.warning("Records that could not be mapped: %s. Each became an event that gives the reason.", told)
        invalid = t.cast("LineReader", self.message_reader).invalid_lines
        if invalid:
            logger.warning("%d lines are not Singer messages; they were passed on unchanged.", invalid)

    def _warn_of_unknown_streams(self) -> None:
        known = {*self._vendor_streams, schema.NAME}
        unknown = t.cast("LineReader", self.message_reader).announced - known
        if unknown:
            logger.warning(
                "Passed on without audit events, since the mapper does not know them: %s. If one of them was renamed, "
                "rename it after the mapper instead, in the loader; the mapper knows %s.",
                ", ".join(f"`{name}`" for name in sorted(unknown)),
                ", ".join(f"`{name}`" for name in sorted(self._translators)),
            )


def _is_nested(spec: Json) -> bool:
    types = spec.get("type")
    return any(kind in (types if isinstance(types, list) else [types]) for kind in ("object", "array"))


def _object(value: object) -> Json:
    """Return a dict unchanged, an empty one for anything else: the target rejects malformed messages."""
    return value if isinstance(value, dict) else {}
