"""A file whose columns `readings: columns` in config/<site>.yaml names: whatever has no format of its own here."""

from dataclasses import replace

from energy.errors import InputRejected
from energy.intake.formats.header import DELIMITERS, Quantity, cells, names, quantity
from energy.intake.formats.plain import converted, dialect, ignored_note, value_column
from energy.intake.layout import Head, Layout
from energy.site_config import Columns, Rules


def layout(head: Head, columns: Columns, rules: Rules) -> Layout:
    """The layout by the first line that has all the columns; MISSING_COLUMN where none has."""
    wanted = _wanted(columns)
    found = _header_line(head, wanted, rules)
    if found is None:
        raise _missing(head, wanted, rules)
    number, line, delimiter = found
    lower, shown = names(line, delimiter), cells(line, delimiter)
    for name in wanted:
        if lower.count(name) > 1:
            raise InputRejected(
                "DUPLICATE_COLUMN",
                f"The header in line {number} names {name!r} {lower.count(name)} times. Keep one of them.",
            )
    times = (columns.timestamp,) if isinstance(columns.timestamp, str) else columns.timestamp
    value = lower.index(_plain(columns.value))
    # What the configuration says of the column goes before what its name may mean by chance.
    said = quantity(lower[value])
    if said is None or rules.readings.unit:
        said = Quantity(rules.readings.unit, rules.readings.kind or (said.kind if said else "energy"))
        if rules.readings.kind is None and rules.readings.unit in {"W", "kW"}:
            said = Quantity(rules.readings.unit, "power")
    column = value_column(value, said, shown[value], rules)
    appliance = lower.index(_plain(columns.appliance)) if columns.appliance else None
    if appliance is None:
        if rules.readings.appliance is None:
            raise InputRejected(
                "MISSING_COLUMN",
                "No column names the appliance. Say which one does under readings: columns: appliance in "
                "config/<site>.yaml, or what all readings belong to under readings: appliance.",
            )
        column = replace(column, appliance=rules.readings.appliance)
    used = {*(lower.index(_plain(name)) for name in times), value, appliance}
    ignored = [name for place, name in enumerate(shown) if place not in used]
    return Layout(
        family="as the site's configuration names the columns",
        delimiter=delimiter,
        header_line=number,
        columns=len(lower),
        timestamp=tuple(lower.index(_plain(name)) for name in times),
        appliance=appliance,
        values=(column,),
        marks=rules.readings.timestamps_mark or "start",
        interval_minutes=rules.readings.interval_minutes,
        # Lines above the header may hold names and numbers of people; so may columns that nobody asked for.
        private=number > 1 or bool(ignored),
        ignored=tuple(ignored),
        warnings={**dialect(delimiter), **converted(shown[value], column)},
        notes=ignored_note(ignored),
    )


def _wanted(columns: Columns) -> list[str]:
    times = (columns.timestamp,) if isinstance(columns.timestamp, str) else columns.timestamp
    return [_plain(name) for name in (*times, columns.appliance, columns.value) if name]


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _header_line(head: Head, wanted: list[str], rules: Rules) -> tuple[int, str, str] | None:
    delimiters = [rules.readings.delimiter] if rules.readings.delimiter else list(DELIMITERS)
    for number, line in enumerate(head.lines, start=1):
        for delimiter in delimiters:
            if set(wanted) <= set(names(line, delimiter)):
                return number, line, delimiter
    return None


def _missing(head: Head, wanted: list[str], rules: Rules) -> InputRejected:
    """Names what the line that comes closest lacks."""
    delimiters = [rules.readings.delimiter] if rules.readings.delimiter else list(DELIMITERS)
    closest = max(
        (set(names(line, delimiter)) & set(wanted) for line in head.lines for delimiter in delimiters),
        key=len,
        default=set(),
    )
    lacking = ", ".join(repr(name) for name in wanted if name not in closest)
    return InputRejected(
        "MISSING_COLUMN",
        f"The site's configuration (readings: columns) asks for {lacking}, which no line among the first "
        f"{len(head.lines)} names. Correct the configuration or the file's header.",
    )
