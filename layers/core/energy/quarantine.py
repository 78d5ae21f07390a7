"""What validation sets apart, for people: rejected rows as CSV, and what was wrong as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from energy.contracts import RowCounts, Upload

# A spreadsheet runs a cell that starts so as a formula (CWE-1236; OWASP ASVS 1.2.10).
_FORMULA_START = r"^[\s\x00]*[=+\-@\t\r\x00]"


def write_rejected(path: Path, frames: Iterable[pl.DataFrame]) -> None:
    """A CSV file with line, code, reason, text of each rejected row, safe to open in a spreadsheet."""
    with path.open("wb") as file:
        file.write(b"line,code,reason,text\n")
        for frame in frames:
            file.write(_safe(frame).write_csv(include_header=False).encode())


def _safe(rejected: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("text")
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
