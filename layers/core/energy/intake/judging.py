"""An uploaded file judged: its readings, the rows set apart and why, and what has to be said about both.

Nothing is guessed, nothing is lost. The file is read in chunks, so that memory does not grow with it; what only all
rows together can tell is settled month by month.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl

from energy.contracts import RowCounts
from energy.documents import ApplianceRows, UploadQuality
from energy.errors import InputRejected
from energy.intake import formats, records
from energy.intake.form import Evidence, Form
from energy.intake.formats import green_button_xml
from energy.intake.layout import Head
from energy.intake.outcome import Outcome, Settle, concluded, settled
from energy.intake.reading import File, Pass, Read
from energy.intake.rows import header_names
from energy.intake.rules import REASONS
from energy.intake.settling import in_order
from energy.intake.source import Source, open_source
from energy.intake.timestamps import to_local
from energy.site_config import Rules

Item = TypeVar("Item")
Verdict = Literal["accept", "accept_warn", "partial", "reject"]
# Below this many rows one bad row is a large share of the file, so only a file without any good row is refused.
SHARE_COUNTS_FROM_ROWS = 10


@dataclass(frozen=True)
class Judged:
    """What became of a file's rows.

    `codes` counts rejected rows by code, and `set_apart` says it in words. `warnings` say by code what may be wrong,
    `notes` what is only good to know.
    `refusal`: why the file as a whole is not used, though its rows can be shown.
    """

    rows: RowCounts
    codes: dict[str, int]
    set_apart: dict[str, str]
    warnings: dict[str, str]
    notes: dict[str, str]
    refusal: InputRejected | None
    quality: UploadQuality
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """In one word what is to become of the file."""
        if self.refusal:
            return "reject"
        if self.rows.rejected:
            return "partial"
        return "accept_warn" if self.warnings else "accept"

    @cached_property
    def months(self) -> list[str]:
        """Local calendar months with accepted readings, as 2024-05."""
        return [_month_name(month) for month in self.outcome.readings.keys()]  # noqa: SIM118

    def month(self, month: str) -> pl.DataFrame:
        """timestamp (local), timestamp_utc, appliance, kwh, estimated: one row per appliance and instant, sorted by
        timestamp_utc and appliance.
        """
        year, number = month.split("-")
        found = self.outcome.readings.whole(int(year) * 12 + int(number) - 1)
        shown = _shown(found, self.outcome.names, self.outcome.timezone)
        return shown.with_columns(pl.col("appliance").cast(pl.String))

    def each_month(self, put: Callable[[str, pl.DataFrame], None]) -> None:
        """Gives every month and its readings, as `month` does, where they are: on this machine or on others. Appliances
        are an Enum of those in that month.
        """
        self.outcome.readings.each(partial(_put_shown, put, self.outcome.names, self.outcome.timezone))

    def readings(self) -> pl.DataFrame:
        """All months in one frame."""
        return pl.concat([self.month(month) for month in self.months]) if self.months else _NO_READINGS.clone()

    def rejected(self) -> Iterator[pl.DataFrame]:
        """line, code, reason, text of the rows that were set apart, by line, in frames of bounded size."""
        return self.outcome.rejected()


_NO_READINGS = pl.DataFrame(
    schema={
        "timestamp": pl.Datetime("us"),
        "timestamp_utc": pl.Datetime("us"),
        "appliance": pl.String,
        "kwh": pl.Float64,
        "estimated": pl.Boolean,
    }
)


def _month_name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _put_shown(
    put: Callable[[str, pl.DataFrame], None], names: list[str], timezone: str, month: int, readings: pl.DataFrame
) -> None:
    put(_month_name(month), _shown(readings, names, timezone))


def _shown(readings: pl.DataFrame, names: list[str], timezone: str) -> pl.DataFrame:
    readings = in_order(readings)
    # A month's own: others would stand in every file of it.
    read = set(readings["code"].unique())
    known = pl.Enum([name for place, name in enumerate(names) if place in read])
    appliances = pl.Series("appliance", [name if place in read else None for place, name in enumerate(names)], known)
    return readings.select(
        timestamp=to_local(pl.col("utc"), timezone),
        timestamp_utc=pl.col("utc"),
        appliance=appliances.gather(readings["code"]),
        kwh=pl.col("kwh"),
        estimated=pl.col("estimated"),
    )


def judge(  # noqa: PLR0913, PLR0917
    path: Path,
    rules: Rules,
    uploaded_at: dt.datetime,
    scratch: Path,
    name: str = "",
    most_bytes: int | None = None,
) -> Judged:
    """Judges a file, packed or not. `scratch` is a folder for what does not fit into memory, `most_bytes` as
    `open_source`.

    InputRejected if it is not understood. Too many bad rows, or no good one, are `refusal` instead, so that the rows
    can still be shown.
    """
    source = open_source(path, name, most_bytes)
    return judge_in_turn(source, file_of(source, rules, uploaded_at, scratch))


def judge_in_turn(source: Source, file: File) -> Judged:
    """Judges a file whose layout is known, one chunk after the other."""
    done, form = _read(file)
    return conclude(source, file, done, form, settled)


def conclude(source: Source, file: File, done: Pass, form: Form, settle: Settle) -> Judged:
    """What becomes of a file that was read in the form that all of it proves."""
    if not done.rows_read:
        raise InputRejected(
            "NO_ROWS", "The file has a header and nothing below it that is a reading. Upload one with readings."
        )
    outcome = concluded(file, done, form, settle)
    told = [source.warnings, file.layout.warnings, form.warnings, outcome.warnings]
    warnings = {code: " ".join(some[code] for some in told if code in some) for code in dict.fromkeys(chain(*told))}
    return _judged(file, done, outcome, warnings)


def file_of(source: Source, rules: Rules, uploaded_at: dt.datetime, scratch: Path) -> File:
    """The file, its layout known by its head; InputRejected if it is of no known one."""
    blocks: Callable[[], Iterator[bytes]] = source.blocks
    if source.is_xml:
        blocks = partial(green_button_xml.transcribed_from, source)
    head = records.head_lines(blocks())
    layout = formats.recognise(Head(head), rules)
    header = header_names(head[layout.header_line - 1], layout)
    return File(blocks, layout, header, rules, uploaded_at, scratch)


def _read(file: File) -> tuple[Pass, Form]:
    """The file read in the form that all of it proves.

    Its first chunk mostly shows that form, so the rows are judged by it at once; only if the rest proves another one is
    the file read again.
    """
    evidence = Evidence(file.layout, file.rules.readings)
    form: Form | None = None
    while True:
        done = Pass(file, form) if form else None
        is_first = done is None
        for number, found in enumerate(_ahead(file.read(chunk) for chunk in file.chunks())):
            if is_first:
                prove(evidence, found)
            if is_first and number == 0 and (form := form_so_far(evidence)):
                done = Pass(file, form)
            if done:
                done.read(number, found)
        proved = evidence.form()
        if done and proved == form:
            break
        if not is_first:
            raise AssertionError("a file proved two forms")
        form = proved
    return done, proved


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made while the one before is in use."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


def prove(evidence: Evidence, found: Read) -> None:
    """Takes a chunk into account."""
    evidence.add(found.others.rows)
    if found.plain:
        evidence.add_plain(found.plain.rows.height, found.plain.pointed)


def form_so_far(evidence: Evidence) -> Form | None:
    """The form that is proved by now; null where the rest of the file may still prove one."""
    try:
        return evidence.form()
    except InputRejected:
        return None


def _judged(file: File, done: Pass, outcome: Outcome, warnings: dict[str, str]) -> Judged:
    notes = {**file.layout.notes, **outcome.notes}
    codes = Counter(done.codes) + Counter(outcome.codes)
    rejected = sum(codes.values())
    rows = RowCounts(
        read=done.rows_read,
        accepted=done.rows_read - rejected - outcome.duplicate_rows,
        rejected=rejected,
        duplicates=outcome.duplicate_rows,
    )
    if outcome.duplicate_rows:
        warnings["DUPLICATE_READING"] = (
            f"{outcome.duplicate_rows:,} reading(s) appear more than once; each was counted once."
        )
    quality = UploadQuality(
        read_as=outcome.read_as,
        codes=dict(sorted(codes.items())),
        warnings=warnings,
        notes=notes,
        appliances=_by_appliance(outcome, rejected),
    )
    refusal = _refusal(rows, done, outcome, file.rules.rejected_share)
    first_lines = dict(done.first_lines)
    if outcome.first_rejected:
        first_lines["CONFLICTING_READING"] = int(outcome.first_rejected["line"])
    set_apart = {
        code: f"{count:,} row{'' if count == 1 else 's'}, the first in line {first_lines[code]:,}: {REASONS[code]}"
        for code, count in sorted(codes.items())
    }
    return Judged(rows, dict(sorted(codes.items())), set_apart, warnings, notes, refusal, quality, outcome)


def _by_appliance(outcome: Outcome, rejected: int) -> list[ApplianceRows]:
    bad = outcome.rejected_by_appliance + outcome.contradicting
    found = [
        ApplianceRows(
            appliance=name,
            accepted=outcome.accepted[number],
            rejected=bad[number],
            duplicates=outcome.duplicates[number],
            estimated=outcome.estimated[number],
        )
        for number, name in enumerate(outcome.names)
    ]
    nameless = rejected - sum(bad.values())
    if nameless:
        found.append(ApplianceRows(appliance=None, accepted=0, rejected=nameless, duplicates=0, estimated=0))
    return found


def _refusal(rows: RowCounts, done: Pass, outcome: Outcome, rejected_share: float) -> InputRejected | None:
    share = rows.rejected / rows.read
    judged_by_share = rows.read >= SHARE_COUNTS_FROM_ROWS and share >= rejected_share
    if rows.accepted and not judged_by_share:
        return None
    first = min(
        (found for found in (done.first_rejected, outcome.first_rejected) if found),
        key=lambda found: int(found["line"]),
    )
    limit = "half" if rejected_share == 0.5 else f"{rejected_share:.0%}"
    return InputRejected(
        "TOO_MANY_BAD_ROWS",
        f"{rows.rejected:,} of {rows.read:,} rows are bad ({share:.0%}); a file is not used if at least {limit} of its "
        f"rows are, or all. The first is line {first['line']}, {first['found']}: {first['reason']} "
        "Correct the file and upload it again.",
    )
