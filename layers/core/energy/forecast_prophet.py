"""Prophet with the settings that the system promises: a linear trend and a weekly pattern (Taylor & Letham 2018)."""

import datetime as dt
import functools
import logging
from typing import TYPE_CHECKING

from energy.errors import NotEnoughHistory
from energy.forecast_history import History, Series, horizon
from energy.forecasting import (
    HORIZON_DAYS,
    LEVEL,
    OUTER_LEVEL,
    Band,
    SeriesForecast,
    SiteForecast,
    Unusable,
    settled,
    site_forecast,
)

if TYPE_CHECKING:
    from prophet import Prophet

NAME = "prophet"
# Two of each weekday. With less, Prophet's weekly terms and trend fit noise: after 3 to 5 days they go below zero.
MIN_DAYS = 14
SEED = 20_240_101


def forecast(history: History) -> SiteForecast:
    """Seven days of the total and of each appliance with at least MIN_DAYS days.

    NotEnoughHistory if the total has fewer; ForecastFailed if it cannot be fitted.
    """
    if len(history.total) < MIN_DAYS:
        raise NotEnoughHistory(len(history.total), MIN_DAYS, NAME)
    return site_forecast(history, NAME, lambda _, series: _series_forecast(series, history.last_day))


def model() -> "Prophet":
    """An unfitted model. No bands of its own are drawn when it predicts: see `_fit_and_predict`."""
    return _prophet_class()(
        daily_seasonality=False,
        weekly_seasonality=True,
        yearly_seasonality=False,
        changepoint_prior_scale=0.05,
        interval_width=LEVEL,
        uncertainty_samples=1000,
    )


def _series_forecast(series: Series, last_day: dt.date) -> SeriesForecast:
    if len(series) < MIN_DAYS:
        days = "day" if len(series) == 1 else "days"
        raise Unusable(f"it has {len(series)} complete {days}, {MIN_DAYS} are needed")
    band = settled(_fit_and_predict(series, last_day))
    return SeriesForecast(band, method=NAME, reason="the other models gave no forecast", models={NAME: band.yhat})


def _fit_and_predict(series: Series, last_day: dt.date) -> Band:
    import numpy as np
    import pandas as pd

    fitted = model()
    fitted.fit(pd.DataFrame({"ds": pd.to_datetime(list(series)), "y": list(series.values())}), seed=SEED)
    fitted.stan_backend.cleanup()
    days = pd.DataFrame({"ds": pd.to_datetime(horizon(last_day, HORIZON_DAYS))})
    yhat = fitted.predict(days)["yhat"].to_list()
    # The bands are drawn at random from numpy's global generator; the same series has to give the same bands.
    np.random.seed(SEED)
    drawn = fitted.predictive_samples(days)["yhat"]
    bounds = [np.quantile(drawn, (1 + side * level) / 2, axis=1) for level in (LEVEL, OUTER_LEVEL) for side in (-1, 1)]
    return Band(yhat, *(bound.tolist() for bound in bounds))


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
