"""The readings of one month to its part of the site's tables.

A part is made of the readings of its month alone, and is small: a few rows a day and appliance. All that is published
over the whole history is put together from parts (`energy.aggregation`, `energy.quality`, `energy.summary`), always in
the order of the months: which of them were made just now, and which long ago, never shows.

Every sum runs over readings in one order (appliance, then instant), so the order of uploads and rows never shows. And
every sum is of a list per group: polars' own sum of a group is split by the number of cores, which changes last digits.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from energy.local_days import local_days
from energy.steps import counted, typical
from energy.stretches import begins, stretch

# A day read every two hours has 11 steps. A day with fewer may as well be one with readings missing.
_STEPS_THAT_TELL = 11
_CLEARLY_ANOTHER = 0.1
# The same value for a day is a meter that hangs, not a load (OpenSTEF's flatliner check uses 24 hours as well). Of
# readings once a day a few are alike by rounding, so it takes as many readings as an hourly meter has in a day.
FLATLINE_US = 24 * 3_600 * 1_000_000
FLATLINE_READINGS = 24
# A clock that wavers by less than half an interval misses no reading.
LONGER_THAN_USUAL = 1.5
# Readings that come when something changes have no usual step to speak of: only far longer ones are missing. If they
# come by chance, one step in a thousand is ten times the median.
FAR_LONGER = 10.0
# Which of the two holds for an appliance is known from its whole history: a part has both. The shorter comes first.
LIMITS = (LONGER_THAN_USUAL, FAR_LONGER)

_INSTANT = pl.Datetime("us")
_KEYS = {"month": pl.String(), "appliance": pl.String()}


@dataclass(frozen=True)
class Parts:
    """The parts of one or more months, one row per month and appliance or finer; sorted by month, then appliance.

    `appliances`: statistics of the readings; `m2` is the sum of squared distances from the month's mean, `ends` when
    the last interval ends (null where no step tells the interval).
    `days`: energy, interval `us` and number of `slots` of each day, and how many of them are `covered`. Without any
    step of a day at most in the month `us` and `slots` are null; they come from the appliance's whole history.
    `steps`: the steps between readings, counted by length (`energy.steps`); those between runs are not among them.
    `hours`: energy by weekday (1: Monday) and local hour; bit n of `days` says whether day n has a reading then.
    `stretches`: for each limit (in usual steps, from which on something is missing) the gaps and flatlines that the
    month alone tells; `longest_at` is the reading after the first of the longest gaps. `near` of `judged` steps are
    about the usual one.
    `runs`: for each limit those runs of equal readings, without a gap, that may go on in another month: the first and
    the last, from `since` to `until`. `joint`: whether it may go on from the run before. In a month whose interval is
    unknown every reading is a run of its own, and nothing of it is in `steps` and `stretches`.
    """

    appliances: pl.DataFrame
    days: pl.DataFrame
    steps: pl.DataFrame
    hours: pl.DataFrame
    stretches: pl.DataFrame
    runs: pl.DataFrame

    def without(self, months: Collection[str]) -> "Parts":
        """The parts of all other months."""
        others = ~pl.col("month").is_in(list(months))
        return Parts(**{name: frame.filter(others) for name, frame in self.frames().items()})

    def frames(self) -> dict[str, pl.DataFrame]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "appliances": _KEYS
    | {
        "readings": pl.Int64(),
        "kwh": pl.Float64(),
        "m2": pl.Float64(),
        "min_kwh": pl.Float64(),
        "max_kwh": pl.Float64(),
        "first_timestamp": _INSTANT,
        "last_timestamp": _INSTANT,
        "estimated": pl.Int64(),
        "estimated_kwh": pl.Float64(),
        "ends": _INSTANT,
    },
    "days": _KEYS
    | {"date": pl.Date(), "kwh": pl.Float64(), "covered": pl.Int64(), "us": pl.Int64(), "slots": pl.Int64()},
    "steps": _KEYS | {"short": pl.Boolean(), "us": pl.Int64(), "n": pl.Int64()},
    "hours": _KEYS | {"weekday": pl.Int32(), "hour": pl.Int32(), "kwh": pl.Float64(), "days": pl.UInt32()},
    "stretches": _KEYS
    | {
        "limit": pl.Float64(),
        "near": pl.Int64(),
        "judged": pl.Int64(),
        "gaps": pl.Int64(),
        "missing_us": pl.Int64(),
        "longest_us": pl.Int64(),
        "longest_at": _INSTANT,
        "flatlines": pl.Int64(),
        "flatline_us": pl.Int64(),
    },
    "runs": _KEYS
    | {
        "limit": pl.Float64(),
        "since": _INSTANT,
        "until": _INSTANT,
        "us_since": pl.Int64(),
        "us_until": pl.Int64(),
        "kwh": pl.Float64(),
        "estimated": pl.Boolean(),
        "readings": pl.Int64(),
        "joint": pl.Boolean(),
    },
}


def together(parts: Iterable[Parts]) -> Parts:
    """The parts of different months as one."""
    found = [one.frames() for one in parts]
    keys = {"steps": ["short", "us"], "days": ["date"], "hours": ["weekday", "hour"], "stretches": ["limit"]}
    keys["runs"] = ["limit", "since"]
    return Parts(
        **{
            name: pl.concat([frames[name] for frames in found]).sort("month", "appliance", *keys.get(name, []))
            for name in SCHEMAS
        }
    )


def by_appliance(readings: pl.DataFrame) -> pl.DataFrame:
    """timestamp, timestamp_utc, appliance, kwh, estimated of a month's readings, which are sorted by timestamp_utc and
    appliance, sorted by appliance and timestamp_utc; appliances as an Enum of their names.
    """
    names: list[str] = readings["appliance"].unique().sort().to_list()
    columns = readings.select(
        "timestamp", "timestamp_utc", pl.col("appliance").cast(pl.Enum(names)), "kwh", "estimated"
    )
    # Much faster than to sort: the order of time stays.
    apart = columns.partition_by("appliance", as_dict=True, maintain_order=True)
    return pl.concat([apart[name,] for name in names], rechunk=True)


def hours_read(parts: Parts) -> int:
    """How many hours have a reading, of all appliances together; an hour that clocks repeat counts once."""
    return int(parts.hours["days"].bitwise_count_ones().sum())


def part(readings: pl.DataFrame, hourly: pl.DataFrame, month: str, timezone: str) -> Parts:
    """The part of a month: of its readings (`by_appliance`), at least one, and of their `hourly_table`."""
    timed = _timed(readings)
    steps = counted(
        timed.select("appliance", "date", "in_day", "step").filter(pl.col("step").is_not_null()),
        ["appliance", "date", "in_day"],
    )
    days = _day_intervals(timed, steps, timezone)
    timed = timed.hstack(days.select("us", "slots", "starts")[timed["day"]])
    told, untold = timed, timed.clear()
    if timed["us"].null_count():
        told, untold = timed.filter(pl.col("us").is_not_null()), timed.filter(pl.col("us").is_null())
    told = told.with_columns(usual=usual_step()).with_columns(ratio=pl.col("step") / pl.col("usual"))
    runs = _runs_by_limit(told)
    frames = {
        "appliances": _appliances(timed),
        "days": _days(timed),
        "steps": steps.join(untold, on="appliance", how="anti")
        .group_by("appliance", "short", "us")
        .agg(pl.col("n").sum())
        .sort("appliance", "short", "us"),
        "hours": _hours(hourly),
        "stretches": _stretches(told, runs),
        "runs": pl.concat([_loose_runs(runs[limit], untold, limit) for limit in LIMITS]),
    }
    return Parts(
        **{
            name: frame.with_columns(month=pl.lit(month)).select(
                pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items()
            )
            for name, frame in frames.items()
        }
    )


def hourly_table(readings: pl.DataFrame) -> pl.DataFrame:
    """Energy by appliance and hour of readings (`by_appliance`), by timestamp_utc and appliance.

    Hours are those of the local clock, also in zones that are half an hour off. The repeated autumn hour is two rows:
    same `timestamp`, different `timestamp_utc`.
    """
    hour = pl.col("timestamp").dt.truncate("1h")
    keys = ["appliance", "timestamp_utc", "timestamp"]
    return (
        readings.select(
            "appliance", "kwh", timestamp=hour, timestamp_utc=pl.col("timestamp_utc") - (pl.col("timestamp") - hour)
        )
        .group_by(stretch(*keys), maintain_order=True)
        .agg(pl.col(keys).first(), pl.col("kwh"), pl.len().cast(pl.Int64).alias("readings"))
        .select(*keys, pl.col("kwh").list.sum(), "readings")
        .sort("timestamp_utc", "appliance")
        .with_columns(pl.col("appliance").cast(pl.String))
    )


def _timed(readings: pl.DataFrame) -> pl.DataFrame:
    """The readings by appliance and instant, each with its `date`, its `step` since the appliance's reading before
    (microseconds; null for the first), whether there is one (`same`), and one `in_day`; `day` numbers the days of the
    appliances from 0.
    """
    return readings.with_columns(
        date=pl.col("timestamp").dt.date(),
        same=~begins("appliance"),
    ).with_columns(
        in_day=pl.col("date") == pl.col("date").shift(),
        day=stretch("appliance", "date").rle_id().set_sorted(),
        step=pl.when("same").then(pl.col("timestamp_utc").diff().dt.total_microseconds()),
    )


def _day_intervals(timed: pl.DataFrame, steps: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """appliance, date, interval `us` (null where nothing in the month tells it) and number of `slots` of the days, and
    when each `starts`; by the number of the day.

    The interval is that of the appliance in the month. Where the readings of a day tell clearly another one, as on
    both sides of a new meter, it is theirs. Days without readings tell nothing: steps longer than a day do not count.
    """
    short = steps.filter("short")
    in_day = typical(short.filter("in_day"), ["appliance", "date"]).filter(pl.col("steps") >= _STEPS_THAT_TELL)
    in_month = typical(short, ["appliance"])
    own, usual = pl.col("own"), pl.col("usual")
    differs = (own - usual).abs() > _CLEARLY_ANOTHER * usual
    days = timed.filter(begins("day")).select("appliance", "date")
    return (
        days.join(
            in_day.select("appliance", "date", own="us"), on=["appliance", "date"], how="left", maintain_order="left"
        )
        .join(in_month.select("appliance", usual="us"), on="appliance", how="left", maintain_order="left")
        .select("appliance", "date", us=pl.when(differs).then(own).otherwise(usual))
        .join(local_days(days["date"], timezone), on="date", how="left", maintain_order="left")
        .with_columns(slots=slots())
    )


def slots() -> pl.Expr:
    """How many intervals `us` a day of a `length` has. At least one, also where it is shorter than the interval: the
    last interval takes what is left of the day.
    """
    return (pl.col("length").dt.total_microseconds() / pl.col("us")).round().cast(pl.Int64).clip(lower_bound=1)


def _appliances(timed: pl.DataFrame) -> pl.DataFrame:
    kwh = pl.col("kwh").list
    return (
        timed.group_by(stretch("appliance"), maintain_order=True)
        .agg(
            pl.col("appliance").first(),
            pl.col("kwh"),
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("timestamp").first().alias("first_timestamp"),
            pl.col("timestamp").last().alias("last_timestamp"),
            pl.col("estimated").sum(),
            pl.col("kwh").filter(pl.col("estimated")).alias("estimated_kwh"),
            (pl.col("timestamp_utc") + pl.duration(microseconds="us")).max().alias("ends"),
        )
        .with_columns(
            # The sum of no readings is -0.0.
            estimated_kwh=pl.col("estimated_kwh").list.sum() + 0.0,
            min_kwh=kwh.min(),
            max_kwh=kwh.max(),
            m2=kwh.var(ddof=0) * pl.col("readings"),
            kwh=kwh.sum(),
        )
    )


def _days(timed: pl.DataFrame) -> pl.DataFrame:
    """Days are cut from midnight on, or half an interval off if more intervals have a reading then: a clock that
    wavers around the full minute misses none.
    """
    since = (pl.col("timestamp_utc") - pl.col("starts")).dt.total_microseconds()
    us, last = pl.col("us"), pl.col("slots") - 1
    return (
        timed.select(
            "appliance",
            "date",
            "day",
            "kwh",
            "us",
            "slots",
            slot=pl.min_horizontal(since // us, last),
            slot_off=pl.min_horizontal((since + us // 2) // us, last),
        )
        # Slots rise with the time, so each is told by its first reading.
        .with_columns(begins("day", "slot").alias("slot"), begins("day", "slot_off").alias("slot_off"))
        .group_by("day", maintain_order=True)
        .agg(
            pl.col("appliance", "date").first(),
            pl.col("kwh"),
            pl.max_horizontal(pl.col("slot").sum(), pl.col("slot_off").sum()).alias("covered"),
            pl.col("us", "slots").first(),
        )
        .with_columns(pl.col("kwh").list.sum())
    )


def _hours(hourly: pl.DataFrame) -> pl.DataFrame:
    time = pl.col("timestamp").dt
    return (
        hourly.sort("appliance", "timestamp_utc")
        .group_by(
            "appliance",
            time.weekday().cast(pl.Int32).alias("weekday"),
            time.hour().cast(pl.Int32).alias("hour"),
            maintain_order=True,
        )
        .agg(pl.col("kwh"), (2 ** time.day().cast(pl.Float64)).cast(pl.UInt32).bitwise_or().alias("days"))
        .with_columns(pl.col("kwh").list.sum())
        .sort("appliance", "weekday", "hour")
    )


def usual_step() -> pl.Expr:
    """What is usual between a reading and the one before: of two ways of reading the longer one."""
    return pl.max_horizontal("us", pl.col("us").shift())


def is_near(ratio: pl.Expr) -> pl.Expr:
    """Whether a step, in usual steps, is about the usual one."""
    return ratio.is_between(2 - LONGER_THAN_USUAL, LONGER_THAN_USUAL)


def _runs_by_limit(told: pl.DataFrame) -> dict[float, pl.DataFrame]:
    """`_runs` for each limit; mostly no step is longer than one and shorter than another, and they are the same."""
    shorter, longer = LIMITS
    by_shorter = _runs(told, shorter)
    differs = told.select(pl.col("ratio").is_between(shorter, longer, closed="left").any()).item()
    return {shorter: by_shorter, longer: _runs(told, longer) if differs else by_shorter}


def _runs(told: pl.DataFrame, limit: float) -> pl.DataFrame:
    """The runs of equal readings without a gap that may be flatlines, or may go on in another month: the first and last
    of each appliance. Where one ends at the `limit`. Estimated readings are alike by nature: each is a run of its own.
    """
    kwh, estimated = pl.col("kwh"), pl.col("estimated")
    unlike = kwh.ne_missing(kwh.shift()) | estimated.shift() | estimated
    gap = (pl.col("ratio") >= limit).fill_null(False)
    first = told.select((~pl.col("same") | gap | unlike).fill_null(True).arg_true()).to_series()
    past = first.shift(-1, fill_value=told.height)
    found = pl.DataFrame({"first": first, "past": past, "joint": ~told["same"].gather(first)}).with_columns(
        readings=pl.col("past").cast(pl.Int64) - pl.col("first").cast(pl.Int64),
        final=pl.col("joint").shift(-1, fill_value=True),
    )
    found = found.filter(pl.col("joint") | pl.col("final") | (pl.col("readings") >= FLATLINE_READINGS))
    starts, ends = told[found["first"]], told[found["past"] - 1]
    return starts.select(
        "appliance",
        "kwh",
        "estimated",
        since="timestamp_utc",
        until=ends["timestamp_utc"],
        us_since="us",
        us_until=ends["us"],
        readings=found["readings"],
        joint=found["joint"],
        final=found["final"],
    )


def is_flatline() -> pl.Expr:
    """Whether a run is one: from its first reading to the end of its last. Zero is an appliance that is off."""
    return (
        (pl.col("kwh") > 0)
        & ~pl.col("estimated")
        & (pl.col("readings") >= FLATLINE_READINGS)
        & (run_us() >= FLATLINE_US)
    )


def run_us() -> pl.Expr:
    """How long a run is, microseconds."""
    return (pl.col("until") - pl.col("since")).dt.total_microseconds() + pl.col("us_until")


def _stretches(told: pl.DataFrame, runs: Mapping[float, pl.DataFrame]) -> pl.DataFrame:
    """Each appliance of a known interval: what its month tells, limit by limit."""
    ratio = pl.col("ratio")
    judged = told.group_by(stretch("appliance"), maintain_order=True).agg(
        pl.col("appliance").first(),
        is_near(ratio).sum().cast(pl.Int64).alias("near"),
        ratio.count().cast(pl.Int64).alias("judged"),
    )
    long = told.filter(ratio >= LIMITS[0])
    return pl.concat(
        judged.drop("stretch")
        .join(_gaps(long.filter(ratio >= limit)), on="appliance", how="left", maintain_order="left")
        .join(_flatlines(runs[limit]), on="appliance", how="left", maintain_order="left")
        .with_columns(pl.col("gaps", "missing_us", "flatlines", "flatline_us").fill_null(0))
        .with_columns(limit=pl.lit(limit))
        for limit in LIMITS
    )


def _gaps(long: pl.DataFrame) -> pl.DataFrame:
    """By appliance, of readings that come so long after the one before that some are missing."""
    return (
        long.select("appliance", longest_at="timestamp_utc", missing=pl.col("step") - pl.col("usual"))
        .sort(["appliance", "missing", "longest_at"], descending=[False, True, False])
        .group_by("appliance", maintain_order=True)
        .agg(
            pl.len().alias("gaps"),
            pl.col("missing").sum().alias("missing_us"),
            pl.col("missing").first().alias("longest_us"),
            pl.col("longest_at").first(),
        )
    )


def _flatlines(runs: pl.DataFrame) -> pl.DataFrame:
    return (
        runs.filter(~pl.col("joint") & ~pl.col("final") & is_flatline())
        .group_by("appliance")
        .agg(pl.len().alias("flatlines"), run_us().sum().alias("flatline_us"))
    )


def _loose_runs(runs: pl.DataFrame, untold: pl.DataFrame, limit: float) -> pl.DataFrame:
    """The runs that may go on in another month, and every reading of appliances whose interval is not told."""
    alone = untold.select(
        "appliance",
        "kwh",
        "estimated",
        since="timestamp_utc",
        until="timestamp_utc",
        us_since="us",
        us_until="us",
        readings=pl.lit(1, dtype=pl.Int64),
        joint=pl.lit(True),
        final=pl.lit(True),
    )
    edges = pl.concat([runs.filter(pl.col("joint") | pl.col("final")), alone])
    return edges.drop("final").sort("appliance", "since").with_columns(limit=pl.lit(limit))
