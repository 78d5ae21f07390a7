"""The tables of a site to the document that the report reads."""

import math

import polars as pl

from energy.aggregation import Tables, peak_hours
from energy.documents import ApplianceSummary, DayTotal, Quality, ReadingsSummary

_HOURS = range(24)
_WEEKDAYS = range(1, 8)


def readings_summary(tables: Tables, quality: pl.DataFrame, site: str, timezone: str, uploads: int) -> ReadingsSummary:
    """What a report says about a site's readings; `quality` is their table of quality.

    Its coverage is over all days from the first to the last reading, days without any among them.
    """
    appliances = tables.appliances
    days = day_totals(tables.daily, appliances.height)
    qualities = _qualities(quality)
    return ReadingsSummary(
        site=site,
        timezone=timezone,
        total_kwh=math.fsum(appliances["total_kwh"]),
        readings=int(appliances["readings"].sum()),
        first_timestamp=min(appliances["first_timestamp"].to_list()),
        last_timestamp=max(appliances["last_timestamp"].to_list()),
        coverage=qualities[None].coverage or 0.0,
        peak_hour=_peak_hour(tables.site_hours),
        appliances=_appliance_summaries(tables, qualities),
        days=days,
        weekday_hour_kwh=_weekday_hours(tables.site_hours),
        uploads=uploads,
        quality=qualities[None],
    )


def day_totals(daily: pl.DataFrame, appliances: int) -> list[DayTotal]:
    """All appliances by day. Coverage is their mean; an appliance without a reading that day counts as zero."""
    by_day = daily.group_by("date", maintain_order=True).agg(
        pl.col("kwh"),
        pl.col("coverage").fill_null(0.0),
        (pl.col("complete").all() & (pl.len() == appliances)).alias("complete"),
    )
    totals = by_day.with_columns(pl.col("kwh").list.sum(), pl.col("coverage").list.sum() / appliances)
    return [DayTotal(**row) for row in totals.sort("date").iter_rows(named=True)]


def _qualities(quality: pl.DataFrame) -> dict[str | None, Quality]:
    """By appliance; None for all together."""
    return {row.pop("appliance"): Quality(**row) for row in quality.iter_rows(named=True)}


def _appliance_summaries(tables: Tables, qualities: dict[str | None, Quality]) -> list[ApplianceSummary]:
    profiles = {
        (appliance, hour): mean
        for appliance, hour, mean in tables.profile.select("appliance", "hour", "mean_kwh").iter_rows()
    }
    complete_days = dict(tables.daily.group_by("appliance").agg(pl.col("complete").sum()).iter_rows())
    minutes = dict(
        tables.intervals.select("appliance", pl.col("interval").dt.total_microseconds() / 60_000_000).iter_rows()
    )
    rows = tables.appliances.sort(["total_kwh", "appliance"], descending=[True, False]).iter_rows(named=True)
    return [
        ApplianceSummary(
            **row,
            interval_minutes=minutes[row["appliance"]],
            complete_days=complete_days[row["appliance"]],
            profile_kwh=[profiles.get((row["appliance"], hour)) for hour in _HOURS],
            quality=qualities[row["appliance"]],
        )
        for row in rows
    ]


def _peak_hour(site_hours: pl.DataFrame) -> int | None:
    hours = site_hours.group_by("hour", maintain_order=True).agg(pl.col("kwh"), pl.col("days").sum())
    means = hours.select("hour", mean_kwh=pl.col("kwh").list.sum() / pl.col("days"), appliance=pl.lit("site"))
    found: list[int | None] = peak_hours(means)["peak_hour"].to_list()
    return found[0] if found else None


def _weekday_hours(site_hours: pl.DataFrame) -> list[list[float | None]]:
    means = {
        (weekday, hour): mean
        for weekday, hour, mean in site_hours.select("weekday", "hour", pl.col("kwh") / pl.col("days")).iter_rows()
    }
    return [[means.get((weekday, hour)) for hour in _HOURS] for weekday in _WEEKDAYS]
