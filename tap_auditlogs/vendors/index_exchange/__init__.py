"""Index Exchange: client audit logs, hourly files of impressions and bids."""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors.index_exchange.client import connect
from tap_auditlogs.vendors.index_exchange.files import FilesStream
from tap_auditlogs.vendors.index_exchange.hourly import HourlyStream
from tap_auditlogs.vendors.index_exchange.malformed_rows import MalformedRowsStream
from tap_auditlogs.vendors.index_exchange.mappings import (
    BuyersStream,
    CampaignsStream,
    DealsStream,
    DspsStream,
    ExchangeRatesStream,
    PartnersStream,
    SitesStream,
)
from tap_auditlogs.vendors.index_exchange.rows import BidsStream, ImpressionsStream
from tap_auditlogs.vendors.index_exchange.settings import SETTINGS, check_settings

VENDOR = Vendor(
    name="index_exchange",
    title="Index Exchange",
    package=__name__,
    settings=SETTINGS,
    streams=(
        FilesStream,
        ImpressionsStream,
        BidsStream,
        HourlyStream,
        MalformedRowsStream,
        DspsStream,
        BuyersStream,
        DealsStream,
        SitesStream,
        PartnersStream,
        CampaignsStream,
        ExchangeRatesStream,
    ),
    connect=connect,
    check_settings=check_settings,
)
