"""How complete and how plain the readings of a site are: coverage, gaps, flatlines, rejected, duplicate, estimated.

Everything is over the whole history of the site, from its first reading to the end of its last: an appliance that
began later, or fell silent, has a gap there. Coverage is that of the days in `energy.aggregation`.
"""

import datetime as dt
import math
from collections.abc import Collection, Mapping

import polars as pl

from energy.aggregation import Tables, local_days
from energy.documents import SiteUpload
from energy.intake import names
from energy.intake.timestamps import to_local
from energy.parquet import as_table, polars_schema
from energy.schema import QUALITY

# The same value for a day is a meter that hangs, not a load (OpenSTEF's flatliner check uses 24 hours as well). Of
# readings once a day a few are alike by rounding, so it takes as many readings as an hourly meter has in a day.
FLATLINE_US = 24 * 3_600 * 1_000_000
FLATLINE_READINGS = 24
# A clock that wavers by less than half an interval misses no reading.
_LONGER_THAN_USUAL = 1.5
# Readings that come when something changes have no usual step to speak of: only far longer ones are missing. If they
# come by chance, one step in a thousand is ten times the median.
_FAR_LONGER = 10
_US_PER_HOUR = 3_600_000_000


def quality_table(
    readings: pl.DataFrame, tables: Tables, uploads: Collection[SiteUpload], shown: Mapping[str, str], timezone: str
) -> pl.DataFrame:
    """quality_data: one row per appliance by name, then one for all together, whose appliance is null.

    `tables` are those of the same `readings`, of which there is at least one; `uploads` are all that count, and `shown`
    the name of each appliance by identity.
    """
    steps = tables.steps.with_columns(pl.col("us").cast(pl.Int64))
    ordered = (
        readings.select("appliance", "timestamp_utc", "kwh", "estimated", date=pl.col("timestamp").dt.date())
        .sort("appliance", "timestamp_utc")
        .join(steps.select("appliance", "date", "us"), on=["appliance", "date"], how="left", maintain_order="left")
    )
    stretched = _with_stretches(ordered)
    parts = [
        _counts(ordered),
        tables.intervals.select("appliance", "interval"),
        _expected(tables, timezone),
        _gaps(stretched, ordered, timezone),
        _flatlines(stretched),
        _rows(uploads, shown),
    ]
    one = tables.appliances.select("appliance", "total_kwh").sort("appliance")
    for part in parts:
        one = one.join(part, on="appliance", how="left", maintain_order="left")
    told = pl.col("interval").is_not_null()
    one = one.with_columns(
        pl.col("flatlines", "duplicates", "rejected").fill_null(0),
        pl.col("flatline_us").fill_null(0),
        pl.when(told).then(pl.col("gaps").fill_null(0)).alias("gaps"),
        pl.when(told).then(pl.col("missing_us").fill_null(0)).alias("missing_us"),
        pl.when(told).then(pl.col("covered") / pl.col("days")).alias("coverage"),
    )
    every = pl.DataFrame([_together(one, uploads)], schema=polars_schema(QUALITY))
    return pl.concat([as_table(_finished(one).select(every.columns), QUALITY), every])


def _finished(one: pl.DataFrame) -> pl.DataFrame:
    used = pl.col("total_kwh") > 0
    return one.with_columns(
        interval_minutes=pl.col("interval").dt.total_microseconds() / 60_000_000,
        missing_hours=pl.col("missing_us") / _US_PER_HOUR,
        longest_gap_hours=pl.col("longest_us") / _US_PER_HOUR,
        flatline_hours=pl.col("flatline_us") / _US_PER_HOUR,
        estimated_share=pl.col("estimated") / pl.col("readings"),
        estimated_kwh_share=pl.when(used).then(pl.col("estimated_kwh") / pl.col("total_kwh")),
    )


def _together(one: pl.DataFrame, uploads: Collection[SiteUpload]) -> dict[str, object]:
    """All appliances together. Rows of uploads whose appliance cannot be told count here alone."""
    rows = [rows for upload in uploads for rows in upload.appliances]
    longest = one.sort(["longest_us", "longest_gap_start"], descending=[True, False], nulls_last=True).row(
        0, named=True
    )
    intervals: list[dt.timedelta | None] = one["interval"].unique().to_list()
    readings, estimated, total_kwh = sum(one["readings"]), sum(one["estimated"]), math.fsum(one["total_kwh"])
    gaps, expected = one["gaps"].drop_nulls(), one["expected_readings"].drop_nulls()
    return {
        "appliance": None,
        "interval_minutes": intervals[0] / dt.timedelta(minutes=1) if len(intervals) == 1 and intervals[0] else None,
        "readings": readings,
        "expected_readings": sum(expected) if len(expected) else None,
        # As the site's days: an appliance whose interval is unknown covers nothing.
        "coverage": math.fsum(one["coverage"].fill_null(0.0)) / one.height,
        "gaps": sum(gaps) if len(gaps) else None,
        "missing_hours": sum(one["missing_us"].drop_nulls()) / _US_PER_HOUR if len(gaps) else None,
        "longest_gap_hours": longest["longest_us"] / _US_PER_HOUR if longest["longest_us"] else None,
        "longest_gap_start": longest["longest_gap_start"],
        "flatlines": sum(one["flatlines"]),
        "flatline_hours": sum(one["flatline_us"]) / _US_PER_HOUR,
        "duplicates": sum(row.duplicates for row in rows),
        "rejected": sum(row.rejected for row in rows),
        "estimated_share": estimated / readings,
        "estimated_kwh_share": math.fsum(one["estimated_kwh"]) / total_kwh if total_kwh > 0 else None,
    }


def _counts(ordered: pl.DataFrame) -> pl.DataFrame:
    """appliance, readings, estimated, estimated_kwh. The sum is of a list, as all sums of readings are."""
    return (
        ordered.group_by("appliance", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("estimated").sum().cast(pl.Int64),
            pl.col("kwh").filter(pl.col("estimated")).alias("estimated_kwh"),
        )
        # The sum of no readings is -0.0.
        .with_columns(pl.col("estimated_kwh").list.sum() + 0.0)
    )


def _expected(tables: Tables, timezone: str) -> pl.DataFrame:
    """appliance, days of the site's history, the sum of what is `covered` of them, expected_readings."""
    first, last = min(tables.daily["date"].to_list()), max(tables.daily["date"].to_list())
    lengths = local_days(pl.date_range(first, last, eager=True), timezone).select("date", us=_micros("length"))
    read = tables.steps.drop("us").join(lengths, on="date").group_by("appliance").agg(pl.col("us", "slots").sum())
    covered = (
        tables.daily.sort("appliance", "date")
        .group_by("appliance", maintain_order=True)
        .agg(pl.col("coverage").fill_null(0.0).alias("covered"))
        .with_columns(pl.col("covered").list.sum())
    )
    silent = (lengths["us"].sum() - pl.col("us")) / _micros("interval")
    return (
        covered.join(read, on="appliance", how="left")
        .join(tables.intervals, on="appliance", how="left")
        .select(
            "appliance",
            "covered",
            pl.lit(lengths.height).alias("days"),
            (pl.col("slots") + silent.round().cast(pl.Int64)).alias("expected_readings"),
        )
    )


def _with_stretches(ordered: pl.DataFrame) -> pl.DataFrame:
    """Adds how long each reading came after the one before (`step`, from the site's first reading on), what is `usual`
    there, microseconds, and whether the time between is a `gap`. Between two ways of reading the longer is usual.
    """
    same = pl.col("appliance") == pl.col("appliance").shift()
    first = ordered["timestamp_utc"].min()
    start = pl.lit(first, dtype=pl.Datetime("us")) - pl.duration(microseconds="us")
    since = pl.when(same).then(pl.col("timestamp_utc").shift()).otherwise(start)
    stretched = ordered.with_columns(
        same=same.fill_null(False),
        step=(pl.col("timestamp_utc") - since).dt.total_microseconds(),
        usual=pl.when(same).then(pl.max_horizontal("us", pl.col("us").shift())).otherwise(pl.col("us")),
    )
    ratio = pl.col("step") / pl.col("usual")
    near = ratio.is_between(2 - _LONGER_THAN_USUAL, _LONGER_THAN_USUAL).filter(pl.col("same"))
    return stretched.join(
        stretched.group_by("appliance").agg(limit=_limit(near)), on="appliance", how="left", maintain_order="left"
    ).with_columns(gap=(ratio >= pl.col("limit")).fill_null(False))


def _limit(near: pl.Expr) -> pl.Expr:
    """From how many usual steps on something is missing; `near` says which steps are about the usual one."""
    return pl.when(2 * near.sum() >= near.count()).then(_LONGER_THAN_USUAL).otherwise(float(_FAR_LONGER))


def _gaps(stretched: pl.DataFrame, ordered: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """appliance, gaps, missing_us, longest_us, longest_gap_start (local; the first of equals)."""
    end = ordered.select((pl.col("timestamp_utc") + pl.duration(microseconds=pl.col("us").fill_null(0))).max()).item()
    last = stretched.group_by("appliance", maintain_order=True).last()
    after = last.select(
        "appliance",
        pl.lit(end, dtype=pl.Datetime("us")).alias("timestamp_utc"),
        (pl.lit(end, dtype=pl.Datetime("us")) - pl.col("timestamp_utc")).dt.total_microseconds().alias("step"),
        pl.col("us").alias("usual"),
        "limit",
    ).filter(pl.col("step") >= pl.col("limit") * pl.col("usual"))
    between = stretched.filter("gap").select(after.columns)
    missing = pl.col("step") - pl.col("usual")
    return (
        pl.concat([between, after])
        .with_columns(missing=missing)
        .with_columns(start=to_local(pl.col("timestamp_utc") - pl.duration(microseconds="missing"), timezone))
        .sort(["appliance", "missing", "timestamp_utc"], descending=[False, True, False])
        .group_by("appliance", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("gaps"),
            pl.col("missing").sum().alias("missing_us"),
            pl.col("missing").first().alias("longest_us"),
            pl.col("start").first().alias("longest_gap_start"),
        )
    )


def _flatlines(stretched: pl.DataFrame) -> pl.DataFrame:
    """appliance, flatlines, flatline_us. Zero is an appliance that is off; estimated readings are alike by nature."""
    unlike = (pl.col("kwh") != pl.col("kwh").shift()) | pl.col("estimated").shift() | pl.col("estimated")
    broken = (~pl.col("same") | pl.col("gap") | unlike).fill_null(True)
    return (
        stretched.with_columns(run=broken.cum_sum())
        .filter((pl.col("kwh") > 0) & ~pl.col("estimated"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("appliance").first(),
            pl.len().alias("readings"),
            (pl.col("timestamp_utc").last() - pl.col("timestamp_utc").first()).dt.total_microseconds().alias("us")
            + pl.col("us").last(),
        )
        .filter((pl.col("readings") >= FLATLINE_READINGS) & (pl.col("us") >= FLATLINE_US))
        .group_by("appliance", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("flatlines"), pl.col("us").sum().alias("flatline_us"))
    )


def _rows(uploads: Collection[SiteUpload], shown: Mapping[str, str]) -> pl.DataFrame:
    """appliance, duplicates, rejected of all uploads."""
    found: dict[str, list[int]] = {}
    for upload in uploads:
        for rows in upload.appliances:
            if rows.appliance is not None:
                name = shown.get(names.identity(rows.appliance), rows.appliance)
                counts = found.setdefault(name, [0, 0])
                counts[0] += rows.duplicates
                counts[1] += rows.rejected
    return pl.DataFrame(
        [(name, *counts) for name, counts in sorted(found.items())],
        schema={"appliance": pl.String, "duplicates": pl.Int64, "rejected": pl.Int64},
        orient="row",
    )


def _micros(duration: str) -> pl.Expr:
    return pl.col(duration).dt.total_microseconds()
