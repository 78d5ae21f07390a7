"""CSV text to records: one row each with the physical line that it starts in, its fields as text, its field count.

Fields follow RFC 4180 with commas. Blank lines are no records, but count as lines.
"""

import csv
from dataclasses import dataclass

import polars as pl

from energy.errors import InputRejected

REQUIRED = ("timestamp", "appliance", "kwh")
MAX_COLUMNS = 1_000

_SHOWN_CHARACTERS = 80
_BLANK = r"^[ \t\r]*$"
_FIELD = r'[ \t]*"(?:[^"]|"")*"[ \t]*|[^",]*'
_QUOTED_RECORD = rf"^(?:{_FIELD})(?:,(?:{_FIELD}))*$"
_DIGITS = r"^[0-9]+$"
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "pipes"}


@dataclass(frozen=True)
class Header:
    """The first record of a file. `position` of each required column, `columns` in all, `ignored` by name."""

    position: dict[str, int]
    columns: int
    ignored: list[str]


def read_records(text: str) -> tuple[Header, pl.DataFrame]:
    """The header, and the records below it: line (of the file, from 1), text, fields, timestamp, appliance, kwh.

    `fields` is the number of fields of the record; null where its quotes are in the wrong place. InputRejected if there
    is no usable header, no record, a quote that is never closed, or decimal commas that look like further columns.
    """
    lines = (
        pl.DataFrame({"text": [text]})
        .select(pl.col("text").str.split("\n").explode())
        .with_row_index("line", offset=1)
        .with_columns(pl.col("line").cast(pl.Int64))
    )
    records = _joined(lines) if '"' in text else lines
    records = records.filter(~pl.col("text").str.contains(_BLANK))
    header = _header(records["text"][0], records["line"][0])
    records = records.slice(1)
    if records.is_empty():
        raise InputRejected("NO_ROWS", "The file has a header and nothing below it. Upload a file with readings.")
    records = _with_fields(records, header)
    _refuse_split_decimals(records)
    return header, records.drop("after")


def _joined(lines: pl.DataFrame) -> pl.DataFrame:
    """Physical lines to records: a line that leaves a quote open continues in the next."""
    quotes = pl.col("text").str.count_matches('"', literal=True)
    starts = (quotes.cum_sum() - quotes) % 2 == 0
    if (lines.select(quotes.sum()).item() % 2) == 1:
        raise _never_closed(lines.filter(starts)["line"][-1])
    records = (
        lines.group_by(starts.cum_sum().alias("record"), maintain_order=True)
        .agg(pl.col("line").first(), pl.col("text").str.join("\n"), lines=pl.len())
        .drop("record")
    )
    broken = records.filter((pl.col("lines") > 1) & ~pl.col("text").str.contains(_QUOTED_RECORD))
    if not broken.is_empty():
        raise _never_closed(broken["line"][0])
    return records.drop("lines")


def _never_closed(line: int) -> InputRejected:
    return InputRejected(
        "MALFORMED_CSV",
        f'A quote (") in line {line} is never closed as it should be. Correct it and upload again.',
    )


def _header(text: str, line: int) -> Header:
    try:
        cells = next(csv.reader([text], skipinitialspace=True))
    except csv.Error as error:
        raise InputRejected(
            "MALFORMED_CSV", f"The header in line {line} cannot be read: {error}. Correct it."
        ) from error
    names = [cell.strip().lower() for cell in cells]
    if len(names) > MAX_COLUMNS:
        raise InputRejected(
            "TOO_MANY_COLUMNS",
            f"Line {line} names {len(names):,} columns; at most {MAX_COLUMNS:,} are read. "
            f"Upload only {_listed(REQUIRED)}.",
        )
    for name in REQUIRED:
        if names.count(name) > 1:
            raise InputRejected(
                "DUPLICATE_COLUMN",
                f"The header in line {line} names {name} {names.count(name)} times. Keep one of them.",
            )
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise _unusable_header(text, line, cells, missing)
    ignored = [cell.strip() for cell, name in zip(cells, names, strict=True) if name not in REQUIRED]
    return Header({name: names.index(name) for name in REQUIRED}, len(names), ignored)


def _unusable_header(text: str, line: int, cells: list[str], missing: list[str]) -> InputRejected:
    for delimiter, label in _OTHER_DELIMITERS.items():
        if set(REQUIRED) <= {cell.strip(' "').lower() for cell in text.split(delimiter)}:
            return InputRejected(
                "DIALECT", f"The columns are separated by {label}. Save the file as CSV with commas and decimal points."
            )
    if len(missing) == len(REQUIRED):
        return InputRejected(
            "MISSING_HEADER",
            f"Line {line} must name the columns {_listed(REQUIRED)}; it reads {_shown(text)}. "
            "Put the header into the first line.",
        )
    named = ", ".join(cell.strip() for cell in cells)
    advice = f"Name the columns {_listed(REQUIRED)}."
    if "kwh" in missing:
        advice = "Energy is expected in a column kwh, in kilowatt-hours: other units are not converted."
    return InputRejected(
        "MISSING_COLUMN", f"The header in line {line} lacks {_listed(missing)}; it names {_shown(named)}. {advice}"
    )


def _with_fields(records: pl.DataFrame, header: Header) -> pl.DataFrame:
    """Records with their fields, and `after`, the one after kwh, null where there is none.

    Those without a quote, mostly all, are split at commas.
    """
    cells = header.position | {"after": header.position["kwh"] + 1}
    quoted = pl.col("text").str.contains('"', literal=True)
    plain = records.filter(~quoted)
    # The last part is whatever follows the columns that matter.
    parts = pl.col("text").str.splitn(",", max(cells.values()) + 2)
    plain = plain.with_columns(
        (pl.col("text").str.count_matches(",", literal=True) + 1).cast(pl.Int64).alias("fields"),
        *(parts.struct.field(f"field_{position}").alias(name) for name, position in cells.items()),
    )
    if plain.height == records.height:
        return plain
    split = pl.col("text").str.extract_all(rf"(?:^|,)(?:{_FIELD})")
    fields = pl.col("split")
    found = (
        records.filter(quoted)
        .with_columns(split.alias("split"))
        .with_columns(
            pl.when(pl.col("text").str.contains(_QUOTED_RECORD)).then(fields.list.len().cast(pl.Int64)).alias("fields"),
            *(_unquoted(fields.list.get(position, null_on_oob=True)).alias(name) for name, position in cells.items()),
        )
        .drop("split")
    )
    return pl.concat([plain, found.select(plain.columns)]).sort("line")


def _refuse_split_decimals(records: pl.DataFrame) -> None:
    """1,5 under a header with a column after kwh is read as 1, and 5 in that column; nothing in the row tells."""
    kwh, after = pl.col("kwh").str.strip_chars(), pl.col("after").str.strip_chars()
    both = kwh.str.contains(_DIGITS) & after.str.contains(_DIGITS)
    if records.select(kwh.str.contains(".", literal=True).any() | (2 * both.sum() <= pl.len())).item():
        return
    one = records.filter(both).select(kwh, after).row(0)
    raise InputRejected(
        "AMBIGUOUS_NUMBER",
        f"{','.join(one)!r} may be one number with a decimal comma or the cells of two columns, and no reading in the "
        "file has a decimal point. Write readings with one, as 1.5 or 1.0, or leave the column after kwh out.",
    )


def _unquoted(field: pl.Expr) -> pl.Expr:
    bare = field.str.strip_prefix(",").str.strip_chars(" \t")
    inner = bare.str.slice(1, bare.str.len_chars().cast(pl.Int64) - 2).str.replace_all('""', '"', literal=True)
    return pl.when(bare.str.starts_with('"')).then(inner).otherwise(bare)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names)


def _shown(text: str) -> str:
    """At most a line's worth of what was found, control characters made visible."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " …"
    return repr(shown)
