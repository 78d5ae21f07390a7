"""The line that names the columns: its cells, and what their names say of a unit and a kind."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass

from energy.errors import InputRejected
from energy.intake.layout import POWER_UNITS, Head, Kind, Unit

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}

# Whose readings they are where a file has one meter and no name for it.
WHOLE_HOUSE = "Whole house"

_UNITS: dict[str, Unit] = {
    "wh": "Wh",
    "kwh": "kWh",
    "mwh": "MWh",
    "kwhs": "kWh",
    "w": "W",
    "watt": "W",
    "watts": "W",
    "kw": "kW",
    "kwatts": "kW",
    "kilowatts": "kW",
}
_REGISTER_WORDS = frozenset({"register", "meter", "cumulative", "counter", "total", "import_total", "stand", "index"})
_ENERGY_WORDS = frozenset(
    {"energy", "consumption", "usage", "used", "use", "consumed", "value", "reading", "import", "active", "interval"}
)
_POWER_WORDS = frozenset({"power", "load", "demand", "avg", "average", "mean"})


def cells(line: str, delimiter: str) -> list[str]:
    """The names in a header, without space around; MALFORMED_CSV where a quote in it is not closed."""
    try:
        found = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InputRejected(
            "MALFORMED_CSV",
            f"The header cannot be read: {error}. Its names, in quotes or not, have to be in one line. Correct it.",
        ) from error
    return [cell.strip() for cell in found]


def names(line: str, delimiter: str) -> list[str]:
    """The names in a header in lower case and with single spaces; none where it cannot be read."""
    try:
        return [" ".join(cell.lower().split()) for cell in cells(line, delimiter)]
    except InputRejected:
        return []


@dataclass(frozen=True)
class Quantity:
    """What a column's name says: its unit, null where it names none, and its kind."""

    unit: Unit | None
    kind: Kind


def quantity(name: str) -> Quantity | None:
    """What a name such as `energy_wh`, `Power (kW)` or `meter_reading_kwh` says; null if it names no such quantity.

    Every word of the name has to be known: `gas_kwh` is no electricity, and `max_kwh` no use.
    """
    words = [word for word in re.split(r"[\s_()\[\]./-]+", name.lower()) if word]
    units = [_UNITS[word] for word in words if word in _UNITS]
    others = [word for word in words if word not in _UNITS]
    known = _REGISTER_WORDS | _ENERGY_WORDS | _POWER_WORDS | {"electricity", "electric"}
    if not words or len(units) > 1 or any(word not in known for word in others):
        return None
    unit = units[0] if units else None
    if unit in POWER_UNITS:
        return None if _REGISTER_WORDS & set(others) else Quantity(unit, "power")
    if _REGISTER_WORDS & set(others):
        return Quantity(unit, "register")
    if _POWER_WORDS & set(others):
        # "Average energy" may be anything; power without a unit is still power.
        return None if unit else Quantity(None, "power")
    return Quantity(unit, "energy")


@dataclass(frozen=True)
class Header:
    """A header that was found: its line, from 1, and its names as written (`shown`) and in lower case (`names`)."""

    line: int
    delimiter: str
    shown: list[str]
    names: list[str]

    def at(self, *wanted: str) -> int | None:
        """The column with the first of these names that is there."""
        return next((self.names.index(name) for name in wanted if name in self.names), None)

    def ignored(self, used: Iterable[int | None]) -> list[str]:
        """The names of the columns that are not used."""
        places = set(used)
        return [name for place, name in enumerate(self.shown) if place not in places]


def find(head: Head, wanted: Iterable[str], delimiters: str = ",;\t", first_lines: int = 40) -> Header | None:
    """The first line that names all these columns (lower case), if there is one."""
    required = set(wanted)
    for number, line in enumerate(head.lines[:first_lines], start=1):
        for delimiter in delimiters:
            found = names(line, delimiter)
            if required <= set(found):
                return Header(number, delimiter, cells(line, delimiter), found)
    return None
