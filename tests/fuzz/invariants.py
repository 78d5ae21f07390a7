"""What holds for every file in the world, whatever is in it."""

import math
from collections import Counter

import polars as pl

from energy import parquet
from energy.errors import InputRejected
from energy.intake import names
from energy.intake.judging import Judged

READINGS = {
    "timestamp": pl.Datetime("us"),
    "timestamp_utc": pl.Datetime("us"),
    "appliance": pl.String(),
    "kwh": pl.Float64(),
    "estimated": pl.Boolean(),
}
REJECTED = ["line", "code", "reason", "text"]
_KEY = ["timestamp_utc", "appliance"]


def breaches(judged: Judged) -> list[str]:
    """What does not hold of a judged file, in words; none where all is well."""
    found = [*_of_rows(judged), *_of_codes(judged), *_of_quality(judged)]
    if judged.refusal is None:
        found += _of_readings(judged)
    for sentence in (*judged.warnings.values(), *judged.notes.values()):
        found += _of_sentence(sentence)
    return found + (_of_refusal(judged.refusal) if judged.refusal else [])


def _of_refusal(refusal: InputRejected) -> list[str]:
    return [*_of_sentence(refusal.problem), *([] if refusal.code.isupper() else [f"the code is {refusal.code!r}"])]


def of_refusal(refusal: InputRejected) -> list[str]:
    """What does not hold of the refusal of a whole file."""
    return _of_refusal(refusal)


def published(judged: Judged) -> dict[str, bytes]:
    """Each month as the Parquet file that it becomes."""
    return {month: parquet.to_bytes(judged.month(month)) for month in judged.months}


def _of_rows(judged: Judged) -> list[str]:
    rows = judged.rows
    found = []
    if rows.read != rows.accepted + rows.rejected + rows.duplicates:
        found.append(f"rows do not add up: {rows}")
    readings = sum(judged.month(month).height for month in judged.months)
    if judged.refusal is None and one_reading_a_row(judged) and readings != rows.accepted:
        found.append(f"{readings} readings were published of {rows.accepted}")
    if rows.read == 0:
        found.append("a file without any row was not refused")
    return found


def one_reading_a_row(judged: Judged) -> bool:
    """Whether each accepted row is one reading: no difference of what a meter shows, no sum of several meters."""
    return judged.quality.read_as["readings"].startswith("energy") and "SEVERAL_METERS" not in judged.notes


def _of_codes(judged: Judged) -> list[str]:
    frames = list(judged.rejected())
    counts: Counter[str] = Counter()
    lines: list[int] = []
    found = []
    for frame in frames:
        if frame.columns != REJECTED:
            found.append(f"rejected rows have the columns {frame.columns}")
            return found
        counts.update(frame["code"].to_list())
        lines += frame["line"].to_list()
        for reason in frame["reason"].unique():
            found += _of_sentence(reason)
    if dict(counts) != judged.codes:
        found.append(f"rejected rows have the codes {dict(counts)}, but {judged.codes} were told")
    if counts.total() != judged.rows.rejected:
        found.append(f"{counts.total()} rejected rows are shown of {judged.rows.rejected}")
    if lines != sorted(lines):
        found.append("rejected rows are not in the order of their lines")
    expected = (
        "reject"
        if judged.refusal
        else "partial"
        if judged.rows.rejected
        else "accept_warn"
        if judged.warnings
        else "accept"
    )
    if judged.verdict != expected:
        found.append(f"the verdict is {judged.verdict}, not {expected}")
    return found


def _of_quality(judged: Judged) -> list[str]:
    quality, rows = judged.quality, judged.rows
    found = []
    told = [
        sum(getattr(appliance, what) for appliance in quality.appliances)
        for what in ("accepted", "rejected", "duplicates")
    ]
    if told != [rows.accepted, rows.rejected, rows.duplicates] and judged.refusal is None:
        found.append(f"appliances have {told} rows accepted, rejected and duplicate, the file {rows}")
    if (quality.codes, quality.warnings, quality.notes) != (judged.codes, judged.warnings, judged.notes):
        found.append("the upload's quality tells other codes, warnings or notes than judging")
    type(quality).model_validate_json(quality.model_dump_json())
    return found


def _of_readings(judged: Judged) -> list[str]:
    found = []
    if judged.months != sorted(set(judged.months)):
        found.append(f"months are not sorted: {judged.months}")
    for month in judged.months:
        readings = judged.month(month)
        if dict(readings.schema) != READINGS:
            return [*found, f"readings have the columns {dict(readings.schema)}"]
        if readings.is_empty() or sum(readings.null_count().row(0)):
            found.append(f"{month} has no reading, or one without a value")
        if not (readings["timestamp"].dt.strftime("%Y-%m") == month).all():
            found.append(f"{month} has readings of another month")
        if not readings["kwh"].is_finite().all() or not (readings["kwh"] >= 0).all():
            found.append(f"{month} has a reading that is not finite, or below zero")
        if not readings.equals(readings.sort(_KEY)):
            found.append(f"{month} is not sorted by {_KEY}")
        if readings.select(_KEY).is_duplicated().any():
            found.append(f"{month} has two readings of one appliance at one time")
        for name in readings["appliance"].unique():
            if not name or names.tidy(name) != name:
                found.append(f"an appliance is called {name!r}")
    return found


def _of_sentence(sentence: str) -> list[str]:
    if not sentence or "Traceback" in sentence or len(sentence) > 2_000:
        return [f"a message reads {sentence[:200]!r}"]
    return []


def total_kwh(judged: Judged) -> float:
    """The sum of all published energy, exactly rounded."""
    return math.fsum(kwh for month in judged.months for kwh in judged.month(month)["kwh"])
