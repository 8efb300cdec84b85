"""Xandr's settings."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.settings import url_setting
from tap_auditlogs.core.sweep.settings import FULL_SCAN_SETTING, MOST_DAYS
from tap_auditlogs.vendors.xandr.services import BLOCKED_SERVICES, DEFAULT_SERVICES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.core.vendor import Settings

# Vendor page on best practices: at most 15 requests at once.
MOST_IN_FLIGHT: t.Final = 15

SETTINGS = th.PropertiesList(
    th.Property(
        "username",
        th.StringType(min_length=1),
        required=True,
        title="User name",
        description="An API user of the type `member`; one with the read-only role Network Observer will do.",
        examples=["audit_reader"],
    ),
    th.Property(
        "password",
        th.StringType(min_length=1),
        required=True,
        secret=True,
        title="Password",
        description="The user's password. Passwords expire: the user service shows when.",
    ),
    url_setting(
        "api_url",
        default="https://api.appnexus.com",
        title="API URL",
        description="`/auth`, `/change-log` and the like are appended.",
    ),
    th.Property(
        "services",
        th.ArrayType(th.StringType(min_length=1)),
        default=list(DEFAULT_SERVICES),
        title="Services",
        description="The services whose objects are read. One that the change log does not support is skipped with "
        "a warning; budget-splitter is blocked by the vendor.",
        examples=[["line-item", "insertion-order"]],
    ),
    th.Property(
        "resource_ids",
        th.ObjectType(additional_properties=th.ArrayType(th.IntegerType(minimum=0))),
        title="Resource ids",
        description="For each service the ids of the objects to read; then its objects are not listed.",
        examples=[{"line-item": [13984849]}],
    ),
    th.Property(
        "lookback_hours",  # xandr-21
        th.NumberType(minimum=0, maximum=24 * MOST_DAYS),
        default=1,
        title="Look-back in hours",
        description="How far successive runs overlap: a change may be logged this much late.",
    ),
    FULL_SCAN_SETTING,  # xandr-13: a change that did not move `last_modified` is found by the full scan
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1, maximum=MOST_IN_FLIGHT),
        default=4,
        title="Requests in flight",
        description=f"How many requests may be under way at once; the vendor takes at most {MOST_IN_FLIGHT}.",
    ),
    th.Property(
        "requests_per_minute",  # xandr-22
        th.IntegerType(minimum=1),
        default=100,
        title="Requests per minute",
        description="At most this many requests per minute. The vendor publishes no limit; it answers with how long to "
        "wait.",
    ),
    th.Property(
        "include_raw_json",
        th.BooleanType,
        default=False,
        title="Include raw JSON",
        description="Fill `raw_json`, the whole object before the change: large.",
    ),
    th.Property(
        "include_unchanged_fields",
        th.BooleanType,
        default=False,
        title="Include unchanged fields",
        description="Keep the fields in `changes` that a transaction has not changed: most of them.",
    ),
    th.Property(
        "include_session_id",
        th.BooleanType,
        default=False,
        title="Include session id",
        description="Fill `session_id`. It is the API token of the user who made the change: whoever reads it may "
        "act as that user while it lives.",
    ),
    th.Property(
        "additional_fields",
        th.ArrayType(th.StringType(min_length=1)),
        default=["request_source", "user_id"],
        title="Additional fields",
        description="Further fields to request from the change log: request_source, user_id, object_json.",
        examples=[["request_source", "user_id", "object_json"]],
    ),
    th.Property(
        "transactions_with_changes",
        th.BooleanType,
        title="Only transactions with changes",
        description="The vendor's filter: leave out transactions that changed nothing.",
    ),
    th.Property(
        "modified_by_admin",
        th.BooleanType,
        title="Only by administrators",
        description="The vendor's filter: only changes made by its administrators.",
    ),
    th.Property(
        "modified_by_plugin",
        th.BooleanType,
        title="Only by plugins",
        description="The vendor's filter: only changes made by plugins.",
    ),
    additional_properties=False,
)

FILTERS: t.Final = ("transactions_with_changes", "modified_by_admin", "modified_by_plugin")


def check_settings(settings: Settings) -> Iterator[str]:
    """Say what a JSON schema cannot."""
    services = settings["services"]
    ids = settings.get("resource_ids", {})
    if not services:
        yield "services: must not be empty"
    for blocked in sorted(BLOCKED_SERVICES & {*services, *ids}):
        yield f"services: the vendor blocks the change log of {blocked}; leave it out"
    for service in sorted(ids.keys() - set(services) - BLOCKED_SERVICES):
        yield f"resource_ids: {service} is not among the services"
    for service in sorted(service for service, named in ids.items() if not named):
        yield f"resource_ids.{service}: must not be empty; leave it out to read every object"
