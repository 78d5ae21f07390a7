"""What kind of thing an appliance is, judged by its name. Advice goes by kind; a name nobody knows gets none."""

import re
import unicodedata
from collections.abc import Mapping

from energy.appliance_kinds import ApplianceKind
from energy.report.language import message

NAMES_OF_CLASSES: dict[str, str] = {
    "air_conditioner": message("air conditioner"),
    "heater": message("heater"),
    "heat_pump": message("heat pump"),
    "water_heater": message("water heater"),
    "shower": message("shower"),
    "refrigerator": message("refrigerator"),
    "freezer": message("freezer"),
    "washing_machine": message("washing machine"),
    "washer_dryer": message("washer dryer"),
    "dryer": message("dryer"),
    "dishwasher": message("dishwasher"),
    "oven": message("oven"),
    "microwave": message("microwave"),
    "kettle": message("kettle"),
    "ev_charger": message("ev charger"),
    "lighting": message("lighting"),
    "network": message("network"),
    "electronics": message("electronics"),
    "remainder": message("remainder"),
    "unknown": message("unknown"),
}

MAX_NAME_LENGTH = 48

# The first pattern that matches decides, so the longer names come first. Words of a name are separated by one space.
_PATTERNS: tuple[tuple[str, ApplianceKind], ...] = (
    (r"dish ?washer|dish washing", "dishwasher"),
    (r"washer dryer|washer and dryer|washing machine dryer", "washer_dryer"),
    (r"washing machine|clothes washer|laundry|washer|wash", "washing_machine"),
    (r"(?<!hair )(?<!hand )dr[iy]er", "dryer"),
    (r"(hot )?water (heater|heating|tank)|hot water|immersion( heater)?|boiler|geyser", "water_heater"),
    (r"(electric )?shower", "shower"),
    (r"air ?con(ditioner|ditioning|d)?|ac\d*|a c|hvac|cooling|cooler", "air_conditioner"),
    # Apart from heaters: it is what a heater might be replaced with, and a setback is not said to save with it.
    (r"heat pump", "heat_pump"),
    (r"(fan |space |panel |storage |underfloor |electric )?(heater|heating)|furnace|radiator", "heater"),
    (r"fridge freezer|refrigerator|fridge|frig", "refrigerator"),
    (r"freezer", "freezer"),
    (r"microwave", "microwave"),
    (r"oven|stove|cooker|hob|cooktop|range", "oven"),
    (r"kettle", "kettle"),
    (r"ev( charger| charging)?|car charger|wall ?box|electric vehicle", "ev_charger"),
    (r"lights?|lighting|lamps?|led", "lighting"),
    # Before the electronics: a router is meant to be on, so advice to switch it off would be wrong.
    (r"router|modem|server|network|nas|wi ?fi|broadband", "network"),
    (
        r"tv|television|computer|pc|laptop|desktop|monitor|console|hi ?fi|audio|electronics|entertainment|office",
        "electronics",
    ),
    (r"others?|rest|remainder|unmetered|unknown|total|mains|aggregate", "remainder"),
)
_COMPILED = tuple((re.compile(rf"\b({pattern})\d*\b"), kind) for pattern, kind in _PATTERNS)


def classify(name: str, told: Mapping[str, ApplianceKind] | None = None) -> ApplianceKind:
    """The kind that a name stands for: "WashingMachine", "washing_machine 2" and "Washer" are one kind.

    What a site's configuration says of a name (`told`) goes before; upper case and spaces make no difference.
    """
    for other, kind in (told or {}).items():
        if _folded(other) == _folded(name):
            return kind
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    words = re.sub(r"[\W_]+", " ", spaced).strip().casefold()
    for pattern, kind in _COMPILED:
        if pattern.search(words):
            return kind
    return "unknown"


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def display_name(name: str, limit: int = MAX_NAME_LENGTH) -> str:
    """A name or a sentence that can be shown: one line, not too long, no invisible or direction-changing characters."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name)
    line = " ".join(visible.split())
    if not line:
        return "(no name)"
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
