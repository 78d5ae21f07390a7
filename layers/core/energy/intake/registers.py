"""What a meter shows to energy used between readings: meters that wobble, start again, run over or are replaced.

`differences` takes all readings at once. Where they come in pieces, each later in time than the one before, they are
gone through twice: first `change_counts` (and `conversion.step_counts`) of all pieces, which say what is ordinary for
each appliance, then `differences_of_piece` and `spread`. How the readings are cut into pieces changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from energy.intake import conversion
from energy.intake.conversion import with_former

# A smaller drop is noise and no new start: Home Assistant's rule for total_increasing (`reset_detected` in its
# sensor/recorder.py, https://developers.home-assistant.io/docs/core/entity/sensor). That alone would take a meter of
# 20,000 kWh that is replaced by one of 19,000 kWh for noise, so the drop has to be small, too.
JITTER_SHARE = 0.1
# The last digit of a household's meter.
JITTER_KWH = 1.0
# Use is plausible up to so many times what the appliance's largest ordinary rate gives. That rate is known as a power
# of two from above, so the limit is four to eight times the rate: room for a larger use than any seen, and far from
# what a meter shows that was counting before.
PLAUSIBLE_TIMES = 4.0
# Rates of so large a share of an appliance's rises are ordinary, if there are so many, and those up to 32 (a power of
# two) times as high: a car charges at 11 kW where all else needs 0.4 kW.
NEARLY_ALL = 0.9
NEARLY_ALL_FROM_RISES = 10
FAR_ABOVE = 5
# A meter runs over where its digits end, at a power of ten; no meter has less than three digits before the point.
ROLLOVER_FROM_DIGITS = 3
ROLLOVER_SHARE = 0.1
# A longer span between readings than usual is a gap, in which the time of use is not known.
LONG_SPAN_TIMES = 1.5
LONG_SPAN_MINUTES = 60.0
# So many whole hours are 83 days; longer gaps get longer parts.
MOST_PARTS = 2_000
_ROWS_AT_ONCE = 500_000
_MICROSECONDS_PER_HOUR = 3_600_000_000
# What a register did, to be read after its appliance's name.
EVENTS = {
    "REGISTER_JITTER": "went back for a moment, which was counted as no use",
    "REGISTER_ROLLOVER": "ran over its last digit and went on from zero; what was used meanwhile was counted",
    "REGISTER_RESET": "started again from zero; what it showed then was counted as the use since",
    "REGISTER_REPLACED": "went back as if the meter was replaced; nothing was counted for that step",
    "REGISTER_JUMP": "rose by more than can have been used; nothing was counted for that step",
}

_STATE = ("code", "utc", "kwh", "estimated", "high", "dip_utc", "dip_kwh", "balance")
# Smallest amount that counts are kept for, as a power of two in kWh; smaller ones are counted there.
_SMALLEST = -30


@dataclass(frozen=True)
class PieceDifferences:
    """`energy`: code, utc (the start: when the meter was read before), kwh, estimated, line (of the reading that ends
    the interval), sorted by code and utc. `long`: the same with `until`, for `spread`. `events`: code, utc, event, of
    every reading that the meter did not get to by counting up. `last`: to go on with, for the next piece.
    """

    energy: pl.DataFrame
    long: pl.DataFrame
    events: pl.DataFrame
    last: pl.DataFrame


def differences(readings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Energy (code, utc, kwh, estimated, line) and events (code, utc, event) of all readings, in whatever order they
    are; both sorted by code and utc. What they are is told by `differences_of_piece` and `spread`.
    """
    readings = readings.sort("code", "utc")
    usual_minutes = conversion.usual_minutes(conversion.step_counts(readings, None))
    found = differences_of_piece(readings, None, usual_minutes, ordinary_kw(change_counts(readings, None)))
    energy = pl.concat([found.energy, *spread(found.long, usual_minutes)])
    return energy.sort("code", "utc"), found.events


def change_counts(piece: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    """code, is_drop, size, rate, count: how often a register changed by so much, and so fast.

    `size` in kWh and `rate` in kW are powers of two, rounded down. `last`: `conversion.latest` of the pieces before.
    """
    change = pl.col("kwh") - pl.col("former_kwh")
    return (
        with_former(piece, last)
        .filter(change != 0)
        .select(
            "code",
            is_drop=change < 0,
            size=_power_of_two(change.abs()),
            rate=_power_of_two(change.abs(), _hours("former_utc")),
        )
        .group_by("code", "is_drop", "size", "rate")
        .agg(count=pl.len().cast(pl.Int64))
        .sort("code", "is_drop", "size", "rate")
    )


def ordinary_kw(changes: pl.DataFrame) -> pl.DataFrame:
    """code, kw: what an appliance's mean power is below between any two readings, mistakes apart.

    A reading that is far too low is followed by a rise of about the same size, and one that is far too high comes after
    such a rise. So rises count only where there are more of their size than drops. A rate far above nearly all others
    is no ordinary one: it may be a wrong number, or another meter. No row where there are no rises.
    """
    sizes = pl.col("size") + pl.int_ranges(-1, 2)
    drops = (
        changes.filter("is_drop")
        .select("code", "count", size=sizes)
        .explode("size", empty_as_null=True, keep_nulls=True)
        .group_by("code", "size")
        .agg(drops=pl.col("count").sum())
    )
    return (
        changes.filter(~pl.col("is_drop"))
        .join(drops, on=["code", "size"], how="left")
        .filter(pl.col("count").sum().over("code", "size") > pl.col("drops").fill_null(0))
        .group_by("code", "rate")
        .agg(pl.col("count").sum())
        .sort("code", "rate")
        .with_columns(passed=pl.col("count").cum_sum().over("code"), rises=pl.col("count").sum().over("code"))
        .group_by("code")
        .agg(
            most=pl.col("rate").max(),
            nearly_all=pl.col("rate").filter(pl.col("passed") >= NEARLY_ALL * pl.col("rises")).min(),
            rises=pl.col("rises").first(),
        )
        .select(
            "code",
            kw=pl.lit(2.0).pow(
                pl.when(pl.col("rises") >= NEARLY_ALL_FROM_RISES)
                .then(pl.min_horizontal("most", pl.col("nearly_all") + FAR_ABOVE))
                .otherwise("most")
                + 1
            ),
        )
        .sort("code")
    )


def differences_of_piece(
    piece: pl.DataFrame, last: pl.DataFrame | None, usual_minutes: pl.DataFrame, ordinary_kw: pl.DataFrame
) -> PieceDifferences:
    """The energy between each reading of a meter and the one before; none for an appliance's first.

    A meter that counts up gives its differences. A drop is told apart, in this order, as
    REGISTER_JITTER: small, and by less than a tenth. It is no use, nor is anything until the register is higher than it
        ever was, so that nothing is counted twice.
    REGISTER_ROLLOVER: from the last tenth below a power of ten to its first, and what is between is a plausible use.
    REGISTER_RESET: what the register shows is a plausible use since. This is the use.
    REGISTER_REPLACED: anything else. There is no energy for that interval.
    A rise that no use can be is a REGISTER_JUMP: there is no energy for that interval either.
    A register that soon is back where it was before it dropped, by a rise that no use can be, had only a bad reading:
    REGISTER_JITTER, and the use is counted from before the drop.

    `usual_minutes` and `ordinary_kw` are of all pieces.
    """
    rows = _with_steps(piece, last, usual_minutes, ordinary_kw)
    rows = _with_use(rows)
    found = rows.filter(pl.col("former_utc").is_not_null() & pl.col("use").is_not_null())
    found = found.select(
        "code",
        "is_long",
        "line",
        until="utc",
        utc="former_utc",
        kwh="use",
        estimated=pl.col("estimated") | pl.col("former_estimated"),
    )
    columns = ["code", "utc", "kwh", "estimated", "line"]
    return PieceDifferences(
        energy=found.filter(~pl.col("is_long")).select(columns),
        long=found.filter("is_long").select(*columns, "until"),
        events=rows.filter(pl.col("event").is_not_null()).select("code", "utc", "event"),
        last=_latest(rows, last),
    )


def spread(long: pl.DataFrame, usual_minutes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Energy of gaps spread evenly over them, in frames of bounded size (columns as `PieceDifferences.energy`, all
    estimated).

    Parts begin at whole hours of UTC; where readings are usually more than an hour apart, so far after each other. At
    most MOST_PARTS parts for each gap, longer ones where these do not suffice.
    """
    planned = _planned(long, usual_minutes)
    if planned.is_empty():
        return
    planned = planned.with_columns(frame=(pl.col("parts").cum_sum() - 1) // _ROWS_AT_ONCE)
    for frame in planned.partition_by("frame", maintain_order=True):
        yield _parts(frame)


def _hours(since: str) -> pl.Expr:
    return (pl.col("utc") - pl.col(since)).dt.total_microseconds() / _MICROSECONDS_PER_HOUR


def _power_of_two(amount: pl.Expr, hours: pl.Expr | None = None) -> pl.Expr:
    """Of the amount, or of the amount an hour; logarithms, as quotients may depend on the number of rows."""
    exponent = amount.log(2) if hours is None else amount.log(2) - hours.log(2)
    return exponent.floor().clip(lower_bound=_SMALLEST).cast(pl.Int16)


def _with_steps(
    piece: pl.DataFrame, last: pl.DataFrame | None, usual_minutes: pl.DataFrame, ordinary_kw: pl.DataFrame
) -> pl.DataFrame:
    """The piece with all that is known before each reading. carried_* are of the piece before, in an appliance's first
    row alone; `limit_kw`: no use is above it.
    """
    if last is None:
        last = _NO_STATE
    carried = last.select("code", pl.col("estimated", "high", "dip_utc", "dip_kwh", "balance").name.prefix("carried_"))
    is_first = pl.col("code").ne_missing(pl.col("code").shift())
    return (
        with_former(piece, last)
        .join(carried, on="code", how="left", maintain_order="left")
        .join(usual_minutes.select("code", usual="minutes"), on="code", how="left", maintain_order="left")
        .join(ordinary_kw, on="code", how="left", maintain_order="left")
        .with_columns(
            is_first=is_first,
            former_estimated=pl.when(is_first).then("carried_estimated").otherwise(pl.col("estimated").shift()),
            hours=_hours("former_utc"),
            limit_kw=PLAUSIBLE_TIMES * pl.col("kw").fill_null(0),
        )
        .with_columns(
            is_long=(pl.col("hours") * 60 > pl.max_horizontal(LONG_SPAN_TIMES * pl.col("usual"), LONG_SPAN_MINUTES))
        )
    )


def _with_use(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `use` since the reading before, null where it is not known, `event`, and the state after each.

    `high`: the most that the register showed since the last drop that was no jitter. dip_utc, dip_kwh: what it showed
    before that drop. `balance` + `high`: the use that was counted since.
    """
    drop = pl.col("former_kwh") - pl.col("kwh")
    usual_hours = pl.min_horizontal(pl.col("hours"), pl.col("usual") / 60)
    is_small = (drop <= JITTER_KWH) | (drop <= pl.col("limit_kw") * usual_hours)
    is_jitter = (drop > 0) & (pl.col("kwh") > (1 - JITTER_SHARE) * pl.col("former_kwh")) & is_small
    rows = rows.with_columns(
        is_jitter=is_jitter.fill_null(value=False), is_break=((drop > 0) & ~is_jitter).fill_null(value=False)
    ).with_columns(segment=(pl.col("is_first") | pl.col("is_break")).cum_sum())
    goes_on = ~pl.col("is_break").first().over("segment")
    high = pl.col("kwh").cum_max().over("segment")
    carried_high = pl.when(goes_on).then(pl.col("carried_high").first().over("segment"))
    rows = rows.with_columns(high=pl.max_horizontal(high, carried_high))
    rows = rows.with_columns(
        former_high=pl.when("is_first").then("carried_high").otherwise(pl.col("high").shift()),
    )
    rows = _with_breaks(rows)
    # What holds from a segment's first row on.
    held = {
        "dip_utc": pl.when("is_break").then("former_utc").otherwise("carried_dip_utc"),
        "dip_kwh": pl.when("is_break").then("former_high").otherwise("carried_dip_kwh"),
        "balance": pl.when("is_break")
        .then(pl.col("break_use").fill_null(0) - pl.col("kwh"))
        .otherwise(pl.col("carried_balance")),
    }
    rows = rows.with_columns(value.first().over("segment").alias(name) for name, value in held.items())
    return _with_rises(rows)


def _with_breaks(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `break_use` and `break_event`, of drops that are no jitter."""
    limit = pl.col("limit_kw") * pl.col("hours")
    ends_at = pl.lit(10.0).pow(pl.col("former_high").log10().ceil().clip(lower_bound=ROLLOVER_FROM_DIGITS))
    run_over = ends_at - pl.col("former_high") + pl.col("kwh")
    is_rollover = (
        (pl.col("former_high") >= (1 - ROLLOVER_SHARE) * ends_at)
        & (pl.col("kwh") <= ROLLOVER_SHARE * ends_at)
        & (run_over <= limit)
    )
    is_reset = (pl.col("kwh") <= (1 - JITTER_SHARE) * pl.col("former_kwh")) & (pl.col("kwh") <= limit)
    event = pl.when(is_rollover).then(pl.lit("REGISTER_ROLLOVER")).when(is_reset).then(pl.lit("REGISTER_RESET"))
    return rows.with_columns(
        break_use=pl.when("is_break").then(pl.when(is_rollover).then(run_over).when(is_reset).then("kwh")),
        break_event=pl.when("is_break").then(event.otherwise(pl.lit("REGISTER_REPLACED"))),
    )


def _with_rises(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `use` and `event`, drops and the others."""
    gained = pl.col("high") - pl.col("former_high")
    regained = pl.col("kwh") - pl.col("dip_kwh")
    is_back = (
        ~pl.col("is_break")
        & (pl.col("former_high") < pl.col("dip_kwh"))
        & (regained >= 0)
        & (regained <= pl.col("limit_kw") * _hours("dip_utc"))
        & (gained > pl.col("limit_kw") * pl.col("hours"))
    ).fill_null(value=False)
    counted = pl.col("balance") + pl.col("former_high")
    use_of_rise = pl.when(is_back).then((regained - counted).clip(lower_bound=0)).otherwise(gained)
    is_beyond = pl.col("kw").is_not_null() & (gained > pl.col("limit_kw") * pl.col("hours"))
    is_jump = (~pl.col("is_break") & ~is_back & is_beyond).fill_null(value=False)
    jitter = pl.when(is_back | pl.col("is_jitter")).then(pl.lit("REGISTER_JITTER"))
    told = pl.when(is_jump).then(pl.lit("REGISTER_JUMP")).otherwise(jitter)
    use = pl.when("is_break").then("break_use").when(is_jump).then(None).otherwise(use_of_rise)
    return rows.with_columns(use=use, event=pl.coalesce("break_event", told))


def _latest(rows: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    found = rows.group_by("code", maintain_order=True).agg(pl.col(_STATE[1:]).last())
    return found if last is None else pl.concat([last.join(found, on="code", how="anti"), found])


_NO_STATE = pl.DataFrame(
    schema={
        "code": pl.UInt32,
        "utc": pl.Datetime("us"),
        "kwh": pl.Float64,
        "estimated": pl.Boolean,
        "high": pl.Float64,
        "dip_utc": pl.Datetime("us"),
        "dip_kwh": pl.Float64,
        "balance": pl.Float64,
    }
)


def _planned(long: pl.DataFrame, usual_minutes: pl.DataFrame) -> pl.DataFrame:
    """Gaps with `start` and `end` in microseconds, `origin`, from which parts of `step` begin, and how many `parts`."""
    usual = (pl.col("minutes").fill_null(0) * 60_000_000).round().cast(pl.Int64)
    span = pl.col("end") - pl.col("start")
    # The first and the last of whole hours may be short.
    times = pl.max_horizontal(1, -(-span // (pl.col("unit") * (MOST_PARTS - 2))))
    first = pl.col("start") // pl.col("step")
    whole_hours = pl.col("unit") == _MICROSECONDS_PER_HOUR
    return (
        long.join(usual_minutes, on="code", how="left", maintain_order="left")
        .with_columns(
            unit=pl.max_horizontal(usual, _MICROSECONDS_PER_HOUR),
            start=pl.col("utc").dt.epoch("us"),
            end=pl.col("until").dt.epoch("us"),
        )
        # Polars divides by a column of one row in another way than by a longer one: the last digit would tell of cuts.
        .with_columns(inverse=1.0 / span)
        .with_columns(step=pl.col("unit") * times)
        .with_columns(
            origin=pl.when(whole_hours).then(first * pl.col("step")).otherwise("start"),
            parts=pl.when(whole_hours)
            .then((pl.col("end") - 1) // pl.col("step") - first + 1)
            .otherwise(pl.max_horizontal(1, (span + pl.col("step") // 2) // pl.col("step"))),
        )
    )


def _parts(planned: pl.DataFrame) -> pl.DataFrame:
    number = pl.col("number")
    begins = pl.max_horizontal("start", pl.col("origin") + number * pl.col("step"))
    is_last = number == pl.col("parts") - 1
    ends = pl.when(is_last).then("end").otherwise(pl.col("origin") + (number + 1) * pl.col("step"))
    return (
        planned.with_columns(number=pl.int_ranges(0, pl.col("parts")))
        .explode("number", empty_as_null=True, keep_nulls=True)
        .select(
            "code",
            utc=pl.from_epoch(begins, time_unit="us"),
            kwh=pl.col("kwh") * ((ends - begins) * pl.col("inverse")),
            estimated=pl.lit(value=True),
            line="line",
        )
    )
