"""What is usual for an hour at its time of the year: of an appliance whose months differ, by its own months.

Heating is usual in winter, and one warm hour of a summer night is not. What takes about the same in every month has no
season, and is judged by its whole history: three weeks in which a fridge takes twice as much are a fourth of three
months, and would be usual there.
"""

import polars as pl

from energy import anomaly_hours

# A month is judged with the one before it and the one after it: some ninety days of every hour of the day, which is
# what a quantile needs, and no longer than a season.
_WINDOW_MONTHS = 3
# Of less than half a year no season can be told.
MIN_MONTHS = 6
# Months differ whose usual hours do, by as much as makes a single hour unusual: half the distance between two quantiles
# of them, as a share of the median.
_MONTHS_DIFFER = 0.25


def usual_by_month(hours: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """appliance, month (since the year 0), hour, and what `usual_hours` tells of the three months around that month;
    of the months that were read, and of those beside them.

    There are no rows of an appliance without seasons, nor of months with too little to go by: its `usual` hours stand.
    """
    known = usual.filter(pl.col("limited").is_null()).select("appliance").unique()
    months = hours.select("appliance", "timestamp", "timestamp_utc", "kwh", month=_month()).join(
        known, on="appliance", how="semi"
    )
    enough = months.group_by("appliance").agg(pl.col("month").n_unique()).filter(pl.col("month") >= MIN_MONTHS)
    months = months.join(enough, on="appliance", how="semi")
    by_month = pl.concat([_usual_around(months, first) for first in range(_WINDOW_MONTHS)])
    mostly_off = usual.filter(pl.col("running").is_not_null())["appliance"].unique()
    # A freezer that stood still for a season: that is not usual.
    nothing = pl.col("expected").max().over("appliance", "month") == 0
    return by_month.join(_seasonal(by_month), on="appliance", how="semi").filter(
        ~nothing | pl.col("appliance").is_in(mostly_off.implode())
    )


def with_usual(hours: pl.DataFrame, usual: pl.DataFrame, by_month: pl.DataFrame) -> pl.DataFrame:
    """`hours` with what is usual for each: by its month where that is known, else by the whole history.

    Of an hour in which something runs that is mostly off, `expected` is what is usual when it runs, where enough is
    known to say so. `running` is of the whole history: whether an appliance is mostly off does not change with the
    months.
    """
    runs, told = pl.col("kwh") > 0, pl.col("high_then").is_not_null()
    high, low, expected, running = (
        pl.when(told).then(f"{name}_then").otherwise(name).alias(name)
        for name in ("high", "low", "expected", "running")
    )
    return (
        hours.with_columns(hour=pl.col("timestamp").dt.hour(), month=_month())
        .join(usual.drop("limited", "number"), on=["appliance", "hour"])
        .join(by_month, on=["appliance", "month", "hour"], how="left", suffix="_then")
        .with_columns(high, low, expected=pl.when(runs & high.is_not_null()).then(running).fill_null(expected))
        .drop("month", pl.selectors.ends_with("_then"))
    )


def _month() -> pl.Expr:
    """Numbers the calendar months on end."""
    local = pl.col("timestamp").dt
    return local.year() * 12 + local.month().cast(pl.Int32) - 1


def _usual_around(months: pl.DataFrame, first: int) -> pl.DataFrame:
    """The rows of every third month, from `first` on: so no hour is in two windows, and memory stays flat."""
    window = (pl.col("month") - first + _WINDOW_MONTHS // 2) // _WINDOW_MONTHS
    return (
        anomaly_hours.usual_hours(months.with_columns(window=window), of=["appliance", "window"])
        .filter(pl.col("limited").is_null())
        .with_columns(month=_WINDOW_MONTHS * pl.col("window") + first)
        .drop("window", "limited", "number")
    )


def _seasonal(by_month: pl.DataFrame) -> pl.DataFrame:
    """The appliances whose months differ."""
    level = pl.col("level")
    return (
        by_month.sort("appliance", "month", "hour")
        .group_by("appliance", "month", maintain_order=True)
        # Of a list: polars' own mean of a group differs with the number of cores.
        .agg(pl.col("expected").alias("level"))
        .with_columns(level.list.mean())
        .group_by("appliance")
        .agg(
            level.median().alias("median"),
            spread=(level.quantile(0.8413, "linear") - level.quantile(0.1587, "linear")) / 2,
        )
        .filter(pl.col("spread") > _MONTHS_DIFFER * pl.col("median"))
        .select("appliance")
    )
