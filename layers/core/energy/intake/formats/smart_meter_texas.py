"""Smart Meter Texas's interval data: `ESIID,USAGE_DATE,REVISION_DATE,USAGE_START_TIME,…,USAGE_KWH,ESTIMATED_ACTUAL,…`.

Quarter-hours in Texas time; rows of surplus generation are no use; A is measured, E estimated. The hour that clocks
skip in spring has rows without a reading; the hour that they repeat in autumn is there twice.
"""

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_TIMEZONE = "America/Chicago"


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("esiid", "usage_date", "usage_start_time", "usage_kwh"), ",")
    if header is None:
        return None
    flow, estimated = header.at("consumption_surplusgeneration"), header.at("estimated_actual")
    return Layout(
        family="Smart Meter Texas",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(header.names.index("usage_date"), header.names.index("usage_start_time")),
        values=(
            ValueColumn(header.names.index("usage_kwh"), "kWh", appliance=rules.readings.appliance or WHOLE_HOUSE),
        ),
        timezone=_TIMEZONE,
        date_order="month_first",
        only=((flow, frozenset({"consumption"})),) if flow is not None else (),
        estimated=(estimated, frozenset({"e"})) if estimated is not None else None,
        blank_is_no_reading=True,
        private=True,
    )
