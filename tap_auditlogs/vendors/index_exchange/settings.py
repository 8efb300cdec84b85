"""Index Exchange's settings."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.rows import ACCOUNT
from tap_auditlogs.core.settings import url_setting
from tap_auditlogs.vendors.index_exchange.columns import HOURLY_PROPERTIES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.core.vendor import Settings

DEFAULT_DIMENSIONS = ("partner_id", "site_id", "supply_source", "dsp_id", "trading_desk_id")

SETTINGS = th.PropertiesList(
    th.Property(
        "client_key",
        th.StringType(min_length=1),
        secret=True,
        title="Client key",
        description="The encoded key as Index Exchange hands it out. Either this, or client_id and client_secret.",
    ),
    th.Property(
        "client_id",
        th.StringType(min_length=1),
        title="Client id",
        description="The part of the decoded key before its colon.",
    ),
    th.Property(
        "client_secret",
        th.StringType(min_length=1),
        secret=True,
        title="Client secret",
        description="The part of the decoded key after its colon.",
    ),
    url_setting(
        "auth_url",
        default="https://identity.indexexchange.com/auth/realms/eventlog/protocol/openid-connect/token",
        title="Token URL",
        description="Where the key is exchanged for a token.",
    ),
    url_setting(
        "api_url",
        default="https://app.indexexchange.com/api/cal/v1",
        title="API URL",
        description="`/downloads`, `/mappings/...` and the like are appended.",
    ),
    th.Property(
        "event_types",
        th.ArrayType(th.StringType(allowed_values=["impressions", "bids"])),
        default=["impressions"],
        title="Event types",
        description="The kinds of files to read: those that Index Exchange generates for this account.",
    ),
    th.Property(
        "hourly_dimensions",
        th.ArrayType(th.StringType(min_length=1)),
        default=list(DEFAULT_DIMENSIONS),
        title="Dimensions of the hourly table",
        description="Columns of the impression files by which `index_exchange_hourly` counts and sums. With other "
        "ones than before, the hours are computed again from start_date.",
    ),
    th.Property(
        "malformed_rows",
        th.StringType(allowed_values=["fail", "skip"]),
        default="fail",
        title="Malformed rows",
        description="What to do with a row that is not CSV, such as one with a stray quote. `fail`: the file is "
        "unreadable from there on, and is tried again in each run. `skip`: the other rows are read, a warning names "
        "the lines, and the stream `index_exchange_malformed_rows` has their text.",
    ),
    th.Property(
        "archive_url",
        th.StringType(min_length=1),
        title="Archive URL",
        description="Keep each verified file under this fsspec URL, for example in S3, as "
        "`impressions/41/2026-11-20T05.gz`. A file that is there unchanged is left alone.",
        examples=["s3://bucket/index-exchange", "file:///var/lib/index-exchange"],
    ),
    th.Property(
        "archive_options",
        th.ObjectType(additional_properties=True),
        secret=True,
        title="Archive options",
        description="Options of the archive's fsspec file system, such as key, secret and endpoint_url. Without "
        "them, the environment's AWS variables count.",
    ),
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1, maximum=16),
        default=2,
        title="Files downloaded ahead",
        description="How many files are downloaded ahead while one is read. Each takes its size in temporary space.",
    ),
    additional_properties=False,
)


def check_settings(settings: Settings) -> Iterator[str]:
    """Yield a message per fault that the JSON schema cannot express."""
    pair = [name for name in ("client_id", "client_secret") if name in settings]
    if "client_key" in settings and pair:
        yield "set either client_key, or client_id and client_secret, not both"
    elif "client_key" not in settings and len(pair) != 2:  # noqa: PLR2004 - a pair
        missing = [name for name in ("client_id", "client_secret") if name not in pair]
        yield f"missing {'client_key, or client_id and client_secret' if not pair else missing[0]}"
    if "archive_options" in settings and "archive_url" not in settings:
        yield "archive_options has no effect without archive_url"
    for name in ("event_types", "hourly_dimensions"):
        if settings.get(name) == []:
            yield f"{name} must not be empty"
    dimensions = settings.get("hourly_dimensions", DEFAULT_DIMENSIONS)
    if len(set(dimensions)) != len(dimensions):
        yield "hourly_dimensions names a column twice"
    if reserved := sorted(set(dimensions) & (HOURLY_PROPERTIES | ({ACCOUNT} & settings.keys()))):
        yield f"hourly_dimensions must not name {', '.join(reserved)}: the table has a property of that name"
