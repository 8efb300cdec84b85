"""The plain SDK stream that the tap is compared with: `csv.DictReader`, every default of the SDK."""

from __future__ import annotations

import csv
import gzip
import typing as t

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

from tap_auditlogs.vendors.index_exchange.sandbox.rows import COLUMNS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record


class Rows(Stream):
    """The rows of a local file, all cells as text."""

    name = "rows"
    schema = th.PropertiesList(*(th.Property(name, th.StringType) for name in COLUMNS)).to_dict()

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 - the SDK's signature
        with gzip.open(self.config["path"], "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


class PlainTap(Tap):
    """A tap of that one stream."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(th.Property("path", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [Rows(self)]


if __name__ == "__main__":
    PlainTap.cli()
