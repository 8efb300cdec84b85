"""Reference data: mappings of ids to names, and exchange rates. Read whole in each run."""

from __future__ import annotations

import abc
import typing as t

from singer_sdk import typing as th
from typing_extensions import override

from tap_auditlogs.core.errors import ProtocolError, RefusedError, SkippedStreamError, unit_failure
from tap_auditlogs.core.rows import RowShaper
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.vendors.index_exchange.columns import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.totals import Names

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient

PAGE_ROWS = 5_000
_ROWS_NAMED = 5
_ROW_ADVICE = "It is left out"


def _key(name: str, kind: type[th.JSONTypeHelper[t.Any]], description: str) -> th.Property[t.Any]:
    return th.Property(name, kind(nullable=False), required=True, description=description)


def _schema(*properties: th.Property[t.Any]) -> dict[str, t.Any]:
    return th.PropertiesList(*properties, ADDITIONAL_PROPERTIES).to_dict()


def _names_schema(subject: str, description: str) -> dict[str, t.Any]:
    """Return the schema of a mapping of ids to names, which a third-party client shows (index-exchange-14)."""
    return _schema(
        _key(f"{subject}_id", th.IntegerType, description),
        th.Property(f"{subject}_name", th.StringType, description="Its name."),
    )


class ReferenceStream(AuditStream, abc.ABC):
    """A table that the API returns whole, from `path`."""

    path: t.ClassVar[str]
    source_name = staticmethod(str)  # the vendor's keys are in snake_case
    replication_key = None
    has_bookmark = False

    @staticmethod
    def without_envelope(answer: t.Any) -> t.Any:
        """Return what should be the list of rows."""
        return answer.get("data") if isinstance(answer, dict) else None

    @override
    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:
        client = t.cast("IndexExchangeClient", self.connection.client)
        try:
            rows = fetch_rows(client, type(self))
        except RefusedError as error:  # index-exchange-17
            msg = f"{error}. Deselect the stream, or ask Index Exchange for access"
            raise SkippedStreamError(msg) from error
        failures: list[str] = []
        for start in range(0, len(rows), PAGE_ROWS):
            yield list(self._records(rows[start : start + PAGE_ROWS], failures))
        if failures:
            msg = f"{len(failures)} of {len(rows)} rows cannot be read: {'; '.join(failures[:_ROWS_NAMED])}"
            raise ProtocolError(msg, where=f"index_exchange: {self.path}", advice="The other rows are written")

    def _records(self, rows: Sequence[t.Any], failures: list[str]) -> Iterator[Record]:
        for row in rows:
            try:
                yield self._to_record(row)
            except Exception as error:  # noqa: BLE001 - the other rows go on
                failures.append(str(unit_failure(error)))

    def _to_record(self, row: t.Any) -> Record:
        if not isinstance(row, dict):
            raise ProtocolError(f"a row is not an object but {row!a:.60}", advice=_ROW_ADVICE)
        record = self.shaper.shape(row)
        if missing := [name for name in self.primary_keys if name in record and record[name] is None]:
            raise ProtocolError(f"a row has no {missing[0]}, part of the key: {row!a:.100}", advice=_ROW_ADVICE)
        return record


def fetch_rows(client: IndexExchangeClient, stream: type[ReferenceStream]) -> list[t.Any]:
    """Request a table, and return its rows as the vendor sends them.

    Raises:
        ProtocolError: If the answer is not a table.
    """
    response = client.get(stream.path, what=stream.path.removeprefix("/"))
    rows = stream.without_envelope(response.json())
    if not isinstance(rows, list):
        msg = "the answer holds no list of rows"
        raise ProtocolError(msg, where=f"index_exchange: {stream.path}", answer=response.describe())
    return rows


def fetch_names(client: IndexExchangeClient, logger: logging.Logger) -> Names:
    """Return the names for the hourly table; where a mapping has an id twice, the first name.

    index-exchange-16

    A mapping that this account may not read has none; the logger is told.
    """
    dsps: dict[int, str | None] = {}
    for row in _shaped_rows(client, DspsStream, ("dsp_id",), logger):
        dsps.setdefault(row["dsp_id"], row["dsp_name"])
    buyers: dict[tuple[int, int], str | None] = {}
    for row in _shaped_rows(client, BuyersStream, ("dsp_id", "trading_desk_id"), logger):
        buyers.setdefault((row["dsp_id"], row["trading_desk_id"]), row["buyer_name"])
    return Names(dsps, buyers)


def _shaped_rows(
    client: IndexExchangeClient, stream: type[ReferenceStream], keys: Sequence[str], logger: logging.Logger
) -> Iterator[Record]:
    try:
        rows = fetch_rows(client, stream)
    except RefusedError as error:
        logger.warning("%s. index_exchange_hourly has no names from it.", error)
        return
    shaper = RowShaper(t.cast("Mapping[str, t.Any]", stream.schema), source_name=stream.source_name, logger=logger)
    for row in rows:
        record = shaper.shape(row) if isinstance(row, dict) else {}
        if all(record.get(name) is not None for name in keys):
            yield record


class DspsStream(ReferenceStream):
    """Demand-side platforms."""

    name = "index_exchange_dsps"
    path = "/mappings/dsps"
    primary_keys = ("dsp_id",)
    schema = _names_schema("dsp", "The platform.")


class BuyersStream(ReferenceStream):
    """Buyers: the trading desks of platforms."""

    name = "index_exchange_buyers"
    path = "/mappings/buyers"
    primary_keys = ("dsp_id", "trading_desk_id")
    schema = _schema(
        _key("dsp_id", th.IntegerType, "The platform."),
        _key("trading_desk_id", th.IntegerType, "The trading desk; unique within its platform only."),
        th.Property("buyer_name", th.StringType, description="Its name."),
    )


class DealsStream(ReferenceStream):
    """Deals."""

    name = "index_exchange_deals"
    path = "/mappings/deals"
    primary_keys = ("internal_deal_id",)
    schema = _schema(
        _key("internal_deal_id", th.IntegerType, "The deal, as log files name it."),
        th.Property("deal_id", th.StringType, description="The deal, as the buyer knows it."),
        th.Property("deal_name", th.StringType, description="Its name."),
        th.Property("dsp_id", th.IntegerType, description="The platform."),
        th.Property("deal_type", th.IntegerType, description="1: one to many, 0: one to one."),
        th.Property("auction_type", th.StringType, description="first, second or fixed."),
        th.Property("rate", th.NumberType, description="The floor."),
        th.Property("section_id", th.ArrayType(th.IntegerType(nullable=True)), description="Sections."),
        th.Property("status", th.StringType, description="A: active, D: deactivated or deleted, N: new."),
        th.Property("start_date", th.StringType, description="YYYY-MM-DD."),
        th.Property("end_date", th.StringType, description="YYYY-MM-DD."),
        th.Property("priority", th.IntegerType, description="From 1 to 10."),
    )


class SitesStream(ReferenceStream):
    """Sites."""

    name = "index_exchange_sites"
    path = "/mappings/sites"
    primary_keys = ("site_id",)
    schema = _names_schema("site", "The site.")


class PartnersStream(ReferenceStream):
    """Publishers."""

    name = "index_exchange_partners"
    path = "/mappings/partners"
    primary_keys = ("partner_id",)
    schema = _names_schema("partner", "The publisher.")


class CampaignsStream(ReferenceStream):
    """Campaigns with their brands and creatives."""

    name = "index_exchange_campaigns"
    path = "/mappings/campaigns"
    primary_keys = ("brand_id", "campaign_id")
    # index-exchange-15
    # The name under which creatives come is not documented: under another one than `creatives`, they are found in
    # `additional_properties`.
    schema = _schema(
        _key("brand_id", th.IntegerType, "The brand."),
        _key("campaign_id", th.IntegerType, "The campaign."),
        th.Property("brand_name", th.StringType, description="The brand's name."),
        th.Property("campaign_name", th.StringType, description="The campaign's name."),
        th.Property(
            "creatives",
            # With `properties`, since target-snowflake cannot load a list of objects that have none.
            th.ArrayType(
                th.ObjectType(
                    th.Property("creative_id", th.IntegerType),
                    th.Property("creative_name", th.StringType),
                    additional_properties=True,
                    nullable=True,
                )
            ),
            description="Its creatives.",
        ),
    )


class ExchangeRatesStream(ReferenceStream):
    """Exchange rates between the US dollar and other currencies."""

    name = "index_exchange_exchange_rates"
    path = "/exchange-rates"
    primary_keys = ("base", "currency", "date")
    schema = _schema(
        _key("base", th.StringType, "As the vendor sends it."),
        _key("currency", th.StringType, "As the vendor sends it."),
        _key("date", th.StringType, "YYYY-MM-DD."),  # index-exchange-20
        # Vendor pages say both "USD into local currency" and "foreign currencies to USD".
        # index-exchange-19
        th.Property(
            "rate",
            th.NumberType,
            description="As the vendor sends it. Its documents contradict each other on whether it converts from the "
            "base or to it: compare it with a known rate before use.",
        ),
    )

    @staticmethod
    @override
    def without_envelope(answer: t.Any) -> t.Any:
        # Unlike that of the mappings, the envelope of the rates is not documented: index-exchange-18. There are always
        # rates, so `[]` is something else.
        return answer.get("data") if isinstance(answer, dict) else answer or None
