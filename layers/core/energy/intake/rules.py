"""The rules that a row has to keep, by code: the first that it breaks names why it is set apart."""

import datetime as dt

import polars as pl

from energy.intake import numbers
from energy.site_config import Limits

# More than a large power station makes in ten days: no meter reads this in one interval.
MAX_READING_KWH = 1e9

REASONS = {
    "REPEATED_HEADER": "The header again; only the first line of a file may name the columns.",
    "FIELD_TOO_LARGE": "A field, or the name of the appliance, is longer than is read.",
    "CONTROL_CHARS": "The row contains control characters.",
    "RAGGED_ROW": "The row does not have as many fields as the header; is a delimiter in a field without quotes?",
    "MISSING_APPLIANCE": "The appliance has no name.",
    "BAD_TIMESTAMP": "The timestamp is not written as the file's other timestamps are, or there is no such date.",
    "IMPLAUSIBLE_TIMESTAMP": "The timestamp is from before the first year of which readings are taken (1990).",
    "NONEXISTENT_LOCAL_TIME": "Clocks skipped this hour in the time zone of the readings: there was no such time.",
    "FUTURE_TIMESTAMP": "The timestamp is later than a day after the upload.",
    "MISSING_VALUE": "The reading is empty.",
    "NON_FINITE": "The reading is not a finite number.",
    "BAD_NUMBER": "The reading is not a number, or not written as the file's other readings are.",
    "NEGATIVE": "The reading is below zero; energy used in an interval cannot be.",
    "IMPLAUSIBLE": f"The reading is beyond any meter: more than {MAX_READING_KWH:,.0f} kWh.",
    "CONFLICTING_READING": "The file has another value for the same appliance and time; none of them is used.",
}
# The cell that a code is about, where it is not the whole row.
CELLS = {
    "BAD_TIMESTAMP": "moment",
    "IMPLAUSIBLE_TIMESTAMP": "moment",
    "NONEXISTENT_LOCAL_TIME": "moment",
    "FUTURE_TIMESTAMP": "moment",
    "MISSING_VALUE": "value",
    "NON_FINITE": "value",
    "BAD_NUMBER": "value",
    "NEGATIVE": "value",
    "IMPLAUSIBLE": "value",
}
_DATE_ONLY = r"^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}$"


def latest(uploaded_at: dt.datetime) -> dt.datetime:
    """The last instant, UTC, that a reading of this upload may have."""
    return uploaded_at.astimezone(dt.UTC).replace(tzinfo=None) + dt.timedelta(days=1)


def is_good(limits: Limits, latest_utc: dt.datetime) -> pl.Expr:
    """Whether a row keeps every rule that looks at cells; never null."""
    number = pl.col("number")
    good = (
        pl.col("fields_ok")
        & (pl.col("longest") <= limits.field_bytes)
        & pl.col("appliance_code").is_not_null()
        & pl.col("earlier").is_not_null()
        & (pl.col("written").dt.year() >= limits.first_year)
        & (pl.col("earlier") <= latest_utc)
        & (number >= 0)
        & (number <= MAX_READING_KWH)
    )
    return good.fill_null(False)


def with_codes(rows: pl.DataFrame, limits: Limits, latest_utc: dt.datetime, header: dict[str, str]) -> pl.DataFrame:
    """Adds `code`, null where a row breaks no rule, and `reason`. `header`: column to its lower-case name, for headers
    in the middle of a file.
    """
    rules = [*_text_rules(limits, header), *_time_rules(limits, latest_utc), *_value_rules(limits)]
    coded = rows.with_columns(
        pl.coalesce(*(pl.when(broken).then(pl.lit(code)) for code, broken in rules), pl.lit(None, pl.String)).alias(
            "code"
        )
    )
    return coded.with_columns(reason=_reason(limits))


def _text_rules(limits: Limits, header: dict[str, str]) -> list[tuple[str, pl.Expr]]:
    repeated = pl.all_horizontal(
        pl.lit(bool(header)),
        *(pl.col(column).str.strip_chars().str.to_lowercase() == name for column, name in header.items()),
    )
    return [
        ("REPEATED_HEADER", repeated),
        ("FIELD_TOO_LARGE", pl.col("longest") > limits.field_bytes),
        ("CONTROL_CHARS", pl.col("text").str.contains(r"[\x00-\x08\x0b-\x1f\x7f]")),
        ("RAGGED_ROW", ~pl.col("fields_ok")),
    ]


def _time_rules(limits: Limits, latest_utc: dt.datetime) -> list[tuple[str, pl.Expr]]:
    return [
        ("BAD_TIMESTAMP", pl.col("written").is_null()),
        ("IMPLAUSIBLE_TIMESTAMP", pl.col("written").dt.year() < limits.first_year),
        ("NONEXISTENT_LOCAL_TIME", pl.col("earlier").is_null()),
        ("FUTURE_TIMESTAMP", pl.col("earlier") > latest_utc),
    ]


def _value_rules(limits: Limits) -> list[tuple[str, pl.Expr]]:
    value, number = pl.col("value"), pl.col("number")
    return [
        ("MISSING_APPLIANCE", pl.col("name").is_null() | (pl.col("name") == "")),
        ("FIELD_TOO_LARGE", pl.col("name").str.len_chars() > limits.name_characters),
        ("MISSING_VALUE", value.is_null() | value.str.to_lowercase().is_in(numbers.MISSING)),
        ("NON_FINITE", value.str.contains(numbers.NON_FINITE) | (number.is_not_null() & ~number.is_finite())),
        ("BAD_NUMBER", number.is_null()),
        ("NEGATIVE", number < 0),
        ("IMPLAUSIBLE", number > MAX_READING_KWH),
    ]


def _reason(limits: Limits) -> pl.Expr:
    """What is wrong with a row, by its code, and more exactly where its text tells more."""
    code, length, characters = pl.col("code"), pl.col("longest"), pl.col("name").str.len_chars()
    # Not pl.format: polars 2.1 panics where several rows of a when-branch have it.
    large_field = _joined("A field has ", length, f" bytes; at most {limits.field_bytes} are read.")
    long_name = _joined(
        "The name of the appliance has ", characters, f" characters; at most {limits.name_characters} are kept."
    )
    return (
        pl.when((code == "FIELD_TOO_LARGE") & (length > limits.field_bytes))
        .then(large_field)
        .when(code == "FIELD_TOO_LARGE")
        .then(long_name)
        .when((code == "RAGGED_ROW") & ~pl.col("quotes_ok"))
        .then(
            pl.lit('A quote (") stands within a field; a field with quotes needs them around it, and doubled inside.')
        )
        .when((code == "BAD_TIMESTAMP") & pl.col("moment").str.contains(_DATE_ONLY))
        .then(pl.lit("The timestamp is only a date, though others have a time; write it as 2024-05-01 00:00."))
        .otherwise(code.replace_strict(REASONS, default=None, return_dtype=pl.String))
    )


def _joined(before: str, number: pl.Expr, after: str) -> pl.Expr:
    return pl.concat_str(pl.lit(before), number.cast(pl.String), pl.lit(after))
