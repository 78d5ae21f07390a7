"""Our own format: `timestamp`, `appliance` and one column of readings, as `kwh`, in any order and with any others."""

import re

from energy.errors import InputRejected
from energy.intake.formats.header import DELIMITERS, Quantity, cells, names, quantity
from energy.intake.layout import POWER_UNITS, Head, Kind, Layout, Unit, ValueColumn
from energy.site_config import Rules

REQUIRED = ("timestamp", "appliance", "kwh")
_SHOWN_CHARACTERS = 80
_SHOWN_COLUMNS = 10
_SEPARATOR_LINE = re.compile(r"^sep=(.)$", re.IGNORECASE)


def layout(head: Head, rules: Rules) -> Layout:
    """The layout by the first line; MISSING_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN or TOO_MANY_COLUMNS if it is not
    such a header.
    """
    number, line, delimiter = _header_line(head, rules)
    shown = cells(line, delimiter)
    lower = names(line, delimiter)
    if len(lower) > rules.limits.columns:
        raise InputRejected(
            "TOO_MANY_COLUMNS",
            f"Line {number} names {len(lower):,} columns; at most {rules.limits.columns:,} are read. "
            f"Upload only {', '.join(REQUIRED)}.",
        )
    for name in REQUIRED:
        if lower.count(name) > 1:
            raise InputRejected(
                "DUPLICATE_COLUMN",
                f"The header in line {number} names {name} {lower.count(name)} times. Keep one of them.",
            )
    position, value = _value_column(lower)
    missing = [name for name in REQUIRED[:2] if name not in lower]
    if missing or position is None or value is None:
        raise _unusable(head, number, shown, missing + (["kwh"] if position is None else []))
    column = value_column(position, value, shown[position], rules)
    used = {lower.index("timestamp"), lower.index("appliance"), position}
    return Layout(
        family="timestamp, appliance, " + shown[position],
        delimiter=delimiter,
        header_line=number,
        columns=len(lower),
        timestamp=(lower.index("timestamp"),),
        appliance=lower.index("appliance"),
        values=(column,),
        marks=rules.readings.timestamps_mark or "start",
        interval_minutes=rules.readings.interval_minutes,
        ignored=tuple(name for place, name in enumerate(shown) if place not in used),
        warnings={**dialect(delimiter), **converted(shown[position], column)},
        notes=ignored_note([name for place, name in enumerate(shown) if place not in used]),
    )


def _header_line(head: Head, rules: Rules) -> tuple[int, str, str]:
    """Number and text of the first line that is not blank, and the delimiter that it is best understood with."""
    number = next((number for number, line in enumerate(head.lines, start=1) if line.strip()), 1)
    line = head.lines[number - 1]
    if separator := _SEPARATOR_LINE.match(line.strip('" \r')):
        following = head.lines[number] if number < len(head.lines) else ""
        return number + 1, following, separator[1] if separator[1] in DELIMITERS else ","
    if rules.readings.delimiter:
        return number, line, rules.readings.delimiter
    best = max(DELIMITERS, key=lambda delimiter: (_recognised(line, delimiter), line.count(delimiter)))
    return number, line, best


def _recognised(line: str, delimiter: str) -> int:
    found = names(line, delimiter)
    return sum(name in found for name in REQUIRED[:2]) + (_value_column(found)[0] is not None)


def _value_column(lower: list[str]) -> tuple[int | None, Quantity | None]:
    """The column of readings: `kwh` where there is one, else the only one whose name says a quantity."""
    if "kwh" in lower:
        return lower.index("kwh"), Quantity("kWh", "energy")
    found = [(place, said) for place, name in enumerate(lower) if (said := quantity(name))]
    if len(found) > 1:
        listed = ", ".join(repr(lower[place][:40]) for place, _ in found[:_SHOWN_COLUMNS])
        raise InputRejected(
            "DUPLICATE_COLUMN",
            f"The header names several columns of readings: {listed}. Keep one of them, name it kwh, or say which one "
            "under readings: columns: value in config/<site>.yaml.",
        )
    return found[0] if found else (None, None)


def value_column(position: int, said: Quantity, name: str, rules: Rules) -> ValueColumn:
    """The column of readings with its unit and kind: the header's, else those of the configuration."""
    unit: Unit | None = said.unit or rules.readings.unit
    if unit is None:
        raise InputRejected(
            "MISSING_COLUMN",
            f"The column {name[:40]!r} does not say its unit. Name it kwh, wh or mwh, power_w or power_kw; or say unit "
            "under readings in config/<site>.yaml.",
        )
    kind: Kind = said.kind
    if said.unit is None or (said.kind == "energy" and rules.readings.kind == "register"):
        kind = rules.readings.kind or ("power" if unit in POWER_UNITS else said.kind)
    if (kind == "power") != (unit in POWER_UNITS):
        raise InputRejected(
            "MISSING_COLUMN",
            f"The column {name[:40]!r} is read as {kind}, which is not measured in {unit}. Correct its name, or unit "
            "and kind under readings in config/<site>.yaml.",
        )
    return ValueColumn(position, unit, kind)


def dialect(delimiter: str) -> dict[str, str]:
    """What has to be said of a delimiter."""
    return {} if delimiter == "," else {"DIALECT": f"Columns are separated by {DELIMITERS[delimiter]}."}


def converted(name: str, column: ValueColumn) -> dict[str, str]:
    """What has to be said of a unit other than kWh, or of a kind other than energy."""
    if column.kind == "register":
        return {
            "UNIT_CONVERTED": f"The column {name[:40]!r} shows a meter's register in {column.unit}: what was used is "
            "the difference between two readings."
        }
    if column.unit == "kWh":
        return {}
    what = "mean power, taken times the interval" if column.kind == "power" else "energy"
    return {"UNIT_CONVERTED": f"The column {name[:40]!r} is in {column.unit} ({what}); converted to kWh."}


def ignored_note(ignored: list[str]) -> dict[str, str]:
    """Which columns were not used."""
    if not ignored:
        return {}
    shown = ", ".join(repr(name[:40]) for name in ignored[:_SHOWN_COLUMNS])
    return {"EXTRA_COLUMNS": f"{len(ignored):,} column(s) were ignored: {shown}."}


def _unusable(head: Head, number: int, shown: list[str], missing: list[str]) -> InputRejected:
    if len(missing) == len(REQUIRED):
        # What stands there may be a name or an account number: it is not repeated.
        below = _header_below(head, number)
        where = f" It seems to be in line {below}: take out the lines above it." if below else ""
        return InputRejected(
            "MISSING_HEADER",
            f"Line {number} must name the columns {', '.join(REQUIRED)}; it has {len(shown):,} field(s), and none of "
            f"them does.{where or ' Put the header into the first line.'} If the columns have other names, say which "
            "is which under readings: columns in config/<site>.yaml.",
        )
    named = ", ".join(shown)
    if len(named) > _SHOWN_CHARACTERS:
        named = named[:_SHOWN_CHARACTERS] + " …"
    return InputRejected(
        "MISSING_COLUMN",
        f"The header in line {number} lacks {', '.join(missing)}; it names {named!r}. Name the columns "
        f"{', '.join(REQUIRED)} (wh, mwh, power_w or power_kw instead of kwh are converted), or say which is which "
        "under readings: columns in config/<site>.yaml.",
    )


def _header_below(head: Head, number: int) -> int | None:
    for below, line in enumerate(head.lines[number:], start=number + 1):
        if any(set(REQUIRED) <= set(names(line, delimiter)) for delimiter in DELIMITERS):
            return below
    return None
