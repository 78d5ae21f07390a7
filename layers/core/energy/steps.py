"""How far apart readings are: steps counted by their length, and the one in the middle."""

import polars as pl

from energy.stretches import stretch

_SECOND_US = 1_000_000
_TO_THE_MINUTE_FROM_US = 30 * 60 * _SECOND_US
# One reading a day is 25 hours after the last on the day when clocks go back.
LONGEST_STEP_US = 25 * 3_600 * _SECOND_US


def counted(steps: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Steps (`step`, microseconds) counted as `n` by group, length `us`, and whether they are `short`: a day at most.

    Clocks of meters waver, so `us` is to the second, and to the minute from half an hour on. A longer step never
    becomes the shorter one by that: the median of what is counted is the median of the steps, to the same accuracy.
    """
    step = pl.col("step")
    unit = pl.when(step >= _TO_THE_MINUTE_FROM_US).then(60 * _SECOND_US).otherwise(_SECOND_US).cast(pl.Int64)
    keys = [*by, "short", "us"]
    return (
        # Most steps are as long as the one before: few stretches are left to be rounded and grouped.
        steps.group_by(stretch(*by, "step"), maintain_order=True)
        .agg(pl.col(*by, "step").first(), pl.len().cast(pl.Int64).alias("n"))
        .select(
            *by,
            (step <= LONGEST_STEP_US).alias("short"),
            ((step + unit // 2) // unit * unit).clip(lower_bound=_SECOND_US).alias("us"),
            "n",
        )
        .group_by(keys)
        .agg(pl.col("n").sum())
        .sort(keys)
    )


def typical(found: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Each group `by` of counted steps: its median step `us` (the shorter of two in the middle), number of `steps`."""
    return (
        found.group_by(*by, "us")
        .agg(pl.col("n").sum())
        .sort(*by, "us")
        .with_columns(upto=pl.col("n").cum_sum().over(by), steps=pl.col("n").sum().over(by))
        .filter(pl.col("upto") > (pl.col("steps") - 1) // 2)
        .group_by(by, maintain_order=True)
        .agg(pl.col("us", "steps").first())
    )
