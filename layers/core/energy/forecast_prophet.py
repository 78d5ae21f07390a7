"""Prophet with the settings that the system promises: a linear trend and a weekly pattern (Taylor & Letham 2018)."""

import dataclasses
import datetime as dt
import functools
import logging
from typing import TYPE_CHECKING

from energy.errors import EnergyError, NotEnoughHistory, TooManySeries
from energy.forecast_calibration import Fitted
from energy.forecast_history import History, Series, horizon
from energy.forecast_past import cutoffs, kept_cutoffs, until
from energy.forecast_site import Answer, site_forecast
from energy.forecast_weather import NOTHING_OUTSIDE, Outside, weathered
from energy.forecasting import (
    HORIZON_DAYS,
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

if TYPE_CHECKING:
    from prophet import Prophet

NAME = "prophet"
# Two of each weekday. With less, Prophet's weekly terms and trend fit noise: after 3 to 5 days they go below zero.
MIN_DAYS = 14
SEED = 20_240_101
# How many futures its bands are drawn from.
DRAWS = 1000


def forecast(history: History, max_series: int, outside: Outside = NOTHING_OUTSIDE) -> SiteForecast:
    """Seven days of the total and of each appliance with at least MIN_DAYS days, as it may be published alone.

    NotEnoughHistory, or TooManySeries, where Prophet is not to be asked; ForecastFailed if the total cannot be fitted.
    """
    if error := declined(history, max_series):
        raise error
    days_back, notes = cutoffs(history), list(outside.notes)
    if outside.holidays and not _knows_holidays(outside.holidays):
        notes.append(f"Prophet knows no holidays of {outside.holidays}")
        outside = dataclasses.replace(outside, holidays=None)

    def ask(name: str | None, series: Series) -> Answer:
        return _answer(name, series, history.last_day, days_back, outside)

    return site_forecast(history, NAME, ask, notes=notes)


def declined(history: History, max_series: int) -> EnergyError | None:
    """Why Prophet is not asked for this site; None where it is."""
    if len(history.total) < MIN_DAYS:
        return NotEnoughHistory(len(history.total), MIN_DAYS, NAME)
    series = 1 + len(history.appliances)
    return TooManySeries(series, max_series, NAME) if series > max_series else None


def model(holidays: str | None = None) -> "Prophet":
    """An unfitted model that knows a country's holidays; it draws no bounds when it predicts: most need none."""
    unfitted = _prophet_class()(
        daily_seasonality=False,
        weekly_seasonality=True,
        yearly_seasonality=False,
        changepoint_prior_scale=0.05,
        uncertainty_samples=0,
    )
    return unfitted.add_country_holidays(holidays) if holidays else unfitted


def _answer(
    name: str | None, series: Series, last_day: dt.date, days_back: tuple[int, ...], outside: Outside
) -> Answer:
    if len(series) < MIN_DAYS:
        days = "day" if len(series) == 1 else "days"
        raise Unusable(f"it has {len(series)} complete {days}, {MIN_DAYS} are needed")
    members = {0: {NAME: finite(fit_and_predict(series, last_day, outside, with_bounds=True))}}
    notes = []
    for back in kept_cutoffs(series, last_day, days_back):
        day = last_day - dt.timedelta(days=back)
        learnt = until(series, day)
        if len(learnt) < MIN_DAYS:
            continue
        try:
            members[back] = {NAME: finite(fit_and_predict(learnt, day, outside))}
        except MODEL_ERRORS as error:
            notes.append(f"{name or 'total'}: {NAME} left out {back} days back: {noted_reason(error)}")
    return Answer(Fitted(series, last_day, members), f"{len(series)} complete days; the other models gave none", notes)


def fit_and_predict(
    series: Series, last_day: dt.date, outside: Outside = NOTHING_OUTSIDE, with_bounds: bool = False
) -> Band:
    """Prophet's forecast of the days after `last_day`, with bounds of its own where they are asked for."""
    usual = weathered(series, last_day, outside.temperature)
    return usual.added(_fit_and_predict(usual.series, last_day, outside.holidays, with_bounds))


def _fit_and_predict(series: Series, last_day: dt.date, holidays: str | None, with_bounds: bool) -> Band:
    import numpy as np
    import pandas as pd

    fitted = model(holidays)
    fitted.fit(pd.DataFrame({"ds": pd.to_datetime(list(series)), "y": list(series.values())}), seed=SEED)
    fitted.stan_backend.cleanup()
    days = pd.DataFrame({"ds": pd.to_datetime(horizon(last_day, HORIZON_DAYS))})
    yhat = fitted.predict(days)["yhat"].to_list()
    if not with_bounds:
        return Band(yhat, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    # The bounds are drawn at random from numpy's global generator; the same series has to give the same.
    np.random.seed(SEED)
    fitted.uncertainty_samples = DRAWS
    drawn = fitted.predictive_samples(days)["yhat"]
    bounds = [np.quantile(drawn, (1 + side * level) / 2, axis=1) for level in (LEVEL, OUTER_LEVEL) for side in (-1, 1)]
    return Band(yhat, *(bound.tolist() for bound in bounds))


def _knows_holidays(country: str) -> bool:
    _prophet_class()
    from prophet.make_holidays import get_country_holidays_class

    try:
        get_country_holidays_class(country)
    except AttributeError:
        return False
    return True


@functools.cache
def _prophet_class() -> type["Prophet"]:
    """Prophet, without its remarks on plotting libraries that are left out and on each chain that it starts."""
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    import cmdstanpy
    import prophet

    cmdstanpy.disable_logging()
    logging.getLogger("prophet").setLevel(logging.ERROR)
    chosen: type[Prophet] = prophet.Prophet
    return chosen
