"""Four more models, and the median of all: better than any of them alone, on short histories above all.

Every model is run by name, one at a time, so that one which fails is noted and never replaced in silence.
"""

import datetime as dt
import functools
import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

from energy.forecast_history import WEEK_DAYS, History, Series, without_gaps
from energy.forecasting import (
    HORIZON_DAYS,
    KWH_DECIMALS,
    LEVEL,
    MODEL_ERRORS,
    OUTER_LEVEL,
    Band,
    SeriesForecast,
    SiteForecast,
    Unusable,
    finite,
    noted_reason,
    settled,
    site_forecast,
)
from energy.schema import MODEL_NAMES

NAME = "statsforecast"
# Below a week no model knows a weekday; below two, Theta and Prophet see a trend in noise.
WEEKLY_MODELS_DAYS = 7
ALL_MODELS_DAYS = 14
# Below a week, the spread of fewer days than this says nothing, nor does that of days all alike.
SPREAD_DAYS = 3
WINDOW_DAYS = 28
WINDOW_WEEKS = 4
# Quantiles of the normal distribution: LEVEL, and OUTER_LEVEL, lie between each and its negative.
Z = 1.2816
OUTER_Z = 1.9600

_UNKNOWN = [math.nan] * HORIZON_DAYS

# One value a day in, without gaps; HORIZON_DAYS of forecast out.
type Model = Callable[[list[float]], Band]


def forecast(history: History, prophet: Mapping[str | None, Band]) -> SiteForecast:
    """Per series the median of its models; Prophet's forecasts, by appliance and None for the total, are among them.

    ForecastFailed if none of the four takes the total: then Prophet's own forecast stands.
    """
    return site_forecast(
        history, NAME, lambda name, series: series_forecast(name, series, history.last_day, prophet.get(name))
    )


def series_forecast(name: str | None, series: Series, last_day: dt.date, prophet: Band | None) -> SeriesForecast:
    """The median of the models that the length of the series allows; see `models_for`.

    Unusable if none of them takes it.
    """
    values = without_gaps(series, last_day)
    members: dict[str, Band] = {}
    notes: list[str] = []
    for model_name, run in models_for(len(series)).items():
        try:
            members[model_name] = finite(run(values))
        except MODEL_ERRORS as error:
            notes.append(f"{name or 'total'}: {model_name} left out: {noted_reason(error)}")
    if not members:
        raise Unusable("; ".join(notes))
    if _spread_is_unknown(series):
        members = {model_name: _without_bounds(band) for model_name, band in members.items()}
        notes.append(f"{name or 'total'}: too few days to tell how sure this is")
    return combined(members | ({"prophet": prophet} if prophet else {}), notes)


def combined(members: Mapping[str, Band], notes: list[str]) -> SeriesForecast:
    """Day by day the median of the members, of which there is at least one, within the average of their bounds.

    A member whose bounds are not known has no say in the band.
    """
    models = {name: settled(members[name]).yhat for name in MODEL_NAMES if name in members}
    banded = [members[name] for name in models if members[name].has_bounds]
    bounds = (
        _by_day(statistics.fmean, [getattr(band, side) for band in banded]) or _UNKNOWN
        for side in ("lower", "upper", "outer_lower", "outer_upper")
    )
    median = Band(_by_day(statistics.median, list(models.values())), *bounds)
    return SeriesForecast(
        settled(median),
        method=f"median of {', '.join(models)}" if len(models) > 1 else next(iter(models)),
        reason=f"{len(models)} of {len(MODEL_NAMES)} models gave a forecast",
        models=models,
        notes=notes,
    )


def models_for(complete_days: int) -> dict[str, Model]:
    """The models for a series with so many complete days, by name: below a week only the mean of what there is."""
    if complete_days < WEEKLY_MODELS_DAYS:
        return {"window_average": window_average}
    weekly: dict[str, Model] = {
        "auto_ets": auto_ets,
        "seasonal_window_average": seasonal_window_average,
        "window_average": window_average,
    }
    if complete_days < ALL_MODELS_DAYS:
        return weekly
    return weekly | {"dynamic_optimized_theta": dynamic_optimized_theta}


def auto_ets(values: list[float]) -> Band:
    """Exponential smoothing, its form chosen by AICc (Hyndman & Khandakar 2008)."""
    return _native("AutoETS", values)


def dynamic_optimized_theta(values: list[float]) -> Band:
    """The Theta method with all its parameters fitted (Fiorucci et al. 2016)."""
    return _native("DynamicOptimizedTheta", values)


def seasonal_window_average(values: list[float]) -> Band:
    """The mean of the same weekday over the last four weeks, or the whole weeks that there are.

    The model knows no band of its own: the spread is that of the days around their weekday's mean, unknown after one
    week.
    """
    weeks = min(WINDOW_WEEKS, len(values) // WEEK_DAYS)
    means = _run("SeasonalWindowAverage", values, season_length=WEEK_DAYS, window_size=weeks)["mean"]
    window = values[-weeks * WEEK_DAYS :]
    errors = [kwh - means[position % WEEK_DAYS] for position, kwh in enumerate(window)]
    return _mean_band(means, errors, samples=weeks)


def window_average(values: list[float]) -> Band:
    """The mean of the last 28 days, or the days that there are; no library needed. The spread is that around it."""
    window = values[-WINDOW_DAYS:]
    mean = statistics.fmean(window)
    return _mean_band([mean] * HORIZON_DAYS, [kwh - mean for kwh in window], samples=len(window))


def _spread_is_unknown(series: Series) -> bool:
    if len(series) >= WEEKLY_MODELS_DAYS:
        return False
    return len(series) < SPREAD_DAYS or len({round(kwh, KWH_DECIMALS) for kwh in series.values()}) == 1


def _without_bounds(band: Band) -> Band:
    return Band(band.yhat, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN)


def _mean_band(means: list[float], errors: list[float], samples: int) -> Band:
    """Bounds of a forecast by the mean of `samples` values: sd·√(1 + 1/samples) each way, unknown for a single one.

    Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., table 5.2. Each mean costs one degree
    of freedom.
    """
    freedom = len(errors) - len(errors) // samples
    sd = math.sqrt(sum(error**2 for error in errors) / freedom) if freedom else math.nan
    reaches = [z * sd * math.sqrt(1 + 1 / samples) for z in (-Z, Z, -OUTER_Z, OUTER_Z)]
    return Band(means, *([mean + reach for mean in means] for reach in reaches))


def _native(class_name: str, values: list[float]) -> Band:
    """A model with the bounds that it computes itself."""
    levels = [round(level * 100) for level in (LEVEL, OUTER_LEVEL)]
    ahead = _run(class_name, values, season_length=WEEK_DAYS, level=levels)
    return Band(ahead["mean"], *(ahead[f"{side}-{level}"] for level in levels for side in ("lo", "hi")))


def _run(
    class_name: str, values: list[float], level: list[int] | None = None, **settings: int
) -> dict[str, list[float]]:
    """A model of statsforecast fitted to the values, and HORIZON_DAYS ahead by it."""
    import numpy as np

    model = getattr(_models(), class_name)(**settings)
    with warnings.catch_warnings():
        # Divisions by zero, where a series is short or constant, leave NaN or infinity; those are looked at.
        warnings.simplefilter("ignore", RuntimeWarning)
        ahead = model.forecast(y=np.array(values, dtype=float), h=HORIZON_DAYS, level=level)
    return {name: [float(kwh) for kwh in column] for name, column in ahead.items()}


def _by_day(statistic: Callable[[list[float]], float], forecasts: list[Sequence[float]]) -> list[float]:
    return [statistic(list(day)) for day in zip(*forecasts, strict=True)]


@functools.cache
def _models() -> ModuleType:
    """Imported on first use: it takes seconds."""
    import statsforecast.models

    module: ModuleType = statsforecast.models
    return module
