"""The readings of a site to its tables: per appliance, by hour, by hour of day, by day.

Every sum runs over readings in one order (appliance, then instant), so the order of uploads and rows never shows. And
every sum is of a list per group: polars' own sum of a group is split by the number of cores, which changes last digits.
"""

import datetime as dt
import math
import zoneinfo
from dataclasses import dataclass

import polars as pl

COMPLETE_FROM_COVERAGE = 0.9
# Means that agree to a nano-kWh are a tie; otherwise rounding would choose the peak hour.
_TIE_DECIMALS = 9


@dataclass(frozen=True)
class Tables:
    """The tables of one site, each sorted: appliances by name, the others by time or hour, then appliance.

    `intervals` has appliance and interval over the whole history (a duration; null with fewer than two readings).
    """

    appliances: pl.DataFrame
    hourly: pl.DataFrame
    profile: pl.DataFrame
    daily: pl.DataFrame
    intervals: pl.DataFrame


def tables(readings: pl.DataFrame, timezone: str) -> Tables:
    """All site-wide tables of a site's readings (timestamp, timestamp_utc, appliance, kwh), at least one."""
    ordered = readings.select("appliance", "timestamp_utc", "timestamp", "kwh").sort("appliance", "timestamp_utc")
    hourly = hourly_table(ordered)
    profile = profile_table(hourly)
    intervals = interval_table(ordered, ["appliance"])
    return Tables(
        appliances=appliance_table(ordered, profile),
        hourly=hourly.sort("timestamp_utc", "appliance"),
        profile=profile,
        daily=daily_table(ordered, timezone),
        intervals=intervals,
    )


def hourly_table(ordered: pl.DataFrame) -> pl.DataFrame:
    """Energy by appliance and hour, in the order of appliance and time.

    Hours are those of the local clock, also in zones that are half an hour off. The repeated autumn hour is two rows:
    same `timestamp`, different `timestamp_utc`.
    """
    hour = pl.col("timestamp").dt.truncate("1h")
    buckets = ordered.with_columns(timestamp=hour, timestamp_utc=pl.col("timestamp_utc") - (pl.col("timestamp") - hour))
    return (
        buckets.group_by("appliance", "timestamp_utc", "timestamp", maintain_order=True)
        .agg(pl.col("kwh"), pl.len().cast(pl.Int64).alias("readings"))
        .with_columns(pl.col("kwh").list.sum())
    )


def profile_table(hourly: pl.DataFrame) -> pl.DataFrame:
    """Mean energy by appliance and local hour of day, over the days that have a reading in that hour."""
    return (
        hourly.with_columns(hour=pl.col("timestamp").dt.hour().cast(pl.Int32), date=pl.col("timestamp").dt.date())
        .group_by("appliance", "hour", maintain_order=True)
        .agg(pl.col("kwh"), pl.col("date").n_unique().cast(pl.Int64).alias("days"))
        .select("appliance", "hour", mean_kwh=pl.col("kwh").list.sum() / pl.col("days"), days="days")
        .sort("appliance", "hour")
    )


def peak_hours(profile: pl.DataFrame) -> pl.DataFrame:
    """appliance, peak_hour: the hour of day with the largest mean use per day, the earliest of equals."""
    return (
        profile.with_columns(pl.col("mean_kwh").round(_TIE_DECIMALS))
        .sort(["appliance", "mean_kwh", "hour"], descending=[False, True, False])
        .group_by("appliance", maintain_order=True)
        .agg(pl.col("hour").first().alias("peak_hour"))
    )


def appliance_table(ordered: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Statistics of each appliance's readings over the whole history."""
    kwh = pl.col("kwh").list
    stats = (
        ordered.group_by("appliance", maintain_order=True)
        .agg(
            pl.col("kwh"),
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("timestamp").first().alias("first_timestamp"),
            pl.col("timestamp").last().alias("last_timestamp"),
        )
        .with_columns(
            total_kwh=kwh.sum(), avg_kwh=kwh.mean(), std_kwh=kwh.std(ddof=1), min_kwh=kwh.min(), max_kwh=kwh.max()
        )
        .drop("kwh")
    )
    site_kwh = math.fsum(stats["total_kwh"])
    share = pl.col("total_kwh") / site_kwh if site_kwh > 0 else pl.lit(None, dtype=pl.Float64)
    return stats.with_columns(share=share).join(peak_hours(profile), on="appliance", maintain_order="left")


def interval_table(ordered: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """interval of each group `by`: the most frequent distance between consecutive readings of an appliance.

    The shortest of equals; null where a group has none.
    """
    steps = (
        ordered.with_columns(interval=pl.col("timestamp_utc").diff().over("appliance"))
        .drop_nulls("interval")
        .group_by(*by, "interval")
        .len()
        .sort([*by, "len", "interval"], descending=[*(False for _ in by), True, False])
        .group_by(by, maintain_order=True)
        .agg(pl.col("interval").first())
    )
    return ordered.select(by).unique().sort(by).join(steps, on=by, how="left", maintain_order="left")


def daily_table(ordered: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Energy and coverage by local day and appliance.

    A day is cut into intervals from its midnight on; `coverage` is the share of them that have a reading. A day has as
    many as fit its 23, 24 or 25 hours. The interval is that of the appliance in that month, so that a new meter changes
    nothing about the months before. Null where it is unknown; such a day is not complete.
    """
    dated = ordered.with_columns(
        date=pl.col("timestamp").dt.date(), month=pl.col("timestamp").dt.month_start().dt.date()
    )
    intervals = interval_table(dated, ["appliance", "month"])
    interval = pl.col("interval").dt.total_microseconds()
    since_midnight = (pl.col("timestamp_utc") - pl.col("starts")).dt.total_microseconds()
    return (
        dated.join(_days(dated["date"], timezone), on="date", maintain_order="left")
        .join(intervals, on=["appliance", "month"], maintain_order="left")
        .with_columns(slot=since_midnight // interval, slots=pl.col("length").dt.total_microseconds() / interval)
        .group_by("date", "appliance", maintain_order=True)
        .agg(pl.col("kwh"), covered=pl.col("slot").n_unique() / pl.col("slots").first())
        .select("date", "appliance", pl.col("kwh").list.sum(), coverage=pl.col("covered").clip(upper_bound=1.0))
        .with_columns(complete=(pl.col("coverage") >= COMPLETE_FROM_COVERAGE).fill_null(False))
        .sort("date", "appliance")
    )


def _days(dates: pl.Series, timezone: str) -> pl.DataFrame:
    """date, starts (UTC instant of its first moment), length of each local day."""
    days: list[dt.date] = dates.unique().sort().to_list()
    starts = [day_start(day, timezone) for day in days]
    ends = [day_start(day + dt.timedelta(days=1), timezone) for day in days]
    frame = pl.DataFrame(
        {"date": days, "starts": starts, "ends": ends},
        schema={"date": pl.Date, "starts": pl.Datetime("us"), "ends": pl.Datetime("us")},
    )
    return frame.select("date", "starts", length=pl.col("ends") - pl.col("starts"))


def day_start(day: dt.date, timezone: str) -> dt.datetime:
    """The first instant of a local day, as naive UTC; also where clocks skip midnight itself."""
    midnight = dt.datetime.combine(day, dt.time(), zoneinfo.ZoneInfo(timezone))
    return midnight.astimezone(dt.UTC).replace(tzinfo=None)
