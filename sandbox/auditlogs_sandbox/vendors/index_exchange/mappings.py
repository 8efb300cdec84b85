"""Made-up mappings and exchange rates: what the ids of the files mean."""

from __future__ import annotations

import typing as t
from datetime import timedelta

if t.TYPE_CHECKING:
    from datetime import date

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

_DSP_NAMES: t.Final = ("Example DSP", "Ängström Bidding", 'Quotes & "Co"', "株式会社広告", "Comma, Inc.", "DSP\u00a06")
_CREATIVE_NAMES: t.Final = (
    "Spring sale",
    'The "big" one, 300x250',
    "Two\nlines",
    "Été à Paris",
    "",
    " padded ",
)
# Vendor pages contradict each other on whether rates convert from USD or to it, so these suit both.
_CURRENCIES: t.Final = {"CAD": 1.02, "EUR": 0.99, "GBP": 0.98, "JPY": 1.01, "AUD": 1.0}
_BASE_CURRENCY: t.Final = "USD"
_RATE_DAYS: t.Final = 3
_SITES_OF_PARTNER: t.Final = 3


class Catalog:
    """The mappings of the account, as lists that grow.

    Attributes:
        dsps: Each `dsp_id` once.
        buyers: Each pair of `dsp_id` and `trading_desk_id` once; a trading desk id alone repeats.
        deals: The deals, with the types that the vendor documents.
        sites: The sites.
        partners: The publishers.
        campaigns: The campaigns with brand and creatives.
        exchange_rates: One rate per day and currency.
    """

    def __init__(self, world: World) -> None:
        self._rng = world.rng("index_exchange", "mappings")
        self._today = world.base.date()
        self.dsps: list[Row] = []
        self.buyers: list[Row] = []
        self.deals: list[Row] = []
        self.sites: list[Row] = []
        self.partners: list[Row] = []
        self.campaigns: list[Row] = []
        self.exchange_rates: list[Row] = []
        for _ in range(len(_DSP_NAMES)):
            self._add_dsp()
        for _ in range(3):
            self._add_partner()
        for _ in range(5):
            self._add_campaign()
        for _ in range(4):
            self._add_deal()
        self._next_rate_day = self._today - timedelta(days=_RATE_DAYS)
        for _ in range(_RATE_DAYS):
            self._add_rates()

    def grow(self) -> None:
        """Add something to each mapping."""
        self._add_dsp()
        self._add_partner()
        self._add_campaign()
        self._add_deal()
        self._add_rates()

    def partner_of(self, site: Row) -> Row:
        """Find the publisher of a site."""
        return self.partners[self.sites.index(site) // _SITES_OF_PARTNER]

    def _add_dsp(self) -> None:
        number = len(self.dsps)
        dsp_id = 51 + 7 * number
        self.dsps.append({"dsp_id": dsp_id, "dsp_name": _DSP_NAMES[number % len(_DSP_NAMES)]})
        for desk in range(1, 4):
            name = f"Desk {desk} of {dsp_id}"
            self.buyers.append({"dsp_id": dsp_id, "trading_desk_id": 300 + desk, "buyer_name": name})

    def _add_partner(self) -> None:
        number = len(self.partners)
        self.partners.append({"partner_id": 184_000 + number, "partner_name": f"Publisher {number + 1}, Zürich"})
        for _ in range(_SITES_OF_PARTNER):
            site_id = 200_100 + len(self.sites)
            self.sites.append({"site_id": site_id, "site_name": f"Site {site_id}"})

    def _add_campaign(self) -> None:
        number = len(self.campaigns)
        brand = number // 2  # a brand has several campaigns
        creatives = [
            {
                "creative_id": 9_000_000_000 + 10 * number + position,
                "creative_name": _CREATIVE_NAMES[(2 * number + position) % len(_CREATIVE_NAMES)],
            }
            for position in range(2)
        ]
        self.campaigns.append(
            {
                "brand_id": 700 + brand,
                "brand_name": f"Brand {brand} ™",
                "campaign_id": 52_000 + number,
                "campaign_name": f"Campaign {number}; autumn, {self._today.year}",
                "creatives": creatives,
            }
        )

    def _add_deal(self) -> None:
        number = len(self.deals)
        rng = self._rng
        self.deals.append(
            {
                "deal_id": f"IX{rng.randrange(10**9, 10**10)}",
                "internal_deal_id": 88_000 + number,
                "deal_name": f"Deal {number}",
                "dsp_id": rng.choice(self.dsps)["dsp_id"],
                "deal_type": rng.choice((0, 1)),
                "auction_type": rng.choice(("first", "second", "fixed")),
                "rate": rng.choice((0.5, 2.75, 10.0)),
                "section_id": [rng.randrange(1, 999) for _ in range(rng.randrange(3))],
                "status": rng.choice("ADN"),
                "start_date": self._day(timedelta(days=-40)),
                "end_date": self._day(timedelta(days=40)),
                "priority": rng.randint(1, 10),
            }
        )

    def _add_rates(self) -> None:
        day: date = self._next_rate_day
        self._next_rate_day += timedelta(days=1)
        for currency, rate in _CURRENCIES.items():
            moved = round(rate * (1 + self._rng.uniform(-0.01, 0.01)), 6)
            self.exchange_rates.append(
                {"base": _BASE_CURRENCY, "currency": currency, "date": day.isoformat(), "rate": moved}
            )

    def _day(self, span: timedelta) -> str:
        return (self._today + span).isoformat()
