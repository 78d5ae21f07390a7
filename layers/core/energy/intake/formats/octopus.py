"""Octopus Energy's "Download your data" (United Kingdom): half-hours with offsets, `Consumption (kwh), Start, End`.

Names have a space before them; newer files add columns of cost. A half-hour without use may be missing, or be 0E-20.
"""

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.formats.plain import ignored_note
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("consumption (kwh)", "start", "end"), ",")
    if header is None:
        return None
    value, start, end = (header.names.index(name) for name in ("consumption (kwh)", "start", "end"))
    return Layout(
        family="Octopus Energy",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(start,),
        values=(ValueColumn(value, "kWh", appliance=rules.readings.appliance or WHOLE_HOUSE),),
        notes=ignored_note(header.ignored((value, start, end))),
    )
