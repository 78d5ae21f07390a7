"""Readings as energy used in intervals that begin at their timestamps: lengths of steps, power, end-marked timestamps.

All frames hold settled readings (code, utc, kwh, line, estimated), one row per appliance and instant, sorted by code
and utc. They come in pieces, each later in time than the one before, and what is counted does not depend on the cuts.
"""

from collections.abc import Iterable

import polars as pl

# So large a share of an appliance's steps has to be the interval for it to be proved; the others are gaps.
REGULAR_SHARE = 0.9
# One step can be anything.
REGULAR_FROM_STEPS = 2
# A mean over more than a day says nothing of hours; readings.interval_minutes has the same limit.
MOST_SECONDS = 24 * 60 * 60
_MICROSECONDS_PER_MINUTE = 60_000_000


def latest(piece: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    """code, utc, kwh: the last reading of each appliance so far."""
    found = piece.group_by("code", maintain_order=True).agg(pl.col("utc", "kwh").last())
    if last is None:
        return found
    return pl.concat([last.join(found, on="code", how="anti"), found])


def with_former(piece: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    """The piece with former_utc and former_kwh, the appliance's reading before; null for its first."""
    is_first = pl.col("code").ne_missing(pl.col("code").shift())
    if last is None:
        last = piece.select("code", "utc", "kwh").clear()
    carried = last.select("code", last_utc="utc", last_kwh="kwh")
    return (
        piece.join(carried, on="code", how="left", maintain_order="left")
        .with_columns(
            former_utc=pl.when(is_first).then("last_utc").otherwise(pl.col("utc").shift()),
            former_kwh=pl.when(is_first).then("last_kwh").otherwise(pl.col("kwh").shift()),
        )
        .drop("last_utc", "last_kwh")
    )


def step_counts(piece: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    """code, seconds, whole, count: how often an appliance's readings are so far apart.

    `seconds` are rounded up; `whole`: they did not have to be. `last`: `latest` of the pieces before.
    """
    step = (pl.col("utc") - pl.col("former_utc")).dt.total_microseconds()
    return (
        with_former(piece, last)
        .filter(pl.col("former_utc").is_not_null())
        .select("code", seconds=-(-step // 1_000_000), whole=step % 1_000_000 == 0)
        .group_by("code", "seconds", "whole")
        .agg(count=pl.len().cast(pl.Int64))
        .sort("code", "seconds", "whole")
    )


def merged(counts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Counts of several pieces as one frame; there must be at least one piece."""
    every = pl.concat(counts)
    keys = [column for column in every.columns if column != "count"]
    return every.group_by(keys).agg(pl.col("count").sum()).sort(keys)


def usual_minutes(steps: pl.DataFrame) -> pl.DataFrame:
    """code, minutes: the median step; of two in the middle the shorter. No row for an appliance with one reading."""
    passed = pl.col("count").cum_sum().over("code")
    return (
        steps.sort("code", "seconds")
        .filter(2 * passed >= pl.col("count").sum().over("code"))
        .group_by("code", maintain_order=True)
        .agg(minutes=pl.col("seconds").first() / 60)
    )


def regular_minutes(steps: pl.DataFrame) -> float | None:
    """The one interval that all appliances of a file prove, null where they do not.

    It is the file's most frequent step, at most a day. Each appliance's steps have to be multiples of it, and nine of
    ten have to be equal to it.
    """
    if steps.is_empty():
        return None
    often = steps.group_by("seconds").agg(pl.col("count").sum()).sort("count", "seconds", descending=[True, False])
    seconds, count = often.row(0)
    if count < REGULAR_FROM_STEPS or seconds > MOST_SECONDS or not steps["whole"].all():
        return None
    if (steps["seconds"] % seconds != 0).any():
        return None
    equal = pl.col("count").filter(pl.col("seconds") == seconds).sum()
    shares = steps.group_by("code").agg(share=equal / pl.col("count").sum())
    return float(seconds / 60) if (shares["share"] >= REGULAR_SHARE).all() else None


def energy_of_power(piece: pl.DataFrame, minutes: float | pl.Expr) -> pl.DataFrame:
    """The energy used in each interval, in kWh, where `kwh` holds the interval's mean power in kW."""
    return piece.with_columns(kwh=pl.col("kwh") * minutes / 60)


def start_marked(piece: pl.DataFrame, minutes: float | pl.Expr) -> pl.DataFrame:
    """Timestamps at the start of the interval instead of its end."""
    length = minutes if isinstance(minutes, pl.Expr) else pl.lit(minutes)
    microseconds = (length * _MICROSECONDS_PER_MINUTE).round().cast(pl.Int64)
    return piece.with_columns(utc=pl.col("utc") - pl.duration(microseconds=microseconds))
