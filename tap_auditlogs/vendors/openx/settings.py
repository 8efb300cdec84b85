"""OpenX's settings."""

from __future__ import annotations

import re
import typing as t

from singer_sdk import typing as th

from tap_auditlogs.core.settings import url_setting
from tap_auditlogs.core.sweep.settings import FULL_SCAN_SETTING, MOST_DAYS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_auditlogs.core.vendor import Settings

# No list of valid types is public. These are objects of the API (vendor's reference of 2020) with a history in the UI
# or in the older audit list; one that an instance does not know is skipped.
DEFAULT_OBJECT_TYPES: t.Final = (  # openx-13
    "account",
    "ad",
    "adunit",
    "adunitgroup",
    "creative",
    "deal",
    "floorrule",
    "lineitem",
    "optimization",
    "order",
    "package",
    "site",
    "sitesection",
    "user",
)

SETTINGS = th.PropertiesList(
    th.Property(
        "instance_host",
        th.StringType(min_length=1),
        title="Instance host",
        description="The host name of the instance, without https://. The bookmark belongs to it.",
        examples=["ui.publisher.openx.net"],
    ),
    th.Property(
        "auth_method",
        th.StringType,
        allowed_values=["oauth2", "oauth1", "token"],
        default="oauth2",
        title="Authentication method",
        description="oauth2: e-mail, password, client_id and identity_api_key. oauth1, the older way: e-mail, "
        "password, consumer_key and consumer_secret. token: a ready access_token.",
    ),
    th.Property(
        "email",
        th.StringType(min_length=1),
        title="E-mail",
        description="E-mail address of the user to log in as; an instance-wide administrator sees the history of every "
        "object.",
        examples=["audit@publisher.example"],
    ),
    th.Property(
        "password",
        th.StringType(min_length=1),
        secret=True,
        title="Password",
        description="The user's password. Passwords expire after about six months.",
    ),
    th.Property(
        "consumer_key",
        th.StringType(min_length=1),
        secret=True,
        title="Consumer key",
        description="For oauth1.",
    ),
    th.Property(
        "consumer_secret",
        th.StringType(min_length=1),
        secret=True,
        title="Consumer secret",
        description="For oauth1.",
    ),
    th.Property(
        "realm",
        th.StringType,
        title="Realm",
        description="For oauth1, if one was handed out with the consumer key.",
        examples=["publisher_realm"],
    ),
    th.Property(
        "client_id",
        th.StringType(min_length=1),
        secret=True,
        title="Client id",
        description="For oauth2.",
    ),
    th.Property(
        "identity_api_key",
        th.StringType(min_length=1),
        secret=True,
        title="Identity API key",
        description="For oauth2: the web key of the identity service, as the vendor publishes it in its documents.",
    ),
    th.Property(
        "access_token",
        th.StringType(min_length=1),
        secret=True,
        title="Access token",
        description="For token: obtained elsewhere; it cannot be renewed here.",
    ),
    url_setting(
        "api_url",
        default=None,
        title="API URL",
        description="`/audittrail` is appended. Default: https://api.openx.com/api/v1/ox/4.0, and with oauth1 "
        "https://{instance_host}/ox/4.0.",
    ),
    url_setting(
        "sso_url",
        default="https://sso.openx.com",
        title="SSO URL",
        description="For oauth1: `/api/index/initiate`, `/login/process` and `/api/index/token` are appended.",
    ),
    url_setting(
        "oauth2_url",
        default="https://api.openx.com/oauth2/v1",
        title="OAuth 2.0 URL",
        description="For oauth2: `/authorize`, `/login/session-info`, `/login/consent` and `/token` are appended.",
    ),
    url_setting(
        "identity_url",
        default="https://identitytoolkit.googleapis.com/v1",
        title="Identity URL",
        description="For oauth2: `/accounts:signInWithPassword` is appended.",
    ),
    th.Property(
        "object_types",
        th.ArrayType(th.StringType(min_length=1)),
        default=list(DEFAULT_OBJECT_TYPES),
        title="Object types",
        description="The types whose objects are read. One that the instance does not know is skipped with a warning.",
        examples=[["order", "lineitem"]],
    ),
    th.Property(
        "object_ids",
        th.ObjectType(additional_properties=th.ArrayType(th.CustomType({"type": ["string", "integer"]}))),
        title="Object ids",
        description="For each type the numeric ids of the objects to read; then its objects are not listed.",
        examples=[{"order": ["1611010849"]}],
    ),
    th.Property(
        "user",
        th.StringType(min_length=1),
        title="User",
        description="Only changes made by the user with this e-mail address.",
        examples=["trafficker@publisher.example"],
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1),
        default=100,
        title="Page size",
        description="Rows per page. The vendor's limit is not public; 20 is used where more is refused.",
    ),
    th.Property(
        "lookback_days",  # openx-26
        th.NumberType(minimum=0, maximum=MOST_DAYS),
        default=1,
        title="Look-back in days",
        description="How far successive runs overlap. The vendor filters by day.",
    ),
    FULL_SCAN_SETTING,
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1),
        default=4,
        title="Requests in flight",
        description="How many requests may be under way at once.",
    ),
    additional_properties=False,
)

_NEEDED: t.Final = {
    "oauth2": ("instance_host", "email", "password", "client_id", "identity_api_key"),
    "oauth1": ("instance_host", "email", "password", "consumer_key", "consumer_secret"),
    "token": ("instance_host", "access_token"),
}
_HOST: t.Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")


def check_settings(settings: Settings) -> Iterator[str]:
    """Say what a JSON schema cannot."""
    method = settings["auth_method"]
    if missing := [name for name in _NEEDED[method] if name not in settings]:
        yield f"missing {', '.join(missing)} (needed for the auth_method {method})"
    if "instance_host" in settings and not _HOST.fullmatch(settings["instance_host"]):
        yield "instance_host: must be a host name only, such as ui.publisher.openx.net"
    if not settings["object_types"]:
        yield "object_types: must not be empty"
    for name, ids in sorted(settings.get("object_ids", {}).items()):
        if name not in settings["object_types"]:
            yield f"object_ids: {name} is not among the object_types"
        if not ids:
            yield f"object_ids.{name}: must not be empty; leave it out to read every object"
        if not all(re.fullmatch(r"\d{1,19}", str(each), re.ASCII) for each in ids):
            yield f"object_ids.{name}: must be numeric ids; uids are not understood"
