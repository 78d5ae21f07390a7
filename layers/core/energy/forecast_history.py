"""What a forecast may learn from: the complete days of a site, all appliances together and each alone."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypeAlias

from energy.errors import NotEnoughHistory

# An appliance without a complete day in the site's last week is taken to be no longer read. A longer patience would
# hold back the total, and with it the first day ahead, for as long after each meter that falls silent.
CURRENT_DAYS = 7
WEEK_DAYS = 7
# From here on all models take the total (Prophet and Theta need two of each weekday): no appliance may take it lower.
TOTAL_DAYS = 14

# kWh by local day, sorted; a day that is not complete is not in it.
Series: TypeAlias = dict[dt.date, float]


@dataclass(frozen=True)
class History:
    """`total` is never empty, and no series goes beyond its last day; it is the energy of its `members`, sorted.

    `notes` say who was left out, and why.
    """

    total: Series
    appliances: dict[str, Series]
    notes: list[str]
    members: list[str] = field(default_factory=list)

    @property
    def last_day(self) -> dt.date:
        """The last training day; the forecast begins on the next."""
        return max(self.total)


def history(daily: Iterable[Mapping[str, Any]]) -> History:
    """The series of the rows of daily_energy_data; NotEnoughHistory if no day is complete.

    Current are the appliances with a complete day in the last CURRENT_DAYS days of the site. Only days on which all
    appliances in the total are complete count, so that a total never falls because a meter did.
    """
    every = _complete_series(daily)
    if not any(every.values()):
        raise NotEnoughHistory(complete_days=0, needed_days=1, model="A forecast")
    newest = max(max(series) for series in every.values() if series)
    current = {name: series for name, series in every.items() if series and (newest - max(series)).days < CURRENT_DAYS}
    summed = _in_total(current)
    common = _common_days(current, summed)
    total = {day: math.fsum(current[name][day] for name in summed) for day in sorted(common)}
    own = {name: {day: kwh for day, kwh in series.items() if day <= max(total)} for name, series in current.items()}
    left_out = [note for name, series in every.items() if (note := _left_out(name, series, own, summed, total))]
    return History(
        total=total,
        appliances={name: series for name, series in own.items() if series},
        notes=_held_back(max(total), newest) + left_out,
        members=sorted(summed),
    )


def horizon(last_day: dt.date, days: int) -> list[dt.date]:
    """The days after `last_day`."""
    return [last_day + dt.timedelta(days=ahead) for ahead in range(1, days + 1)]


def without_gaps(series: Series, last_day: dt.date) -> list[float]:
    """The series as models want it that know positions, not dates: one value a day, ending on `last_day`.

    Whole missing weeks are cut out, so that every weekday stays in its place. Of what is left, at most six days a
    gap, each takes the value of the same weekday a week before, else a week after, else the mean.
    """
    values: list[float | None] = []
    previous = min(series) - dt.timedelta(days=1)
    for day, kwh in series.items():
        values += [None] * (((day - previous).days - 1) % WEEK_DAYS) + [kwh]
        previous = day
    values += [None] * ((last_day - previous).days % WEEK_DAYS)
    for position in range(WEEK_DAYS, len(values)):
        if values[position] is None:
            values[position] = values[position - WEEK_DAYS]
    for position in reversed(range(len(values) - WEEK_DAYS)):
        if values[position] is None:
            values[position] = values[position + WEEK_DAYS]
    mean = fmean(series.values())
    return [mean if kwh is None else kwh for kwh in values]


def _complete_series(daily: Iterable[Mapping[str, Any]]) -> dict[str, Series]:
    """By appliance, sorted by name; empty where no day is complete."""
    found: dict[str, Series] = {}
    for row in sorted(daily, key=lambda row: (row["appliance"], row["date"])):
        series = found.setdefault(row["appliance"], {})
        if row["complete"]:
            series[row["date"].date()] = float(row["kwh"])
    return found


def _in_total(current: Mapping[str, Series]) -> list[str]:
    """The appliances that the total is made of, at least one.

    Those with the longest histories come first, and each next joins unless it would leave fewer than TOTAL_DAYS days
    in common. Where no appliance has so many, the site is young and all are in it. Should they have no day in common
    (one appliance took the place of another), those that were complete least recently leave, until they have.
    """
    joined: list[str] = []
    common: set[dt.date] = set()
    for name in sorted(current, key=lambda name: (-len(current[name]), name)):
        remaining = common & set(current[name]) if joined else set(current[name])
        if len(remaining) >= TOTAL_DAYS:
            joined.append(name)
            common = remaining
    if joined:
        return joined
    young = sorted(current, key=lambda name: (max(current[name]), name))
    while not _common_days(current, young):
        young = young[1:]
    return young


def _common_days(series: Mapping[str, Series], names: list[str]) -> set[dt.date]:
    return set.intersection(*(set(series[name]) for name in names))


def _held_back(last_day: dt.date, newest: dt.date) -> list[str]:
    if last_day == newest:
        return []
    return [f"the forecast begins after {last_day}, the last day on which all appliances in the total are complete"]


def _left_out(name: str, series: Series, own: Mapping[str, Series], summed: list[str], total: Series) -> str | None:
    if not series:
        return f"{name} is not in the total: no day of it is complete"
    if name not in own:
        return f"{name} is not forecast: its last complete day was {max(series)}"
    if not own[name]:
        return f"{name} is not forecast: it has no complete day before the forecast begins"
    if name not in summed and len(total) >= TOTAL_DAYS:
        return f"{name} is not in the total until it has {TOTAL_DAYS} complete days in common with the other appliances"
    if name not in summed:
        return f"{name} is not in the total: it has no complete day in common with the other appliances"
    return None
