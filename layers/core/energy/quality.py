"""How complete and how plain the readings of a site are: coverage, gaps, flatlines, rejected, duplicate, estimated.

Everything is over the whole history of the site, from its first reading to the end of its last: an appliance that
began later, or fell silent, has a gap there. Coverage is that of the days in `energy.aggregation`.
"""

import datetime as dt
import math
from collections.abc import Collection, Mapping

import polars as pl

from energy.aggregation import Tables, linked
from energy.documents import SiteUpload
from energy.intake import names
from energy.intake.timestamps import to_local
from energy.local_days import local_days
from energy.monthly import FAR_LONGER, LONGER_THAN_USUAL, Parts, is_flatline, is_near, run_us
from energy.parquet import as_table, polars_schema
from energy.schema import QUALITY

_US_PER_HOUR = 3_600_000_000


def quality_table(
    parts: Parts, tables: Tables, uploads: Collection[SiteUpload], shown: Mapping[str, str], timezone: str
) -> pl.DataFrame:
    """quality_data: one row per appliance by name, then one for all together, whose appliance is null.

    `tables` are those of the same `parts`; `uploads` are all that count, and `shown` the name of each appliance by
    identity.
    """
    runs = _with_stretches(tables.runs)
    limits = _limits(parts, runs)
    runs = runs.join(limits, on=["appliance", "limit"], how="semi", maintain_order="left")
    stretches = parts.stretches.join(limits, on=["appliance", "limit"], how="semi", maintain_order="left")
    found = [
        _counts(parts),
        tables.intervals.select("appliance", "interval"),
        _expected(tables, timezone),
        _gaps(parts, stretches, runs, timezone),
        _flatlines(stretches, runs),
        _rows(uploads, shown),
    ]
    one = tables.appliances.select("appliance", "total_kwh").sort("appliance")
    for frame in found:
        one = one.join(frame, on="appliance", how="left", maintain_order="left")
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


def _counts(parts: Parts) -> pl.DataFrame:
    """appliance, readings, estimated, estimated_kwh."""
    return (
        parts.appliances.sort("appliance", "month")
        .group_by("appliance", maintain_order=True)
        .agg(pl.col("readings", "estimated").sum(), pl.col("estimated_kwh"))
        .with_columns(pl.col("estimated_kwh").list.sum())
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


def _with_stretches(runs: pl.DataFrame) -> pl.DataFrame:
    """Adds how long each run came after the one before (`step`, from the site's first reading on), what is `usual`
    there, microseconds, and whether the time between is a `gap`, for runs that are `joint`.
    """
    first = pl.lit(runs["since"].min(), dtype=pl.Datetime("us"))
    us, same = pl.col("us_since"), pl.col("same")
    ratio = pl.col("step") / pl.col("usual")
    return (
        linked(runs)
        .with_columns(
            step=pl.when(same).then("step").otherwise((pl.col("since") - first).dt.total_microseconds() + us),
            usual=pl.when(same).then(pl.max_horizontal(us, pl.col("us_until").shift())).otherwise(us),
        )
        .with_columns(ratio=ratio)
        .with_columns(gap=(pl.col("joint") & (pl.col("ratio") >= pl.col("limit"))).fill_null(False))
    )


def _limits(parts: Parts, runs: pl.DataFrame) -> pl.DataFrame:
    """appliance, limit: from how many usual steps on something is missing. The nearer limit holds where half of the
    steps are about the usual one.
    """
    joint = runs.filter("joint", "same").select(
        "appliance",
        "limit",
        near=is_near(pl.col("ratio")).cast(pl.Int64),
        judged=pl.col("ratio").is_not_null().cast(pl.Int64),
    )
    # An appliance with a single reading has no step to judge by.
    alone = runs.select("appliance", "limit", near=pl.lit(0, dtype=pl.Int64), judged=pl.lit(0, dtype=pl.Int64))
    within = parts.stretches.select(joint.columns)
    return (
        pl.concat([within, joint, alone])
        .filter(pl.col("limit") == LONGER_THAN_USUAL)
        .group_by("appliance")
        .agg(pl.col("near", "judged").sum())
        .select(
            "appliance",
            limit=pl.when(2 * pl.col("near") >= pl.col("judged")).then(LONGER_THAN_USUAL).otherwise(FAR_LONGER),
        )
    )


def _gaps(parts: Parts, stretches: pl.DataFrame, runs: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """appliance, gaps, missing_us, longest_us, longest_gap_start (local; the first of equals)."""
    us = pl.col("us_until")
    told = parts.appliances["ends"].max()
    untold = runs.select((pl.col("until") + pl.duration(microseconds=us.fill_null(0))).max()).item()
    end = pl.lit(max(told, untold) if told else untold, dtype=pl.Datetime("us"))
    columns = ["appliance", "gaps", "missing_us", "longest_us", "longest_at"]
    one, missing = pl.lit(1, dtype=pl.Int64), pl.col("step") - pl.col("usual")
    between = runs.filter("gap").select(
        "appliance", gaps=one, missing_us=missing, longest_us=missing, longest_at="since"
    )
    after = (
        runs.group_by("appliance", maintain_order=True)
        .last()
        .with_columns(step=(end - pl.col("until")).dt.total_microseconds(), usual=us)
        .filter(pl.col("step") >= pl.col("limit") * us)
        .select("appliance", gaps=one, missing_us=missing, longest_us=missing, longest_at=end)
    )
    return (
        pl.concat([stretches.filter(pl.col("gaps") > 0).select(columns), between, after])
        .with_columns(
            longest_gap_start=to_local(pl.col("longest_at") - pl.duration(microseconds="longest_us"), timezone)
        )
        .sort(["appliance", "longest_us", "longest_at"], descending=[False, True, False])
        .group_by("appliance", maintain_order=True)
        .agg(pl.col("gaps", "missing_us").sum(), pl.col("longest_us", "longest_gap_start").first())
    )


def _flatlines(stretches: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """appliance, flatlines, flatline_us: those within months, and the runs that go on in other months."""
    unlike = (pl.col("kwh") != pl.col("kwh").shift()) | pl.col("estimated").shift() | pl.col("estimated")
    begins = (~pl.col("same") | ~pl.col("joint") | pl.col("gap") | unlike).fill_null(True)
    across = (
        runs.with_columns(run=begins.cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("appliance", "kwh", "estimated", "since").first(),
            pl.col("readings").sum(),
            pl.col("until", "us_until").last(),
        )
        .filter(is_flatline())
        .select("appliance", flatlines=pl.lit(1, dtype=pl.Int64), flatline_us=run_us())
    )
    return (
        pl.concat([stretches.select(across.columns), across])
        .group_by("appliance")
        .agg(pl.col("flatlines", "flatline_us").sum())
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
