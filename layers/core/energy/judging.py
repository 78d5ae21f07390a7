"""Every row of an upload judged: accepted, rejected with a code, or a duplicate. Nothing is guessed, nothing is lost.

The first rule that a row breaks names it. Rules look at one row at a time, but for the repeated autumn hour, duplicates
and conflicts, which need the whole file.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from energy import csv_records, timestamps
from energy.contracts import RowCounts
from energy.errors import InputRejected
from energy.upload_text import read_text

MAX_NAME_CHARACTERS = 128
MAX_FIELD_BYTES = 64 << 10
# More than a large power station makes in ten days: no meter reads this in one interval.
MAX_READING_KWH = 1e9
# Below this many rows one bad row is a large share of the file, so only a file without any good row is refused.
SHARE_COUNTS_FROM_ROWS = 10

_MISSING = ["", "na", "n/a", "#n/a", "null", "none", "nil"]
_NON_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity)$"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_NUMBER_WITH_UNIT = r"^[+-]?[0-9.,]+\s*[A-Za-zµ]+$"
# Of Unicode's category "format": zero-width spaces and joiners, marks of direction, soft hyphens.
_INVISIBLE = r"\p{Cf}"
_DATE_ONLY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_SHOWN_CHARACTERS = 40
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f]"

REASONS = {
    "REPEATED_HEADER": "The header again; only the first line of a file may name the columns.",
    "FIELD_TOO_LARGE": f"Longer than {MAX_FIELD_BYTES:,} bytes, or as a name than {MAX_NAME_CHARACTERS} characters.",
    "CONTROL_CHARS": "The row contains control characters.",
    "RAGGED_ROW": "The row does not have as many fields as the header; is a comma in a field without quotes?",
    "MISSING_APPLIANCE": "The appliance has no name.",
    "BAD_TIMESTAMP": "The timestamp is no date and time as in 2024-05-01 13:00 or 2024-05-01T13:00:00+02:00.",
    "IMPLAUSIBLE_TIMESTAMP": f"The timestamp is before {timestamps.FIRST_YEAR}.",
    "NONEXISTENT_LOCAL_TIME": "Clocks skipped this hour in the site's time zone: there was no such local time.",
    "FUTURE_TIMESTAMP": "The timestamp is later than a day after the upload.",
    "MISSING_VALUE": "The reading is empty.",
    "NON_FINITE": "The reading is not a finite number.",
    "BAD_NUMBER": "The reading is not a number with a decimal point.",
    "NEGATIVE": "The reading is below zero; energy used in an interval cannot be.",
    "IMPLAUSIBLE": f"The reading is beyond any meter: more than {MAX_READING_KWH:,.0f} kWh.",
    "CONFLICTING_READING": "The file has another value for the same appliance and time; none of them is used.",
}
# The cell that a code is about, where it is not the whole row.
_CELLS = {
    "BAD_TIMESTAMP": "timestamp",
    "IMPLAUSIBLE_TIMESTAMP": "timestamp",
    "NONEXISTENT_LOCAL_TIME": "timestamp",
    "FUTURE_TIMESTAMP": "timestamp",
    "MISSING_VALUE": "kwh",
    "NON_FINITE": "kwh",
    "BAD_NUMBER": "kwh",
    "NEGATIVE": "kwh",
    "IMPLAUSIBLE": "kwh",
}


@dataclass(frozen=True)
class Judged:
    """What became of a file's rows.

    `accepted` (timestamp, timestamp_utc, appliance, kwh) is sorted by timestamp_utc and appliance, one row per both;
    `rejected` (line, code, reason, text) by line. `warnings` by code. `refusal`: why the file as a whole is not usable.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    rows: RowCounts
    warnings: dict[str, str]
    refusal: InputRejected | None


def judge(path: Path, timezone: str, uploaded_at: dt.datetime, max_rejected_share: float, name: str = "") -> Judged:
    """Judges a CSV file, packed or not. Timestamps without an offset are local to `timezone`.

    InputRejected if the file is no such CSV. Too many bad rows, or no good one, are `refusal` instead, so that the rows
    can still be shown.
    """
    source = read_text(path, name)
    header, records = csv_records.read_records(source.text)
    warnings = dict(source.warnings)
    if header.ignored:
        shown = ", ".join(repr(column[:40]) for column in header.ignored[:10])
        warnings["EXTRA_COLUMNS"] = f"{len(header.ignored)} column(s) were ignored: {shown}."
    _refuse_units_in_values(records)
    timestamps.refuse_other_formats(records["timestamp"])
    records = _with_values(_with_names(records))
    usable = ~pl.any_horizontal(broken.fill_null(False) for _, broken in _value_rules() + _text_rules(header.columns))
    marked, told = timestamps.read(records, timezone, usable)
    warnings |= told
    judged = _with_conflicts(_with_codes(marked, header.columns, uploaded_at))
    return _outcome(judged, warnings, max_rejected_share)


def _with_names(records: pl.DataFrame) -> pl.DataFrame:
    """Names without surrounding space and with single spaces, without characters that nobody sees, in Unicode form NFC:
    one name for one appliance.
    """
    plain = pl.col("appliance").str.replace_all(_INVISIBLE, "").str.normalize("NFC")
    names = records.select(pl.col("appliance").unique()).with_columns(
        plain.str.replace_all(r"\s+", " ").str.strip_chars().alias("name")
    )
    return records.join(names, on="appliance", how="left", nulls_equal=True, maintain_order="left")


def _with_values(records: pl.DataFrame) -> pl.DataFrame:
    """Adds `value`, the text of the reading, `is_number`, and `kwh_read`, null where it is none."""
    value = pl.col("kwh").str.strip_chars()
    number = value.str.contains(_NUMBER)
    return records.with_columns(
        value.alias("value"),
        # Adding zero makes -0.0 plain 0.0.
        (pl.when(number).then(value).cast(pl.Float64, strict=False) + 0.0).alias("kwh_read"),
        number.alias("is_number"),
    )


def _with_codes(records: pl.DataFrame, columns: int, uploaded_at: dt.datetime) -> pl.DataFrame:
    """Adds `code`, the first rule that each row breaks, null where none."""
    rules = [*_text_rules(columns), *_time_rules(uploaded_at), *_value_rules()]
    return records.with_columns(pl.coalesce(pl.when(broken).then(pl.lit(code)) for code, broken in rules).alias("code"))


def _text_rules(columns: int) -> list[tuple[str, pl.Expr]]:
    return [
        ("REPEATED_HEADER", _is_header()),
        ("FIELD_TOO_LARGE", _longest_field() > MAX_FIELD_BYTES),
        ("CONTROL_CHARS", pl.col("text").str.contains(_CONTROL)),
        ("RAGGED_ROW", pl.col("fields").is_null() | (pl.col("fields") != columns)),
    ]


def _time_rules(uploaded_at: dt.datetime) -> list[tuple[str, pl.Expr]]:
    latest = uploaded_at.astimezone(dt.UTC).replace(tzinfo=None) + dt.timedelta(days=1)
    return [
        ("BAD_TIMESTAMP", pl.col("local").is_null()),
        ("IMPLAUSIBLE_TIMESTAMP", pl.col("local").dt.year() < timestamps.FIRST_YEAR),
        ("NONEXISTENT_LOCAL_TIME", pl.col("utc").is_null()),
        ("FUTURE_TIMESTAMP", pl.col("utc") > latest),
    ]


def _value_rules() -> list[tuple[str, pl.Expr]]:
    kwh = pl.col("kwh_read")
    return [
        ("MISSING_APPLIANCE", pl.col("name").is_null() | (pl.col("name") == "")),
        ("FIELD_TOO_LARGE", pl.col("name").str.len_chars() > MAX_NAME_CHARACTERS),
        ("MISSING_VALUE", pl.col("value").is_null() | pl.col("value").str.to_lowercase().is_in(_MISSING)),
        (
            "NON_FINITE",
            pl.col("value").str.contains(_NON_FINITE) | (pl.col("is_number") & ~kwh.is_finite().fill_null(False)),
        ),
        ("BAD_NUMBER", ~pl.col("is_number")),
        ("NEGATIVE", kwh < 0),
        ("IMPLAUSIBLE", kwh > MAX_READING_KWH),
    ]


def _longest_field() -> pl.Expr:
    return pl.max_horizontal(pl.col(*csv_records.REQUIRED).str.len_bytes())


def _is_header() -> pl.Expr:
    return pl.all_horizontal(pl.col(name).str.strip_chars().str.to_lowercase() == name for name in csv_records.REQUIRED)


def _with_conflicts(records: pl.DataFrame) -> pl.DataFrame:
    """Adds `duplicate`; readings that contradict each other get their code."""
    good = records.filter(pl.col("code").is_null()).select("line", "name", "utc", "kwh_read")
    repeated = good.filter(good.select("name", "utc").is_duplicated())
    if repeated.is_empty():
        return records.with_columns(duplicate=pl.lit(False))
    same = ["name", "utc"]
    repeated = repeated.sort("line").with_columns(
        conflict=(pl.col("kwh_read").n_unique() > 1).over(same),
        duplicate=pl.int_range(pl.len()).over(same) > 0,
    )
    return records.join(
        repeated.select("line", "conflict", "duplicate"), on="line", how="left", maintain_order="left"
    ).with_columns(
        pl.when(pl.col("conflict")).then(pl.lit("CONFLICTING_READING")).otherwise(pl.col("code")).alias("code"),
        (pl.col("duplicate") & ~pl.col("conflict")).fill_null(False).alias("duplicate"),
    )


def _outcome(judged: pl.DataFrame, warnings: dict[str, str], max_rejected_share: float) -> Judged:
    accepted = (
        judged.filter(pl.col("code").is_null() & ~pl.col("duplicate"))
        .select(timestamp="local", timestamp_utc="utc", appliance="name", kwh="kwh_read")
        .sort("timestamp_utc", "appliance")
    )
    bad = judged.filter(pl.col("code").is_not_null()).sort("line")
    rejected = bad.select("line", "code", _reason().alias("reason"), "text")
    duplicates = int(judged["duplicate"].sum())
    if duplicates:
        warnings["DUPLICATE_READING"] = f"{duplicates:,} reading(s) appear more than once; each was counted once."
    rows = RowCounts(read=judged.height, accepted=accepted.height, rejected=rejected.height, duplicates=duplicates)
    return Judged(accepted, rejected, rows, warnings, _refusal(rows, bad, max_rejected_share))


def _reason() -> pl.Expr:
    """What is wrong with a row, by its code, and more exactly where its text tells more."""
    code, length, characters = pl.col("code"), _longest_field(), pl.col("name").str.len_chars()
    return (
        pl.when((code == "FIELD_TOO_LARGE") & (length > MAX_FIELD_BYTES))
        .then(pl.format("A field has {} bytes; at most {} are read.", length, pl.lit(MAX_FIELD_BYTES)))
        .when(code == "FIELD_TOO_LARGE")
        .then(
            pl.format(
                "The name of the appliance has {} characters; at most {} are kept.",
                characters,
                pl.lit(MAX_NAME_CHARACTERS),
            )
        )
        .when((code == "RAGGED_ROW") & pl.col("fields").is_null())
        .then(
            pl.lit('A quote (") stands within a field; a field with quotes needs them around it, and doubled inside.')
        )
        .when((code == "BAD_TIMESTAMP") & pl.col("timestamp").str.strip_chars().str.contains(_DATE_ONLY))
        .then(pl.lit("The timestamp is only a date; a time is needed, as 2024-05-01 00:00."))
        .otherwise(code.replace_strict(REASONS, return_dtype=pl.String))
    )


def _refusal(rows: RowCounts, bad: pl.DataFrame, max_rejected_share: float) -> InputRejected | None:
    share = rows.rejected / rows.read
    judged_by_share = rows.read >= SHARE_COUNTS_FROM_ROWS and share >= max_rejected_share
    if rows.accepted and not judged_by_share:
        return None
    first = bad.head(1).with_columns(_reason().alias("reason")).row(0, named=True)
    limit = "half" if max_rejected_share == 0.5 else f"{max_rejected_share:.0%}"
    return InputRejected(
        "TOO_MANY_BAD_ROWS",
        f"{rows.rejected:,} of {rows.read:,} rows are bad ({share:.0%}); a file is not used if at least {limit} of its "
        f"rows are, or all. The first is line {first['line']}, {_offending(first)}: {first['reason']} "
        "Correct the file and upload it again.",
    )


def _offending(row: dict[str, str | None]) -> str:
    """The cell that a row was rejected for, or the row, as far as a line has room; control characters made visible."""
    found = row[_CELLS.get(str(row["code"]), "text")] or ""
    return repr(found if len(found) <= _SHOWN_CHARACTERS else found[:_SHOWN_CHARACTERS] + " …")


def _refuse_units_in_values(records: pl.DataFrame) -> None:
    values = records["kwh"].str.strip_chars()
    with_unit = values.str.contains(_NUMBER_WITH_UNIT)
    if with_unit.any() and with_unit.sum() == (values.is_not_null() & (values != "")).sum():
        raise InputRejected(
            "BAD_NUMBER",
            f"Every value in the column kwh carries a unit, as in {values.filter(with_unit)[0][:40]!r}. "
            "Write plain numbers in kWh.",
        )
