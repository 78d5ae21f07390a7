"""Fluvius's quarter-hours (Flanders): semicolons, decimal commas, `Van Datum;Van Tijdstip;…;Register;Volume;Eenheid;…`.

`Register` tells what was taken ("Afname Dag", "Afname Nacht") from what was fed in ("Injectie …"); day and night are
two registers of one meter, of which one stands still, so each is an appliance of its own. Gas is in m³ as well as kWh
and has a register without "Afname". "Validatiestatus" says what was estimated.
"""

from energy.intake.formats.header import find
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_TAKEN = frozenset({"afname dag", "afname nacht", "afname", "offtake day", "offtake night", "offtake"})
_ESTIMATED = frozenset({"geschat", "estimated"})


def layout(head: Head, rules: Rules) -> Layout | None:  # noqa: ARG001 - every family has these arguments
    """The layout of such a file; null if it is none."""
    dutch = ("van datum", "van tijdstip", "register", "volume", "eenheid")
    english = ("from date", "from time", "register", "volume", "unit")
    header = find(head, dutch, ";,") or find(head, english, ";,")
    if header is None:
        return None
    date, time, unit = (
        header.at("van datum", "from date"),
        header.at("van tijdstip", "from time"),
        header.at("eenheid", "unit"),
    )
    status = header.at("validatiestatus", "validation status")
    register, value = header.names.index("register"), header.names.index("volume")
    return Layout(
        family="Fluvius",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names),
        timestamp=tuple(place for place in (date, time) if place is not None),
        appliance=register,
        values=(ValueColumn(value, "kWh"),),
        unit_column=unit,
        timezone="Europe/Brussels",
        date_order="day_first",
        decimal=",",
        only=((register, _TAKEN), *(((unit, frozenset({"kwh", "wh", "mwh"})),) if unit is not None else ())),
        estimated=(status, _ESTIMATED) if status is not None else None,
        blank_is_no_reading=True,
        private=True,
    )
