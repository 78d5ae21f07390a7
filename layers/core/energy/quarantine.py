"""What validation sets apart, for people: rejected rows as CSV, and what was wrong as JSON."""

import json

import polars as pl

from energy.contracts import RowCounts, Upload
from energy.errors import InputRejected

# A spreadsheet runs a cell that starts so as a formula (CWE-1236; OWASP ASVS 1.2.10).
_FORMULA_START = r"^[=+\-@\t\r]"


def rejected_csv(rejected: pl.DataFrame) -> bytes:
    """line, code, reason, text of each rejected row, safe to open in a spreadsheet."""
    text = pl.col("text")
    safe = rejected.with_columns(
        pl.when(text.str.contains(_FORMULA_START)).then("'" + text).otherwise(text).alias("text")
    )
    return safe.write_csv().encode()


def problems_json(
    upload: Upload,
    verdict: str,
    codes: dict[str, int],
    messages: list[str],
    rows: RowCounts | None = None,
) -> bytes:
    """What was wrong with one version of one upload. `verdict` is partial or rejected; `codes` counts rows by code."""
    document = {
        "key": upload.key,
        "version": upload.version,
        "verdict": verdict,
        "codes": dict(sorted(codes.items())),
        "messages": messages,
        "rows": rows.model_dump() if rows else None,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")


def counts_by_code(rejected: pl.DataFrame) -> dict[str, int]:
    """How many rows were rejected for each code."""
    return dict(rejected.group_by("code").len().sort("code").iter_rows())


def refusal_codes(refusal: InputRejected, row_codes: dict[str, int]) -> dict[str, int]:
    """The codes of a refused file: its own, once, and those of its rows."""
    return {**row_codes, refusal.code: 1}
