"""Records to rows, one for each reading that a record holds, as the layout says what its cells mean."""

from dataclasses import dataclass

import polars as pl

from energy.intake.layout import UNITS_IN_KWH, Layout, ValueColumn
from energy.intake.records import Cells, name_of

_NOTHING = pl.lit(None, dtype=pl.String)
# Spreadsheets mark text by an apostrophe or write it as a formula: '0123, ="0123".
_SPREADSHEET_TEXT = r"""^(?:'|=")|"$"""


@dataclass(frozen=True)
class Rows:
    """`rows`: record (its line in the text), line (in the file, as it is shown), text, fields_ok, quotes_ok, longest,
    raw (the appliance as written), moment, value, estimated, minutes, factor (units in a kWh), column (of the layout's
    values), after (the cell that follows the value, where a decimal comma could have made it).

    `left_out`: records that hold no energy used. `may_hold_controls`: whether any text has to be looked at for control
    characters.
    """

    rows: pl.DataFrame
    left_out: int
    may_hold_controls: bool = True


def cells_of(layout: Layout) -> Cells:
    """The cells of a record that the layout asks for."""
    wanted = {
        *layout.timestamp,
        *(column.position for column in layout.values),
        *(position for position in (layout.appliance, layout.unit_column, layout.line_column) if position is not None),
        *(position for position, _ in (*layout.only, *layout.without)),
        *([layout.estimated[0]] if layout.estimated else []),
        *([after] if (after := after_of(layout)) is not None else []),
    }
    return Cells(layout.delimiter, layout.columns, sorted(wanted), layout.ragged)


def after_of(layout: Layout) -> int | None:
    """The unused column after the readings where a decimal comma without quotes could have split a number in two."""
    after = layout.values[0].position + 1
    is_used = after in {*layout.timestamp, layout.appliance, layout.unit_column}
    if layout.delimiter != "," or len(layout.values) > 1 or layout.decimal or after >= layout.columns or is_used:
        return None
    return after


def rows_of(records: pl.DataFrame, layout: Layout, field_bytes: int) -> Rows:
    """What a layout makes of records; their cells are as in the file, surrounding space apart."""
    records, left_out = _used(records, layout)
    long_lines = records["text"].str.len_bytes().max() or 0
    wanted = [name for name in records.columns if name.startswith("cell_")]
    # A field is only measured where a whole line is longer than any field may be.
    longest = (
        pl.max_horizontal(pl.col(name).str.len_bytes() for name in wanted).cast(pl.Int64)
        if isinstance(long_lines, int) and long_lines > field_bytes
        else pl.lit(0, dtype=pl.Int64)
    )
    moments = [_stripped(pl.col(name_of(position))) for position in layout.timestamp]
    shared = records.with_columns(
        pl.col("line").alias("record"),
        pl.col(name_of(layout.line_column)).cast(pl.Int64, strict=False).fill_null(0).alias("line")
        if layout.line_column is not None
        else pl.col("line"),
        longest=longest,
        moment=moments[0] if len(moments) == 1 else pl.concat_str(moments, separator=" ", ignore_nulls=True),
        estimated=_estimated(layout),
    )
    parts = [_of_column(shared, layout, number, column) for number, column in enumerate(layout.values)]
    rows = parts[0] if len(parts) == 1 else pl.concat(parts)
    if layout.blank_is_no_reading:
        blank = pl.col("value").is_null() | pl.col("value").str.to_lowercase().is_in(["", *layout.blanks])
        rows = rows.filter(~(blank & pl.col("fields_ok")))
    if len(parts) > 1:
        # A record that is no record is one row, whatever it should have held.
        rows = rows.filter(pl.col("fields_ok") | (pl.col("column") == 0))
    return Rows(rows, left_out)


def _used(records: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, int]:
    conditions = [
        (_stripped(pl.col(name_of(position))).str.to_lowercase().is_in(list(texts)) == wanted)
        for filters, wanted in ((layout.only, True), (layout.without, False))
        for position, texts in filters
    ]
    if not conditions:
        return records, 0
    used = records.filter(pl.all_horizontal(conditions).fill_null(False) | ~pl.col("fields_ok"))
    return used, records.height - used.height


def _estimated(layout: Layout) -> pl.Expr:
    if layout.estimated is None:
        return pl.lit(False)
    position, texts = layout.estimated
    return _stripped(pl.col(name_of(position))).str.to_lowercase().is_in(list(texts)).fill_null(False)


def _of_column(records: pl.DataFrame, layout: Layout, number: int, column: ValueColumn) -> pl.DataFrame:
    raw = pl.lit(column.appliance) if column.appliance is not None else pl.col(name_of(_named(layout)))
    factor = pl.lit(UNITS_IN_KWH[column.unit])
    if layout.unit_column is not None:
        units = {unit.lower(): factor for unit, factor in UNITS_IN_KWH.items()}
        unit = _stripped(pl.col(name_of(layout.unit_column))).str.to_lowercase()
        factor = unit.replace_strict(units, default=None, return_dtype=pl.Float64)
    return records.select(
        "record",
        "line",
        "text",
        "fields_ok",
        "quotes_ok",
        "longest",
        "moment",
        raw.alias("raw"),
        _stripped(pl.col(name_of(column.position))).alias("value"),
        "estimated",
        pl.lit(column.minutes, dtype=pl.Int64).alias("minutes"),
        factor.alias("factor"),
        pl.lit(number, dtype=pl.Int32).alias("column"),
        (_stripped(pl.col(name_of(after))) if (after := after_of(layout)) is not None else _NOTHING).alias("after"),
    )


def _named(layout: Layout) -> int:
    if layout.appliance is None:
        raise AssertionError(f"{layout.family} names no appliance")
    return layout.appliance


def _stripped(cell: pl.Expr) -> pl.Expr:
    return cell.str.strip_chars()


def header_names(head_line: str, layout: Layout) -> dict[str, str]:
    """What `moment`, `raw` and `value` of the header itself read, lower case: to know it when it comes again."""
    import csv

    names = [cell.strip().lower() for cell in next(csv.reader([head_line], delimiter=layout.delimiter), [])]
    if len(names) < layout.columns:
        return {}
    found = {"moment": " ".join(names[position] for position in layout.timestamp)}
    if layout.appliance is not None:
        found["raw"] = names[layout.appliance]
    if len(layout.values) == 1:
        found["value"] = names[layout.values[0].position]
    return found
