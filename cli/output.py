"""What a query found, as a table for a person, as CSV or as JSON."""

import csv
import datetime as dt
import decimal
import io
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MAX_TABLE_ROWS = 200

_ANY_WIDTH = 10_000

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

# Joiners hold letters of some scripts, and emoji, together; every other unprintable character could steer a terminal.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Answer:
    """The result of a query: column names, and rows of Python values in that order."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the command with a sentence on stderr. 1: the answer is no; 2: wrong use."""
    typer.echo(safe(message, keep="\n"), err=True)
    raise typer.Exit(code)


def safe(text: str, keep: str = "") -> str:
    """`text` with whatever could steer a terminal replaced."""
    return "".join(c if c.isprintable() or c in _JOINERS or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_table(answer: Answer, console: "Console") -> None:
    """At most 200 rows; a note says where there are more. What is too wide for the terminal is one block a row."""
    from rich.measure import Measurement

    table = _table(answer)
    width = Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table)
    if not console.is_terminal:
        console.width = max(console.width, width.maximum)
    if width.minimum <= console.width:
        console.print(table)
    else:
        _print_blocks(answer, console)
    if len(answer.rows) > MAX_TABLE_ROWS:
        console.print(f"The first {MAX_TABLE_ROWS} rows. All of them: --format csv or --format json.", style="yellow")
    elif not answer.rows:
        console.print("No rows.", style="dim")


def _table(answer: Answer) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for position, name in enumerate(answer.columns):
        numeric = _is_numeric([row[position] for row in answer.rows])
        table.add_column(safe(name), justify="right" if numeric else "left", no_wrap=numeric)
    for row in answer.rows[:MAX_TABLE_ROWS]:
        table.add_row(*(_cell(value) for value in row))
    return table


def _print_blocks(answer: Answer, console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    for number, row in enumerate(answer.rows[:MAX_TABLE_ROWS], start=1):
        console.rule(f"row {number}", align="left", style="dim")
        block = Table.grid(padding=(0, 2))
        for name, value in zip(answer.columns, row, strict=True):
            block.add_row(Text(safe(name), style="bold"), _cell(value))
        console.print(block)


def to_csv(answer: Answer) -> str:
    """CSV whose text cells no spreadsheet takes for formulas; null is empty, timestamps are ISO 8601."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_formula_safe(name) for name in answer.columns])
    writer.writerows([_csv_value(value) for value in row] for row in answer.rows)
    return buffer.getvalue()


def to_json(answer: Answer) -> str:
    """A list with one object a row; timestamps are ISO 8601, and null stands for what JSON has no number for."""
    names = _unique(answer.columns)
    rows = [dict(zip(names, map(_json_value, row), strict=True)) for row in answer.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def write_text(text: str) -> None:
    """To stdout as UTF-8, whatever the terminal's locale; what no UTF-8 can be, as in some file names, is escaped."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool) for value in known
    )


def _cell(value: Any) -> "Text":
    from rich.text import Text

    if value is None:
        return Text("null", style="dim")
    return Text(safe(_display(value)))


def _display(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() | decimal.Decimal():
            return f"{value:.3g}" if 0 < abs(float(value)) < 0.001 else f"{value:.3f}"
        case dt.datetime():
            return value.isoformat(sep=" ")
        case _:
            return str(value)


def _formula_safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _csv_value(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case None | int() | float() | decimal.Decimal():
            return value
        case dt.date() | dt.time():
            return value.isoformat()
        case list() | dict():
            return _formula_safe(json.dumps(_json_value(value), ensure_ascii=False))
        case _:
            return _formula_safe(str(value))


def _json_value(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float() | decimal.Decimal():
            return float(value) if math.isfinite(value) else None
        case dt.date() | dt.time():
            return value.isoformat()
        case list() | tuple():
            return [_json_value(item) for item in value]
        case dict():
            return {str(key): _json_value(item) for key, item in value.items()}
        case _:
            return str(value)


def _unique(names: Sequence[str]) -> list[str]:
    """Names of which none comes twice: the second `kwh` is `kwh_2`."""
    unique: list[str] = []
    for name in names:
        candidate, count = name, 1
        while candidate in unique:
            count += 1
            candidate = f"{name}_{count}"
        unique.append(candidate)
    return unique
