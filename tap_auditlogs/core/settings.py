"""Settings: assembled from the vendors, checked with plain messages that never show a value."""

from __future__ import annotations

import difflib
import ipaddress
import typing as t
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_auditlogs.core.http import HttpOptions
from tap_auditlogs.core.times import parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from jsonschema import ValidationError

    from tap_auditlogs.core.vendor import Vendor

Config: t.TypeAlias = "dict[str, t.Any]"

HTTP_SETTINGS = (
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="Sent with every request. Default: the name of the command and its version.",
        examples=["tap-auditlogs (data@example.com)"],
    ),
    th.Property(
        "request_timeout_seconds",
        th.NumberType(exclusive_minimum=0, maximum=86_400),
        default=300,
        title="Request timeout in seconds",
        description="An API response must be complete within this time; connecting may take 10 seconds.",
    ),
    th.Property(
        "max_retry_wait_seconds",
        th.IntegerType(minimum=0),
        default=900,
        title="Longest retry wait in seconds",
        description="How long one request may wait in total for retries, back-off and Retry-After together. "
        "A request is tried at most 5 times.",
    ),
)

COMMON_SETTINGS = (
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Read from this time on, inclusive. Counts only where there is no bookmark yet. "
        "Default: all that the vendor keeps.",
        examples=["2026-01-01T00:00:00Z"],
    ),
    th.Property(
        "end_date",
        th.DateTimeType,
        title="End date",
        description="Read up to this time, exclusive: for back-fills. No bookmark moves past it.",
        examples=["2026-07-01T00:00:00Z"],
    ),
    th.Property(
        "sanitize_nul",
        th.BooleanType,
        default=False,
        title="Remove NUL characters",
        description="Remove NUL characters (U+0000) from all texts and from the keys of objects. PostgreSQL cannot "
        "store them, and target-postgres does not remove them from keys. In Index Exchange's files they always become "
        "U+FFFD.",
    ),
    *HTTP_SETTINGS,
)


ACCOUNT_SETTING = th.Property(
    "account",
    th.StringType(min_length=1),
    title="Account",
    description="A name of your choice for this account, where several accounts share tables. Each record then has it "
    "in the property `account`, the first of the key. The bookmark belongs to it.",
    examples=["emea"],
)
"""A setting of every vendor."""


def url_setting(name: str, *, default: str | None, title: str, description: str) -> th.Property[str]:
    """Define a setting that holds the URL of a vendor's API.

    Args:
        name: The setting.
        default: The vendor's own URL.
        title: A label.
        description: What is found there.

    Returns:
        The property; `check_config` refuses anything but https, except on loopback.
    """
    return th.Property(name, th.URIType, default=default, title=title, description=description)


def config_jsonschema(vendors: Iterable[Vendor]) -> dict[str, t.Any]:
    """Assemble the JSON schema of the whole configuration."""
    schema: dict[str, t.Any] = th.PropertiesList(*COMMON_SETTINGS, additional_properties=False).to_dict()
    for vendor in vendors:
        settings = vendor.settings.to_dict()
        schema["properties"][vendor.name] = {
            **settings,
            "properties": {**settings["properties"], **ACCOUNT_SETTING.to_dict()},
            "type": ["object", "null"],
            "title": vendor.title,
            "description": f"Settings of {vendor.title}; the vendor is active when there are any.",
        }
    return schema


def without_absent(config: Mapping[str, t.Any], vendors: Collection[str]) -> Config:
    """Leave out what counts as absent: nulls, and vendors' objects in which nothing is set.

    Meltano and templates fill in such nulls; without this an unused vendor would ask for its credentials. Within
    the SDK's own settings a null has a meaning: `stream_maps` removes a property with it.
    """
    return {
        name: present
        for name, value in config.items()
        if (present := _present(value) if name in vendors else value) is not None
    }


def _present(value: t.Any) -> t.Any:
    """Drop nulls and empty objects, at any depth; None if nothing is left."""
    if not isinstance(value, dict):
        return value
    return {name: item for name, inner in value.items() if (item := _present(inner)) is not None} or None


def with_defaults(config: Mapping[str, t.Any], schema: Mapping[str, t.Any]) -> Config:
    """Fill in the defaults of settings, also within the vendors' objects, where the SDK does not."""
    filled = dict(config)
    for name, spec in schema.get("properties", {}).items():
        if isinstance(filled.get(name), dict):
            filled[name] = with_defaults(filled[name], spec)
        elif spec.get("default") is not None:
            filled.setdefault(name, spec["default"])
    return filled


def secrets_of(config: Mapping[str, t.Any], schema: Mapping[str, t.Any]) -> Iterator[str]:
    """Find the values of all settings marked secret, whatever their type."""
    for name, spec in schema.get("properties", {}).items():
        value = config.get(name)
        if spec.get("secret"):
            yield from _texts(value)
        elif isinstance(value, dict):
            yield from secrets_of(value, spec)


def _texts(value: object) -> Iterator[str]:
    match value:
        case None | bool():
            return
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
        case _:
            yield str(value)


def check_config(config: Config, schema: Mapping[str, t.Any], vendors: Sequence[Vendor]) -> list[str]:
    """Check a configuration."""
    faults = check_schema(config, schema)
    if faults:
        return faults
    faults += _check_times(config)
    faults += _check_batch(config.get("batch_config"))
    for vendor in vendors:
        settings = config.get(vendor.name)
        if settings is None:
            continue
        faults += _check_urls(settings, vendor)
        faults += [f"{vendor.name}: {fault}" for fault in vendor.check_settings(settings)]
    return faults


def check_schema(config: Config, schema: Mapping[str, t.Any]) -> list[str]:
    """Return one plain message, without values, per fault that the JSON schema finds."""
    validator = DEFAULT_JSONSCHEMA_VALIDATOR(schema)
    return [_tell(error) for error in validator.iter_errors(config)]


def http_options(config: Mapping[str, t.Any], default_user_agent: str) -> HttpOptions:
    """Read the HTTP settings common to all vendors.

    Args:
        config: The configuration with its defaults.
        default_user_agent: Sent where no `user_agent` is set.

    Returns:
        The options.
    """
    return HttpOptions(
        user_agent=config.get("user_agent", default_user_agent),
        timeout_seconds=float(config["request_timeout_seconds"]),
        max_retry_wait_seconds=float(config["max_retry_wait_seconds"]),
    )


def _tell(error: ValidationError) -> str:
    """Say what is wrong with a setting in our words: jsonschema's own message shows the value."""
    where = ".".join(str(part) for part in error.absolute_path)
    limit = t.cast("t.Any", error.validator_value)
    match error.validator:
        case "additionalProperties":
            known = list(t.cast("dict[str, t.Any]", error.schema)["properties"])
            unknown = sorted(set(t.cast("dict[str, t.Any]", error.instance)) - set(known))
            return "; ".join(_unknown_setting(where, name, known) for name in unknown)
        case "required":
            missing = [name for name in limit if name not in t.cast("dict[str, t.Any]", error.instance)]
            return f"{where or 'configuration'}: missing {', '.join(missing)}"
        case "type":
            wanted = [kind for kind in ([limit] if isinstance(limit, str) else limit) if kind != "null"]
            rule = f"be of type {' or '.join(wanted)}"
        case "enum":
            rule = f"be one of {', '.join(map(str, limit))}"
        case "minLength" | "minItems":
            rule = "not be empty"
        case "minimum":
            rule = f"be at least {limit}"
        case "maximum":
            rule = f"be at most {limit}"
        case "exclusiveMinimum":
            rule = f"be greater than {limit}"
        case name:
            rule = f"satisfy `{name}` {limit}"
    return f"{where}: must {rule}"


def _unknown_setting(where: str, name: str, known: list[str]) -> str:
    path = f"{where}.{name}" if where else name
    similar = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{similar[0]}`?" if similar else f"there are: {', '.join(known)}"
    return f"{path}: there is no such setting; {hint}"


def _check_times(config: Config) -> Iterator[str]:
    times = {}
    for name in ("start_date", "end_date"):
        try:
            if config.get(name) is not None:
                times[name] = parse_timestamp(config[name])
        except ValueError:
            yield f"{name}: must be a time such as 2026-01-01T00:00:00Z"
    start, end = times.get("start_date"), times.get("end_date")
    if start is not None and end is not None and end <= start:
        yield "end_date: must be later than start_date"


def _check_batch(batch_config: Mapping[str, t.Any] | None) -> Iterator[str]:
    if not batch_config:
        return
    if not (batch_config.get("encoding") or {}).get("format"):
        yield "batch_config.encoding: missing format, jsonl or parquet"
    if not (batch_config.get("storage") or {}).get("root"):
        yield "batch_config.storage: missing root, such as s3://bucket/folder"


def _check_urls(settings: Mapping[str, t.Any], vendor: Vendor) -> Iterator[str]:
    for name, spec in vendor.settings.to_dict()["properties"].items():
        url = settings.get(name)
        if spec.get("format") == "uri" and url is not None and (fault := url_fault(url)):
            yield f"{vendor.name}.{name}: {fault}"


def url_fault(url: str) -> str | None:
    """Say why a URL must not be used for an API."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not host or parts.scheme not in {"http", "https"}:
        return "must be an https URL"
    if parts.scheme == "http" and not _is_loopback(host):
        return "must be https; plain http is for loopback only"
    if parts.username is not None or parts.query or parts.fragment:
        return "must hold no credentials, no query and no fragment"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
