"""Four more models, and the median of all: better than any of them alone, on short histories above all.

Every model is run by name, one series at a time, so that one which fails is noted and never replaced in silence.
"""

import datetime as dt
import functools
import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TypeAlias

from energy.forecast_calibration import PROPHET, Fitted
from energy.forecast_history import WEEK_DAYS, History, Series, without_gaps
from energy.forecast_past import cutoffs, kept_cutoffs, until
from energy.forecast_site import Answer, site_forecast
from energy.forecast_weather import NOTHING_OUTSIDE, Outside, Temperature, Weathered, weathered
from energy.forecast_year import decomposition
from energy.forecasting import (
    HORIZON_DAYS,
    KWH_DECIMALS,
    LEVEL,
    MODEL_ERRORS,
    OUTER_LEVEL,
    UNKNOWN,
    Band,
    SiteForecast,
    Unusable,
    finite,
    noted_reason,
)
from energy.spreading import Each

NAME = "statsforecast"
# Below a week no model knows a weekday; below two, Theta and Prophet see a trend in noise.
WEEKLY_MODELS_DAYS = 7
ALL_MODELS_DAYS = 14
# Below a week, the spread of fewer days than this says nothing, nor does that of days all alike.
SPREAD_DAYS = 3
WINDOW_DAYS = 28
WINDOW_WEEKS = 4

# One value a day in, without gaps; HORIZON_DAYS of forecast out.
Model: TypeAlias = Callable[[list[float]], Band]
# What Prophet forecast: kWh by day ahead, by days back, by appliance; None is the total.
ByProphet: TypeAlias = Mapping[str | None, Mapping[int, Sequence[float]]]


def forecast(
    history: History, prophet: ByProphet, outside: Outside = NOTHING_OUTSIDE, each: Each = map
) -> SiteForecast:
    """Per series the median of its models, Prophet's forecasts among them where there are some; and the total's year
    taken apart, where there is one. `each` spreads the series.

    ForecastFailed if none of the four takes the total: then Prophet's own forecast stands.
    """
    # Not the history itself: what is asked travels to every worker.
    last_day, days_back, temperature = history.last_day, cutoffs(history), outside.temperature

    def ask(name: str | None, series: Series) -> Answer:
        return answer(name, series, last_day, days_back, prophet.get(name, {}), temperature)

    return site_forecast(history, NAME, ask, decomposition(history.total), outside.notes, each)


def answer(  # noqa: PLR0913, PLR0917 (what is known of one series)
    name: str | None,
    series: Series,
    last_day: dt.date,
    days_back: tuple[int, ...],
    prophet: Mapping[int, Sequence[float]],
    temperature: Temperature,
) -> Answer:
    """What the models that the length of the series allows say of it; see `models_for`. Unusable if none takes it.

    The form of exponential smoothing is chosen twice: by the whole series, and by what the oldest cut-off leaves, for
    all cut-offs: choosing takes most of the time, and none may know what came after it.
    """
    members: dict[int, dict[str, Band]] = {}
    notes: list[str] = []
    form: str | None = None
    for back in sorted(kept_cutoffs(series, last_day, days_back), reverse=True):
        day = last_day - dt.timedelta(days=back)
        usual = weathered(until(series, day), day, temperature)
        values = without_gaps(usual.series, day)
        form = form or ets_form(values)
        members[back] = _members(models_for(len(usual.series), form), values, usual, [])
    usual = weathered(series, last_day, temperature)
    members[0] = _members(models_for(len(series)), without_gaps(usual.series, last_day), usual, notes)
    if not members[0]:
        raise Unusable("; ".join(notes))
    if _spread_is_unknown(series):
        members[0] = {model: _without_bounds(band) for model, band in members[0].items()}
    with_prophet = {back: found | _by_prophet(prophet.get(back)) for back, found in sorted(members.items()) if found}
    told = [f"{name or 'total'}: {note}" for note in notes]
    return Answer(Fitted(series, last_day, with_prophet), _reason(len(series), with_prophet[0]), told)


def models_for(complete_days: int, form: str | None = None) -> dict[str, Model]:
    """The models for a series with so many complete days, by name: below a week only the mean of what there is.

    `form` is that of exponential smoothing, where it is not to be chosen anew.
    """
    if complete_days < WEEKLY_MODELS_DAYS:
        return {"window_average": window_average}
    weekly: dict[str, Model] = {
        "auto_ets": functools.partial(auto_ets, form=form),
        "seasonal_window_average": seasonal_window_average,
        "window_average": window_average,
    }
    if complete_days < ALL_MODELS_DAYS:
        return weekly
    return weekly | {"dynamic_optimized_theta": dynamic_optimized_theta}


def auto_ets(values: list[float], form: str | None = None) -> Band:
    """Exponential smoothing, its form chosen by AICc (Hyndman & Khandakar 2008) unless it is said."""
    if form is None:
        return _native("AutoETS", values)
    return _native("AutoETS", values, model=form[:3], damped=form[3] == "d")


def ets_form(values: list[float]) -> str | None:
    """The form of exponential smoothing that suits the values: error, trend, season, and whether the trend is damped.

    None where there are too few.
    """
    import numpy as np

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            fitted = _models().AutoETS(season_length=WEEK_DAYS).fit(np.array(values, dtype=float))
    except MODEL_ERRORS:
        return None
    components: str = fitted.model_["components"]
    return components[:3] + ("d" if components[3] == "D" else "-")


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


def _members(models: Mapping[str, Model], values: list[float], usual: Weathered, notes: list[str]) -> dict[str, Band]:
    """What each model says, with what the weather adds; one that fails is noted and left out."""
    found: dict[str, Band] = {}
    for name, run in models.items():
        try:
            found[name] = usual.added(finite(run(values)))
        except MODEL_ERRORS as error:
            notes.append(f"{name} left out: {noted_reason(error)}")
    return found


def _by_prophet(yhat: Sequence[float] | None) -> dict[str, Band]:
    return {} if yhat is None else {PROPHET: Band(yhat, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)}


def _reason(complete_days: int, members: Mapping[str, Band]) -> str:
    """Why by these models."""
    days = "1 complete day" if complete_days == 1 else f"{complete_days} complete days"
    if complete_days < WEEKLY_MODELS_DAYS:
        return f"{days}: below {WEEKLY_MODELS_DAYS} only their mean says something"
    allowed = [*models_for(complete_days), *([PROPHET] if complete_days >= ALL_MODELS_DAYS else [])]
    missing = [name for name in allowed if name not in members]
    few = (
        "" if complete_days >= ALL_MODELS_DAYS else f": below {ALL_MODELS_DAYS} Prophet and Theta see a trend in noise"
    )
    return f"{days}{few}" + (f"; {' and '.join(missing)} gave none" if missing else "")


def _spread_is_unknown(series: Series) -> bool:
    if len(series) >= WEEKLY_MODELS_DAYS:
        return False
    return len(series) < SPREAD_DAYS or len({round(kwh, KWH_DECIMALS) for kwh in series.values()}) == 1


def _without_bounds(band: Band) -> Band:
    return Band(band.yhat, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


def _mean_band(means: list[float], errors: list[float], samples: int) -> Band:
    """Bounds of a forecast by the mean of `samples` values: t·sd·√(1 + 1/samples) each way, unknown for a single one.

    Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., table 5.2, with Student's quantiles, since
    the values are few. Each mean costs one degree of freedom.
    """
    from scipy.special import stdtrit

    freedom = len(errors) - len(errors) // samples
    sd = math.sqrt(math.fsum(error**2 for error in errors) / freedom) if freedom else math.nan
    reaches = [
        side * float(stdtrit(freedom, (1 + level) / 2)) * sd * math.sqrt(1 + 1 / samples)
        for level in (LEVEL, OUTER_LEVEL)
        for side in (-1, 1)
    ]
    return Band(means, *([mean + reach for mean in means] for reach in reaches))


def _native(class_name: str, values: list[float], **settings: object) -> Band:
    """A model with the bounds that it computes itself."""
    levels = [round(level * 100) for level in (LEVEL, OUTER_LEVEL)]
    ahead = _run(class_name, values, levels, season_length=WEEK_DAYS, **settings)
    return Band(ahead["mean"], *(ahead[f"{side}-{level}"] for level in levels for side in ("lo", "hi")))


def _run(
    class_name: str, values: list[float], level: list[int] | None = None, **settings: object
) -> dict[str, list[float]]:
    """A model of statsforecast fitted to the values, and HORIZON_DAYS ahead by it."""
    import numpy as np

    model = getattr(_models(), class_name)(**settings)
    with warnings.catch_warnings():
        # Divisions by zero, where a series is short or constant, leave NaN or infinity; those are looked at.
        warnings.simplefilter("ignore", RuntimeWarning)
        ahead = model.forecast(y=np.array(values, dtype=float), h=HORIZON_DAYS, level=level)
    return {name: [float(kwh) for kwh in column] for name, column in ahead.items()}


@functools.cache
def _models() -> ModuleType:
    """Imported on first use: it takes seconds."""
    import statsforecast.models

    module: ModuleType = statsforecast.models
    return module
