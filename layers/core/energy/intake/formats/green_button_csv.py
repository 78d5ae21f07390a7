"""Green Button's "Download my data" as CSV (PG&E, ComEd, PECO and others): a preamble, then
`TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST,NOTES` or `…,USAGE,UNITS,COST,NOTES`.

The preamble has name, address and account number: nothing of it is kept. The end is inclusive, as 00:14. Rows may lack
their last columns, as notes. Some utilities (Avangrid's) have no preamble but those columns in each row, and the whole
timestamp, with its offset, in START TIME.
"""

import re

from energy.intake.formats.header import WHOLE_HOUSE, Header, cells, find
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
    date, start = header.names.index("date"), header.names.index("start time")
    return Layout(
        family="Green Button CSV",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(start,) if _is_whole(head, header, start) else (date, start),
        values=(ValueColumn(value, "kWh", appliance=rules.readings.appliance or WHOLE_HOUSE),),
        unit_column=units,
        only=((header.names.index("type"), _ELECTRICITY),),
        private=True,
        ragged=True,
    )


def _is_whole(head: Head, header: Header, start: int) -> bool:
    """Whether the first row's start time has a date, too."""
    row = head.lines[header.line] if header.line < len(head.lines) else ""
    found = cells(row, header.delimiter) if row.count('"') % 2 == 0 else []
    return len(found) > start and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", found[start]) is not None
