"""The streams of Xandr: the change log, and with it the details of each transaction."""

from __future__ import annotations

import typing as t
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import cached_property

from singer_sdk import typing as th
from typing_extensions import override

from tap_auditlogs.core.child_stream import ChildStream
from tap_auditlogs.core.errors import ProtocolError, RefusedError
from tap_auditlogs.core.rows import ADDITIONAL_PROPERTIES_PROPERTY
from tap_auditlogs.core.sweep import (
    Listed,
    ObjectHistory,
    ObjectQuery,
    Outcome,
    SweepStream,
    SweptStream,
)
from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.core.workers import Workers, look_ahead
from tap_auditlogs.vendors.xandr.client import NotUnderstoodError
from tap_auditlogs.vendors.xandr.listing import LARGEST_ZONE, Lister, write_time
from tap_auditlogs.vendors.xandr.reader import Reader, rows_of
from tap_auditlogs.vendors.xandr.rows import RowCleaner, fingerprint, is_fingerprint
from tap_auditlogs.vendors.xandr.settings import FILTERS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Record

    from tap_auditlogs.core.http import ApiResponse
    from tap_auditlogs.core.sweep import Row

LOG_KEY: t.Final = "change_logs"
DETAILS_KEY: t.Final = "change_log_details"

_KEY_PROPERTIES = (
    th.Property(
        "service",
        th.StringType(nullable=False),
        required=True,
        description="The service of the object. The vendor's rows do not tell it.",
    ),
    th.Property("resource_id", th.IntegerType(nullable=False), required=True, description="The object."),
    th.Property(
        "transaction_id",
        th.StringType(nullable=False),
        required=True,
        description="The transaction; several objects may share it. A hash of the row should the vendor send none.",
    ),
    th.Property("created_on", th.DateTimeType, description="When the change was made."),  # xandr-07: UTC
)


class TransactionStream(SweptStream):
    """The key, the filters and the cleaning of rows that both streams share."""

    primary_keys = ("service", "resource_id", "transaction_id")
    replication_key = "created_on"
    source_name = staticmethod(str)  # the vendor's keys are in snake_case
    filter_settings = ("resource_ids", *FILTERS)

    @property
    @override
    def lookback(self) -> timedelta:
        return timedelta(hours=float(self.settings["lookback_hours"]))

    @cached_property
    def cleaner(self) -> RowCleaner:
        """Takes out of the rows what nobody asked for."""
        return RowCleaner(self.settings)


class ChangeLog(TransactionStream, SweepStream):
    """The transactions that changed an object. The same pass reads their details, if that stream is selected."""

    name = "xandr_change_log"
    path = "change-log"
    # Vendor page on the change log: at least six months for every service.
    retention = timedelta(days=180)
    schema = th.PropertiesList(
        *_KEY_PROPERTIES,
        th.Property("user_id", th.IntegerType, description="Who made the change, if asked for."),
        th.Property("request_source", th.StringType, description="Where the request came from, if asked for."),
        th.Property("object_json", th.StringType, description="The whole object as JSON text, if asked for."),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    types_setting = "services"
    ids_setting = "resource_ids"

    @override
    def list_objects(self, object_type: str, since: str | None, workers: Workers) -> Iterable[Listed]:
        lister = Lister(self.connection.client, self.settings["api_url"], self.logger)
        return lister.list_objects(object_type, since, workers)

    @override
    def read_objects(
        self, object_type: str, queries: Sequence[ObjectQuery], workers: Workers
    ) -> Iterator[ObjectHistory]:
        """Yield the details of an object's transactions, one by one, and at last its transactions.

        Objects are read before their turn, and details across objects, so that neither a long history nor many short
        ones leave a thread idle.
        """
        logs = look_ahead((workers.submit(self._read_log, object_type, query) for query in queries), workers.window)
        parts = (
            part
            for query, log in zip(queries, logs, strict=True)
            for part in self._parts(object_type, query, log, workers)
        )
        for part in look_ahead(parts, workers.window):
            yield part.result()

    def _parts(
        self, service: str, query: ObjectQuery, log: Future[list[Record]], workers: Workers
    ) -> Iterator[Future[ObjectHistory]]:
        """Turn an object's transactions into parts of its history, of which the details are still to come."""
        try:
            transactions = log.result()
        except RefusedError:  # xandr-03
            yield _known(ObjectHistory(query.object_id, outcomes=dict.fromkeys(query.streams, Outcome.REFUSED)))
            return
        except NotUnderstoodError:  # xandr-02
            yield _known(ObjectHistory(query.object_id, outcomes=dict.fromkeys(query.streams, Outcome.UNKNOWN)))
            return
        except Exception as error:  # noqa: BLE001 - the sweep decides whether only this object fails
            yield _known(ObjectHistory(query.object_id, errors=dict.fromkeys(query.streams, error)))
            return
        outcomes = dict.fromkeys(query.streams, Outcome.READ)
        records: dict[str, list[Record]] = {}
        for each in query.sweeps:
            wanted = [record for record in transactions if each.wants(record["created_on"])]
            if each.stream == self.name:
                records[self.name] = wanted
                continue
            for record in wanted:
                outcomes.pop(each.stream, None)  # the details tell
                if each.failure is None:
                    yield workers.submit(self._read_detail, each.stream, service, query.object_id, record)
        records = {name: wanted for name, wanted in records.items() if wanted}
        yield _known(ObjectHistory(query.object_id, records, outcomes))

    # In the threads

    def _read_log(self, service: str, query: ObjectQuery) -> list[Record]:
        rows = self._reader.read_all(
            self.path,
            self._log_query(service, query),
            take=lambda row: row,
            key=_identity,
            what=f"change log of {service} {query.object_id}",
        )
        cleaned = (self.cleaner.clean(row, service=service, resource_id=query.object_id) for row in rows)
        return [self.shaper.shape(row) for row in cleaned]

    def _log_query(self, service: str, query: ObjectQuery) -> dict[str, t.Any]:
        until = max(each.sweep.started for each in query.sweeps)
        return self.log_query(service, query.object_id, query.since, until)

    def log_query(self, service: str, object_id: int, since: str | None, until: str) -> dict[str, t.Any]:
        """Return the parameters of the change log of an object, without paging.

        Asks for a day more on both sides than is wanted: whether the bounds are inclusive, and of which time zone, is
        unknown. What was not wanted is left out later.
        """
        params: dict[str, t.Any] = {
            "service": service,
            "resource_id": object_id,
            "sort": "created_on.asc",  # xandr-08: nothing relies on it
            "max_timestamp": _seconds(until, LARGEST_ZONE),  # xandr-05, xandr-06
        }
        # One from before what the vendor keeps need not be said, and may be refused. xandr-17
        if since is not None and parse_timestamp(since) > self.connection.client.server_time() - self.retention:
            params["min_timestamp"] = _seconds(since, -LARGEST_ZONE)
        if fields := self.settings["additional_fields"]:
            params["additional_fields"] = ",".join(fields)
        return params | {name: str(self.settings[name]).lower() for name in FILTERS if name in self.settings}

    def _read_detail(self, stream: str, service: str, resource_id: int, transaction: Record) -> ObjectHistory:
        detail = self._details[stream]
        if detail.failure is not None:
            return ObjectHistory(resource_id, complete=False)
        try:
            records = detail.read(self._reader, service, resource_id, transaction["transaction_id"])
        except (RefusedError, NotUnderstoodError):  # xandr-11
            return ObjectHistory(resource_id, outcomes={stream: Outcome.REFUSED}, complete=False)
        except Exception as error:  # noqa: BLE001 - the sweep decides whether only this object fails
            return ObjectHistory(resource_id, errors={stream: error}, complete=False)
        if not records:
            self.logger.warning("The vendor has no details of transaction %s.", transaction["transaction_id"])
            return ObjectHistory(resource_id, outcomes={stream: Outcome.READ}, complete=False)
        return ObjectHistory(resource_id, {stream: records}, complete=False)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.connection.client, self.settings["api_url"], rows_key=LOG_KEY)

    @property
    def _details(self) -> dict[str, ChangeLogDetail]:
        return {child.name: child for child in self.child_streams if isinstance(child, ChangeLogDetail)}


class ChangeLogDetail(TransactionStream, ChildStream):
    """What each transaction changed, field by field, against the transaction before it."""

    name = "xandr_change_log_detail"
    path = "change-log-detail"
    parent_stream_type = ChangeLog
    schema = th.PropertiesList(
        *_KEY_PROPERTIES,
        th.Property("member_id", th.IntegerType, description="The member that initiated the change."),
        th.Property("user_id", th.IntegerType, description="Who made the change."),
        th.Property("user_full_name", th.StringType, description="Their name: personal data."),
        th.Property("method", th.StringType, description="The HTTP method used; put, post or delete in any case."),
        th.Property("url", th.StringType, description="The URL of the original request; may name internal hosts."),
        th.Property("plugin_id", th.IntegerType, description="The plugin that made the change; null for a user."),
        th.Property("num_of_changes", th.IntegerType, description="How many fields changed."),
        th.Property("modified_by_admin", th.BooleanType, description="Whether an administrator made the change."),
        th.Property("admin_id", th.IntegerType, description="Which administrator; 0 has been seen for unknown."),
        th.Property("internal_txn", th.BooleanType, description="Whether another internal call triggered it."),
        th.Property("request_source", th.StringType, description="Where the request came from; any value may come."),
        th.Property(
            "session_id",
            th.StringType,
            description="The API token of the user who made the change. Null unless include_session_id is set.",
        ),
        th.Property("client_ip", th.StringType, description="The client's address: personal data."),
        th.Property("ip_info", th.StringType, description="The chain of proxies: personal data."),
        th.Property(
            "raw_json",
            th.StringType,
            description="The object before the change as JSON text. Null unless include_raw_json is set.",
        ),
        th.Property(
            "changes",
            th.ArrayType(
                th.ObjectType(
                    th.Property("field_name", th.StringType),
                    th.Property("old_value", th.StringType),
                    th.Property("new_value", th.StringType),
                    th.Property("changed", th.BooleanType),
                    additional_properties=True,
                    nullable=True,
                )
            ),
            description="The changed fields; old_value and new_value are JSON text, since they may be of any type. "
            "The unchanged ones too if include_unchanged_fields is set.",
        ),
        ADDITIONAL_PROPERTIES_PROPERTY,
    ).to_dict()

    def detail_query(self, service: str, resource_id: int, transaction_id: str) -> dict[str, t.Any]:
        """Return the parameters of the details of a transaction."""
        return {
            "service": service,
            "resource_id": resource_id,
            "transaction_id": transaction_id,
            # Against the transaction before, which does not change any more. The default compares with the next one.
            "previous_object": "true",
        }

    def read(self, reader: Reader, service: str, resource_id: int, transaction_id: str) -> list[Record]:
        """Read the details of a transaction; none if the vendor has none."""
        what = f"details of {service} {resource_id}"
        if is_fingerprint(transaction_id):
            msg = "the change log has a transaction without `transaction_id`, so that its details cannot be asked for"
            raise ProtocolError(msg, where=f"xandr: {what}")
        response = self._send(reader, self.detail_query(service, resource_id, transaction_id), what)
        rows = rows_of(response, DETAILS_KEY, what)
        if rows and all(_is_of_another(row, resource_id) for row in rows):  # xandr-12
            msg = "the details of the transaction are those of other objects only"
            raise ProtocolError(msg, where=f"xandr: {what}", answer=response.describe())
        return [
            self.shaper.shape(
                self.cleaner.clean(row, service=service, resource_id=resource_id, transaction_id=transaction_id)
            )
            for row in rows
        ]

    def _send(self, reader: Reader, query: dict[str, t.Any], what: str) -> ApiResponse:
        try:
            return reader.send(self.path, query, what=what)
        except NotUnderstoodError:  # xandr-10: the vendor's table has the object, its sample has not
            return reader.send(self.path, {**query, "resource_id": None}, what=what)


def _is_of_another(row: Row, resource_id: int) -> bool:
    told = str(row.get("resource_id"))
    return told.isdecimal() and told != str(resource_id)


def _identity(row: Row) -> str:
    # xandr-09: a text, other than the vendor's table says
    identifier = row.get("transaction_id")
    return identifier if isinstance(identifier, str) and identifier else fingerprint(row)


def _known(history: ObjectHistory) -> Future[ObjectHistory]:
    future: Future[ObjectHistory] = Future()
    future.set_result(history)
    return future


def _seconds(moment: str, shift: timedelta) -> str:
    parsed = parse_timestamp(moment)
    with suppress(OverflowError):  # outside datetime's range; left unshifted
        parsed += shift
    return write_time(parsed)
