"""Colours of the charts. In the page each is replaced by a CSS variable, which has another value in dark mode."""

from __future__ import annotations

import typing as t


class Color(t.NamedTuple):
    """A colour by its role, on a light and on a dark page."""

    name: str
    light: str
    dark: str


TEXT: t.Final = Color("text", "#1c2330", "#e7eaf0")
MUTED: t.Final = Color("muted", "#566072", "#a7b0c0")
RULE: t.Final = Color("rule", "#d5dae2", "#3a4250")
PAPER: t.Final = Color("paper", "#fdfdfe", "#171b22")

SUCCESS: t.Final = Color("success", "#2f6db5", "#6aa5ea")
FAILURE: t.Final = Color("failure", "#c2410d", "#ff8a57")
UNKNOWN: t.Final = Color("unknown", "#868f9e", "#8d96a5")

# Told apart by people who see no red or no green, in this order of lightness.
SERIES: t.Final = (
    Color("series-1", "#2f6db6", "#6aa5eb"),
    Color("series-2", "#d9822c", "#f0a75c"),
    Color("series-3", "#1f8f75", "#55c7ac"),
    Color("series-4", "#a3447f", "#dd86bd"),
    Color("series-5", "#6b5bb0", "#a99cf0"),
    Color("series-6", "#8c7a1e", "#d2c05a"),
    Color("series-7", "#4aa0c4", "#8fd0ec"),
    Color("series-8", "#868f9f", "#8d96a6"),
)

# From few to many.
HEAT: t.Final = (
    Color("heat-0", "#eef2f7", "#222832"),
    Color("heat-1", "#cfdff2", "#25415f"),
    Color("heat-2", "#9fc2e8", "#2f6294"),
    Color("heat-3", "#5f97d2", "#4b8bcb"),
    Color("heat-4", "#2c66ad", "#8abdf5"),
)

ALL: t.Final = (TEXT, MUTED, RULE, PAPER, SUCCESS, FAILURE, UNKNOWN, *SERIES, *HEAT)
