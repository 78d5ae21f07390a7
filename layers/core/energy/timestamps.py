"""Timestamps of an upload to local time and to the instant. ISO 8601 only; nothing else is guessed."""

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


def read(records: pl.DataFrame, timezone: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Adds `local` (wall clock in `timezone`, null if unreadable) and `utc` (also null where clocks skipped that time).

    Times with an offset mean that instant. Times without one are local; in the repeated autumn hour an appliance's
    first reading of a time is the earlier one, every later reading of it the later one, in the order of the file.
    """
    records = _with_parts(records)
    far_past = pl.col("written").dt.year() < FIRST_YEAR
    zoned = pl.when(~far_past & pl.col("offset_minutes").is_null()).then(pl.col("written"))
    records = records.with_columns(
        earlier=_utc(zoned, timezone, "earliest"),
        later=_utc(zoned, timezone, "latest"),
        stated=pl.col("written") - pl.duration(minutes=pl.col("offset_minutes")),
    )
    records = _with_fold(records).with_columns(
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


def _with_fold(records: pl.DataFrame) -> pl.DataFrame:
    """Adds `repeated`: a later reading of a local time that the clocks showed twice."""
    twice = (
        records.filter(pl.col("earlier") != pl.col("later"))
        .select("line", "name", "written")
        .sort("line")
        .with_columns(repeated=pl.int_range(pl.len()).over("name", "written") > 0)
        .select("line", "repeated")
    )
    if twice.is_empty():
        return records.with_columns(repeated=pl.lit(False))
    return records.join(twice, on="line", how="left", maintain_order="left")


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
