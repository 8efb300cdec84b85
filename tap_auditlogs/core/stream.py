"""The base of every stream: typed records, one bookmark, a true STATE after every page."""

from __future__ import annotations

import abc
import typing as t
from datetime import UTC, datetime, timedelta
from functools import cached_property

from singer_sdk import typing as th
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.metrics import DEFAULT_LOG_INTERVAL
from singer_sdk.singerlib import Schema
from typing_extensions import override

from tap_auditlogs.core.errors import StateError
from tap_auditlogs.core.progress import RecordCounter
from tap_auditlogs.core.rows import ACCOUNT, ACCOUNT_PROPERTY, ADDITIONAL_PROPERTIES, RowShaper, camel_case, without_nul
from tap_auditlogs.core.sdk_hooks import PagedStream
from tap_auditlogs.core.state import Bookmark
from tap_auditlogs.core.times import format_timestamp, parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Record
    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_auditlogs.core.connection import Connection
    from tap_auditlogs.core.errors import TapError

_CLOCK_TOLERANCE = timedelta(days=1)
"""A bookmark follows the vendor's clock; this machine's may be behind it, but not by days."""


def _with_account(schema: Mapping[str, t.Any]) -> dict[str, t.Any]:
    account = th.PropertiesList(ACCOUNT_PROPERTY).to_dict()
    return {
        **schema,
        "properties": {**account["properties"], **schema["properties"]},
        "required": [*account["required"], *schema.get("required", ())],
    }


class AuditStream(PagedStream, abc.ABC):
    """A stream of one vendor.

    A subclass says what it reads (`name`, `schema`, `primary_keys`, `replication_key`) and how, in `get_pages`:
    it yields pages, and after each `yield` calls `checkpoint`, since that page is then written.

    Attributes:
        source_name: Gives the vendor's key of a property.
        derived_properties: Properties that the stream itself fills in.
        has_bookmark: Whether it has an entry of its own in the state.
        filter_settings: The vendor's settings that decide which rows the stream sees; its bookmark belongs to them.
        failure: Why a stream that is read in the pass of its parent is not complete, if the parent itself is.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # `RowShaper` has done it, several times faster

    source_name: t.ClassVar[Callable[[str], str]] = staticmethod(camel_case)
    derived_properties: t.ClassVar[Sequence[str]] = ()
    has_bookmark: t.ClassVar[bool] = True
    filter_settings: t.ClassVar[Sequence[str]] = ()

    def __init__(self, tap: Tap, connection: Connection) -> None:
        """Set up; nothing is sent."""
        self.connection = connection  # first: a schema may depend on the settings
        self.account: str | None = connection.settings.get(ACCOUNT)
        if self.account is not None:
            vars(self)["schema"] = _with_account(self.schema)  # in place of the property or the class's attribute
        super().__init__(tap)
        if self.account is not None:
            self.primary_keys = (ACCOUNT, *self.primary_keys)
        self.failure: TapError | None = None

    # What the operator asked for

    @cached_property
    def start_date(self) -> datetime | None:
        """The inclusive start, which counts only where there is no bookmark."""
        return self._time_setting("start_date")

    @cached_property
    def end_date(self) -> datetime | None:
        """The exclusive end of a back-fill."""
        return self._time_setting("end_date")

    def _time_setting(self, name: str) -> datetime | None:
        text = self.config.get(name)
        return None if text is None else parse_timestamp(text)

    @property
    def settings(self) -> Mapping[str, t.Any]:
        """The vendor's settings object."""
        return self.connection.settings

    # Records

    @cached_property
    def shaper(self) -> RowShaper:
        """Turns the vendor's rows into records of this stream's schema."""
        return RowShaper(
            self.schema,
            source_name=type(self).source_name,
            derived=(ACCOUNT, *self.derived_properties),
            primary_key=[name for name in self.primary_keys if name not in {ACCOUNT, *self.derived_properties}],
            logger=self.logger,
        )

    @override
    def finish_records(self, records: list[Record]) -> list[Record]:
        if self.account is not None:
            records = [{ACCOUNT: self.account, **record} for record in records]
        return [without_nul(record) for record in records] if self.config.get("sanitize_nul") else records

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        keys = self.primary_keys
        super().apply_catalog(catalog)
        self.primary_keys = keys  # a catalog may have none, or be older than the setting `account`
        if (entry := catalog.get_stream(self.name)) is None:
            self.selected = False
        else:
            self._complete(entry)
        self.replication_key = self._bookmarked_key
        # A catalog that asks for FULL_TABLE would make targets delete what the vendor no longer keeps.
        self.forced_replication_method = None

    def _complete(self, entry: CatalogEntry) -> None:
        """Set the key, and add what a catalog from before this version, or before a setting, lacks."""
        own = self.schema["properties"]
        properties = {**own, **entry.schema.to_dict().get("properties", {})}
        if ADDITIONAL_PROPERTIES in own:  # its type may depend on a setting
            properties[ADDITIONAL_PROPERTIES] = own[ADDITIONAL_PROPERTIES]
        entry.schema = Schema.from_dict({**self.schema, "properties": properties})
        entry.stream = self.name  # the SDK's messages have no other
        entry.key_properties = list(self.primary_keys)  # SCHEMA messages have those of the entry

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = DEFAULT_LOG_INTERVAL
    ) -> RecordCounter:
        return RecordCounter(super().get_record_counter(endpoint=endpoint, log_interval=log_interval), self.name)

    # State

    @cached_property
    def bookmark(self) -> Bookmark:
        """This stream's bookmark, for the filters now configured."""
        bookmark = Bookmark(self.stream_state, self._bookmarked_key)
        settings = (*self.filter_settings, ACCOUNT)
        filters = {name: self.settings[name] for name in settings if self.settings.get(name) is not None}
        bookmark.apply_filters(filters)
        self.check_bookmark(bookmark)  # `check_state` has not seen one that was put aside
        return bookmark

    def check_state(self) -> None:
        """Refuse a loaded bookmark that cannot be understood.

        Raises:
            StateError: If the bookmark is of another kind, garbage, or in the future.
        """
        loaded = self.tap_state.get("bookmarks", {}).get(self.name)
        if loaded is None:
            return
        try:
            bookmark = Bookmark(loaded, self._bookmarked_key)
            for each in (bookmark, *bookmark.put_aside()):
                self.check_bookmark(each)
        except StateError as error:
            msg = (
                f"The bookmark of `{self.name}` in the state cannot be used: {error}. "
                "Correct it or, to read this stream again from start_date, remove it."
            )
            raise StateError(msg) from error

    def check_bookmark(self, bookmark: Bookmark) -> None:
        """Refuse a value that this stream cannot have written; by default one that is no time, or a future one.

        Raises:
            StateError: If the value cannot be understood.
        """
        self.check_time(bookmark.value)

    def check_time(self, value: t.Any) -> None:
        """Refuse a value of the state that should be a time and is none, or a future one.

        Raises:
            StateError: If it cannot be understood.
        """
        if value is None:
            return
        try:
            moment = parse_timestamp(value)
        except (TypeError, ValueError) as error:
            msg = f"its value {value!r:.60} is not a time"
            raise StateError(msg) from error
        if moment > datetime.now(UTC) + _CLOCK_TOLERANCE:
            msg = f"its value {format_timestamp(moment)} is in the future, unless this machine's clock is wrong"
            raise StateError(msg)

    @property
    def _bookmarked_key(self) -> str:
        return t.cast("str", type(self).replication_key)

    @override
    def get_batch_config(self, config: Mapping[str, t.Any]) -> None:
        """Return no batch configuration: a stream that has a use for BATCH files writes them itself."""
        return

    @override
    def get_replication_key_signpost(self, context: object = None) -> None:
        """Return no signpost: bookmarks are capped by the vendor's clock, not by this machine's."""
        return
