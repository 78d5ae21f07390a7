"""Home Assistant's history as CSV: `entity_id,state,last_changed`, UTC, a row whenever a sensor changed.

The file names neither unit nor kind, so the site's configuration has to. Mostly these are meters in kWh.
A sample is in the repository patrickvorgers/Home-Assistant-Import-Energy-Data, Datasources/Home Assistant.
"""

from energy.errors import InputRejected
from energy.intake.formats.header import find
from energy.intake.layout import POWER_UNITS, Head, Layout, ValueColumn
from energy.site_config import Rules

_UNKNOWN = frozenset({"unavailable", "unknown", "none"})


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none, MISSING_COLUMN where unit and kind are not configured."""
    header = find(head, ("entity_id", "state", "last_changed"), ",", first_lines=1)
    if header is None:
        return None
    unit, kind = rules.readings.unit, rules.readings.kind
    if unit in POWER_UNITS and kind is None:
        kind = "power"
    if unit is None or kind is None:
        raise InputRejected(
            "MISSING_COLUMN",
            "This is a history of Home Assistant, which names neither the unit of a sensor nor whether it counts up. "
            "Say both in config/<site>.yaml: under readings, unit (as kWh) and kind (register for a meter that counts "
            "up, energy, or power).",
        )
    entity, state, changed = (header.names.index(name) for name in ("entity_id", "state", "last_changed"))
    return Layout(
        family="Home Assistant history",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(changed,),
        appliance=entity,
        values=(ValueColumn(state, unit, kind),),
        timezone="UTC",
        interval_minutes=rules.readings.interval_minutes,
        blanks=_UNKNOWN,
        blank_is_no_reading=True,
    )
