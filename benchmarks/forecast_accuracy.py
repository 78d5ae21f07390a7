"""Forecasts of daily series against what then happened: the product's own, and those that it has to beat.

Each series is forecast from `origins` days that lie evenly over it, from so many days before each, as the two functions
would do it; what is published is measured, and what would be were Prophet, or the others, to fail.

MASE is scaled by the error of repeating the week before over all days up to the origin: the same scale for every method
and length of history. A Winkler score is the width of the 95 % band and 40 times what lies outside it, on that scale
(Gneiting & Raftery 2007). Figures are means of a series' origins, then the mean or median over series.
"""

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.accuracy import Row
from energy import forecast_prophet, forecast_statsforecast
from energy.forecast_history import History, Series, without_gaps
from energy.forecasting import HORIZON_DAYS, LEVEL, OUTER_LEVEL, Band, SiteForecast, settled

MIN_SCALE = 1e-9
TIMED_APPLIANCES, TIMED_DAYS, SECONDS_AIM = 20, 90, 20.0
PUBLISHED, PROPHET = "published", "prophet alone"


@dataclass(frozen=True)
class Origin:
    """What is known on one day, and what comes. `scale` is the error of repeating the week before, kWh."""

    known: Series
    last_day: dt.date
    following: list[float | None]
    scale: float


def rows(series_file: Path, history_days: Sequence[int], origins: int) -> list[Row]:
    """One row for each length of history and method, over all series that are long enough for it; then the time."""
    measured = [
        row
        for days in history_days
        for row in _of_length(days, {name: _origins(each, days, origins) for name, each in _read(series_file).items()})
    ]
    return [*measured, _seconds()]


def _read(series_file: Path) -> dict[str, Series]:
    frame = pl.read_csv(series_file, schema_overrides={"unique_id": pl.String, "y": pl.Float64})
    days = (
        frame.select("unique_id", pl.col("ds").str.slice(0, 10).str.to_date(), "y").drop_nulls().sort("unique_id", "ds")
    )
    found: dict[str, Series] = {}
    for name, day, kwh in days.iter_rows():
        found.setdefault(name, {})[day] = kwh
    return found


def _origins(series: Series, history_days: int, count: int) -> list[Origin]:
    """At most `count`, evenly from the first day that has enough history to the last that a whole week follows."""
    days = sorted(series)
    first, last = history_days, len(days) - HORIZON_DAYS
    if first > last:
        return []
    step = (last - first) / max(count - 1, 1)
    found = []
    for position in sorted({round(first + step * number) for number in range(count)}):
        day = days[position - 1]
        known = {each: series[each] for each in days[position - history_days : position]}
        ahead = [series.get(day + dt.timedelta(days=number)) for number in range(1, HORIZON_DAYS + 1)]
        scale = _weekly_change({each: series[each] for each in days[:position]})
        if scale > MIN_SCALE and any(kwh is not None for kwh in ahead):
            found.append(Origin(known, day, ahead, scale))
    return found


def _weekly_change(series: Series) -> float:
    week = dt.timedelta(days=7)
    changes = [abs(kwh - series[day - week]) for day, kwh in series.items() if day - week in series]
    return statistics.fmean(changes) if changes else 0.0


def _of_length(history_days: int, origins: dict[str, list[Origin]]) -> list[Row]:
    scores: dict[str, dict[str, list[dict[str, float]]]] = {}
    failed: dict[str, int] = {}
    enough = {name: each for name, each in origins.items() if each}
    for number, (name, each) in enumerate(enough.items(), 1):
        for origin in each:
            for method, band in _forecasts(origin).items():
                if band is None:
                    failed[method] = failed.get(method, 0) + 1
                else:
                    scores.setdefault(method, {}).setdefault(name, []).append(_score(band, origin))
        print(f"{history_days} days: {number} of {len(enough)} series", file=sys.stderr, flush=True)
    means = {method: {name: _means(each) for name, each in found.items()} for method, found in scores.items()}
    return [_row(history_days, method, means, failed.get(method, 0)) for method in means]


def _forecasts(origin: Origin) -> dict[str, Band | None]:
    """What each method says; None where it says nothing."""
    history = History(total=origin.known, appliances={}, notes=[])
    found: dict[str, Band | None] = {}
    by_prophet = _or_none(lambda: forecast_prophet.forecast(history, max_series=1))
    past = _past(by_prophet) if by_prophet else {}
    found[PUBLISHED] = forecast_statsforecast.forecast(history, past).total.band
    found["published, Prophet failing"] = forecast_statsforecast.forecast(history, {}).total.band
    found["published, the others failing"] = by_prophet and by_prophet.total.band
    known, last = origin.known, origin.last_day
    found[PROPHET] = _or_none(lambda: settled(forecast_prophet.fit_and_predict(known, last, with_bounds=True)))
    values = without_gaps(known, last)
    found["AutoETS alone"] = _or_none(lambda: settled(forecast_statsforecast.auto_ets(values)))
    found["seasonal naive"] = settled(_seasonal_naive(values))
    return found


def _or_none[T](ask: Callable[[], T]) -> T | None:
    """A contestant may fail; the product may not: its failures end the measurement."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return None


def _past(forecast: SiteForecast) -> dict[str | None, dict[int, Sequence[float]]]:
    """What the function of Prophet hands to the other."""
    name, total = forecast_prophet.NAME, forecast.total
    return {None: {0: total.models[name], **{back: found[name] for back, found in total.past.items()}}}


def _seasonal_naive(values: list[float]) -> Band:
    """The week before, with the bounds of its own errors if they are normal (Hyndman & Athanasopoulos, table 5.2)."""
    errors = [kwh - before for before, kwh in zip(values, values[HORIZON_DAYS:], strict=False)]
    sd = (sum(error**2 for error in errors) / max(len(errors), 1)) ** 0.5
    normal = statistics.NormalDist()
    reach = [side * normal.inv_cdf((1 + level) / 2) * sd for level in (LEVEL, OUTER_LEVEL) for side in (-1, 1)]
    week = values[-HORIZON_DAYS:]
    return Band(week, *([kwh + each for kwh in week] for each in reach))


def _score(band: Band, origin: Origin) -> dict[str, float]:
    days = [
        (was, yhat, *bounds)
        for was, yhat, *bounds in zip(origin.following, band.yhat, *band.bounds(), strict=True)
        if was is not None
    ]
    return {
        "mase": statistics.fmean(abs(yhat - was) for was, yhat, *_ in days) / origin.scale,
        "error_kwh": sum(abs(yhat - was) for was, yhat, *_ in days),
        "used_kwh": sum(was for was, *_ in days),
        "cover80": statistics.fmean(low <= was <= high for was, _, low, high, *_ in days),
        "cover95": statistics.fmean(low <= was <= high for was, *_, low, high in days),
        "winkler95": statistics.fmean(_winkler(low, was, high) for was, *_, low, high in days) / origin.scale,
    }


def _seconds() -> Row:
    """Both functions on a site of 20 appliances, with everything imported: the best of three, since others only add."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(TIMED_DAYS)]
    appliances = {
        f"appliance {number}": {
            day: (1 + number) * (2 + position % 7 / 7 + position * 37 % 11 / 11) for position, day in enumerate(days)
        }
        for number in range(TIMED_APPLIANCES)
    }
    total = {day: sum(series[day] for series in appliances.values()) for day in days}
    history = History(total, appliances, notes=[], members=sorted(appliances))
    took = []
    for _ in range(3):
        began = time.perf_counter()
        by_prophet = forecast_prophet.forecast(history, max_series=TIMED_APPLIANCES + 1)
        past = {
            name: {0: each.models[forecast_prophet.NAME]}
            for name, each in ((None, by_prophet.total), *by_prophet.appliances.items())
        }
        forecast_statsforecast.forecast(history, past)
        took.append(time.perf_counter() - began)
    return {
        "case": f"{TIMED_APPLIANCES} appliances and their total, {TIMED_DAYS} days",
        "method": PUBLISHED,
        "seconds": min(took),
        "aim": SECONDS_AIM,
    }


def _winkler(low: float, was: float, high: float) -> float:
    return high - low + 2 / (1 - OUTER_LEVEL) * (max(low - was, 0) + max(was - high, 0))


def _means(scores: list[dict[str, float]]) -> dict[str, float]:
    """Of one series; its WAPE is that of all its days together."""
    found = {name: statistics.fmean(score[name] for score in scores) for name in scores[0]}
    return found | {"wape": found["error_kwh"] / found["used_kwh"] if found["used_kwh"] else float("nan")}


def _row(history_days: int, method: str, means: dict[str, dict[str, dict[str, float]]], failed: int) -> Row:
    """`mase` is the median over series; those of Prophet are what `to_prophet` compares with, in the same way."""

    def over_series(of: str, name: str, statistic: Callable[[list[float]], float]) -> float:
        return statistic([found[name] for found in means[of].values()])

    def to_prophet(name: str, statistic: Callable[[list[float]], float]) -> float | None:
        if PROPHET not in means:
            return None
        return over_series(method, name, statistic) / over_series(PROPHET, name, statistic)

    better = [
        found["mase"] < means[PROPHET][name]["mase"]
        for name, found in means[method].items()
        if name in means.get(PROPHET, {})
    ]
    return {
        "case": f"{history_days} days",
        "method": method,
        "series": len(means[method]),
        "failed": failed,
        "mase": over_series(method, "mase", statistics.median),
        "to_prophet": to_prophet("mase", statistics.median),
        "mean_mase": over_series(method, "mase", statistics.fmean),
        "mean_to_prophet": to_prophet("mase", statistics.fmean),
        "better_share": statistics.fmean(better) if better else None,
        "wape": over_series(method, "wape", statistics.median),
        "cover80": over_series(method, "cover80", statistics.fmean),
        "cover95": over_series(method, "cover95", statistics.fmean),
        "winkler95": over_series(method, "winkler95", statistics.fmean),
        "winkler95_to_prophet": to_prophet("winkler95", statistics.fmean),
    }
