"""Runs of hours that are alike, and tell of a fault: values that hang, zeros where there never are any, runs too long.

Each hour by itself may be usual. An hour that is missing ends a run.
"""

from collections.abc import Collection

import polars as pl

# As in the tables of quality: the same value for a day is a meter that hangs.
FLATLINE_HOURS = 24
# Where half of the other hours are as the one before, as of a router whose meter counts in steps, being alike says
# nothing; nor where a third of all hours are in such runs, unless they are the same few that a fault makes.
_ALIKE_BY_NATURE = 0.5
_FLAT_AT_MOST = 1 / 3
_FEW_RUNS = 3
_RELATIVE_ROUNDING = 1e-9

# A shorter pause is a defrost, or a reading lost.
ZERO_HOURS = 3
# Of an appliance that never stands still so few hours read zero beside the runs in question.
_ZERO_BY_CHANCE = 0.005
# What stood still for more of its history is used so.
_STOPPED_AT_MOST = 1 / 3
# Days of what is always on are alike: half the distance between two quantiles of them, as a share of the median.
_STEADY = 0.3

# What a meter that hung makes up for, as a share of what was missing.
_CAUGHT_UP = (0.5, 1.5)

# Beyond the upper quartile by so many distances between the quartiles: Tukey's outer fence (1977).
_FENCE = 3.0
LONG_RUN_HOURS = 4
_MIN_RUNS = 10
# Less is standby.
_RUNS_FROM = 0.1

# In how many hours something else must have been read for "never zero then" to mean anything.
_MIN_EVIDENCE = 30
_ZERO_BESIDE_OTHERS = 0.01


def outage_hours(hourly: pl.DataFrame) -> pl.DataFrame:
    """timestamp_utc of the hours in which every appliance reads zero, at a site where one never does of itself.

    One never does whose reading is zero in at most a hundredth of the hours in which another appliance is used. A site
    without such an appliance, or with a single one, has none: there all may be off. If another is used before it reads
    more than zero again, there was power, and it had stopped.
    """
    used = pl.col("kwh") > 0
    at = hourly.group_by("timestamp_utc").agg(
        pl.len().cast(pl.Int64).alias("appliances"), used.sum().cast(pl.Int64).alias("in_use")
    )
    zero = at.filter(pl.col("appliances") > 1, pl.col("in_use") == 0).select("timestamp_utc")
    if zero.is_empty():
        return zero
    beside_others = pl.col("in_use") - used.cast(pl.Int64) > 0
    always_on = (
        hourly.join(at, on="timestamp_utc")
        .filter(beside_others)
        .group_by("appliance")
        .agg(pl.len().alias("n"), (~used).mean().alias("zero"))
        .filter(pl.col("n") >= _MIN_EVIDENCE, pl.col("zero") <= _ZERO_BESIDE_OTHERS)
    )
    same = pl.col("appliance") == pl.col("appliance").shift()
    runs = (
        hourly.filter(~used)
        .join(always_on, on="appliance", how="semi")
        .join(at, on="timestamp_utc")
        .sort("appliance", "timestamp_utc")
        .with_columns(follows=same & (pl.col("timestamp_utc").diff() == pl.duration(hours=1)))
        .with_columns(run=_run(pl.lit(False)))
    )
    told = runs.filter(pl.col("in_use").max().over("run") == 0).select("timestamp_utc").unique()
    return zero.join(told, on="timestamp_utc", how="semi").sort("timestamp_utc")


def with_runs(judged: pl.DataFrame, may_be_flat: Collection[str] | None = None) -> pl.DataFrame:
    """`judged` hours of appliances, by appliance and time, with the marks `flatline`, `stopped`, `stuck_meter` and
    `long_run`. `may_be_flat` names the appliances whose readings, not only their sums, have been alike for a day.
    """
    same = pl.col("appliance") == pl.col("appliance").shift()
    hours = judged.with_columns(
        follows=(same & (pl.col("timestamp_utc").diff() == pl.duration(hours=1))).fill_null(False)
    )
    hours = _with_flatlines(hours)
    if may_be_flat is not None:
        hours = hours.with_columns(pl.col("flatline") & pl.col("appliance").is_in(list(may_be_flat)))
    hours = _with_zeros(hours)
    return _with_long_runs(hours).drop("follows")


def _run(begins: pl.Expr) -> pl.Expr:
    """Numbers the runs: one begins wherever an hour does not follow the one before, or `begins` says so."""
    return (~pl.col("follows") | begins).fill_null(True).cum_sum()


def _with_flatlines(hours: pl.DataFrame) -> pl.DataFrame:
    kwh = pl.col("kwh")
    alike = pl.col("follows") & (kwh > 0) & ((kwh - kwh.shift()).abs() <= _RELATIVE_ROUNDING * kwh)
    long = (pl.len().over("run") >= FLATLINE_HOURS) & (kwh > 0)
    others = ~pl.col("long") & (kwh > 0)
    stepwise = (pl.col("alike") & others).sum() > _ALIKE_BY_NATURE * others.sum()
    often = (pl.col("long").sum() > _FLAT_AT_MOST * (kwh > 0).sum()) & (
        pl.col("run").filter("long").n_unique() > _FEW_RUNS
    )
    by_nature = (stepwise | often).over("appliance")
    return (
        hours.with_columns(alike=alike.fill_null(False))
        .with_columns(run=_run(~pl.col("alike")))
        .with_columns(long=long)
        .with_columns(flatline=pl.col("long") & ~by_nature)
        .drop("alike", "run", "long")
    )


def _with_zeros(hours: pl.DataFrame) -> pl.DataFrame:
    """`stuck_meter`: zeros where something is usual, then an hour that makes up for them. `stopped`: other zeros, of
    what never stands still.
    """
    kwh, expected = pl.col("kwh"), pl.col("expected")
    zero = kwh == 0
    run = _run(zero != zero.shift())
    in_run = zero & (pl.len().over("run") >= ZERO_HOURS)
    hours = hours.with_columns(run=run).with_columns(in_run=in_run)
    runs = (
        hours.filter("in_run")
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("appliance", "running", "mean").first(),
            pl.col("timestamp_utc").last().alias("until"),
            expected.alias("missing"),
        )
        .with_columns(pl.col("missing").list.sum())
        # Where nothing, or next to nothing, is usual, zeros miss nothing.
        .filter(pl.col("running").is_null(), pl.col("missing") >= pl.col("mean"))
    )
    catching = hours.filter("high_use", "follows").select(
        "appliance", "timestamp_utc", until=pl.col("timestamp_utc") - pl.duration(hours=1), made_up=kwh - expected
    )
    caught_up = runs.join(catching, on=["appliance", "until"]).filter(
        (pl.col("made_up") / pl.col("missing")).is_between(*_CAUGHT_UP)
    )
    stuck = pl.col("run").is_in(caught_up["run"].implode())
    caught = caught_up.select("appliance", "timestamp_utc", caught=pl.lit(True))
    never_still = hours.join(_never_still(hours), on="appliance", how="semi")["appliance"].unique()
    return (
        hours.join(caught, on=["appliance", "timestamp_utc"], how="left", maintain_order="left")
        .with_columns(stuck_meter=(pl.col("in_run") & stuck) | pl.col("caught").fill_null(False))
        .with_columns(
            stopped=pl.col("in_run")
            & (expected > 0)
            & ~pl.col("stuck_meter")
            & pl.col("appliance").is_in(never_still.implode())
        )
        .drop("run", "in_run", "caught")
    )


def _never_still(hours: pl.DataFrame) -> pl.DataFrame:
    """The appliances that use something in practically every hour, and about as much on every day."""
    zero, date = pl.col("kwh") == 0, pl.col("timestamp").dt.date()
    by_zeros = (
        hours.group_by("appliance")
        .agg(
            (zero & ~pl.col("in_run")).sum().alias("by_chance"),
            pl.col("in_run").sum().alias("in_runs"),
            pl.len().alias("n"),
        )
        .filter(
            pl.col("in_runs") > 0,
            pl.col("in_runs") <= _STOPPED_AT_MOST * pl.col("n"),
            pl.col("by_chance") <= _ZERO_BY_CHANCE * (pl.col("n") - pl.col("in_runs")),
        )
    )
    days = (
        hours.join(by_zeros, on="appliance", how="semi")
        .group_by("appliance", date.alias("date"), maintain_order=True)
        .agg(pl.col("kwh"), pl.col("in_run").any())
        .filter(~pl.col("in_run"), pl.col("kwh").list.len() >= FLATLINE_HOURS - 1)
        .with_columns(pl.col("kwh").list.sum())
    )
    kwh = pl.col("kwh")
    return (
        days.group_by("appliance")
        .agg(
            kwh.median().alias("median"),
            spread=(kwh.quantile(0.8413, "linear") - kwh.quantile(0.1587, "linear")) / 2,
        )
        .filter(pl.col("median") > 0, pl.col("spread") <= _STEADY * pl.col("median"))
        .select("appliance")
    )


def _with_long_runs(hours: pl.DataFrame) -> pl.DataFrame:
    """`long_run`: an appliance that is mostly off ran far longer than it does."""
    on = (pl.col("kwh") > _RUNS_FROM * pl.col("running")).fill_null(False)
    numbered = hours.with_columns(on=on).with_columns(run=_run(pl.col("on") != pl.col("on").shift()))
    lengths = (
        numbered.filter("on")
        .group_by("run", maintain_order=True)
        .agg(pl.col("appliance").first(), pl.len().cast(pl.Int64).alias("length"))
    )
    length = pl.col("length")
    quartiles = length.quantile(0.25, "linear"), length.quantile(0.75, "linear")
    fences = (
        lengths.group_by("appliance")
        .agg(
            pl.len().alias("runs"),
            length.median().alias("usual_run"),
            fence=quartiles[1] + _FENCE * (quartiles[1] - quartiles[0]),
        )
        .filter(pl.col("runs") >= _MIN_RUNS)
    )
    long = lengths.join(fences, on="appliance").filter(
        length >= LONG_RUN_HOURS, length > pl.col("fence"), length >= 2 * pl.col("usual_run")
    )
    return (
        numbered.join(long.select("run", "usual_run"), on="run", how="left", maintain_order="left")
        .with_columns(long_run=pl.col("on") & pl.col("usual_run").is_not_null())
        .drop("on", "run")
    )
