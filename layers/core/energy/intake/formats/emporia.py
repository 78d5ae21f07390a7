"""Emporia Vue's export: a column a circuit, `Time Bucket (America/New_York),Home-Mains_A (kWhs),…`.

The time zone is in the header. Circuits are parts of the mains, so where there are circuits the mains are left out; the
balance is what the mains measure beyond the circuits, so it stays. Smart plugs may be in kW, "No CT" stands where
nothing is connected.
"""

import re

from energy.intake.formats.header import Header, cells, names
from energy.intake.layout import Head, Layout, Unit, ValueColumn
from energy.site_config import Rules, known_timezone

_BUCKET = re.compile(r"time bucket \((.+)\)$")
_COLUMN = re.compile(r"^(.*?)\s*\((kwhs|kwatts)\)$", re.IGNORECASE)
_UNITS: dict[str, Unit] = {"kwhs": "kWh", "kwatts": "kW"}
_MAINS = re.compile(r"mains(?:_[abc])?$", re.IGNORECASE)
_BALANCE = re.compile(r"balance$", re.IGNORECASE)
_NO_BALANCE = " What no circuit measures is in none of these columns: export the balance, too."
_COMPUTED = re.compile(r"(?:total ?usage|mains_?from_?grid|mains_?to_?grid)$", re.IGNORECASE)


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    header, zone = _header(head)
    if header is None:
        return None
    found = [(place, match) for place, name in enumerate(header.shown) if (match := _COLUMN.match(name))]
    measured = [(place, match) for place, match in found if not _COMPUTED.search(match[1])]
    parts = [(place, match) for place, match in measured if not _MAINS.search(match[1])]
    has_circuits = any(not _BALANCE.search(match[1]) for _, match in parts)
    used = parts if has_circuits else [(place, match) for place, match in measured if _MAINS.search(match[1])]
    if not used:
        return None
    left_out = [match[1] for place, match in found if place not in {place for place, _ in used}]
    notes = {}
    if left_out:
        shown = ", ".join(repr(name[:40]) for name in left_out[:10])
        rest = "" if any(_BALANCE.search(match[1]) for _, match in used) or not has_circuits else _NO_BALANCE
        notes["LEFT_OUT"] = f"{shown} hold the energy of the other columns once more and were left out.{rest}"
    return Layout(
        family="Emporia Vue",
        delimiter=",",
        header_line=header.line,
        columns=len(header.names),
        timestamp=(0,),
        values=tuple(
            ValueColumn(
                place,
                _UNITS[match[2].lower()],
                "power" if match[2].lower() == "kwatts" else "energy",
                appliance=match[1],
            )
            for place, match in used
        ),
        timezone=_zone(zone),
        date_order="month_first",
        interval_minutes=rules.readings.interval_minutes,
        blanks=frozenset({"no ct", "n/a", "-"}),
        blank_is_no_reading=True,
        notes=notes,
    )


def _header(head: Head) -> tuple[Header | None, str]:
    for number, line in enumerate(head.lines[:5], start=1):
        found = names(line, ",")
        if found and (bucket := _BUCKET.match(found[0])):
            shown = cells(line, ",")
            return Header(number, ",", shown, found), shown[0][bucket.start(1) : bucket.end(1)]
    return None, ""


def _zone(name: str) -> str | None:
    """The zone, if it is one; where it is none the site's applies, as for any file that does not say."""
    try:
        return known_timezone(name.strip())
    except ValueError:
        return None
