"""A forecast in the lake: its two tables, and the document that the report reads."""

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

from energy import forecast_history, forecast_prophet, forecast_weather, lake, parquet_rows, recipes, store
from energy.contracts import ForecastResult, ForecastStatsforecastInput, Publication
from energy.documents import ForecastDay, ForecastSummary, PastForecast, PastForecasts, SeriesResult
from energy.errors import EnergyError, TooManySeries
from energy.forecast_history import History
from energy.forecast_weather import Outside
from energy.forecasting import HORIZON_DAYS, KWH_DECIMALS, LEVEL, OUTER_LEVEL, SeriesForecast, SiteForecast
from energy.schema import APPLIANCE_FORECAST, FORECAST, FORECAST_BACKTEST, FORECAST_HISTORY, MODEL_NAMES, Table

_AREA = "forecast"
# What a result may carry through the state machine, whose state is small; the document has all notes.
MAX_RESULT_NOTES = 20
MAX_RESULT_NOTES_BYTES = 6_000

Row: TypeAlias = dict[str, Any]


def read_history(publication: Publication) -> History:
    """What the site's daily table lets a forecast learn from."""
    return forecast_history.history(parquet_rows.read(store.read(publication.daily_key)))


def read_outside(publication: Publication, history: History) -> Outside:
    """What the site's configuration says that its forecast may go by."""
    snapshot = recipes.publication_config(publication)
    return forecast_weather.outside(snapshot.config.forecast, snapshot.files, history)


def publish(forecast: SiteForecast, history: History, publication: Publication, by: str) -> ForecastResult:
    """Writes tables and document, once, below the name that says who forecast, and with what."""
    summary = _summary(forecast, history)
    summary_key = lake.publication_document_key(_AREA, publication.site, publication.pub, by)
    store.put_once(summary_key, summary.model_dump_json(indent=1).encode(), "application/json")
    days = forecast_history.horizon(history.last_day, HORIZON_DAYS)
    total = _rows(days, forecast.total)
    appliances = [row for name, series in forecast.appliances.items() for row in _rows(days, series, appliance=name)]
    return ForecastResult(
        method=summary.method,
        total_prefix=_write(FORECAST, total, publication, by),
        appliances_prefix=_write(APPLIANCE_FORECAST, appliances, publication, by),
        history_prefix=_remember([*total, *appliances], history, publication, by),
        backtest_prefix=_write(FORECAST_BACKTEST, _backtest_rows(forecast), publication, by),
        summary_key=summary_key,
        past_key=_hand_on(forecast, publication) if by == forecast_prophet.NAME else None,
        notes=_result_notes(summary.notes),
    )


def publish_median(
    forecast: SiteForecast, history: History, request: ForecastStatsforecastInput, prophet_max_series: int
) -> ForecastResult:
    """The same for a forecast that had Prophet's at hand, or not and why: they differ, so they never share a name."""
    declined = forecast_prophet.declined(history, prophet_max_series)
    with_notes = dataclasses.replace(forecast, notes=[*_prophet_notes(request, declined), *forecast.notes])
    result = publish(with_notes, history, request.publication, _by(request, declined))
    return result.model_copy(update={"fell_back": request.prophet is None and declined is None})


def publish_of_many(forecast: SiteForecast, history: History, publication: Publication) -> ForecastResult:
    """The same for a forecast of so many series that Prophet was not asked."""
    note = f"prophet left out: Spark forecasts the {1 + len(history.appliances)} series of this site without it"
    with_note = dataclasses.replace(forecast, notes=[note, *forecast.notes])
    return publish(with_note, history, publication, by="spark")


def _by(request: ForecastStatsforecastInput, declined: EnergyError | None) -> str:
    if request.prophet:
        return "statsforecast"
    return "statsforecast-many" if isinstance(declined, TooManySeries) else "statsforecast-alone"


def forecasts_by_prophet(request: ForecastStatsforecastInput) -> dict[str | None, dict[int, list[float]]]:
    """What Prophet forecast, now and from earlier days: by appliance (None is the total), then by days back; empty
    without.
    """
    found: dict[str | None, dict[int, list[float]]] = {}
    if request.prophet and request.prophet.past_key:
        told = PastForecasts.model_validate_json(store.read(request.prophet.past_key))
        for each in told.forecasts:
            found.setdefault(each.appliance, {})[each.days_back] = each.kwh
    return found


def _rows(days: list[dt.date], series: SeriesForecast, **keys: str) -> list[Row]:
    return [
        {
            **keys,
            "ds": dt.datetime.combine(day, dt.time()),
            "yhat": series.band.yhat[position],
            "yhat_lower": series.band.lower[position],
            "yhat_upper": series.band.upper[position],
            "level": LEVEL,
            "yhat_lower_95": series.band.outer_lower[position],
            "yhat_upper_95": series.band.outer_upper[position],
            "method": series.method,
            "reason": series.reason,
            **{name: series.models[name][position] if name in series.models else None for name in MODEL_NAMES},
        }
        for position, day in enumerate(days)
    ]


def _hand_on(forecast: SiteForecast, publication: Publication) -> str:
    """What Prophet forecast, for the state that combines it."""
    told = PastForecasts(
        forecasts=[
            PastForecast(appliance=name, days_back=back, kwh=list(models[forecast_prophet.NAME]))
            for name, series in _every_series(forecast)
            for back, models in {0: series.models, **series.past}.items()
        ]
    )
    key = lake.publication_document_key(_AREA, publication.site, publication.pub, "prophet-past")
    store.put_once(key, told.model_dump_json().encode(), "application/json")
    return key


def _remember(rows: list[Row], history: History, publication: Publication, by: str) -> str:
    """The forecasts of the month of issue with this one behind them, in a file of their own."""
    issued_at = publication.issued_at
    if issued_at is None:
        raise ValueError("a forecast is made of uploads, the newest of which says when it is issued")
    first_day = min(row["ds"] for row in rows)
    issued = [
        {
            **row,
            "issued_at": issued_at.astimezone(dt.UTC).replace(tzinfo=None),
            "publication": publication.pub,
            "appliance": row.get("appliance"),
            "members": None if "appliance" in row else json.dumps(history.members, ensure_ascii=False),
            "horizon_days": (row["ds"] - first_day).days + 1,
        }
        for row in rows
    ]
    before = publication.history_prefix
    earlier = parquet_rows.read(store.read(before + FORECAST_HISTORY.file_name)) if before else []
    # Columns that older versions did not know are null.
    kept = [{**dict.fromkeys(FORECAST_HISTORY.column_names), **row} for row in earlier]
    prefix = f"{lake.issued_prefix(publication.site, f'{issued_at:%Y-%m}', publication.pub)}by={by}/"
    store.put_once(prefix + FORECAST_HISTORY.file_name, parquet_rows.write([*kept, *issued], FORECAST_HISTORY))
    return prefix


def _write(table: Table, rows: list[Row], publication: Publication, by: str) -> str:
    """Sorted by day, where a row is one, then by appliance, the total first."""
    prefix = f"{lake.table_prefix(table.area, publication.site, publication.pub)}by={by}/"
    ordered = sorted(rows, key=lambda row: (row.get("ds", dt.datetime.min), row.get("appliance") or ""))
    store.put_once(prefix + table.file_name, parquet_rows.write(ordered, table))
    return prefix


def _summary(forecast: SiteForecast, history: History) -> ForecastSummary:
    return ForecastSummary(
        method=forecast.total.method,
        reason=forecast.total.reason,
        level=LEVEL,
        outer_level=OUTER_LEVEL,
        training_days=len(history.total),
        last_training_day=history.last_day,
        days=list(_days(forecast.total, forecast_history.horizon(history.last_day, HORIZON_DAYS))),
        total_kwh=_sum_kwh(forecast.total),
        appliances_kwh={name: _sum_kwh(series) for name, series in sorted(forecast.appliances.items())},
        members=history.members,
        coherent=forecast.coherent,
        has_spread=forecast.total.has_spread,
        series=[_result(name, series, history) for name, series in _every_series(forecast)],
        year=forecast.year,
        notes=list(dict.fromkeys(forecast.notes)),
    )


def _every_series(forecast: SiteForecast) -> list[tuple[str | None, SeriesForecast]]:
    """The total (named None), then the appliances by name."""
    return [(None, forecast.total), *sorted(forecast.appliances.items())]


def _result(name: str | None, series: SeriesForecast, history: History) -> SeriesResult:
    return SeriesResult(
        appliance=name,
        method=series.method,
        reason=series.reason,
        training_days=len(history.total if name is None else history.appliances[name]),
        kwh=_sum_kwh(series),
        backtest=series.backtest,
    )


def _backtest_rows(forecast: SiteForecast) -> list[Row]:
    return [
        {
            **series.backtest.model_dump(exclude={"within"}),
            "first_day": dt.datetime.combine(series.backtest.first_day, dt.time()),
            "last_day": dt.datetime.combine(series.backtest.last_day, dt.time()),
            "appliance": name,
            "method": series.method,
        }
        for name, series in _every_series(forecast)
        if series.backtest
    ]


def _days(series: SeriesForecast, days: list[dt.date]) -> Iterator[ForecastDay]:
    for position, day in enumerate(days):
        yield ForecastDay(
            ds=day,
            yhat=series.band.yhat[position],
            yhat_lower=series.band.lower[position],
            yhat_upper=series.band.upper[position],
            yhat_lower_95=series.band.outer_lower[position],
            yhat_upper_95=series.band.outer_upper[position],
            models={name: kwh[position] for name, kwh in series.models.items()},
        )


def _sum_kwh(series: SeriesForecast) -> float:
    return round(math.fsum(series.band.yhat), KWH_DECIMALS)


def _result_notes(notes: list[str]) -> list[str]:
    """The first notes, and how many more there are. Bytes are counted as JSON writes them at its longest."""
    shown = notes[:MAX_RESULT_NOTES]
    while len(json.dumps(shown)) > MAX_RESULT_NOTES_BYTES:
        shown = shown[:-1]
    hidden = len(notes) - len(shown)
    return [*shown, f"and {hidden} more"] if hidden else shown


def _prophet_notes(request: ForecastStatsforecastInput, declined: EnergyError | None) -> list[str]:
    """What Prophet noted, or why there is nothing by it, in words that every run of the same readings shares.

    How it failed differs from run to run (a timeout, a killed process): that is for the log.
    """
    if request.prophet is not None:
        return ForecastSummary.model_validate_json(store.read(request.prophet.summary_key)).notes
    if declined:
        return [f"prophet left out: {declined}"]
    from energy.observability import logger  # reads the environment of a function

    logger.warning("Prophet gave no forecast", prophet_error=request.prophet_error)
    return ["Prophet could not be used in this run; the execution says why"]
