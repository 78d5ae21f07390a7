"""Timestamps of an upload to local time and to the instant. ISO 8601 only; nothing else is guessed."""

import datetime as dt

import polars as pl

from energy.errors import InputRejected

FIRST_YEAR = 1990

_ISO = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?: ?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]))?$"
)
_OFFSET = r"([+-])([0-9]{2}):?([0-9]{2})$"
_NUMERIC_DATE = r"^([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-][0-9]{2,4}(?:\D|$)"
_OTHER_DATE = r"^[0-9]{4}[/.][0-9]{1,2}[/.][0-9]{1,2}(?:\D|$)"
_BARE_NUMBER = r"^[0-9]{4,19}(?:\.[0-9]+)?$"
_ISO_EXAMPLE = "2024-05-01 13:00"


def refuse_other_formats(column: pl.Series) -> None:
    """InputRejected if the file's timestamps, at least half of them, are of a format that can be read in two ways or is
    not read at all.
    """
    text = column.drop_nulls().str.strip_chars()
    half = (text.len() + 1) // 2
    if text.is_empty() or text.str.contains(_ISO).sum() * 2 > text.len():
        return
    dates = text.filter(text.str.contains(_NUMERIC_DATE))
    if len(dates) >= half:
        groups = dates.str.extract_groups(_NUMERIC_DATE).struct.unnest().cast(pl.Int64)
        if (groups.max_horizontal() <= 12).all():
            raise InputRejected(
                "AMBIGUOUS_DATE",
                f"Dates such as {dates[0]!r} may be day first or month first, and none in the file says which. "
                f"Write them as {_ISO_EXAMPLE}.",
            )
        raise _other_format(dates[0])
    for pattern in (_BARE_NUMBER, _OTHER_DATE):
        matching = text.filter(text.str.contains(pattern))
        if len(matching) >= half:
            raise _other_format(matching[0])


def _other_format(example: str) -> InputRejected:
    return InputRejected(
        "BAD_TIMESTAMP_FORMAT",
        f"Timestamps such as {example[:40]!r} are not read. Write them as {_ISO_EXAMPLE}, with or without an offset.",
    )


def read(records: pl.DataFrame, timezone: str, usable: pl.Expr) -> tuple[pl.DataFrame, dict[str, str]]:
    """Adds `local` (wall clock in `timezone`, null if unreadable) and `utc` (also null where clocks skipped that time).

    Times with an offset mean that instant. Times without one are local; which of the two autumn hours they are of is
    told by the file's other rows, of which only those that are `usable` count.
    """
    records = _with_parts(records)
    far_past = pl.col("written").dt.year() < FIRST_YEAR
    zoned = pl.when(~far_past & pl.col("offset_minutes").is_null()).then(pl.col("written"))
    records = records.with_columns(
        earlier=_utc(zoned, timezone, "earliest"),
        later=_utc(zoned, timezone, "latest"),
        stated=pl.col("written") - pl.duration(minutes=pl.col("offset_minutes")),
    )
    records = _with_fold(records, usable).with_columns(
        utc=pl.coalesce("stated", pl.when(pl.col("repeated")).then(pl.col("later")).otherwise(pl.col("earlier")))
    )
    in_zone = pl.col("utc").dt.replace_time_zone("UTC").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    local = pl.when(pl.col("stated").is_not_null() & ~far_past).then(in_zone).otherwise(pl.col("written"))
    warnings = _warnings(records, timezone)
    return records.with_columns(local=local).drop(
        "written", "offset_minutes", "earlier", "later", "stated", "repeated"
    ), warnings


def _with_parts(records: pl.DataFrame) -> pl.DataFrame:
    """Adds `written`, the date and time as they stand there, and `offset_minutes`, null where none is stated."""
    text = pl.col("timestamp").str.strip_chars()
    records = records.with_columns(iso=pl.when(text.str.contains(_ISO)).then(text))
    iso = pl.col("iso")
    day_and_minute = iso.str.slice(0, 10) + "T" + iso.str.slice(11, 5)
    tail = iso.str.slice(16)
    has_tail = (iso.str.len_bytes() > 16).any()
    written = day_and_minute.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False)
    if not records.select(has_tail).item():
        no_offset = pl.lit(None, dtype=pl.Int64)
        return records.with_columns(written=written, offset_minutes=no_offset).drop("iso")
    seconds = tail.str.extract(r"^:([0-9]{2})").cast(pl.Int64).fill_null(0)
    # Beyond microseconds nothing is kept: seven digits are common, and no meter means them.
    micros = tail.str.extract(r"\.([0-9]+)").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    sign = pl.when(tail.str.extract(_OFFSET, 1) == "-").then(-1).otherwise(1)
    minutes = tail.str.extract(_OFFSET, 2).cast(pl.Int64) * 60 + tail.str.extract(_OFFSET, 3).cast(pl.Int64)
    zulu = tail.str.ends_with("Z")
    return records.with_columns(
        written=written + pl.duration(seconds=seconds, microseconds=micros),
        offset_minutes=pl.when(zulu).then(pl.lit(0, dtype=pl.Int64)).otherwise(sign * minutes),
    ).drop("iso")


def _utc(local: pl.Expr, timezone: str, fold: str) -> pl.Expr:
    zoned = local.dt.replace_time_zone(timezone, ambiguous=fold, non_existent="null")  # type: ignore[arg-type]
    return zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _with_fold(records: pl.DataFrame, usable: pl.Expr) -> pl.DataFrame:
    """Adds `repeated`: a reading in the later one of the two autumn hours.

    Of two different values for one appliance and time, the first is of the earlier hour, in the order of time: from the
    end of the file where the appliance's rows of that day run backwards. Equal values are two readings only if the
    appliance reported that hour twice; otherwise the row is there twice.
    """
    twice = pl.col("earlier") != pl.col("later")
    dates = records.filter(twice).select(pl.col("written").dt.date().unique())["written"]
    if dates.is_empty():
        return records.with_columns(repeated=pl.lit(False))
    day, time = ["name", "date"], ["name", "written"]
    step = pl.col("written").diff()
    rows = (
        records.filter(twice.is_not_null() & pl.col("written").dt.date().is_in(dates.implode()))
        .filter(usable)
        .select("line", "name", "written", "kwh_read", twice=twice)
        .sort("line")
        .with_columns(date=pl.col("written").dt.date())
        .with_columns(backwards=((step < dt.timedelta()).sum() > (step > dt.timedelta()).sum()).over(day))
        .sort(pl.when("backwards").then(-pl.col("line")).otherwise("line"))
    )
    found = (
        rows.filter("twice")
        .join(_reported_twice(rows), on=day, how="left", maintain_order="left")
        .with_columns(
            values=pl.col("kwh_read").n_unique().over(time),
            is_first_value=pl.col("kwh_read") == pl.col("kwh_read").first().over(time),
            copy=pl.int_range(pl.len()).over(time),
        )
        .select(
            "line",
            repeated=pl.when(pl.col("values") > 1)
            .then(~pl.col("is_first_value"))
            .otherwise(pl.col("reported_twice") & (pl.col("copy") > 0)),
        )
    )
    return records.join(found, on="line", how="left", maintain_order="left")


def _reported_twice(rows: pl.DataFrame) -> pl.DataFrame:
    """name, date, reported_twice: at least half of the times of the hour are there as both hours' readings would be.

    That is with different values, or twice as often as the day's other times: in a file put together with itself, those
    are there twice, too.
    """
    day = ["name", "date"]
    times = rows.group_by(*day, "written", "twice").agg(
        copies=pl.len().cast(pl.Int64), values=pl.col("kwh_read").n_unique()
    )
    usual = times.filter(~pl.col("twice")).group_by(day).agg(pl.col("copies").quantile(0.5, "lower").alias("usual"))
    as_two = (pl.col("values") > 1) | (pl.col("copies") >= 2 * pl.col("usual").fill_null(1))
    return (
        times.filter("twice")
        .join(usual, on=day, how="left")
        .group_by(day)
        .agg((2 * as_two.sum() >= pl.len()).alias("reported_twice"))
    )


def _warnings(records: pl.DataFrame, timezone: str) -> dict[str, str]:
    warnings: dict[str, str] = {}
    twice = records.filter(pl.col("earlier") != pl.col("later")).height
    if twice:
        warnings["AMBIGUOUS_LOCAL_TIME"] = (
            f"{twice:,} reading(s) lie in the hour that clocks repeat in {timezone}; the order in the file decided."
        )
    naive = records.filter(pl.col("written").is_not_null() & pl.col("offset_minutes").is_null()).height
    if naive and records.filter(pl.col("offset_minutes").is_not_null()).height:
        warnings["NAIVE_TIMESTAMP"] = f"{naive:,} timestamp(s) have no offset; read as local time in {timezone}."
    return warnings
