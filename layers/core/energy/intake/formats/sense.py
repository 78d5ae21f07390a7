"""Sense's export by the hour: a comment line, then `DateTime,Device ID,Name,…,Avg Wattage,kWh`.

Rows are not in the order of time, and a device that was off in an hour has none. "Total Usage" is the sum of all, so it
is left out; "Always On" and "Other" are parts of it.
"""

from energy.intake.formats.header import find
from energy.intake.formats.plain import ignored_note
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_TOTALS = frozenset({"total usage", "total"})


def layout(head: Head, rules: Rules) -> Layout | None:  # noqa: ARG001 - every family has these arguments
    """The layout of such a file; null if it is none."""
    header = find(head, ("datetime", "device id", "name", "kwh"), ",", first_lines=10)
    if header is None:
        return None
    time, name, value = (header.names.index(wanted) for wanted in ("datetime", "name", "kwh"))
    return Layout(
        family="Sense",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(time,),
        appliance=name,
        values=(ValueColumn(value, "kWh"),),
        without=((name, _TOTALS),),
        private=True,
        notes=ignored_note(header.ignored((time, name, value))),
    )
