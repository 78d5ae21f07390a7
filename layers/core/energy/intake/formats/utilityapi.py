"""UtilityAPI's intervals: `interval_start,interval_end,interval_kWh,interval_kW`, local times without an offset."""

from energy.intake.formats.header import WHOLE_HOUSE, find
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header = find(head, ("interval_start", "interval_end", "interval_kwh"), ",")
    if header is None:
        return None
    return Layout(
        family="UtilityAPI",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(header.names.index("interval_start"),),
        values=(
            ValueColumn(header.names.index("interval_kwh"), "kWh", appliance=rules.readings.appliance or WHOLE_HOUSE),
        ),
        private=True,
    )
