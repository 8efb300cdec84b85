"""The settings that all sweeping vendors have."""

from singer_sdk import typing as th

FULL_SCAN_SETTING = th.Property(
    "full_scan_every_days",
    th.NumberType(minimum=0),
    default=7,
    title="Full scan every so many days",
    description="How often every object is asked, whether it seems to have changed or not: a change may leave "
    "the object's time of modification as it was.",
)
