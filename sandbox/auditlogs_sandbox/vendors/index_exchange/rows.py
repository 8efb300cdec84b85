"""Made-up rows of impression and bid files, with the documented columns in the documented order."""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.world import happens

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from random import Random

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.index_exchange.mappings import Catalog

Cells: t.TypeAlias = "list[str]"
EventType: t.TypeAlias = t.Literal["impressions", "bids"]

# The order of the vendor's column list, then of a third-party client's table.
COLUMNS: t.Final = (
    *("auction_id", "timestamp", "country", "state", "dma", "zip_postal", "device_type", "operating_system"),
    *("browser", "partner_id", "site_id", "creative_type", "domain", "app_bundle", "inventory_channel"),
    *("supply_source", "slot_id", "size", "event_type", "event_opportunity", "gross_revenue", "net_revenue"),
    *("dsp_id", "trading_desk_id", "campaign_id", "campaign_name", "brand_id", "brand_name", "creative_id"),
    *("creative_name", "deal_id", "internal_deal_id", "cookie_match_status", "a_domain", "pub_rev_share"),
    *("billing_term_id", "p_ids", "discount_amount", "video_placement_type"),
)
HEADERS: t.Final[dict[EventType, tuple[str, ...]]] = {
    "impressions": COLUMNS,
    "bids": (*COLUMNS, "bid_stage"),  # the one further column of bid files that the vendor names
}
MASK: t.Final = "XXXXX"
NUMERIC_MASK: t.Final = "-1"

_TIME: t.Final = "%Y-%m-%d %H:%M:%S"
_BID_STAGES: t.Final = ("", "eligible", "below_floor", "blocked, by creative review")
_PLACES: t.Final = (
    ("US", "NY", "501", "10001"),
    ("US", "CA", "803", "90001"),
    ("CA", "ON", "", "M5V"),
    ("DE", "BE", "", "01067"),
    ("GB", "", "", "EC1A 1BB"),
    ("JP", "13", "", ""),
    ("unknown", "", "", ""),
)
_SITES: t.Final = (
    ("news.example.com", "", "web"),
    ("shop.example.org", "", "web"),
    ("n/a", "com.example.game", "app"),
    ("n/a", "1234567890", "app"),
    ("zeitung.example.de", "", "web"),
)
_SUPPLY_SOURCES: t.Final = (*["header_bidding"] * 7, "openrtb", "amazon_tam", "")
_SIZES: t.Final = ("300x250", "728x90", "320x50", "160x600", "970x250", "0x0")
_PEOPLE_IDS: t.Final = ("", "", "", "liveramp|idl", "id5,uid2", 'say "hi"')
_TIMES_MASKED: t.Final = 0.02
_TIMES_BLANK: t.Final = 0.02


class RowFactory:
    """Makes up rows whose ids are mostly, but not all, in the mappings."""

    def __init__(self, rng: Random, catalog: Catalog) -> None:
        self._rng = rng
        self._catalog = catalog

    def rows(self, event_type: EventType, hour: datetime, count: int) -> list[Cells]:
        """Generate the rows of a file."""
        rng = self._rng
        seconds = sorted(rng.randrange(3600) for _ in range(count))
        made: list[Cells] = []
        for second in seconds:
            row = self._row(hour.replace(minute=second // 60, second=second % 60).strftime(_TIME))
            if event_type == "bids":
                row[COLUMNS.index("event_type")] = "bid"
                row.append(rng.choice(_BID_STAGES))
                # An auction has several bids.
                if made and happens(rng, 0.5):
                    row[:2] = made[-1][:2]
            made.append(row)
        return made

    def _row(self, timestamp: str) -> Cells:
        rng = self._rng
        catalog = self._catalog
        country, state, dma, zip_postal = rng.choice(_PLACES)
        domain, bundle, channel = rng.choice(_SITES)
        site = self._often_the_first(catalog.sites)
        buyer = self._often_the_first(catalog.buyers)
        campaign = rng.choice(catalog.campaigns)
        creative = rng.choice(campaign["creatives"])
        deal = rng.choice(catalog.deals) if happens(rng, 0.3) else {"deal_id": "", "internal_deal_id": ""}
        gross = rng.randrange(1, 20_000_000)
        share = rng.choice((80, 85, 90))
        video = happens(rng, 0.2)
        values = {
            "auction_id": f"{rng.getrandbits(128):032x}",
            "timestamp": timestamp,
            "country": country,
            "state": state,
            "dma": dma,
            "zip_postal": zip_postal,
            "device_type": rng.choice(("desktop", "mobile", "other")),
            "operating_system": rng.choice(("win", "mac", "ios", "and", "unknown")),
            "browser": rng.choice(("chr", "saf", "ffx", "unknown")),
            "partner_id": catalog.partner_of(site)["partner_id"],
            "site_id": site["site_id"],
            "creative_type": "video" if video else "banner",
            "domain": domain,
            "app_bundle": bundle,
            "inventory_channel": channel,
            "supply_source": rng.choice(_SUPPLY_SOURCES),
            "slot_id": rng.randrange(1, 400),
            "size": rng.choice(_SIZES),
            "event_type": "impression",
            "event_opportunity": rng.choice(("1", "1", "1.0", "")),
            "gross_revenue": f"0.{gross:09d}",
            "net_revenue": f"0.{gross * share // 100:09d}",
            "dsp_id": buyer["dsp_id"],
            "trading_desk_id": buyer["trading_desk_id"],
            "campaign_id": campaign["campaign_id"],
            "campaign_name": campaign["campaign_name"],
            "brand_id": campaign["brand_id"],
            "brand_name": campaign["brand_name"],
            "creative_id": creative["creative_id"],
            "creative_name": creative["creative_name"],
            "deal_id": deal["deal_id"],
            "internal_deal_id": deal["internal_deal_id"],
            "cookie_match_status": rng.choice(("matched", "unmatched", "")),
            "a_domain": rng.choice(("advertiser.example", "brand.example.net", MASK)),
            "pub_rev_share": f"0.{share}",
            "billing_term_id": rng.choice(("", "17", "204", "omitted")),
            "p_ids": rng.choice(_PEOPLE_IDS),
            "discount_amount": rng.choice(("", "0", "0.0025", "1e-05")),
            "video_placement_type": rng.choice(("instream", "outstream")) if video else "",
        }
        self._spoil(values)
        return [str(values[name]) for name in COLUMNS]

    def _often_the_first(self, candidates: Sequence[Row]) -> Row:
        """Choose as traffic does: a few have most of it."""
        return candidates[int(len(candidates) * self._rng.random() ** 3)]

    def _spoil(self, values: dict[str, t.Any]) -> None:
        """Mask some values and leave some out, as for partners that do not share them."""
        rng = self._rng
        for names, mask in _MASKED:
            if happens(rng, _TIMES_MASKED):
                values.update(dict.fromkeys(names, mask))
        for names in _LEFT_OUT:
            if happens(rng, _TIMES_BLANK):
                values.update(dict.fromkeys(names, ""))
        if happens(rng, _TIMES_BLANK):
            values["dsp_id"] = 999_983  # in no mapping


_MASKED: t.Final[Sequence[tuple[Sequence[str], str]]] = (
    (("auction_id",), MASK),
    (("dsp_id", "trading_desk_id"), NUMERIC_MASK),
    (("site_id",), NUMERIC_MASK),
    (("campaign_id", "campaign_name", "brand_id", "brand_name"), MASK),
    (("creative_id", "creative_name"), MASK),
    (("gross_revenue", "net_revenue"), NUMERIC_MASK),
)
_LEFT_OUT: t.Final[Sequence[Sequence[str]]] = (
    ("dsp_id", "trading_desk_id"),
    ("trading_desk_id",),
    ("site_id",),
    ("partner_id",),
    ("gross_revenue", "net_revenue"),
    ("campaign_id", "campaign_name", "brand_id", "brand_name", "creative_id", "creative_name"),
)
