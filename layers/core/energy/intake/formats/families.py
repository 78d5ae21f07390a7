"""All families, the most particular first. Each says whether a file is one of its own by the header alone."""

from collections.abc import Callable

from energy.intake.formats import (
    emporia,
    enphase,
    fluvius,
    green_button_csv,
    green_button_xml,
    home_assistant,
    octopus,
    sense,
    shelly,
    smart_meter_texas,
    utilityapi,
    wide_day,
)
from energy.intake.layout import Head, Layout
from energy.site_config import Rules

FAMILIES: tuple[Callable[[Head, Rules], Layout | None], ...] = (
    green_button_xml.layout,
    green_button_csv.layout,
    smart_meter_texas.layout,
    sense.layout,
    emporia.layout,
    octopus.layout,
    utilityapi.layout,
    home_assistant.layout,
    shelly.layout,
    enphase.layout,
    fluvius.layout,
    wide_day.layout,
)
