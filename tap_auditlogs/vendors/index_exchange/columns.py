"""The columns of the files, their types, and the schemas of the streams made of them."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.schema import FreeFormObjectType

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind: t.TypeAlias = t.Literal["string", "integer", "number", "timestamp"]

# In the order of the vendor's column list, then of a third-party client. Which of them a file has depends on the
# account and on time, so the header of each file decides. index-exchange-11
COLUMNS: Mapping[str, tuple[Kind, str]] = {
    "auction_id": ("string", "The auction; may be masked, and repeats in bid files."),
    "timestamp": ("timestamp", "The time of the event, UTC."),  # index-exchange-13
    "country": ("string", "ISO 3166 code of two letters, or `unknown`."),
    "state": ("string", "Code of the state or province."),
    "dma": ("string", "Designated market area."),
    "zip_postal": ("string", "ZIP or postal code."),
    "device_type": ("string", "Such as desktop or mobile."),
    "operating_system": ("string", "Code of three characters, or `unknown`."),
    "browser": ("string", "Code of three characters, or `unknown`."),
    "partner_id": ("integer", "The publisher."),
    "site_id": ("integer", "The site."),
    "creative_type": ("string", "Such as banner or video."),
    "domain": ("string", "Registrable domain, or `n/a`."),
    "app_bundle": ("string", "The app, in apps."),
    "inventory_channel": ("string", "Web or app."),
    "supply_source": ("string", "How the supply is integrated."),
    "slot_id": ("string", "The ad slot."),
    "size": ("string", "Such as 300x250."),
    "event_type": ("string", "Kind of event."),
    "event_opportunity": ("number", "The vendor's sample script counts rows by it."),
    "gross_revenue": ("number", "Before fees, in USD."),
    "net_revenue": ("number", "After fees, in USD."),
    "dsp_id": ("integer", "The demand-side platform."),
    "trading_desk_id": ("integer", "With dsp_id, the buyer."),
    "campaign_id": ("integer", "The campaign."),
    "campaign_name": ("string", "Its name."),
    "brand_id": ("integer", "The brand."),
    "brand_name": ("string", "Its name."),
    "creative_id": ("integer", "The creative."),
    "creative_name": ("string", "Its name."),
    "deal_id": ("string", "The deal, as the buyer knows it."),
    "internal_deal_id": ("integer", "The deal, as the mapping knows it."),
    "cookie_match_status": ("string", "Whether the buyer knew the user."),
    "a_domain": ("string", "The advertiser's domain; may be masked."),
    "pub_rev_share": ("number", "The publisher's share."),
    "billing_term_id": ("integer", "The billing term."),
    "p_ids": ("string", "People-based ids."),
    "discount_amount": ("number", "The discount."),
    "video_placement_type": ("string", "Where a video was shown."),
}
BID_COLUMNS: Mapping[str, tuple[Kind, str]] = {  # index-exchange-12
    **COLUMNS,
    "bid_stage": ("string", "How far the bid came, or why it was not eligible."),
}

SURPLUS_CELLS = "surplus_cells"
"""Key in `additional_properties` for the cells of a row that has more cells than the header."""

HOURLY_PROPERTIES = frozenset(
    {
        *("file_id", "subscription_id", "hour", "group_key", "impressions", "net_revenue", "gross_revenue"),
        *("dsp_name", "buyer_name", "file_md5", "file_date_created", "additional_properties"),
    }
)

_TYPES: Mapping[Kind, type[th.JSONTypeHelper[t.Any]]] = {
    "string": th.StringType,
    "integer": th.IntegerType,
    "number": th.NumberType,
    "timestamp": th.DateTimeType,
}

ADDITIONAL_PROPERTIES = th.Property(
    "additional_properties",
    FreeFormObjectType(),
    description="Columns that the schema does not know, and text in number and time columns.",
)

_ADDITIONAL_PROPERTIES_AS_TEXT = th.Property(
    "additional_properties", th.StringType, description="JSON text: columns beyond these and what does not fit them."
)
"""In Parquet files, since a struct cannot have other fields in each row and the same type in all files."""

FILE_ID = th.Property(
    "file_id",
    th.StringType(nullable=False),
    required=True,
    description="The file in all its versions: event type, subscription, hour in UTC and part.",
    examples=["impressions/41/2026-11-20T05/0"],
)
_SUBSCRIPTION_ID = th.Property(
    "subscription_id", th.IntegerType(nullable=False), required=True, description="The subscription."
)
_HOUR = th.Property(
    "hour", th.DateTimeType(nullable=False), required=True, description="The hour that the file covers."
)
_FILE_MD5 = th.Property("file_md5", th.StringType, description="MD5 of the file; differs between its versions.")
_FILE_DATE_CREATED = th.Property("file_date_created", th.DateTimeType, description="When the file was generated.")


def row_schema(columns: Mapping[str, tuple[Kind, str]], *, extra_is_text: bool = False) -> dict[str, t.Any]:
    """Return the JSON schema of a stream of rows, with `additional_properties` as JSON text."""
    return th.PropertiesList(
        FILE_ID,
        _SUBSCRIPTION_ID,
        _HOUR,
        th.Property(
            "part",
            th.IntegerType(nullable=False),
            required=True,
            description="The number of the file within its hour, from 0.",
        ),
        th.Property(
            "row_number", th.IntegerType(nullable=False), required=True, description="Within the file, from 1."
        ),
        _FILE_MD5,
        _FILE_DATE_CREATED,
        *(th.Property(name, _TYPES[kind], description=text) for name, (kind, text) in columns.items()),
        _ADDITIONAL_PROPERTIES_AS_TEXT if extra_is_text else ADDITIONAL_PROPERTIES,
    ).to_dict()


def hourly_schema(dimensions: Sequence[str]) -> dict[str, t.Any]:
    """Return the JSON schema of the hourly table."""
    return th.PropertiesList(
        FILE_ID,
        _SUBSCRIPTION_ID,
        _HOUR,
        th.Property(
            "group_key",
            th.StringType(nullable=False),
            required=True,
            description="A hash of the names and values of the dimensions.",
        ),
        *(
            th.Property(name, _TYPES[kind], description=text)
            for name in dimensions
            for kind, text in [COLUMNS.get(name, ("string", "A column that is not documented."))]
        ),
        th.Property("impressions", th.IntegerType, description="Number of rows."),
        th.Property("net_revenue", th.NumberType, description="Sum, in USD."),
        th.Property("gross_revenue", th.NumberType, description="Sum, in USD."),
        th.Property("dsp_name", th.StringType, description="The name of dsp_id, from the mapping."),
        th.Property(
            "buyer_name", th.StringType, description="The name of dsp_id and trading_desk_id, from the mapping."
        ),
        _FILE_MD5,
        _FILE_DATE_CREATED,
        ADDITIONAL_PROPERTIES,
    ).to_dict()


def malformed_rows_schema() -> dict[str, t.Any]:
    """Return the JSON schema of the lines that are not CSV."""
    return th.PropertiesList(
        FILE_ID,
        th.Property(
            "line_number",
            th.IntegerType(nullable=False),
            required=True,
            description="Of the decompressed file; the header is line 1.",
        ),
        th.Property("text", th.StringType, description="The line as it is in the file, without its end."),
        _FILE_MD5,
        _FILE_DATE_CREATED,
        ADDITIONAL_PROPERTIES,
    ).to_dict()
