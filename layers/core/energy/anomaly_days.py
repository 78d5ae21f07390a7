"""Slow faults, which only the totals of days show: an appliance whose day takes more and more, as the rest does not.

Theil and Sen's median of slopes (Sen 1968) over the complete days of a few weeks, and Kendall's test of its sign: a few
odd days move neither. Seasons move days as well. So it is looked for in appliances alone whose days are alike, beside
others that are read; what rose alike a year before, or together with everything else, is none.
"""

import dataclasses
import datetime as dt
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

# Weeks in which a fault shows, and the rise within them that is told. Over more weeks seasons move a fridge as well.
WINDOWS: tuple[tuple[int, float], ...] = ((28, 0.20), (56, 0.30))
STEP_DAYS = 7
# So many of a window's days must be complete.
_COMPLETE = 0.75
# One in a thousand by chance, were the order of days chance; tested every week, that is one in twenty years.
_SIGMAS = 3.3
# Around the line, days of an appliance that is alike every day are this near, as a share of their median.
_STEADY = 0.07
# A larger part of the site is no appliance of many: its days are the season's.
_LARGEST_SHARE = 0.5
# What else was used may rise by so much of the rise that it is not the season's.
_OTHERS_SHARE = 0.5
_YEAR_DAYS = 365
# Levels are those of a week of days. From the last week on that is above the first by so much of the rise, days have
# left their level: less is the noise of a week.
_LEVEL_DAYS = 7
_LEFT = 0.1


@dataclass(frozen=True)
class Rise:
    """From `start` to `end`, both among its days, a day's energy was above what it took before, and rising, kWh a day.

    `days` complete days of them used `kwh` together.
    """

    appliance: str
    start: dt.date
    end: dt.date
    kwh_before: float
    kwh_after: float
    days: int = 0
    kwh: float = 0.0


def rises(days: pl.DataFrame) -> list[Rise]:
    """Every rise in the complete days of a site (daily_energy_data), by appliance and start; overlapping ones are one.

    None where no other appliance is read.
    """
    complete = days.filter("complete").sort("appliance", "date")
    series: dict[str, dict[dt.date, float]] = {}
    for appliance, date, kwh in complete.select("appliance", "date", "kwh").iter_rows():
        series.setdefault(appliance, {})[date] = kwh
    total = math.fsum(kwh for one in series.values() for kwh in one.values())
    found = []
    for appliance, own in series.items():
        if 0 < math.fsum(own.values()) <= _LARGEST_SHARE * total:
            found += [_as_it_was(rise, own) for rise in _merged(_rises_of(appliance, own, series))]
    return found


def _rises_of(appliance: str, own: dict[dt.date, float], series: dict[str, dict[dt.date, float]]) -> Iterator[Rise]:
    first, last = min(own), max(own)
    for length, least in WINDOWS:
        end = last
        while (end - first).days + 1 >= length:
            start = end - dt.timedelta(days=length - 1)
            rise = _rise(appliance, own, start, end, least)
            if rise and not _is_seasons(rise, own, series):
                yield rise
            end -= dt.timedelta(days=STEP_DAYS)


def _rise(appliance: str, own: dict[dt.date, float], start: dt.date, end: dt.date, least: float) -> Rise | None:
    points = _points(own, start, end)
    length = (end - start).days + 1
    if len(points) < _COMPLETE * length:
        return None
    third = len(points) // 3
    early, late = (statistics.median(kwh for _, kwh in part) for part in (points[:third], points[-third:]))
    # Cheaper than all slopes, and most windows end here: the middles of the thirds are two thirds of the window apart.
    if early <= 0 or late / early - 1 < least / 2:
        return None
    slope, sign = theil_sen(points)
    level = statistics.median(kwh - slope * n for n, kwh in points)
    after = level + slope * (length - 1)
    off = statistics.median(abs(kwh - level - slope * n) for n, kwh in points)
    steady = off <= _STEADY * statistics.median(kwh for _, kwh in points)
    if level <= 0 or after / level - 1 < least or sign < _SIGMAS or not steady:
        return None
    return Rise(appliance, start, end, level, after)


def _points(days: dict[dt.date, float], start: dt.date, end: dt.date) -> list[tuple[int, float]]:
    """The days of a stretch that are known, numbered from its first."""
    length = (end - start).days + 1
    return [(n, days[day]) for n in range(length) if (day := start + dt.timedelta(days=n)) in days]


def theil_sen(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The median slope between any two of the points, and by how many standard deviations Kendall's sum of signs is
    above that of points in any order.
    """
    slopes = sorted(
        (later - kwh) / (then - n) for place, (n, kwh) in enumerate(points) for then, later in points[place + 1 :]
    )
    count = len(points)
    signs = sum((slope > 0) - (slope < 0) for slope in slopes)
    return statistics.median(slopes), signs / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)


def _is_seasons(rise: Rise, own: dict[dt.date, float], series: dict[str, dict[dt.date, float]]) -> bool:
    """Whether the others rose as well, or the appliance itself did a year before."""
    told = _OTHERS_SHARE * (rise.kwh_after / rise.kwh_before - 1)
    others = [one for name, one in series.items() if name != rise.appliance]
    rest = {
        day: math.fsum(one[day] for one in others if day in one) for day in own if any(day in one for one in others)
    }
    year = dt.timedelta(days=_YEAR_DAYS)
    return (
        _rise_of_line(rest, rise.start, rise.end) >= told
        or _rise_of_line(own, rise.start - year, rise.end - year) >= told
    )


def _rise_of_line(days: dict[dt.date, float], start: dt.date, end: dt.date) -> float:
    """By how much a stretch takes more at its end than at its start, as a share; 0 where that is not known."""
    points = _points(days, start, end)
    length = (end - start).days + 1
    if len(points) < _COMPLETE * length:
        return 0.0
    slope, _ = theil_sen(points)
    level = statistics.median(kwh - slope * n for n, kwh in points)
    return slope * (length - 1) / level if level > 0 else 0.0


def _merged(found: Iterator[Rise]) -> list[Rise]:
    """Those that overlap as one, from the first's start to the last's end, where it is higher than the first began."""
    merged: list[Rise] = []
    for rise in sorted(found, key=lambda one: (one.start, one.end)):
        if merged and rise.start <= merged[-1].end and rise.kwh_after > merged[-1].kwh_before:
            last = merged[-1]
            if rise.end > last.end:
                merged[-1] = dataclasses.replace(last, end=rise.end, kwh_after=rise.kwh_after)
        else:
            merged.append(rise)
    return merged


def _as_it_was(rise: Rise, own: dict[dt.date, float]) -> Rise:
    """With its levels from the days themselves, and from when they had left the first: a window in which a line rises
    begins weeks before the days do.
    """
    days = sorted(day for day in own if rise.start <= day <= rise.end)
    kwh = [own[day] for day in days]
    weeks = [statistics.median(kwh[n : n + _LEVEL_DAYS]) for n in range(len(kwh) - _LEVEL_DAYS + 1)]
    first, last = weeks[0], weeks[-1]
    left = max(n for n, week in enumerate(weeks) if n == 0 or week <= first + _LEFT * (last - first))
    left = min(left + _LEVEL_DAYS // 2 + 1, len(days) - 1)
    return Rise(
        rise.appliance,
        days[left],
        rise.end,
        statistics.median(kwh[:left]),
        last,
        len(days) - left,
        math.fsum(kwh[left:]),
    )
