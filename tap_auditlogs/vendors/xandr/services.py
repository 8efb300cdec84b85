"""What is known of Xandr's services. No complete list of those that the change log knows is public."""

from __future__ import annotations

import typing as t

DEFAULT_SERVICES: t.Final = (
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

# Services whose lists want a parent, per their pages: the parameter, and the service that lists its values.
PARENTS: t.Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "placement": (("publisher_id", "publisher"),),
    "payment-rule": (("publisher_id", "publisher"),),
    "profile": (("advertiser_id", "advertiser"), ("publisher_id", "publisher")),
}

# Vendor page on deals: `last_modified` is local time. Which zone is unknown; none is a day away from UTC.
LOCAL_TIME_SERVICES: t.Final = frozenset({"deal"})
