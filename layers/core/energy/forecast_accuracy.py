"""Forecasts that were published before, against what then happened."""

import polars as pl

from energy.parquet import as_table, polars_schema
from energy.schema import FORECAST_ACCURACY, FORECAST_HISTORY


def accuracy_table(history: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    """forecast_accuracy: the rows of forecast_history whose day is complete now, by time of issue, appliance and day.

    A forecast of all appliances together is judged by the appliances that were in it, on days on which all of them are
    complete. `daily` is daily_energy_data.
    """
    complete = daily.filter("complete").select("appliance", pl.col("date").cast(pl.Datetime("us")).alias("ds"), "kwh")
    forecasts = history.select(polars_schema(FORECAST_HISTORY).names())
    of_one = forecasts.filter(pl.col("appliance").is_not_null()).join(complete, on=["appliance", "ds"])
    together = _together(forecasts.filter(pl.col("appliance").is_null()), complete)
    judged = pl.concat([together, of_one.select(together.columns)]).with_columns(
        actual_kwh=pl.col("kwh"),
        error_kwh=pl.col("yhat") - pl.col("kwh"),
        within_band=pl.col("kwh").is_between(pl.col("yhat_lower"), pl.col("yhat_upper")),
        within_band_95=pl.col("kwh").is_between(pl.col("yhat_lower_95"), pl.col("yhat_upper_95")),
    )
    ordered = judged.sort("issued_at", "publication", "appliance", "ds", nulls_last=False)
    return as_table(ordered.drop("kwh", "members", "level"), FORECAST_ACCURACY)


def _together(forecasts: pl.DataFrame, complete: pl.DataFrame) -> pl.DataFrame:
    """Adds `kwh`, what the members of each forecast used on its day, where all of them are complete."""
    members = pl.col("members").str.json_decode(pl.List(pl.String)).alias("member")
    used = (
        forecasts.select("publication", "ds", members)
        .with_columns(size=pl.col("member").list.len())
        .explode("member")
        .join(complete.rename({"appliance": "member"}), on=["member", "ds"])
        .sort("publication", "ds", "member")
        .group_by("publication", "ds", maintain_order=True)
        .agg("kwh", pl.col("size").first())
        .filter(pl.col("kwh").list.len() == pl.col("size"))
        .select("publication", "ds", pl.col("kwh").list.sum())
    )
    return forecasts.join(used, on=["publication", "ds"])
