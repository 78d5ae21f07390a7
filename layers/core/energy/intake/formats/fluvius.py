"""Fluvius's quarter-hours (Flanders): semicolons, decimal commas, `Van (datum);Van (tijdstip);…;Register;Volume;…`.

Older files have no parentheses, English ones `From (date)` and so on. `Register` tells what was taken ("Afname Dag",
"Afname Nacht") from what was fed in ("Injectie …"); day and night are two registers of one meter, of which one stands
still, so each is an appliance of its own. Gas is in m³ as well. "Geen verbruik" comes without a volume, and
"Validatiestatus" says what was estimated. In the hour that clocks repeat, both passes of a quarter stand one below the
other. Samples are in the repository patrickvorgers/Home-Assistant-Import-Energy-Data, Datasources/Fluvius.
"""

from energy.intake.formats.header import find
from energy.intake.layout import Head, Layout, ValueColumn
from energy.site_config import Rules

_HEADERS = (
    ("van (datum)", "van (tijdstip)", "register", "volume", "eenheid"),
    ("van datum", "van tijdstip", "register", "volume", "eenheid"),
    ("van (datum)", "van (tijdstip)", "registratie", "volume", "eenheid"),
    ("from (date)", "from (time)", "register", "volume", "unit"),
    ("from date", "from time", "register", "volume", "unit"),
)
_STATUS = ("validatiestatus", "validation status", "validationstatus")
_TAKEN = frozenset(
    {
        "afname dag",
        "afname nacht",
        "afname actief",
        "afname",
        "offtake day",
        "offtake night",
        "offtake active",
        "offtake",
    }
)
_ESTIMATED = frozenset({"geschat", "estimated"})


def layout(head: Head, rules: Rules) -> Layout | None:  # noqa: ARG001 - every family has these arguments
    """The layout of such a file; null if it is none."""
    for columns in _HEADERS:
        header = find(head, columns, ";,")
        if header is not None:
            break
    else:
        return None
    date, time, register, value, unit = (header.names.index(name) for name in columns)
    status = header.at(*_STATUS)
    return Layout(
        family="Fluvius",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names),
        timestamp=(date, time),
        appliance=register,
        values=(ValueColumn(value, "kWh"),),
        unit_column=unit,
        timezone="Europe/Brussels",
        date_order="day_first",
        decimal=",",
        only=((register, _TAKEN), (unit, frozenset({"kwh", "wh", "mwh"}))),
        estimated=(status, _ESTIMATED) if status is not None else None,
        blank_is_no_reading=True,
        private=True,
        ragged=True,
    )
