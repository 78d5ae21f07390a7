"""One row a day and a column for each time of day, as Enel's in Italy: `Giorno;00:00-00:15;00:15-00:30;…`.

A date, and at least 24 columns whose names are times of day, or ranges of them, evenly apart. Enel's unit is kWh;
files of others do not say theirs, so unless the configuration does, kWh is taken and warned about. Times are local
wall-clock times, so the hour that clocks skip in spring has to be blank. Enel ends every row, but not the header, with
a semicolon (sample in the repository patrickvorgers/Home-Assistant-Import-Energy-Data, Datasources/Enel Distribuzione).
"""

import itertools
import re

from energy.intake.formats.header import WHOLE_HOUSE, Header, cells, names
from energy.intake.formats.plain import dialect
from energy.intake.layout import POWER_UNITS, Head, Layout, ValueColumn
from energy.site_config import Rules

_TIME = re.compile(r"^(?:h ?)?([0-2]?[0-9])[:.]([0-5][0-9])(?: ?(?:-|\u2013|to) ?([0-2]?[0-9])[:.]([0-5][0-9]))?$")
_DATES = frozenset({"date", "day", "giorno", "data", "datum", "tag", "fecha", "jour"})
# Where the column is called so, 03/04 is the third of April.
_DAY_FIRST = frozenset({"giorno", "datum", "tag", "fecha", "jour"})
_ENEL_DATE = "giorno"
_LEAST_TIMES = 24
_DAY = 24 * 60


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    for number, line in enumerate(head.lines[:40], start=1):
        for delimiter in ",;\t":
            found = names(line, delimiter)
            if len(found) > _LEAST_TIMES and (times := _times(found)):
                header = Header(number, delimiter, cells(line, delimiter), found)
                return _of(header, times, _more_cells(head, header), rules)
    return None


def _times(found: list[str]) -> dict[int, int]:
    """Minutes since midnight by column; none where they are not evenly apart, or there is no one column of dates."""
    dates = [place for place, name in enumerate(found) if name in _DATES]
    times = {
        place: int(match[1]) * 60 + int(match[2]) for place, name in enumerate(found) if (match := _TIME.match(name))
    }
    if times and times[max(times)] == 0:
        # The last column is the end of the day.
        times[max(times)] = _DAY
    minutes = sorted(set(times.values()))
    if len(dates) != 1 or len(times) < _LEAST_TIMES or len(minutes) != len(times):
        return {}
    return times if len({later - earlier for earlier, later in itertools.pairwise(minutes)}) == 1 else {}


def _more_cells(head: Head, header: Header) -> int:
    """How many cells the first row has more than the header has names: one, where it ends with a delimiter."""
    row = head.lines[header.line] if header.line < len(head.lines) else ""
    found = names(row, header.delimiter)
    return 1 if len(found) == len(header.names) + 1 and not found[-1] else 0


def _of(header: Header, times: dict[int, int], more_cells: int, rules: Rules) -> Layout:
    date = next(place for place, name in enumerate(header.names) if name in _DATES)
    unit = rules.readings.unit or "kWh"
    whole = rules.readings.appliance or WHOLE_HOUSE
    ordered = sorted(times.values())
    # 00:15 … 24:00, or 00:15 … 00:00, are the ends of quarter-hours; 00:00 … 23:45 their starts, as of ranges.
    first_is_end = ordered[-1] == _DAY
    step = ordered[1] - ordered[0]
    return Layout(
        family="one row a day",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names) + more_cells,
        timestamp=(date,),
        values=tuple(
            ValueColumn(
                place,
                unit,
                "power" if unit in POWER_UNITS else "energy",
                appliance=whole,
                minutes=minutes - step if first_is_end else minutes,
            )
            for place, minutes in times.items()
        ),
        interval_minutes=float(step),
        date_order="day_first" if header.names[date] in _DAY_FIRST else None,
        blank_is_no_reading=True,
        private=True,
        warnings={**dialect(header.delimiter), **_assumed_unit(header.names[date], rules)},
    )


def _assumed_unit(date: str, rules: Rules) -> dict[str, str]:
    if rules.readings.unit or date == _ENEL_DATE:
        return {}
    return {
        "UNIT_ASSUMED": "The columns are times of day and do not say their unit; they were read as kWh. If they hold "
        "something else, as Wh or kW, say unit under readings in config/<site>.yaml and upload the file again."
    }
