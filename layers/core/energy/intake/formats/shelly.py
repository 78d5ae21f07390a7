"""Shelly EM's `Date/time UTC,Active energy Wh (A),Returned energy Wh (A)`: UTC, ten-minute intervals.

Each phase is a column, or a file, of its own, and an appliance of its own: files of one site add up. What was fed in is
left out. A sample is in the repository patrickvorgers/Home-Assistant-Import-Energy-Data, Datasources/Shelly EM3.
"""

import re

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.formats.plain import ignored_note
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_ACTIVE = re.compile(r"^active energy wh(?: \((.+)\))?$", re.IGNORECASE)


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("date/time utc",))
    if header is None:
        return None
    active = [(place, match[1]) for place, name in enumerate(header.shown) if (match := _ACTIVE.match(name))]
    if not active:
        return None
    whole = rules.readings.appliance or WHOLE_HOUSE
    time = header.names.index("date/time utc")
    return Layout(
        family="Shelly EM",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names),
        timestamp=(time,),
        values=tuple(
            ValueColumn(place, "Wh", appliance=f"{whole} {phase.upper()}" if phase else whole)
            for place, phase in active
        ),
        timezone="UTC",
        blank_is_no_reading=len(active) > 1,
        notes=ignored_note(header.ignored((time, *(place for place, _ in active)))),
    )
