"""The rows that most files have throughout, read fast: a local time in ISO form, a name, a number from zero on.

What is written in any other way is left to the general reading of rows, which would make the same of these: which way
a row goes decides nothing about what becomes of it.
"""

import datetime as dt
from dataclasses import dataclass

import polars as pl

from energy.intake import names, numbers, records, rules
from energy.intake.form import Form
from energy.intake.layout import UNITS_IN_KWH, Layout
from energy.intake.records import Chunk
from energy.intake.rows import after_of, cells_of
from energy.intake.timestamps import TimestampForm, to_local
from energy.site_config import Limits, ReadingsConfig

# A pattern, and the format of what has it; a chunk is of the one that its first row has.
_ISO = tuple(
    (rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{separator}[0-9]{{2}}:[0-9]{{2}}{seconds}$", f"%Y-%m-%d{separator}%H:%M{text}")
    for separator in (" ", "T")
    for seconds, text in (("", ""), (":[0-5][0-9]", ":%S"))
)
# Of rows that come in the order of time many have the same timestamp. It is read once where that halves the work.
_WORTHWHILE = 2


@dataclass(frozen=True)
class Plain:
    """Good rows: line, utc, kwh, month (as in a candidate), and `raw`, which is the key of the appliance in `names`.

    `pointed` of the numbers prove that a point is the decimal mark.
    """

    rows: pl.DataFrame
    names: dict[int, str]
    pointed: int


@dataclass(frozen=True)
class Bounds:
    """What every row of a file is held to: zone of its timestamps, zone of the site, limits, the last instant."""

    zone: str
    timezone: str
    limits: Limits
    latest_utc: dt.datetime


def may_be(layout: Layout, config: ReadingsConfig) -> bool:
    """Whether files of this layout have such rows."""
    asks_for_more = (
        layout.unit_column is not None
        or layout.line_column is not None
        or layout.only
        or layout.without
        or layout.estimated
        or layout.ragged
        or layout.timestamp_format
        or config.timestamp_format
        or after_of(layout) is not None
    )
    return (
        not asks_for_more
        and layout.delimiter == ","
        and layout.appliance is not None
        and len(layout.timestamp) == len(layout.values) == 1
        and not layout.values[0].minutes
    )


def is_read_so(form: Form) -> bool:
    """Whether a file of this form means by such rows what they say by themselves."""
    return form.timestamps == TimestampForm("year_first") and form.numbers.decimal == "."


def split(chunk: Chunk, layout: Layout, bounds: Bounds) -> tuple[Plain, pl.DataFrame] | None:
    """The plain rows of a chunk, and line and text of its other lines; None where it is to be read at leisure."""
    cells = records.bare_cells(chunk, cells_of(layout))
    if cells is None:
        return None
    moment, raw, value = (cells[records.name_of(position)] for position in _positions(layout))
    appliance = raw.cast(pl.Categorical(pl.Categories.random()))
    number = value.cast(pl.Float64, strict=False)
    rows = pl.DataFrame(
        {
            "line": pl.int_range(chunk.first_line, chunk.first_line + cells.height, eager=True),
            "raw": appliance.to_physical(),
            # Good ones are not negative, and -0.0 becomes plain 0.0.
            "kwh": (number / UNITS_IN_KWH[layout.values[0].unit]).abs(),
        }
    ).hstack(_instants(moment, bounds))
    known = appliance.unique().drop_nulls()
    texts = dict(zip(known.to_physical(), known.cast(pl.String), strict=True))
    used = {key: text for key, text in texts.items() if _is_usable(text, bounds.limits)}
    keeps = (
        pl.col("utc").is_not_null()
        & (number >= 0)
        & (pl.col("kwh") <= rules.MAX_READING_KWH)
        & (value.str.len_bytes() <= bounds.limits.field_bytes)
    )
    if used != texts:
        keeps &= pl.col("raw").is_in(list(used))
    if layout.values[0].position != layout.columns - 1:
        keeps &= cells[records.name_of(layout.columns - 1)] != ""
    good = rows.select(keeps.fill_null(False)).to_series()
    pointed = numbers.proving_points(value, number, good)
    if good.all():
        return Plain(rows, used, pointed), pl.DataFrame(schema=records.LINE)
    return Plain(rows.filter(good), used, pointed), records.lines_where(~good, chunk, cells, cells_of(layout))


def _positions(layout: Layout) -> tuple[int, int, int]:
    if layout.appliance is None:
        raise AssertionError(f"{layout.family} names no appliance")
    return layout.timestamp[0], layout.appliance, layout.values[0].position


def _instants(moments: pl.Series, bounds: Bounds) -> pl.DataFrame:
    """utc and month of plain timestamps, null of others."""
    run = moments.rle_id()
    begins = run.ne_missing(run.shift())
    if _WORTHWHILE * int(begins.sum()) > moments.len():
        return _with_month(_utc(moments, bounds), bounds.timezone)
    found = _with_month(_utc(moments.filter(begins), bounds), bounds.timezone)
    return found.select(pl.all().gather(run))


def _utc(moments: pl.Series, bounds: Bounds) -> pl.Series:
    first = moments.head(1)
    pattern, text = next((one for one in _ISO if first.str.contains(one[0]).any()), _ISO[0])
    # polars takes some that are written otherwise, as with fewer digits.
    written = moments.str.to_datetime(text, time_unit="us", strict=False).zip_with(
        moments.str.contains(pattern), pl.Series([None], dtype=pl.Datetime("us"))
    )
    utc = pl.col("utc")
    if bounds.zone != "UTC":
        zoned = utc.dt.replace_time_zone(bounds.zone, ambiguous="null", non_existent="null")
        utc = zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    told = pl.DataFrame({"written": written, "utc": written}).with_columns(utc)
    earliest = dt.datetime(bounds.limits.first_year, 1, 1)
    within = (pl.col("written") >= earliest) & (pl.col("utc") <= bounds.latest_utc)
    return told.select(pl.when(within).then("utc").alias("utc")).to_series()


def _with_month(utc: pl.Series, timezone: str) -> pl.DataFrame:
    ends = pl.DataFrame({"utc": [utc.min(), utc.max()]}, schema={"utc": pl.Datetime("us")})
    first, last = ends.select(_month(timezone)).to_series()
    # Most chunks are of few months, and parts of them of one.
    month = pl.lit(first, dtype=pl.Int32) if first == last else _month(timezone)
    return utc.to_frame("utc").with_columns(month=month)


def _month(timezone: str) -> pl.Expr:
    local = to_local(pl.col("utc"), timezone)
    return local.dt.year().cast(pl.Int32) * 12 + local.dt.month() - 1


def _is_usable(name: str, limits: Limits) -> bool:
    if len(name) > limits.name_characters or len(name.encode()) > limits.field_bytes or records.has_controls(name):
        return False
    return bool(names.tidy(name))
