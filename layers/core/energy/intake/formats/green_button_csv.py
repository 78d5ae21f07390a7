"""Green Button's "Download my data" as CSV (PG&E, ComEd, PECO and others): a preamble, then
`TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST,NOTES` or `…,USAGE,UNITS,COST,NOTES`.

The preamble has name, address and account number: nothing of it is kept. The end is inclusive, as 00:14.
"""

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_ELECTRICITY = frozenset(
    {"electric usage", "electric", "electricity", "electricity usage", "electric delivered", "usage"}
)


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("type", "date", "start time", "end time"), ",")
    if header is None:
        return None
    value = header.at("usage (kwh)", "usage", "import (kwh)")
    units = header.at("units", "unit")
    if value is None or (units is None and "kwh" not in header.names[value]):
        return None
    return Layout(
        family="Green Button CSV",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(header.names.index("date"), header.names.index("start time")),
        values=(ValueColumn(value, "kWh", appliance=rules.readings.appliance or WHOLE_HOUSE),),
        unit_column=units,
        only=((header.names.index("type"), _ELECTRICITY),),
        private=True,
        ragged=True,
    )
