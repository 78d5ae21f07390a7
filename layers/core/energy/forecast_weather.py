"""What the temperature outside explains of a series: taken out before models learn, put back for the days ahead.

So every model goes by the temperature, not only those that take regressors. The relation is a straight line above and
below where heating and cooling begin, by least squares; it counts only where it explains more than it costs (AICc,
Hurvich & Tsai 1989), and never says that a home uses less the colder, or the hotter, it is.
"""

import csv
import datetime as dt
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from energy.forecast_config import ForecastConfig
from energy.forecast_history import History, Series, horizon
from energy.forecasting import HORIZON_DAYS, Band

# Mean of a day, °C, below which homes are heated (CIBSE TM41, 2006), and above which they are cooled: the base of many
# degree-day tables.
HEATING_BELOW_C = 15.5
COOLING_ABOVE_C = 22.0
# Two of each weekday, as for the models.
MIN_DAYS = 14
# Of the days learnt from; where more are without a temperature the relation is not looked for.
MIN_COVERAGE = 0.9
LOWEST_C, HIGHEST_C = -90.0, 60.0

# Mean temperature of a day, °C.
Temperature: TypeAlias = Mapping[dt.date, float]


@dataclass(frozen=True)
class Outside:
    """What a forecast goes by besides the readings: a country's holidays (ISO 3166), and temperatures; `notes` say what
    of it could not be used, and why.
    """

    holidays: str | None = None
    temperature: Temperature = field(default_factory=dict)
    notes: Sequence[str] = ()


NOTHING_OUTSIDE = Outside()


class TemperatureUnreadable(ValueError):
    """A file of temperatures that is none; the message says what was found, and what should be there."""


@dataclass(frozen=True)
class Weathered:
    """A series as it would have been at its mean temperature, and what the days ahead take more or less for theirs."""

    series: Series
    ahead: Sequence[float]

    def added(self, band: Band) -> Band:
        """A model's forecast of the series, with what the temperatures ahead add."""
        yhat, *bounds = ([kwh + more for kwh, more in zip(kwhs, self.ahead, strict=True)] for kwhs in _sides(band))
        return Band(yhat, *bounds)


def outside(config: ForecastConfig, files: Mapping[str, str], history: History) -> Outside:
    """What a site's configuration, and the files that it names, say of the days ahead."""
    if config.temperature is None:
        return Outside(config.holidays)
    name = config.temperature.file
    try:
        temperature = read(files[name], name)
    except TemperatureUnreadable as error:
        return Outside(config.holidays, notes=[f"temperatures left out: {error}"])
    missing = [day for day in horizon(history.last_day, HORIZON_DAYS) if day not in temperature]
    if missing:
        return Outside(config.holidays, notes=[f"temperatures left out: {name} has none for {missing[0]}"])
    every = [history.total, *history.appliances.values()]
    if not any(_covers(temperature, series) for series in every):
        return Outside(config.holidays, notes=[f"temperatures left out: {name} has too few of the days that were read"])
    if all(weathered(series, history.last_day, temperature).series == series for series in every):
        return Outside(config.holidays, notes=[f"the temperatures of {name} explain nothing of these readings"])
    return Outside(config.holidays, temperature, [f"the forecast goes by the temperatures of {name}"])


def read(text: str, name: str) -> dict[dt.date, float]:
    """The temperatures of a CSV with the columns `date` and `temperature_c`; TemperatureUnreadable."""
    found: dict[dt.date, float] = {}
    rows = csv.DictReader(text.splitlines())
    if rows.fieldnames is None or not {"date", "temperature_c"} <= set(rows.fieldnames):
        raise TemperatureUnreadable(f"{name} must have the columns date and temperature_c")
    for row in rows:
        try:
            day, degrees = dt.date.fromisoformat(row["date"].strip()), float(row["temperature_c"])
        except (AttributeError, TypeError, ValueError) as error:
            raise TemperatureUnreadable(f"line {rows.line_num} of {name} is no date with a temperature") from error
        if not LOWEST_C <= degrees <= HIGHEST_C:
            raise TemperatureUnreadable(f"line {rows.line_num} of {name} has no temperature that can be, in °C")
        found[day] = degrees
    return found


def weathered(series: Series, last_day: dt.date, temperature: Temperature) -> Weathered:
    """The series without what the temperature explains of it; the series itself where that is nothing."""
    known = [day for day in series if day in temperature]
    if not _covers(temperature, series) or any(day not in temperature for day in horizon(last_day, HORIZON_DAYS)):
        return Weathered(series, [0.0] * HORIZON_DAYS)
    slopes = _slopes([series[day] for day in known], [_degrees(temperature[day]) for day in known])
    usual = [statistics.fmean(_degrees(temperature[day])[column] for day in known) for column in (0, 1)]

    def explained(day: dt.date) -> float:
        """What the temperature of a day adds to the usual; nothing where it is not known."""
        if day not in temperature:
            return 0.0
        heating, cooling = _degrees(temperature[day])
        return slopes[0] * (heating - usual[0]) + slopes[1] * (cooling - usual[1])

    return Weathered(
        series={day: kwh - explained(day) for day, kwh in series.items()},
        ahead=[explained(day) for day in horizon(last_day, HORIZON_DAYS)],
    )


def _covers(temperature: Temperature, series: Series) -> bool:
    """Whether the temperatures of enough days are known to tell what they do to a series."""
    return sum(day in temperature for day in series) >= max(MIN_DAYS, MIN_COVERAGE * len(series))


def _degrees(temperature_c: float) -> tuple[float, float]:
    """How far a day is below where heating begins, and above where cooling does."""
    return max(HEATING_BELOW_C - temperature_c, 0.0), max(temperature_c - COOLING_ABOVE_C, 0.0)


def _slopes(kwh: Sequence[float], degrees: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """kWh a degree of heating, and of cooling: of the relations that can be, the one with the least AICc."""
    best, least = (0.0, 0.0), _aicc(_squares(kwh, degrees, ())[1], len(kwh), 1)
    for used in ((0,), (1,), (0, 1)):
        if any(len({each[column] for each in degrees}) == 1 for column in used):
            continue
        slopes, squares = _squares(kwh, degrees, used)
        told = _aicc(squares, len(kwh), 1 + len(used))
        if told < least and min(slopes) > 0:
            by_column = dict(zip(used, slopes, strict=True))
            best, least = (by_column.get(0, 0.0), by_column.get(1, 0.0)), told
    return best


def _squares(
    kwh: Sequence[float], degrees: Sequence[tuple[float, float]], used: tuple[int, ...]
) -> tuple[list[float], float]:
    """The slopes of a least-squares line by these columns, and the sum of the squares that it leaves."""
    import numpy as np

    rows = np.array([[1.0, *(each[column] for column in used)] for each in degrees])
    line = np.linalg.lstsq(rows, np.array(kwh), rcond=None)[0]
    left = np.array(kwh) - rows @ line
    return [float(slope) for slope in line[1:]], float(left @ left)


def _aicc(squares: float, days: int, parameters: int) -> float:
    """The corrected criterion of Akaike; the spread is a parameter as well."""
    counted = parameters + 1
    return days * math.log(max(squares, 1e-12) / days) + 2 * counted * days / (days - counted - 1)


def _sides(band: Band) -> tuple[Sequence[float], ...]:
    return band.yhat, *band.bounds()
