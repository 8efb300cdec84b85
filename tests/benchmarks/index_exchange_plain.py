"""The plain SDK stream that the tap is compared with: `csv.DictReader`, every default of the SDK.

It makes the same records as the tap, as plainly as can be: the same properties with the same types.
"""

from __future__ import annotations

import csv
import gzip
import typing as t
from contextlib import suppress

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

from tap_auditlogs.vendors.index_exchange.columns import COLUMNS, row_schema

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record

FIXED: dict[str, t.Any] = {
    "file_id": "impressions/41/2026-11-20T05/0",
    "subscription_id": 41,
    "hour": "2026-11-20T05:00:00.000000Z",
    "part": 0,
    "file_md5": "0123456789abcdef0123456789abcdef",
    "file_date_created": None,
}
NUMBERS: dict[str, t.Callable[[str], t.Any]] = {
    name: int if kind == "integer" else float for name, (kind, _) in COLUMNS.items() if kind in {"integer", "number"}
}


class Rows(Stream):
    """The rows of a local file."""

    name = "rows"
    schema = row_schema(COLUMNS)

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 - the SDK's signature
        with gzip.open(self.config["path"], "rt", encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=1):
                record: Record = {name: cell or None for name, cell in row.items()}
                for name, convert in NUMBERS.items():
                    if record[name] is not None:
                        try:
                            record[name] = convert(record[name])
                        except ValueError:
                            record.setdefault("additional_properties", {})[name] = record[name]
                            record[name] = None
                with suppress(AttributeError):
                    record["timestamp"] = record["timestamp"].replace(" ", "T") + ".000000Z"
                yield {**FIXED, "row_number": number, **record}


class PlainTap(Tap):
    """A tap of that one stream."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(th.Property("path", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [Rows(self)]


if __name__ == "__main__":
    PlainTap.cli()
