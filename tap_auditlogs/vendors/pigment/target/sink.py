"""The sink of one stream: spools its records until the end of input."""

from __future__ import annotations

import sys
import typing as t

from singer_sdk import Sink
from typing_extensions import override

if t.TYPE_CHECKING:
    from tap_auditlogs.vendors.pigment.target.target import TargetPigment


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
