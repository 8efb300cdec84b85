"""What is known of Xandr's services. No complete list of those that the change log knows is public."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

DEFAULT_SERVICES: t.Final = (  # xandr-01
    "advertiser",
    "insertion-order",
    "line-item",
    "campaign",
    "profile",
    "creative",
    "publisher",
    "site",
    "placement",
    "deal",
    "pixel",
)

# Vendor page on the change log: "currently in block-list".
BLOCKED_SERVICES: t.Final = frozenset({"budget-splitter"})

# Services whose lists want a parent, per their pages: the parameter, and the service that lists its values. xandr-16
PARENTS: t.Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "placement": (("publisher_id", "publisher"),),
    "payment-rule": (("publisher_id", "publisher"),),
    "profile": (("advertiser_id", "advertiser"), ("publisher_id", "publisher")),
}

# Services that are listed as a whole, which only samples and public clients show; by advertiser if that is refused.
FALLBACK_PARENTS: t.Final[dict[str, tuple[tuple[str, str], ...]]] = {  # xandr-15
    "insertion-order": (("advertiser_id", "advertiser"),),
    "line-item": (("advertiser_id", "advertiser"),),
    "campaign": (("advertiser_id", "advertiser"),),
}


@dataclass(frozen=True)
class ListEndpoint:
    """Where the objects of a service are listed.

    Attributes:
        path: Below the base URL.
        modified: The field with the time of modification.
        rows_key: Where the rows are; None if `dbg_info` says so.
        sort: The order asked for.
    """

    path: str
    modified: str = "last_modified"
    rows_key: str | None = None
    sort: str = "id.asc"
    has_options: bool = True
    """Whether `fields` and `min_last_modified` apply."""


def list_endpoint(service: str) -> ListEndpoint:
    """Return where a service lists its objects: under its own name, as far as its page does not say otherwise."""
    return _OWN_ENDPOINTS.get(service) or ListEndpoint(service)


_OWN_ENDPOINTS: t.Final = {
    # Vendor page on universal pixels; that the change log knows them by this name: xandr-25
    "universal-pixel": ListEndpoint(
        "universal-pixel/pixel", modified="last_updated", rows_key="data", sort="id.dsc", has_options=False
    ),
}

# Vendor page on deals: `last_modified` is local time. Which zone is unknown; none is a day away from UTC. xandr-14
LOCAL_TIME_SERVICES: t.Final = frozenset({"deal"})
