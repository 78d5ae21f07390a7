"""What validation sets apart, for people: rejected rows as CSV, and what was wrong as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from energy.contracts import RowCounts, Upload

# A spreadsheet runs a cell that starts so as a formula (CWE-1236; OWASP, "CSV Injection"), also in wide letters. It may
# pass over space and what nobody sees, of which tab, CR and NUL are enough. Where it separates columns by semicolons or
# tabs, quotes do not keep the text in one cell: a row that holds these falls into several, each of which can start so.
_FORMULA_START = r"^[\s\p{C}]*[=+\-@＝＋－＠]|^ *[\t\r\x00]"  # noqa: RUF001
_LATER_FORMULA_START = r"([;\t\r\n][\s\p{C}\"']*)([=@＝＠]|[+\-＋－][^0-9.,])"  # noqa: RUF001


def write_rejected(path: Path, frames: Iterable[pl.DataFrame]) -> None:
    """A CSV file with line, code, reason, text of each rejected row, safe to open in a spreadsheet."""
    with path.open("wb") as file:
        file.write(b"line,code,reason,text\n")
        for frame in frames:
            _safe(frame).write_csv(file, include_header=False)


def _safe(rejected: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("text").str.replace_all(_LATER_FORMULA_START, "${1}'${2}")
    return rejected.select(
        "line",
        "code",
        "reason",
        pl.when(text.str.contains(_FORMULA_START)).then("'" + text).otherwise(text).alias("text"),
    )


def problems_json(
    upload: Upload,
    verdict: str,
    codes: dict[str, int],
    messages: list[str],
    rows: RowCounts | None = None,
) -> bytes:
    """What was wrong with one version of one upload. `verdict` is partial or reject; `codes` counts rows by code."""
    document = {
        "key": upload.key,
        "version": upload.version,
        "verdict": verdict,
        "codes": dict(sorted(codes.items())),
        "messages": messages,
        "rows": rows.model_dump() if rows else None,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
