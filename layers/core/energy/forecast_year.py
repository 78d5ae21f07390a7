"""A year of the total taken apart: its trend, the pattern of the week, and that of the year."""

import datetime as dt
import statistics
import warnings
from collections.abc import Iterable, Sequence

from energy.documents import YearDecomposition
from energy.forecast_history import WEEK_DAYS, Series
from energy.forecasting import KWH_DECIMALS

YEAR_DAYS = 365
# A pattern of the year shows only where it repeats: the method asks for more than two of them.
MIN_DAYS, MIN_DAYS_OF_YEARS = YEAR_DAYS, 2 * YEAR_DAYS + 1
# Older days say little of how the home is used now, and take long.
MAX_DAYS = 4 * YEAR_DAYS
# A day in ten may be missing; it is taken to be as the days of its weekday around it.
MIN_COVERAGE = 0.9
MONTHS = range(1, 13)


def decomposition(total: Series) -> YearDecomposition | None:
    """By MSTL (Bandara, Hyndman & Bergmeir 2021), over at most the last four years; None with less than one, or where
    too many of its days are missing.
    """
    last = max(total)
    first = max(min(total), last - dt.timedelta(days=MAX_DAYS - 1))
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    known = [day for day in days if day in total]
    if len(days) < MIN_DAYS or len(known) < MIN_COVERAGE * len(days):
        return None
    values = [total.get(day) for day in days]
    trend, week, year = _taken_apart(_filled(values))
    return YearDecomposition(
        days=len(days),
        weekday_kwh=[_mean(kwh for day, kwh in zip(days, week, strict=True) if day.weekday() == n) for n in range(7)],
        month_kwh=year and [_mean(kwh for day, kwh in zip(days, year, strict=True) if day.month == n) for n in MONTHS],
        trend_kwh={
            month: _mean(kwh for day, kwh in zip(days, trend, strict=True) if f"{day:%Y-%m}" == month)
            for month in sorted({f"{day:%Y-%m}" for day in days})
        },
    )


def _taken_apart(values: list[float]) -> tuple[list[float], list[float], list[float] | None]:
    """Trend, pattern of the week, and of the year, or None where it cannot be told from the trend."""
    import numpy as np
    from statsforecast.mstl import mstl

    with_year = len(values) >= MIN_DAYS_OF_YEARS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        parts = mstl(np.array(values), [WEEK_DAYS, YEAR_DAYS] if with_year else [WEEK_DAYS])
    week = parts[f"seasonal{WEEK_DAYS}" if with_year else "seasonal"]
    year = parts[f"seasonal{YEAR_DAYS}"].tolist() if with_year else None
    return parts["trend"].tolist(), week.tolist(), year


def _filled(values: Sequence[float | None]) -> list[float]:
    """Each missing day is the mean of the nearest days of its weekday before and after it."""
    mean = statistics.fmean(kwh for kwh in values if kwh is not None)
    filled = []
    for position, kwh in enumerate(values):
        if kwh is None:
            before = next((found for found in values[position::-WEEK_DAYS] if found is not None), None)
            after = next((found for found in values[position::WEEK_DAYS] if found is not None), None)
            around = [found for found in (before, after) if found is not None]
            kwh = statistics.fmean(around) if around else mean  # noqa: PLW2901
        filled.append(kwh)
    return filled


def _mean(values: Iterable[float]) -> float:
    return round(statistics.fmean(values), KWH_DECIMALS) + 0.0
