"""Enphase's `Date/Time,Energy Produced (Wh),Energy Consumed (Wh),…`: what was consumed is taken, in Wh.

Dates are day first or month first by the account's country: the file has to prove it, or the configuration.
Reports by the day have dates alone. A sample is in the repository patrickvorgers/Home-Assistant-Import-Energy-Data,
Datasources/Enphase.
"""

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.formats.plain import ignored_note
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("date/time", "energy consumed (wh)"))
    if header is None:
        return None
    time, value = header.names.index("date/time"), header.names.index("energy consumed (wh)")
    return Layout(
        family="Enphase",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names),
        timestamp=(time,),
        values=(ValueColumn(value, "Wh", appliance=rules.readings.appliance or WHOLE_HOUSE),),
        notes=ignored_note(header.ignored((time, value))),
    )
