"""The parts of a site's months to its tables: per appliance, by hour of day, by day.

Sums of sums run in the order of the months, so which parts were made when never shows.
"""

import datetime as dt
import math
from dataclasses import dataclass

import polars as pl

from energy.local_days import local_days
from energy.monthly import LONGER_THAN_USUAL, Parts, slots
from energy.steps import counted, typical

COMPLETE_FROM_COVERAGE = 0.9
# Readings further apart than this say nothing about single hours.
FINEST_TOLD = dt.timedelta(hours=1)
# Means that agree to a nano-kWh are a tie; otherwise rounding would choose the peak hour.
_TIE_DECIMALS = 9


@dataclass(frozen=True)
class Tables:
    """The tables of one site, each sorted: appliances by name, the others by time or hour, then appliance.

    `intervals` has appliance and interval over the whole history (a duration; null with fewer than two readings).
    `steps` says how each day of an appliance was cut: the interval `us` in microseconds, and the number of `slots`.
    `site_hours` has the energy of all appliances together by weekday and hour, and on how many `days` it was read.
    `runs` are those of the parts, with no interval `us` missing that the whole history tells.
    """

    appliances: pl.DataFrame
    profile: pl.DataFrame
    daily: pl.DataFrame
    intervals: pl.DataFrame
    steps: pl.DataFrame
    site_hours: pl.DataFrame
    runs: pl.DataFrame


def tables(parts: Parts, timezone: str) -> Tables:
    """All site-wide tables of a site's months, at least one."""
    between = linked(parts.runs.filter(pl.col("limit") == LONGER_THAN_USUAL)).filter("same", "joint")
    steps = pl.concat([parts.steps.drop("month"), counted(between, ["appliance"])])
    ever = typical(steps.filter("short"), ["appliance"]).select("appliance", ever="us")
    intervals = interval_table(parts, steps)
    told = hours_told(parts.hours, intervals)
    profile = profile_table(told)
    days = day_table(parts, ever, timezone)
    return Tables(
        appliances=appliance_table(parts, profile),
        profile=profile,
        daily=days.drop("us", "slots"),
        intervals=intervals,
        steps=days.select("appliance", "date", "us", "slots"),
        site_hours=site_hours(told),
        runs=parts.runs.join(ever, on="appliance", how="left", maintain_order="left")
        .with_columns(pl.col("us_since", "us_until").fill_null(pl.col("ever")))
        .drop("ever"),
    )


def linked(runs: pl.DataFrame) -> pl.DataFrame:
    """Runs by limit, appliance and time, each with the `step` in microseconds from the end of the appliance's run
    before, null for its first, and whether there is one (`same`).
    """
    same = (pl.col("appliance") == pl.col("appliance").shift()) & (pl.col("limit") == pl.col("limit").shift())
    return runs.sort("limit", "appliance", "month", "since").with_columns(
        same=same.fill_null(False),
        step=pl.when(same).then((pl.col("since") - pl.col("until").shift()).dt.total_microseconds()),
    )


def profile_table(hours: pl.DataFrame) -> pl.DataFrame:
    """Mean energy by appliance and local hour of day, over the days that have a reading in that hour.

    `hours` are those of the parts, of appliances whose readings tell hours.
    """
    return (
        hours.group_by("appliance", "hour", maintain_order=True)
        .agg(pl.col("kwh"), pl.col("days").bitwise_count_ones().cast(pl.Int64).sum())
        .select("appliance", "hour", mean_kwh=pl.col("kwh").list.sum() / pl.col("days"), days="days")
        .sort("appliance", "hour")
    )


def site_hours(hours: pl.DataFrame) -> pl.DataFrame:
    """weekday, hour, kwh of all appliances of `hours` together, and the number of days with a reading in that hour."""
    return (
        hours.group_by("month", "weekday", "hour", maintain_order=True)
        .agg(pl.col("kwh"), pl.col("days").bitwise_or())
        .with_columns(pl.col("kwh").list.sum(), pl.col("days").bitwise_count_ones().cast(pl.Int64))
        .group_by("weekday", "hour", maintain_order=True)
        .agg(pl.col("kwh"), pl.col("days").sum())
        .with_columns(pl.col("kwh").list.sum())
        .sort("weekday", "hour")
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


def appliance_table(parts: Parts, profile: pl.DataFrame) -> pl.DataFrame:
    """Statistics of each appliance's readings over the whole history.

    The squared distances from the mean add up as Chan, Golub and LeVeque, "Algorithms for computing the sample
    variance" (1983) have it: those within the months, and those of the months' means, weighed by their readings.
    """
    n, readings, avg = pl.col("n"), pl.col("readings"), pl.col("avg_kwh")
    from_avg = pl.col("kwh") / n - avg
    stats = (
        parts.appliances.sort("appliance", "month")
        .rename({"readings": "n"})
        .with_columns(readings=n.sum().over("appliance"))
        .join(_totals(parts), on="appliance", how="left", maintain_order="left")
        .with_columns(avg_kwh=pl.col("total_kwh") / readings)
        .with_columns(m2=pl.col("m2") + n * from_avg * from_avg)
        .group_by("appliance", maintain_order=True)
        .agg(
            pl.col("total_kwh", "avg_kwh", "readings").first(),
            pl.col("m2"),
            pl.col("min_kwh").min(),
            pl.col("max_kwh").max(),
            pl.col("first_timestamp").first(),
            pl.col("last_timestamp").last(),
        )
        .with_columns(std_kwh=pl.when(readings > 1).then((pl.col("m2").list.sum() / (readings - 1)).sqrt()))
        .drop("m2")
    )
    site_kwh = math.fsum(stats["total_kwh"])
    share = pl.col("total_kwh") / site_kwh if site_kwh > 0 else pl.lit(None, dtype=pl.Float64)
    return stats.with_columns(share=share).join(peak_hours(profile), on="appliance", how="left", maintain_order="left")


def _totals(parts: Parts) -> pl.DataFrame:
    return (
        parts.appliances.sort("appliance", "month")
        .group_by("appliance", maintain_order=True)
        .agg(total_kwh=pl.col("kwh"))
        .with_columns(pl.col("total_kwh").list.sum())
    )


def interval_table(parts: Parts, steps: pl.DataFrame) -> pl.DataFrame:
    """appliance, interval: the median distance between an appliance's readings over its whole history.

    Null with fewer than two readings. `steps` are all between two readings of one appliance, counted.
    """
    interval = typical(steps, ["appliance"]).select("appliance", interval=pl.duration(microseconds="us"))
    appliances = parts.appliances.select("appliance").unique().sort("appliance")
    return appliances.join(interval, on="appliance", how="left", maintain_order="left")


def hours_told(hours: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    """The hours of those appliances that are read at least once an hour, or so rarely that nobody knows.

    A meter read once a day puts the whole day into one hour: it says nothing about hours.
    """
    coarse = intervals.filter(pl.col("interval") > FINEST_TOLD)
    return hours.join(coarse, on="appliance", how="anti", maintain_order="left")


def day_table(parts: Parts, ever: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Energy and coverage by local day and appliance, and how the day was cut: interval `us`, number of `slots`.

    `coverage` is the share of the day's intervals that have a reading. In a month without a step of a day at most the
    interval is the appliance's usual one, `ever`. Null where that is unknown too; such a day is not complete.
    """
    known = parts.days.filter(pl.col("us").is_not_null())
    filled = (
        parts.days.filter(pl.col("us").is_null())
        .drop("us")
        .join(ever.rename({"ever": "us"}), on="appliance", how="left")
        .join(local_days(parts.days.filter(pl.col("us").is_null())["date"], timezone), on="date", how="left")
        .with_columns(slots=slots())
    )
    return (
        pl.concat([known, filled.select(known.columns)])
        .with_columns(coverage=pl.col("covered") / pl.col("slots"))
        .with_columns(complete=(pl.col("coverage") >= COMPLETE_FROM_COVERAGE).fill_null(False))
        .select("date", "appliance", "kwh", "coverage", "complete", "us", "slots")
        .sort("date", "appliance")
    )
