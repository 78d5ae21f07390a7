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
# Readings further apart than this say nothing about single hours.
FINEST_TOLD = dt.timedelta(hours=1)
_SECOND_US = 1_000_000
_TO_THE_MINUTE_FROM_US = 30 * 60 * _SECOND_US
# One reading a day is 25 hours after the last on the day when clocks go back.
_LONGEST_STEP_US = 25 * 3_600 * _SECOND_US
# A day read every two hours has 11 steps. A day with fewer may as well be one with readings missing.
_STEPS_THAT_TELL = 11
_CLEARLY_ANOTHER = 0.1
# Means that agree to a nano-kWh are a tie; otherwise rounding would choose the peak hour.
_TIE_DECIMALS = 9


@dataclass(frozen=True)
class Tables:
    """The tables of one site, each sorted: appliances by name, the others by time or hour, then appliance.

    `intervals` has appliance and interval over the whole history (a duration; null with fewer than two readings).
    `steps` says how each day of an appliance was cut: the interval `us` in microseconds, and the number of `slots`.
    """

    appliances: pl.DataFrame
    hourly: pl.DataFrame
    profile: pl.DataFrame
    daily: pl.DataFrame
    intervals: pl.DataFrame
    steps: pl.DataFrame


def tables(readings: pl.DataFrame, timezone: str) -> Tables:
    """All site-wide tables of a site's readings (timestamp, timestamp_utc, appliance, kwh), at least one."""
    ordered = readings.select("appliance", "timestamp_utc", "timestamp", "kwh").sort("appliance", "timestamp_utc")
    hourly = hourly_table(ordered)
    intervals = interval_table(ordered)
    profile = profile_table(hours_told(hourly, intervals))
    days = day_table(ordered, timezone)
    return Tables(
        appliances=appliance_table(ordered, profile),
        hourly=hourly.sort("timestamp_utc", "appliance"),
        profile=profile,
        daily=days.drop("us", "slots"),
        intervals=intervals,
        steps=days.select("appliance", "date", "us", "slots"),
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
    """Mean energy by appliance and local hour of day, over the days that have a reading in that hour.

    `hourly` has only appliances whose readings tell hours.
    """
    return (
        hourly.with_columns(hour=pl.col("timestamp").dt.hour().cast(pl.Int32), date=pl.col("timestamp").dt.date())
        .group_by("appliance", "hour", maintain_order=True)
        .agg(pl.col("kwh"), pl.col("date").n_unique().cast(pl.Int64).alias("days"))
        .select("appliance", "hour", mean_kwh=pl.col("kwh").list.sum() / pl.col("days"), days="days")
        .sort("appliance", "hour")
    )


def peak_hours(profile: pl.DataFrame) -> pl.DataFrame:
    """appliance, peak_hour: the hour of day with the largest mean use per day, the earliest of equals.

    Null where all hours that were read are alike.
    """
    stands_out = pl.col("mean_kwh").max() > pl.col("mean_kwh").min()
    return (
        profile.with_columns(pl.col("mean_kwh").round(_TIE_DECIMALS))
        .sort(["appliance", "mean_kwh", "hour"], descending=[False, True, False])
        .group_by("appliance", maintain_order=True)
        .agg(pl.when(stands_out).then(pl.col("hour").first()).alias("peak_hour"))
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
    return stats.with_columns(share=share).join(peak_hours(profile), on="appliance", how="left", maintain_order="left")


def interval_table(ordered: pl.DataFrame) -> pl.DataFrame:
    """appliance, interval: the median distance between an appliance's readings over its whole history.

    Null with fewer than two readings. Clocks of meters waver, so it is to the second, and to the minute from half an
    hour on.
    """
    typical = _typical(_with_steps(ordered), ["appliance"]).select("appliance", interval=pl.duration(microseconds="us"))
    return (
        ordered.select("appliance")
        .unique()
        .sort("appliance")
        .join(typical, on="appliance", how="left", maintain_order="left")
    )


def hours_told(hourly: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    """The hours of those appliances that are read at least once an hour, or so rarely that nobody knows.

    A meter read once a day puts the whole day into one hour: it says nothing about hours.
    """
    coarse = intervals.filter(pl.col("interval") > FINEST_TOLD)
    return hourly.join(coarse, on="appliance", how="anti", maintain_order="left")


def day_table(ordered: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Energy and coverage by local day and appliance, and how the day was cut: interval `us`, number of `slots`.

    A day of 23, 24 or 25 hours is cut into intervals; `coverage` is the share of them that have a reading. They are cut
    from midnight on, or half an interval off if more have a reading then: a clock that wavers around the full minute
    misses none. Null where the interval is unknown; such a day is not complete.
    """
    dated = _with_steps(
        ordered.with_columns(date=pl.col("timestamp").dt.date(), month=pl.col("timestamp").dt.month_start().dt.date())
    )
    intervals = _day_intervals(dated).join(local_days(dated["date"], timezone), on="date", how="left")
    # At least one, also where the day is shorter than the interval: the last interval takes what is left of the day.
    slots = (pl.col("length").dt.total_microseconds() / pl.col("us")).round().cast(pl.Int64).clip(lower_bound=1)
    since = (pl.col("timestamp_utc") - pl.col("starts")).dt.total_microseconds()
    us, last = pl.col("us"), pl.col("slots") - 1
    return (
        dated.join(intervals.with_columns(slots=slots), on=["appliance", "date"], how="left", maintain_order="left")
        .with_columns(
            slot=pl.min_horizontal(since // us, last), slot_off=pl.min_horizontal((since + us // 2) // us, last)
        )
        .group_by("date", "appliance", maintain_order=True)
        .agg(
            pl.col("kwh"),
            pl.max_horizontal(pl.col("slot").n_unique(), pl.col("slot_off").n_unique()).alias("covered"),
            pl.col("us", "slots").first(),
        )
        .with_columns(pl.col("kwh").list.sum(), coverage=pl.col("covered") / pl.col("slots"))
        .with_columns(complete=(pl.col("coverage") >= COMPLETE_FROM_COVERAGE).fill_null(False))
        .select("date", "appliance", "kwh", "coverage", "complete", "us", "slots")
        .sort("date", "appliance")
    )


def _day_intervals(dated: pl.DataFrame) -> pl.DataFrame:
    """appliance, date, us: the interval of each day of an appliance, null where nothing tells it.

    It is that of the appliance in the month, or, in a month of one reading, ever. Where the readings of a day tell
    clearly another one, as on both sides of a new meter, it is theirs. Days without readings tell nothing: steps longer
    than a day do not count, nor those from one month to the next.
    """
    short = dated.filter(pl.col("step") <= _LONGEST_STEP_US)
    in_day = _typical(short.filter("in_day"), ["appliance", "date"]).filter(pl.col("steps") >= _STEPS_THAT_TELL)
    in_month = _typical(short.filter("in_month"), ["appliance", "month"])
    ever = _typical(short, ["appliance"])
    days = dated.select("appliance", "date", "month").unique().sort("appliance", "date")
    for name, found, by in (
        ("own", in_day, ["appliance", "date"]),
        ("usual", in_month, ["appliance", "month"]),
        ("ever", ever, ["appliance"]),
    ):
        days = days.join(found.select(*by, pl.col("us").alias(name)), on=by, how="left", maintain_order="left")
    own, usual = pl.col("own"), pl.coalesce("usual", "ever")
    differs = (own - usual).abs() > _CLEARLY_ANOTHER * usual
    return days.select("appliance", "date", us=pl.when(differs).then(own).otherwise(usual))


def _with_steps(ordered: pl.DataFrame) -> pl.DataFrame:
    """Adds `step`, microseconds since the appliance's reading before, null for its first; and, where there are dates,
    whether both lie `in_month` and `in_day`.
    """
    same = pl.col("appliance") == pl.col("appliance").shift()
    step = pl.when(same).then(pl.col("timestamp_utc").diff().dt.total_microseconds())
    within = [
        (pl.col(period) == pl.col(period).shift()).alias(f"in_{name}")
        for name, period in (("month", "month"), ("day", "date"))
        if period in ordered.columns
    ]
    return ordered.with_columns(step.alias("step"), *within)


def _typical(steps: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Each group `by`, its median step `us` (the shorter of two in the middle) and the number of its `steps`."""
    median = pl.col("step").quantile(0.5, interpolation="lower").cast(pl.Int64)
    unit = pl.when(median >= _TO_THE_MINUTE_FROM_US).then(60 * _SECOND_US).otherwise(_SECOND_US)
    return (
        steps.drop_nulls("step")
        .group_by(by)
        .agg(((median + unit // 2) // unit * unit).clip(lower_bound=_SECOND_US).alias("us"), pl.len().alias("steps"))
        .sort(by)
    )


def local_days(dates: pl.Series, timezone: str) -> pl.DataFrame:
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
