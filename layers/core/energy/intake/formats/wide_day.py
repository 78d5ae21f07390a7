"""One row a day and a column for each time of day, as Enel's in Italy: `Giorno;00:00-00:15;00:15-00:30;…`.

A date, and at least 24 columns whose names are times of day, or ranges of them, evenly apart. The unit is kWh unless
the configuration says otherwise. Times are local wall-clock times, so the hour that clocks skip in spring has
to be blank.
"""

import itertools
import re

from energy.intake.formats.header import WHOLE_HOUSE, Header, cells, names
from energy.intake.formats.plain import dialect
from energy.intake.layout import POWER_UNITS, Head, Layout, ValueColumn
from energy.site_config import Rules

_TIME = re.compile(r"^(?:h ?)?([0-2]?[0-9])[:.]([0-5][0-9])(?: ?(?:-|\u2013|to) ?([0-2]?[0-9])[:.]([0-5][0-9]))?$")
_DATES = frozenset({"date", "day", "giorno", "data", "datum", "tag", "fecha", "jour"})
_LEAST_TIMES = 24


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such a file; null if it is none."""
    for number, line in enumerate(head.lines[:40], start=1):
        for delimiter in ",;\t":
            found = names(line, delimiter)
            if len(found) > _LEAST_TIMES and (times := _times(found)):
                return _of(Header(number, delimiter, cells(line, delimiter), found), times, rules)
    return None


def _times(found: list[str]) -> dict[int, int]:
    """Minutes since midnight by column; none where they are not evenly apart, or there is no one column of dates."""
    dates = [place for place, name in enumerate(found) if name in _DATES]
    times = {
        place: int(match[1]) * 60 + int(match[2]) for place, name in enumerate(found) if (match := _TIME.match(name))
    }
    minutes = sorted(set(times.values()))
    if len(dates) != 1 or len(times) < _LEAST_TIMES or len(minutes) != len(times):
        return {}
    return times if len({later - earlier for earlier, later in itertools.pairwise(minutes)}) == 1 else {}


def _of(header: Header, times: dict[int, int], rules: Rules) -> Layout:
    date = next(place for place, name in enumerate(header.names) if name in _DATES)
    unit = rules.readings.unit or "kWh"
    whole = rules.readings.appliance or WHOLE_HOUSE
    ordered = sorted(times.values())
    ends = all("-" in header.names[place] or "\u2013" in header.names[place] for place in times)
    # 00:15 … 24:00, or 00:15 … 00:00, are the ends of quarter-hours; 00:00 … 23:45 their starts; ranges say both.
    first_is_end = not ends and ordered[0] > 0 and ordered[-1] == 24 * 60
    step = ordered[1] - ordered[0]
    return Layout(
        family="one row a day",
        delimiter=header.delimiter,
        header_line=header.line,
        columns=len(header.names),
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
        blank_is_no_reading=True,
        private=True,
        warnings=dialect(header.delimiter),
    )
