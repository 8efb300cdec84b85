"""Cryptolens' settings."""

from singer_sdk import typing as th

from tap_auditlogs.core.settings import url_setting

SETTINGS = th.PropertiesList(
    th.Property(
        "access_token",
        th.StringType(min_length=1),
        required=True,
        secret=True,
        title="Access token",
        description="An access token with the permissions Get Web API Log, Get Events and Get Object Log, and "
        "without a key lock.",
    ),
    url_setting(
        "api_url",
        default="https://api.cryptolens.io/api",
        title="API URL",
        description="`/ai/GetWebAPILog` and the like are appended. Another one for a self-hosted license server.",
    ),
    th.Property(
        "product_id",
        th.IntegerType(minimum=1),
        title="Product id",
        description="Read only the rows of this product; the object log knows no products and is read whole. "
        "The bookmark belongs to it: another product starts from start_date.",
        examples=[3646],
    ),
    th.Property(
        "settle_seconds",
        th.IntegerType(minimum=0, maximum=30 * 86_400),  # as long as the vendor keeps rows of two of the logs
        default=300,
        title="Settle time in seconds",
        description="Rows younger than this are left for the next run: a row with a lower id may still be on its way.",
    ),
    additional_properties=False,
)
