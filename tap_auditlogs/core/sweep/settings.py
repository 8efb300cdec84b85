"""The settings that all sweeping vendors have."""

from singer_sdk import typing as th

MOST_DAYS = 36_500
"""A hundred years: much longer spans cannot be represented."""

FULL_SCAN_SETTING = th.Property(
    "full_scan_every_days",
    th.NumberType(minimum=0, maximum=MOST_DAYS),
    default=7,
    title="Full scan every so many days",
    description="How often the history of every object is read, even if the object looks unchanged: some changes do "
    "not update its modification time.",
)
