"""Pigment's settings."""

from singer_sdk import typing as th

from tap_auditlogs.core.settings import url_setting

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType(min_length=1),
        required=True,
        secret=True,
        title="API key",
        description="An API key of the kind `Audit logs`, which a Security Admin creates. It has an expiry date, "
        "and may be limited to IP addresses.",
    ),
    url_setting(
        "api_url",
        default="https://pigment.app",
        title="API URL",
        description="`/api/audit/v1/events` is appended.",
    ),
    th.Property(
        "lookback_hours",
        th.NumberType(minimum=0, maximum=180 * 24),
        default=24,
        title="Look-back in hours",
        description="How far the windows of successive runs overlap. Events that Pigment stores late are found "
        "within it; what is read twice has the same key.",
    ),
    additional_properties=False,
)
