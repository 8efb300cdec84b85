"""The settings that all sweeping vendors have."""

from singer_sdk import typing as th

FULL_SCAN_SETTING = th.Property(
    "full_scan_every_days",
    th.NumberType(minimum=0),
    default=7,
    title="Full scan every so many days",
    description="How often the history of every object is read, even if the object looks unchanged: some changes do "
    "not update its modification time.",
)
