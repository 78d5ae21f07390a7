"""All tables of some readings: their months' parts made one by one, and put together."""

from dataclasses import dataclass

import polars as pl

from energy import aggregation, monthly


@dataclass(frozen=True)
class History(aggregation.Tables):
    """The site-wide tables, the parts that they are made of, and the hours of all months."""

    parts: monthly.Parts
    hourly: pl.DataFrame


def history(readings, timezone):
    """The tables of readings that come in any order."""
    readings = readings.sort("timestamp_utc", "appliance")
    by_month = readings.with_columns(month=pl.col("timestamp").dt.strftime("%Y-%m")).partition_by("month", as_dict=True)
    ordered = {month: monthly.by_appliance(frame) for (month,), frame in sorted(by_month.items())}
    hours = {month: monthly.hourly_table(frame) for month, frame in ordered.items()}
    made = [monthly.part(ordered[month], hourly, month, timezone) for month, hourly in hours.items()]
    parts = monthly.together(made)
    return History(**vars(aggregation.tables(parts, timezone)), parts=parts, hourly=pl.concat(hours.values()))
