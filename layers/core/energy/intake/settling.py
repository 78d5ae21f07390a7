"""What only all rows of a file together can tell: the repeated autumn hour, duplicates, contradictions."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from energy.intake.timestamps import to_local

# Readings put by while a file is read: one row each. `line` is that of the text, `column` that of the layout's values,
# as a line may hold several. `month` is the local one, as year · 12 + month - 1. `utc` is the earlier instant where two
# are possible, `later` the other one, null elsewhere; `stated`: the file itself names the instant.
CANDIDATE: dict[str, pl.DataType | type[pl.DataType]] = {
    "line": pl.Int64,
    "column": pl.Int16,
    "code": pl.UInt32,
    "utc": pl.Datetime("us"),
    "later": pl.Datetime("us"),
    "stated": pl.Boolean,
    "kwh": pl.Float64,
    "estimated": pl.Boolean,
    "month": pl.Int32,
}
_SETTLED = ["line", "column", "code", "utc", "kwh", "estimated", "month"]
# Below this many instants, several values for each are contradictions rather than several meters of one name.
SEVERAL_METERS_FROM_INSTANTS = 5


@dataclass(frozen=True)
class Settled:
    """`readings` (line, column, code, utc, kwh, estimated, month): one row per appliance and instant, sorted by utc
    and code.

    `contradicting`: the rows that share appliance and instant with another value, same columns. `duplicates`: code and
    number of rows that were there again.
    """

    readings: pl.DataFrame
    contradicting: pl.DataFrame
    duplicates: pl.DataFrame


def settle(candidates: pl.DataFrame, timezone: str) -> Settled:
    """Whole days of candidates. Which of the two autumn hours a row is of is told by the day's other rows."""
    rows = _with_fold(candidates, timezone).select(_SETTLED)
    rows = in_order(rows)
    same = (pl.col("code") == pl.col("code").shift()) & (pl.col("utc") == pl.col("utc").shift())
    rows = rows.with_columns(same=same.fill_null(False)).with_row_index("place")
    if not rows["same"].any():
        readings = rows.drop("same", "place")
        return Settled(readings, readings.clear(), pl.DataFrame(schema={"code": pl.UInt32, "len": pl.UInt32}))
    shared = rows.filter(pl.col("same") | pl.col("same").shift(-1, fill_value=False))
    shared = shared.with_columns(group=(~pl.col("same")).cum_sum()).sort("group", "estimated", "kwh", "line")
    # Measured goes before estimated: where both are there, the estimate was replaced.
    measured = shared.filter(pl.col("estimated") == pl.col("estimated").first().over("group"))
    contradicts = pl.col("kwh").n_unique().over("group") > 1
    contradicting = measured.filter(contradicts)
    agreeing = measured.filter(~contradicts).unique("group", keep="first", maintain_order=True)
    counted = pl.concat([agreeing["place"], contradicting["place"]])
    dropped = shared.filter(~pl.col("place").is_in(counted.implode()))
    gone = pl.concat([dropped["place"], contradicting["place"]])
    stays = pl.repeat(True, rows.height, eager=True).scatter(gone, False)
    return Settled(
        rows.filter(stays).select(_SETTLED),
        contradicting.select(_SETTLED),
        dropped.group_by("code").len(),
    )


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by utc and code: by one number where it has room for both, which is much faster."""
    since = pl.col("utc") - rows["utc"].min()
    span = rows.select(since.max().dt.total_microseconds()).item() + 1
    codes = int(rows["code"].max() or 0) + 1  # type: ignore[arg-type]
    if codes * span >= 1 << 63:
        return rows.sort("utc", "code")
    place = rows.select(since.dt.total_microseconds() * codes + pl.col("code").cast(pl.Int64)).to_series()
    # Most files are in the order of time, and their appliances in one order.
    return rows if place.is_sorted() else rows.sort(place)


def instants_of(contradicting: pl.DataFrame) -> pl.DataFrame:
    """code; `least` and `most` different values of an instant; whether they are `distinct`; number of `instants`.

    `contradicting` holds all such rows (code, utc, kwh) of some instants.
    """
    instants = contradicting.group_by("code", "utc").agg(values=pl.col("kwh").n_unique(), rows=pl.len())
    return instants.group_by("code").agg(
        least=pl.col("values").min(),
        most=pl.col("values").max(),
        distinct=(pl.col("values") == pl.col("rows")).all(),
        instants=pl.len(),
    )


def several_meters(found: Iterable[pl.DataFrame], settled_codes: set[int]) -> list[int]:
    """Codes that are names of several meters: each of their instants has as many different values as any other.

    `found` tells of all instants of the file that have several values (`instants_of`), `settled_codes` whatever else
    has readings.
    """
    names = (
        pl.concat(found)
        .group_by("code")
        .agg(pl.col("least").min(), pl.col("most").max(), pl.col("distinct").all(), pl.col("instants").sum())
    )
    steady = (
        pl.col("distinct") & (pl.col("least") == pl.col("most")) & (pl.col("instants") >= SEVERAL_METERS_FROM_INSTANTS)
    )
    return sorted(set(names.filter(steady)["code"]) - settled_codes)


def summed(rows: pl.DataFrame) -> pl.DataFrame:
    """Several meters of one name as one reading per instant, in the order of their values so that no sum depends on
    the order in the file.
    """
    return (
        rows.sort("code", "utc", "kwh")
        .group_by("code", "utc", maintain_order=True)
        .agg(pl.col("line", "column", "month").min(), pl.col("kwh"), pl.col("estimated").any())
        .with_columns(pl.col("kwh").list.sum())
        .select(_SETTLED)
    )


def _with_fold(rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The later instant for readings in the later one of the two autumn hours.

    Of two different values for one appliance and time, the first is of the earlier hour, in the order of time: from the
    end of the file where the appliance's rows of that day run backwards. Equal values are two readings only if the
    appliance reported that hour twice; otherwise the row is there twice.
    """
    twice = pl.col("later").is_not_null()
    if rows["later"].null_count() == rows.height:
        return rows
    day, time = ["code", "date"], ["code", "utc"]
    dated = rows.filter(~pl.col("stated")).with_columns(date=to_local(pl.col("utc"), timezone).dt.date())
    dates = dated.filter(twice)["date"].unique()
    step = pl.col("utc").diff()
    dated = (
        dated.filter(pl.col("date").is_in(dates.implode()))
        .select("line", "code", "utc", "kwh", "date", twice=twice)
        .sort("line", maintain_order=True)
        .with_columns(backwards=((step < dt.timedelta()).sum() > (step > dt.timedelta()).sum()).over(day))
        .sort(pl.when("backwards").then(-pl.col("line")).otherwise("line"), maintain_order=True)
    )
    found = (
        dated.filter("twice")
        .join(_reported_twice(dated), on=day, how="left", maintain_order="left")
        .with_columns(
            values=pl.col("kwh").n_unique().over(time),
            is_first_value=pl.col("kwh") == pl.col("kwh").first().over(time),
            copy=pl.int_range(pl.len()).over(time),
        )
        .select(
            "line",
            "code",
            "utc",
            repeated=pl.when(pl.col("values") > 1)
            .then(~pl.col("is_first_value"))
            .otherwise(pl.col("reported_twice") & (pl.col("copy") > 0)),
        )
    )
    return (
        rows.join(found, on=["line", "code", "utc"], how="left", maintain_order="left")
        .with_columns(utc=pl.when("repeated").then("later").otherwise("utc"))
        .drop("repeated")
    )


def _reported_twice(rows: pl.DataFrame) -> pl.DataFrame:
    """code, date, reported_twice: at least half of the times of the hour are there as both hours' readings would be.

    That is with different values, or twice as often as the day's other times: in a file put together with itself, those
    are there twice, too.
    """
    day = ["code", "date"]
    times = rows.group_by(*day, "utc", "twice").agg(copies=pl.len().cast(pl.Int64), values=pl.col("kwh").n_unique())
    usual = times.filter(~pl.col("twice")).group_by(day).agg(pl.col("copies").quantile(0.5, "lower").alias("usual"))
    as_two = (pl.col("values") > 1) | (pl.col("copies") >= 2 * pl.col("usual").fill_null(1))
    return (
        times.filter("twice")
        .join(usual, on=day, how="left")
        .group_by(day)
        .agg((2 * as_two.sum() >= pl.len()).alias("reported_twice"))
    )
