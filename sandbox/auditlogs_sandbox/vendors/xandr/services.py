"""The services of the imitated Xandr whose objects can be listed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A service.

    Attributes:
        name: Its name in paths and in `service`.
        plural: The key of a list in an answer; the singular key is the name.
        first_id: The id of its first object.
        parents: The parents that each object has, as parameter and service.
        either_parent: Whether an object has only one of the parents, in turn.
        scopes: The parameters that restrict a list.
        scope_required: Whether a list needs one of the scopes.
        ids_as_strings: Whether lists write ids as strings (public clients cast them).
        has_debug_info: Whether lists have `dbg_info`, which answers usually have.
        local_time: Whether `last_modified` is local time (vendor's page on deals).
        logged: Whether the change log knows the service.
    """

    name: str
    plural: str
    first_id: int
    parents: tuple[tuple[str, str], ...] = ()
    either_parent: bool = False
    scopes: frozenset[str] = frozenset()
    scope_required: bool = False
    ids_as_strings: bool = False
    has_debug_info: bool = True
    local_time: bool = False
    logged: bool = True

    @property
    def path(self) -> str:
        """Where it is listed."""
        return _PATHS.get(self.name, self.name)


# Vendor page on universal pixels; whether the change log knows them is not told.
UNIVERSAL_PIXEL: t.Final = "universal-pixel"
_PATHS: t.Final = {UNIVERSAL_PIXEL: "universal-pixel/pixel"}

_ADVERTISER: t.Final = ("advertiser_id", "advertiser")
_PUBLISHER: t.Final = ("publisher_id", "publisher")

_BY_ADVERTISER: t.Final = frozenset({"advertiser_id"})
_BY_PUBLISHER: t.Final = frozenset({"publisher_id"})

SERVICES: t.Final = {
    service.name: service
    for service in (
        Service("advertiser", "advertisers", 4_143_132),
        Service("insertion-order", "insertion-orders", 2_200_010, (_ADVERTISER,), scopes=_BY_ADVERTISER),
        Service(
            "line-item",
            "line-items",
            13_984_849,
            (_ADVERTISER, ("insertion_order_id", "insertion-order")),
            scopes=_BY_ADVERTISER,
        ),
        Service("campaign", "campaigns", 30_500_100, (_ADVERTISER,), scopes=_BY_ADVERTISER),
        Service(
            "profile",
            "profiles",
            90_000_000_001,  # does not fit 32 bits
            (_ADVERTISER, _PUBLISHER),
            either_parent=True,
            scopes=frozenset({"advertiser_id", "publisher_id", "member_id"}),
            scope_required=True,
        ),
        Service("creative", "creatives", 310_000_020, (_ADVERTISER,), ids_as_strings=True),
        Service("publisher", "publishers", 1_200_300),
        Service("site", "sites", 5_050_000, (_PUBLISHER,), has_debug_info=False),
        Service("placement", "placements", 21_000_003, (_PUBLISHER,), scopes=_BY_PUBLISHER, scope_required=True),
        Service("deal", "deals", 700_411, local_time=True),
        Service("pixel", "pixels", 900_040, (_ADVERTISER,)),
        Service("payment-rule", "payment-rules", 640_001, (_PUBLISHER,), scopes=_BY_PUBLISHER, scope_required=True),
        Service(UNIVERSAL_PIXEL, "data", 7_100_001),
        Service("segment", "segments", 8_800_010, logged=False),
    )
}

BY_PATH: t.Final = {service.path: service for service in SERVICES.values()}
