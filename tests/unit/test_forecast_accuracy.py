"""Earlier forecasts against what then happened, on small histories worked out by hand."""

import datetime as dt
import json

import polars as pl

from energy import parquet
from energy.forecast_accuracy import accuracy_table
from energy.schema import FORECAST_ACCURACY, FORECAST_HISTORY

ISSUED = dt.datetime(2024, 5, 1, 6)


def forecast(appliance, day, yhat, members=None, publication="p1", band=1.0):
    return {
        "issued_at": ISSUED,
        "publication": publication,
        "appliance": appliance,
        "members": json.dumps(members) if members else None,
        "ds": dt.datetime(2024, 5, day),
        "horizon_days": day - 1,
        "method": "m",
        "yhat": yhat,
        "yhat_lower": yhat - band,
        "yhat_upper": yhat + band,
        "level": 0.8,
        "yhat_lower_95": yhat - 2 * band,
        "yhat_upper_95": yhat + 2 * band,
    }


def history(*rows):
    return pl.DataFrame(rows, schema=parquet.polars_schema(FORECAST_HISTORY))


def daily(*rows):
    """Rows of (day of May, appliance, kWh, whether it is complete)."""
    schema = {"date": pl.Date, "appliance": pl.String, "kwh": pl.Float64, "complete": pl.Boolean}
    return pl.DataFrame([(dt.date(2024, 5, day), *rest) for day, *rest in rows], schema=schema, orient="row")


def judged(table):
    return list(table.select("appliance", "ds", "actual_kwh", "error_kwh", "within_band").iter_rows())


def test_a_day_that_happened_is_held_against_its_forecast():
    table = accuracy_table(history(forecast("oven", 2, 5.0)), daily((2, "oven", 4.5, True)))
    assert table.schema == parquet.polars_schema(FORECAST_ACCURACY)
    assert judged(table) == [("oven", dt.datetime(2024, 5, 2), 4.5, 0.5, True)]
    missed = accuracy_table(history(forecast("oven", 2, 5.0)), daily((2, "oven", 6.5, True)))
    assert judged(missed) == [("oven", dt.datetime(2024, 5, 2), 6.5, -1.5, False)]
    assert missed["within_band_95"].to_list() == [True]


def test_forecasts_of_a_time_without_the_wider_band_are_judged_by_the_one_they_had():
    older = history(forecast("oven", 2, 5.0)).drop("yhat_lower_95", "yhat_upper_95")
    table = accuracy_table(parquet.widened(older, FORECAST_HISTORY), daily((2, "oven", 4.5, True)))
    assert judged(table) == [("oven", dt.datetime(2024, 5, 2), 4.5, 0.5, True)]
    assert table["within_band_95"].to_list() == [None]


def test_days_that_are_not_complete_or_have_not_come_are_not_judged():
    forecasts = history(forecast("oven", 2, 5.0), forecast("oven", 3, 5.0), forecast("fan", 2, 1.0))
    assert judged(accuracy_table(forecasts, daily((2, "oven", 1.0, False), (1, "oven", 4.0, True)))) == []


def test_a_total_is_held_against_its_own_members_on_days_when_all_are_complete():
    together = [forecast(None, day, 10.0, ["fan", "oven"]) for day in (2, 3, 4)]
    happened = daily(
        (2, "oven", 6.0, True),
        (2, "fan", 3.0, True),
        (2, "car", 40.0, True),  # came later: it was not in the forecast
        (3, "oven", 6.0, True),
        (3, "fan", 3.0, False),
        (4, "oven", 6.0, True),
    )
    table = accuracy_table(history(*together), happened)
    assert judged(table) == [(None, dt.datetime(2024, 5, 2), 9.0, 1.0, True)]


def test_every_publication_is_judged_on_its_own():
    forecasts = history(forecast("oven", 2, 5.0), forecast("oven", 2, 4.0, publication="p2"))
    table = accuracy_table(forecasts, daily((2, "oven", 4.5, True)))
    assert list(table.select("publication", "error_kwh").iter_rows()) == [("p1", 0.5), ("p2", -0.5)]


def test_without_earlier_forecasts_the_table_is_empty():
    assert accuracy_table(history(), daily((2, "oven", 4.5, True))).height == 0
