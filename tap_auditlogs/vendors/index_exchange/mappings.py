"""Reference data: the mappings of ids to names, and exchange rates. Full tables, read anew in each run."""

from __future__ import annotations

import abc
import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.errors import ProtocolError, RefusedError, SkippedStreamError
from tap_auditlogs.core.schema import FreeFormObjectType
from tap_auditlogs.core.stream import AuditStream
from tap_auditlogs.vendors.index_exchange.columns import ADDITIONAL_PROPERTIES
from tap_auditlogs.vendors.index_exchange.totals import Names

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient

PAGE_ROWS = 5_000


def _key(name: str, kind: type[th.JSONTypeHelper[t.Any]], description: str) -> th.Property[t.Any]:
    return th.Property(name, kind(nullable=False), required=True, description=description)


class ReferenceStream(AuditStream, abc.ABC):
    """A table that the API gives whole.

    Attributes:
        path: Below the API's URL.
    """

    path: t.ClassVar[str]
    source_name = staticmethod(str)  # the vendor's keys are in snake_case
    replication_key = None
    has_bookmark = False

    def get_pages(self, context: Context | None) -> Iterator[list[Record]]:  # noqa: ARG002 - not partitioned
        """Read the table.

        Args:
            context: None.

        Yields:
            Its rows.

        Raises:
            SkippedStreamError: If this account is not entitled to it.
        """
        try:
            rows = self.fetch_rows()
        except RefusedError as error:
            msg = f"{error}. Deselect the stream, or ask Index Exchange for access"
            raise SkippedStreamError(msg) from error
        for start in range(0, len(rows), PAGE_ROWS):
            yield [self._to_record(row) for row in rows[start : start + PAGE_ROWS]]

    def fetch_rows(self) -> list[Record]:
        """Ask for the table.

        Returns:
            Its rows as the vendor sends them.
        """
        client = t.cast("IndexExchangeClient", self.connection.client)
        return rows_of(client, self.path)

    def _to_record(self, row: Record) -> Record:
        record = self.shaper.shape(row)
        missing = [name for name in self.primary_keys if record[name] is None]
        if missing:
            msg = f"a row has no {missing[0]}"
            raise ProtocolError(msg, where=f"index_exchange: {self.path}", advice="Please report this")
        return record


def rows_of(client: IndexExchangeClient, path: str) -> list[Record]:
    """Ask for a table.

    Args:
        client: Speaks to the vendor.
        path: Below the API's URL.

    Returns:
        Its rows as the vendor sends them.

    Raises:
        ProtocolError: If the answer is no table.
    """
    response = client.get(path, what=path.removeprefix("/"))
    answer = response.json()
    # The envelope of the mappings is on the vendor's page; that of the exchange rates is not known.
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = "the answer holds no list of rows"
        raise ProtocolError(msg, where=f"index_exchange: {path}", answer=response.describe())
    return rows


def fetch_names(client: IndexExchangeClient, logger: logging.Logger) -> Names:
    """Get the names for the hourly table; none where this account may not have a mapping.

    Args:
        client: Speaks to the vendor.
        logger: Told of a mapping that this account may not have.

    Returns:
        The names. Where a mapping holds an id twice, its first name counts.
    """
    dsps: dict[int, str | None] = {}
    for row in _rows_if_allowed(client, Dsps.path, logger):
        if (dsp := _id(row, "dsp_id")) is not None:
            dsps.setdefault(dsp, row.get("dsp_name"))
    buyers: dict[tuple[int, int], str | None] = {}
    for row in _rows_if_allowed(client, Buyers.path, logger):
        dsp, trading_desk = _id(row, "dsp_id"), _id(row, "trading_desk_id")
        if dsp is not None and trading_desk is not None:
            buyers.setdefault((dsp, trading_desk), row.get("buyer_name"))
    return Names(dsps, buyers)


def _id(row: Record, name: str) -> int | None:
    """Give an id the form in which it is looked up; None for what is no id."""
    value = row.get(name)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else None


def _rows_if_allowed(client: IndexExchangeClient, path: str, logger: logging.Logger) -> list[Record]:
    try:
        return rows_of(client, path)
    except RefusedError as error:
        logger.warning("%s. index_exchange_hourly has no names from it.", error)
        return []


class Dsps(ReferenceStream):
    """Demand-side platforms."""

    name = "index_exchange_dsps"
    path = "/mappings/dsps"
    primary_keys = ("dsp_id",)
    schema = th.PropertiesList(
        _key("dsp_id", th.IntegerType, "The platform."),
        th.Property("dsp_name", th.StringType, description="Its name."),
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class Buyers(ReferenceStream):
    """Buyers: the trading desks of platforms."""

    name = "index_exchange_buyers"
    path = "/mappings/buyers"
    primary_keys = ("dsp_id", "trading_desk_id")
    schema = th.PropertiesList(
        _key("dsp_id", th.IntegerType, "The platform."),
        _key("trading_desk_id", th.IntegerType, "The trading desk; unique within its platform only."),
        th.Property("buyer_name", th.StringType, description="Its name."),
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class Deals(ReferenceStream):
    """Deals."""

    name = "index_exchange_deals"
    path = "/mappings/deals"
    primary_keys = ("internal_deal_id",)
    schema = th.PropertiesList(
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
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class Sites(ReferenceStream):
    """Sites."""

    name = "index_exchange_sites"
    path = "/mappings/sites"
    primary_keys = ("site_id",)
    schema = th.PropertiesList(
        _key("site_id", th.IntegerType, "The site."),
        th.Property("site_name", th.StringType, description="Its name."),
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class Partners(ReferenceStream):
    """Publishers."""

    name = "index_exchange_partners"
    path = "/mappings/partners"
    primary_keys = ("partner_id",)
    schema = th.PropertiesList(
        _key("partner_id", th.IntegerType, "The publisher."),
        th.Property("partner_name", th.StringType, description="Its name."),
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class Campaigns(ReferenceStream):
    """Campaigns with their brands and creatives."""

    name = "index_exchange_campaigns"
    path = "/mappings/campaigns"
    primary_keys = ("brand_id", "campaign_id")
    # The name under which creatives come is not documented: under another one than `creatives`, they are found in
    # `additional_properties`.
    schema = th.PropertiesList(
        _key("brand_id", th.IntegerType, "The brand."),
        _key("campaign_id", th.IntegerType, "The campaign."),
        th.Property("brand_name", th.StringType, description="The brand's name."),
        th.Property("campaign_name", th.StringType, description="The campaign's name."),
        th.Property(
            "creatives",
            th.ArrayType(FreeFormObjectType(nullable=True)),
            description="Its creatives, each with creative_id and creative_name.",
        ),
        ADDITIONAL_PROPERTIES,
    ).to_dict()


class ExchangeRates(ReferenceStream):
    """Exchange rates between the US dollar and other currencies."""

    name = "index_exchange_exchange_rates"
    path = "/exchange-rates"
    primary_keys = ("base", "currency", "date")
    schema = th.PropertiesList(
        _key("base", th.StringType, "As the vendor sends it."),
        _key("currency", th.StringType, "As the vendor sends it."),
        _key("date", th.StringType, "YYYY-MM-DD."),
        # Vendor pages say both "USD into local currency" and "foreign currencies to USD".
        th.Property(
            "rate",
            th.NumberType,
            description="As the vendor sends it. Its documents contradict each other on whether it converts from the "
            "base or to it: compare it with a known rate before use.",
        ),
        ADDITIONAL_PROPERTIES,
    ).to_dict()
