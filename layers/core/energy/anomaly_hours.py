"""What is usual for each hour of an appliance, and which of its hours are not: by two rules, both on hourly sums.

`mean_2std` is the specification's: the appliance's mean and two sample standard deviations, high side only. `robust`
knows the hour of the day, looks at both sides, and is not moved by what it looks for (docs/decisions/0013).
"""

from collections.abc import Sequence

import polars as pl

MEAN_2STD, ROBUST = "mean_2std", "robust"
BOTH = f"{MEAN_2STD}+{ROBUST}"
DEVIATIONS = 2.0
# Of n values none lies further above their mean than (n - 1) / sqrt(n) sample standard deviations (Samuelson 1968):
# 1.79 of five, 2.04 of six. With fewer than six hours the specification's rule can never fire.
MIN_HOURS = 6
# Sums of equal readings may differ in their last digits; a spread that small is none.
_RELATIVE_ROUNDING = 1e-9

# A median and a quantile of fewer hours of one kind say too little.
MIN_PER_HOUR_OF_DAY = 7
SPREADS = 2.5
# One standard deviation of a normal distribution to either side.
_UPPER, _LOWER = 0.8413, 0.1587
# Half of it the hour's own, half that of all hours: a quantile of few days alone is too uncertain.
_OWN_SHARE = 0.5
_LEAST_SPREAD = 0.05
_LEAST_EXCESS = 0.25
_MOSTLY_OFF = 0.1
# Of the few hours in which an appliance runs a fourth may be odd, and the quartile still holds.
_UPPER_OF_RUNS = 0.75
MIN_RUNNING = 7
# An hour that was read in part used less for that reason.
_READ_WHOLE = 0.9


def hour_limits(hourly: pl.DataFrame) -> pl.DataFrame:
    """appliance, hours, mean, std (sample), threshold (by the specification's rule, kWh), and whether it can be judged:
    `skipped` is a reason of `NotJudged` where it cannot, and `number` goes with it.
    """
    hours, mean, std = pl.col("hours"), pl.col("mean"), pl.col("std")
    # Half of the steps between readings are an hour at most: those within an hour, and those to the next hour.
    step = pl.col("timestamp_utc").diff().dt.total_hours()
    tells_hours = 2 * ((pl.col("readings") - 1).sum() + (step <= 1).sum()) >= pl.col("readings").sum() - 1
    return (
        hourly.sort("appliance", "timestamp_utc")
        .group_by("appliance", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("hours"),
            pl.col("kwh"),
            tells_hours.alias("tells_hours"),
            step.quantile(0.5, interpolation="lower").cast(pl.Int64).alias("step"),
        )
        # Of a list per appliance: polars' own statistics of a group differ with the number of cores.
        .with_columns(mean=pl.col("kwh").list.mean(), std=pl.col("kwh").list.std(ddof=1))
        .drop("kwh")
        .with_columns(
            threshold=mean + DEVIATIONS * std,
            skipped=pl.when(~pl.col("tells_hours"))
            .then(pl.lit("coarse"))
            .when(hours < MIN_HOURS)
            .then(pl.lit("few_hours"))
            .when(std.is_null() | (std <= _RELATIVE_ROUNDING * mean))
            .then(pl.lit("constant")),
        )
        .with_columns(
            number=pl.when(pl.col("skipped") == "coarse")
            .then("step")
            .when(pl.col("skipped") == "few_hours")
            .then("hours")
        )
        .drop("tells_hours", "step")
    )


def usual_hours(hours: pl.DataFrame, of: Sequence[str] = ("appliance",)) -> pl.DataFrame:
    """`of`, hour (of day), expected, high and low: what is usual then and the robust rule's limits, kWh; of each
    appliance, or of what else tells hours apart.

    An appliance that is mostly off is judged among the hours in which it runs, and has no low: `running` is what is
    usual for those; null for others. Where `limited` says why the rule has too little to go by (a reason of
    `NotJudged`, with its `number`), high and low are null and expected is the mean.
    """
    kwh = pl.col("kwh")
    hours = hours.select(*of, "timestamp_utc", "kwh", hour=pl.col("timestamp").dt.hour())
    by_hour = hours.group_by(*of, "hour").agg(
        pl.len().cast(pl.Int64).alias("n"),
        kwh.median().alias("expected"),
        kwh.quantile(_UPPER, "linear").alias("upper"),
        kwh.quantile(_LOWER, "linear").alias("lower"),
    )
    expected, mean, running = pl.col("expected"), pl.col("mean"), pl.col("running")
    above = _spread(pl.col("upper") - expected, pl.col("off_upper"))
    below = _spread(expected - pl.col("lower"), -pl.col("off_lower"))
    far = pl.max_horizontal(SPREADS * (pl.col("upper_running") - running), _LEAST_EXCESS * running)
    least = _LEAST_EXCESS * mean
    limited = (
        pl.when(pl.col("per_hour") < MIN_PER_HOUR_OF_DAY)
        .then(pl.lit("short_history"))
        .when(pl.col("mostly_off") & (pl.col("hours_running") < MIN_RUNNING))
        .then(pl.lit("few_runs"))
    )
    number = pl.when(limited == "few_runs").then("hours_running").when(limited == "short_history").then("per_hour")
    enough = limited.is_null()
    return (
        by_hour.join(_together(hours, by_hour, of), on=of)
        .sort(*of, "hour")
        .with_columns(per_hour=pl.col("n").min().over(of), mostly_off=pl.col("median") < _MOSTLY_OFF * mean)
        .with_columns(
            high=pl.when("mostly_off")
            .then(running + far)
            .otherwise(expected + pl.max_horizontal(SPREADS * above, least)),
            low=pl.when(~pl.col("mostly_off")).then(expected - pl.max_horizontal(SPREADS * below, least)),
            running=pl.when("mostly_off").then("running"),
        )
        .select(
            *of,
            "hour",
            "running",
            limited=limited,
            number=number,
            expected=pl.when(enough).then(expected).otherwise(mean),
            high=pl.when(enough).then("high"),
            low=pl.when(enough).then("low"),
        )
    )


def _together(hours: pl.DataFrame, by_hour: pl.DataFrame, of: Sequence[str]) -> pl.DataFrame:
    """`of`: quantiles of all its hours, of their distance from what is usual then, and of those it runs in."""
    kwh, off = pl.col("kwh"), pl.col("kwh") - pl.col("expected")
    used = kwh.filter(kwh > 0)
    return (
        hours.join(by_hour.select(*of, "hour", "expected"), on=[*of, "hour"])
        .sort(*of, "timestamp_utc")
        .group_by(of, maintain_order=True)
        .agg(
            off.quantile(_UPPER, "linear").alias("off_upper"),
            off.quantile(_LOWER, "linear").alias("off_lower"),
            kwh.median().alias("median"),
            used.len().cast(pl.Int64).alias("hours_running"),
            used.median().fill_null(0.0).alias("running"),
            used.quantile(_UPPER_OF_RUNS, "linear").fill_null(0.0).alias("upper_running"),
            # Of a list: polars' own mean of a group differs with the number of cores.
            kwh.alias("mean"),
        )
        .with_columns(pl.col("mean").list.mean())
    )


def _spread(own: pl.Expr, of_all: pl.Expr) -> pl.Expr:
    spread = (_OWN_SHARE * own**2 + (1 - _OWN_SHARE) * of_all**2).sqrt()
    return pl.max_horizontal(spread, _LEAST_SPREAD * pl.col("running"))


def judged(hours: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """`hours` that know what is usual, of the appliances that can be judged, by appliance and time, with both verdicts.

    `by_mean` and `by_robust` say which rule found it. Its kind is the verdict of the rule that leads for its appliance,
    which is the robust one wherever it has a history to go by: `high_use`, or `drop`. `limit` is the robust rule's.
    """
    kwh, known = pl.col("kwh"), pl.col("high").is_not_null()
    whole = pl.col("readings") >= _READ_WHOLE * pl.col("readings").median().over("appliance")
    return (
        hours.join(limits.filter(pl.col("skipped").is_null()).drop("hours", "skipped", "number"), on="appliance")
        .sort("appliance", "timestamp_utc")
        .with_columns(
            by_mean=kwh > pl.col("threshold"),
            over=(kwh > pl.col("high")).fill_null(False),
            drop=((kwh < pl.col("low")) & whole).fill_null(False),
        )
        .with_columns(
            by_robust=pl.col("over") | pl.col("drop"),
            high_use=pl.when(known).then("over").otherwise("by_mean"),
            limit=pl.when("drop").then("low").otherwise("high"),
        )
        .drop("over")
    )
