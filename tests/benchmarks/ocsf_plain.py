"""The mapper that `auditlogs-ocsf` is compared with: it passes all messages, every default of the SDK."""

from __future__ import annotations

import typing as t
from datetime import datetime

import singer_sdk.singerlib as singer
from singer_sdk.mapper_base import InlineMapper

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json: t.TypeAlias = "dict[str, t.Any]"


class PlainMapper(InlineMapper):
    """Passes everything."""

    name = "mapper-plain"

    def map_schema_message(self, message_dict: Json) -> Iterator[singer.Message]:
        yield singer.SchemaMessage(message_dict["stream"], message_dict["schema"], message_dict["key_properties"])

    def map_record_message(self, message_dict: Json) -> Iterator[singer.Message]:
        extracted = datetime.fromisoformat(message_dict["time_extracted"])
        yield singer.RecordMessage(message_dict["stream"], message_dict["record"], time_extracted=extracted)

    def map_state_message(self, message_dict: Json) -> Iterator[singer.Message]:
        yield singer.StateMessage(message_dict["value"])

    def map_activate_version_message(self, message_dict: Json) -> Iterator[singer.Message]:
        yield singer.ActivateVersionMessage(message_dict["stream"], message_dict["version"])


if __name__ == "__main__":
    PlainMapper.cli()
