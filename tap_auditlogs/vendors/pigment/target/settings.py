"""The settings of `target-pigment`."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.settings import HTTP_SETTINGS, check_schema, url_fault, url_setting

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.core.settings import Config

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType(min_length=1),
        secret=True,
        title="API key",
        description="An API key of the kind `Import`, which a Workspace Admin creates. It has an expiry date, and may "
        "be limited to IP addresses. Required with import_configurations.",
    ),
    url_setting(
        "api_url",
        default="https://pigment.app",
        title="API URL",
        description="`/api/v1/import/push/csv` and `/api/v1/import/{importId}/status` are appended.",
    ),
    th.Property(
        "import_configurations",
        th.ObjectType(additional_properties=th.StringType(min_length=1)),
        title="Import configurations",
        description="For each stream the id of the import configuration in Pigment that takes its rows. A stream "
        "without one is only written to csv_folder, or left out if that is not set.",
        examples=[{"pigment_audit_events": "00000000-0000-0000-0000-000000000000"}],
    ),
    th.Property(
        "csv_folder",
        th.StringType(min_length=1),
        title="CSV folder",
        description="Keep the CSV of each stream in this folder, as `<stream>.csv`.",
    ),
    th.Property(
        "column_order",
        th.StringType(allowed_values=["density", "schema"]),
        default="density",
        title="Column order",
        description="density: the column that most rows fill comes first. schema: as in the stream's schema.",
    ),
    th.Property(
        "max_chunk_megabytes",
        th.NumberType(exclusive_minimum=0),
        default=480,  # pigment-18
        title="Largest chunk in megabytes",
        description="A larger CSV is sent in several imports, each with the header. Counted in bytes, the header "
        "included; one megabyte is 1,000,000 bytes. Pigment publishes no limit; about 500 MB is assumed.",
    ),
    th.Property(
        "wait_for_imports",
        th.BooleanType,
        default=True,
        title="Wait for imports",
        description="Hold the state back until Pigment has completed each import. Otherwise an import counts as done "
        "when Pigment has accepted it.",
    ),
    *HTTP_SETTINGS,
    additional_properties=False,
)


def target_faults(config: Config, schema: dict[str, t.Any]) -> list[str]:
    """Return one plain message per fault of the configuration, without values."""
    return check_schema(config, schema) or list(_faults_beyond_schema(config))


def _faults_beyond_schema(config: Config) -> Iterator[str]:
    if fault := url_fault(config["api_url"]):
        yield f"api_url: {fault}"
    if config["import_configurations"] and not config.get("api_key"):
        yield "api_key: missing; import_configurations need an API key of the kind `Import`"
    if not config["import_configurations"] and not config.get("csv_folder"):
        yield "import_configurations or csv_folder: at least one of them has to be set"
