"""OpenX's stream."""

from __future__ import annotations

import hashlib
import typing as t
from datetime import timedelta
from functools import cached_property

import msgspec
from singer_sdk import typing as th

from tap_auditlogs.core.errors import ProtocolError, RefusedError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES_PROPERTY
from tap_auditlogs.core.schema import FreeFormObjectType
from tap_auditlogs.core.sweep import (
    Ask,
    Listed,
    Outcome,
    Reading,
    Rules,
    SweepStream,
    UnsupportedTypeError,
)
from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.core.workers import Workers, look_ahead
from tap_auditlogs.vendors.openx.client import NotUnderstoodError, api_url
from tap_auditlogs.vendors.openx.paginator import Reader

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.vendors.openx.paginator import Row

_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")


class AuditTrail(SweepStream):
    """The revisions of every object, in ascending order for each."""

    name = "openx_audit_trail"
    path = "/audittrail"
    primary_keys = ("obj_type", "obj_id", "revision")
    replication_key = "timestamp"
    source_name = staticmethod(str)  # the vendor's keys are in snake_case
    filter_settings = ("instance_host", "object_ids", "user")
    schema = th.PropertiesList(
        th.Property("obj_type", th.StringType(nullable=False), required=True, description="The type of the object."),
        th.Property("obj_id", th.StringType(nullable=False), required=True, description="The id of the object."),
        th.Property(
            "revision",
            th.IntegerType(nullable=False),
            required=True,
            description="Counts from 1 for each object. A negative hash of the row should the vendor send none.",
        ),
        th.Property(
            "timestamp", th.DateTimeType, description="When it was changed; the vendor's times are taken as UTC."
        ),
        th.Property("action", th.StringType, description="What was done; any value may come."),
        th.Property(
            "changes",
            FreeFormObjectType(),
            description="`new_value`, the whole object when it is created, and where there is one `old_value`.",
        ),
        th.Property(
            "user",
            FreeFormObjectType(),
            description="In whose name it was done: names and e-mail. Null for the system.",
        ),
        th.Property("real_user", th.StringType, description="The e-mail address of who did it: personal data."),
        th.Property("ip", th.StringType, description="Their address: personal data."),
        th.Property("reason", th.StringType, description="By which way, such as `api`; any value may come."),
        th.Property("program", th.ArrayType(th.StringType(nullable=True)), description="The programs involved."),
        th.Property("type", th.StringType, description="Always `audittrail`."),
        th.Property("account_uid", th.StringType, description="The account that owns the object."),
        th.Property("instance_uid", th.StringType, description="The instance."),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    @property
    def rules(self) -> Rules:
        """What the settings say about sweeps."""
        return Rules(
            self.start_date,
            self.end_date,
            lookback=timedelta(days=float(self.settings["lookback_days"])),
            full_scan_every=timedelta(days=float(self.settings["full_scan_every_days"])),
        )

    @property
    def object_types(self) -> Sequence[str]:
        """The object types."""
        return tuple(dict.fromkeys(self.settings["object_types"]))

    def configured_ids(self, object_type: str) -> Sequence[int]:
        """Return the ids that the settings name for a type.

        Args:
            object_type: The object type.

        Returns:
            The ids.
        """
        return [int(each) for each in self.settings.get("object_ids", {}).get(object_type, ())]

    def list_objects(self, object_type: str, since: str | None, workers: Workers) -> Iterable[Listed]:
        """List the objects of a type. All of them: no filter on lists is documented.

        Args:
            object_type: The object type.
            since: Of no use here.
            workers: Likewise.

        Returns:
            The objects.

        Raises:
            UnsupportedTypeError: If the instance does not know the type.
            RefusedError: If the user may not list it.
            ApiError: If it fails.
        """
        del since, workers
        try:
            return self._reader.read_all(
                f"/{object_type}",
                {},
                take=lambda row: Listed(_object_id(row), _modified(row)),  # there may be many, and each row is long
                key=lambda listed: listed.id,
                rows_vanish=True,
                what=f"list of {object_type}",
            )
        except NotUnderstoodError as error:
            raise UnsupportedTypeError(str(error), status=error.status) from error

    def read_objects(self, object_type: str, asks: Sequence[Ask], workers: Workers) -> Iterator[Reading]:
        """Read the histories of objects.

        Args:
            object_type: The object type.
            asks: The objects by ascending id.
            workers: For requests side by side.

        Yields:
            What each object has given.
        """
        for job in look_ahead((workers.submit(self._read, object_type, ask) for ask in asks), workers.window):
            yield job.result()

    # In the threads

    def _read(self, object_type: str, ask: Ask) -> Reading:
        try:
            rows = self._reader.read_all(
                self.path,
                self._query(object_type, ask),
                take=lambda row: row,
                key=_canonical.encode,
                rows_vanish=False,  # a log that is only added to; what is new has higher revisions
                what=f"history of {object_type} {ask.object_id}",
            )
        except RefusedError:
            return Reading(ask.object_id, outcomes={self.name: Outcome.REFUSED})
        except NotUnderstoodError:
            return Reading(ask.object_id, outcomes={self.name: Outcome.UNKNOWN})
        records = [self._to_record(row, object_type, ask.object_id) for row in rows]
        wanted = [record for record in records if ask.tracks[0].wants(record["timestamp"])]
        wanted.sort(key=lambda record: t.cast("int", record["revision"]))
        if not wanted:
            return Reading(ask.object_id, outcomes={self.name: Outcome.READ})
        return Reading(ask.object_id, {self.name: wanted})

    def _query(self, object_type: str, ask: Ask) -> dict[str, t.Any]:
        query: dict[str, t.Any] = {"obj_type": object_type, "obj_id": ask.object_id, "sort": "revision"}
        if ask.since is not None:
            # The operator takes the place of the equals sign: `timestamp>=2026-01-21`. It knows days only.
            query["timestamp>"] = parse_timestamp(ask.since).date().isoformat()
        if "user" in self.settings:
            query["user"] = self.settings["user"]
        return query

    def _to_record(self, row: Row, object_type: str, object_id: int) -> Record:
        record = self.shaper.shape(row)
        record["obj_type"] = record["obj_type"] or object_type
        record["obj_id"] = record["obj_id"] or str(object_id)
        if record["revision"] is None:
            record["revision"] = _stand_in(row)
        return record

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.connection.client, api_url(self.settings), self.settings["page_size"])


def _object_id(row: Row) -> int:
    value = row.get("id")
    if isinstance(value, int | str) and str(value).isascii() and str(value).isdigit():
        return int(value)
    raise ProtocolError("an object has no usable id", where="openx", advice="Please report this")


def _modified(row: Row) -> datetime | None:
    try:
        return parse_timestamp(row["modified_date"])
    except (KeyError, TypeError, ValueError):
        return None


def _stand_in(row: Row) -> int:
    """Make a revision for a row without one, from its contents: negative, so that it cannot meet a real one."""
    return -1 - int.from_bytes(hashlib.sha256(_canonical.encode(row)).digest()[:7])
