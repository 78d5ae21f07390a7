"""The kinds of appliances that advice knows, and what holds for some of them."""

from typing import Literal, get_args

ApplianceKind = Literal[
    "air_conditioner",
    "heater",
    "heat_pump",
    "water_heater",
    "shower",
    "refrigerator",
    "freezer",
    "washing_machine",
    "washer_dryer",
    "dryer",
    "dishwasher",
    "oven",
    "microwave",
    "kettle",
    "ev_charger",
    "lighting",
    "network",
    "electronics",
    "remainder",
    "unknown",
]

KINDS: tuple[str, ...] = get_args(ApplianceKind)

# Its use follows the weather: a few weeks say nothing about a year.
SEASONAL: frozenset[str] = frozenset({"air_conditioner", "heater", "heat_pump"})
# It runs at night because somebody chose so; what it uses there is not "always on".
DEFERRABLE: frozenset[str] = frozenset(
    {"ev_charger", "water_heater", "washing_machine", "washer_dryer", "dryer", "dishwasher"}
)
