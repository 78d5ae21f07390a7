"""One pass over a file: every row judged by itself, good ones put by for what only all of them can tell."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from energy.errors import InputRejected
from energy.intake import names, numbers, plain, records, rules, timestamps
from energy.intake.form import Form
from energy.intake.layout import Layout
from energy.intake.plain import Bounds, Plain
from energy.intake.records import Chunk
from energy.intake.rows import Rows, cells_of, rows_of
from energy.intake.settling import CANDIDATE
from energy.intake.spool import Spool
from energy.site_config import Rules

_SHOWN_CHARACTERS = 40
_TIDIED_TIMES = 8
REJECTED = {"line": pl.Int64, "code": pl.String, "reason": pl.String, "text": pl.String}


@dataclass(frozen=True)
class File:
    """A file whose layout is known. `blocks` gives its text, as often as it is called.

    `header` is what its header reads where the cells of a row are looked for; `scratch` is a folder for what does not
    fit into memory.
    """

    blocks: Callable[[], Iterator[bytes]]
    layout: Layout
    header: dict[str, str]
    rules: Rules
    uploaded_at: dt.datetime
    scratch: Path

    @property
    def zone(self) -> str:
        """Of timestamps without an offset."""
        return self.layout.timezone or self.rules.timezone

    def chunks(self) -> Iterator[Chunk]:
        """The text below the header."""
        return records.chunks(self.blocks(), self.layout.header_line)

    def rows(self, chunk: Chunk) -> Rows:
        """The rows of a chunk, whatever they are like."""
        found = self._rows_of(records.split(chunk, cells_of(self.layout)))
        return replace(found, may_hold_controls=records.has_control_characters(chunk))

    def read(self, chunk: Chunk) -> "Read":
        """The rows of a chunk, most of them plain in most files."""
        found = plain.split(chunk, self.layout, self._bounds) if self._may_be_plain else None
        if found is None:
            return Read(chunk, self.rows(chunk), None)
        rows, rest = found
        return Read(chunk, self._rows_of(records.split_lines(rest, cells_of(self.layout))), rows)

    @cached_property
    def _may_be_plain(self) -> bool:
        return plain.may_be(self.layout, self.rules.readings)

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.zone, self.rules.timezone, self.rules.limits, rules.latest(self.uploaded_at))

    def _rows_of(self, split_up: pl.DataFrame) -> Rows:
        return rows_of(split_up, self.layout, self.rules.limits.field_bytes)


@dataclass(frozen=True)
class Read:
    """A chunk and its rows: those that are plain, if they were told apart, and the others."""

    chunk: Chunk
    others: Rows
    plain: Plain | None


def put_by_month(spool: Spool[int], rows: pl.DataFrame) -> None:
    """Puts rows by under their `month`."""
    months = rows["month"]
    if months.is_sorted():
        for month, start, size in _stretches(months):
            spool.put(month, rows.slice(start, size))
        return
    for (month,), frame in rows.partition_by("month", as_dict=True, maintain_order=True).items():
        spool.put(int(month), frame)


def _stretches(months: pl.Series) -> Iterator[tuple[int, int, int]]:
    """Each month of a sorted series, where it starts and how often it is there."""
    start = 0
    while start < months.len():
        month = months[start]
        end = int(months.search_sorted(month, side="right"))
        yield month, start, end - start
        start = end


def _looked_up(column: str, values: Mapping[str, int | str], dtype: type[pl.DataType]) -> pl.Expr:
    if not values:
        return pl.lit(None, dtype=dtype)
    return pl.col(column).replace_strict(values, default=None, return_dtype=dtype)


class Appliances:
    """The appliances of a file, numbered as they come: one number for all spellings of one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}
        self._spellings: list[set[str]] = []
        self._written: list[set[str]] = []

    def codes(self, raw: pl.Series, name_characters: int) -> tuple[dict[str, int], dict[str, str]]:
        """By the names as written: number (where the name can be used), and tidy name. TOO_MANY_APPLIANCES past the
        limit.
        """
        # Unicode forms of a very long text take long, and no name that is kept comes of it.
        most = _TIDIED_TIMES * name_characters
        tidy = {text: names.tidy(text) if len(text) <= most else text for text in raw.unique().drop_nulls()}
        codes = {}
        for text, name in tidy.items():
            if not name or len(name) > name_characters:
                continue
            number = self._number(names.identity(name))
            self._spellings[number].add(name)
            self._written[number].add(text.strip())
            codes[text] = number
        self._refuse_many()
        return codes, tidy

    def __len__(self) -> int:
        return len(self._spellings)

    def absorb(self, other: "Appliances") -> list[int]:
        """Takes those of another part of the file into account: their numbers here, by their numbers there.
        TOO_MANY_APPLIANCES past the limit.
        """
        numbers = []
        for identity, theirs in sorted(other._numbers.items(), key=lambda item: item[1]):
            ours = self._number(identity)
            self._spellings[ours] |= other._spellings[theirs]
            self._written[ours] |= other._written[theirs]
            numbers.append(ours)
        self._refuse_many()
        return numbers

    def _number(self, identity: str) -> int:
        number = self._numbers.setdefault(identity, len(self._spellings))
        if number == len(self._spellings):
            self._spellings.append(set())
            self._written.append(set())
        return number

    def _refuse_many(self) -> None:
        if len(self._spellings) > self._limit:
            raise InputRejected(
                "TOO_MANY_APPLIANCES",
                f"The file names more than {self._limit:,} appliances. Is another column meant? Split the file, or "
                "raise appliances under limits in config/<site>.yaml.",
            )

    def shown(self) -> list[str]:
        """The name of each number."""
        return [names.shown(spellings) for spellings in self._spellings]

    def normalised(self) -> list[list[str]]:
        """Spellings that were taken for one appliance, where there are several."""
        return sorted(sorted(spellings) for spellings in self._written if len(spellings) > 1)


class Pass:
    """One reading of a file in one form. `candidates` by month (year · 12 + month - 1), `rejected` by chunk."""

    def __init__(self, file: File, form: Form) -> None:
        self._file, self._form = file, form
        self._limits = file.rules.limits
        self._latest = rules.latest(file.uploaded_at)
        self.appliances = Appliances(self._limits.appliances)
        self.candidates: Spool[int] = Spool(file.scratch, "candidates")
        self.rejected: Spool[int] = Spool(file.scratch, "rejected")
        self.rejected_by_appliance: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.rows_read = 0
        self.left_out = 0
        self.naive = self.stated = self.repeated = 0
        self.first_rejected: dict[str, str | int] | None = None
        self.first_lines: dict[str, int] = {}

    def read(self, number: int, found: Read) -> None:
        """Judges the rows of a chunk."""
        if found.plain and not plain.is_read_so(self._form):
            found = Read(found.chunk, self._file.rows(found.chunk), None)
        if found.plain and not found.plain.rows.is_empty():
            self._put_by_plain(found.plain)
        self.left_out += found.others.left_out
        if not found.others.rows.is_empty():
            self._judge(number, found.others)

    def _put_by_plain(self, found: Plain) -> None:
        rows = found.rows
        self.rows_read += rows.height
        self.naive += rows.height
        codes, _ = self.appliances.codes(pl.Series(found.names.values()), self._limits.name_characters)
        # Keys without a name are of rows that are none of these.
        of_raw = pl.Series(
            [codes.get(found.names.get(raw, ""), 0) for raw in range(max(found.names) + 1)], dtype=pl.UInt32
        )
        kept = rows.with_columns(
            code=of_raw.gather(rows["raw"]),
            column=pl.lit(0, dtype=pl.Int16),
            later=pl.lit(None, dtype=pl.Datetime("us")),
            stated=pl.lit(False),
            estimated=pl.lit(False),
        )
        put_by_month(self.candidates, kept.select(*CANDIDATE))

    def _judge(self, number: int, found: Rows) -> None:
        rows = self._with_parts(found.rows)
        self.rows_read += rows.height
        good = rules.is_good(self._limits, self._latest)
        if found.may_hold_controls:
            good &= ~pl.col("text").str.contains(records.CONTROL)
        rows = rows.with_columns(good=good)
        self._put_by(rows if rows["good"].all() else rows.filter("good"))
        if not rows["good"].all():
            self._set_apart(number, rows.filter(~pl.col("good")))

    def absorb(self, other: "Pass") -> list[int]:
        """Takes into account what another pass, in the same form, has read of a later part of the file, but for the
        rows that it has put by: the numbers of its appliances here, by their numbers there.
        """
        numbers = self.appliances.absorb(other.appliances)
        self.rejected_by_appliance.update({numbers[code]: rows for code, rows in other.rejected_by_appliance.items()})
        self.codes.update(other.codes)
        self.rows_read += other.rows_read
        self.left_out += other.left_out
        self.naive += other.naive
        self.stated += other.stated
        self.repeated += other.repeated
        self.first_rejected = self.first_rejected or other.first_rejected
        self.first_lines = {**other.first_lines, **self.first_lines}
        return numbers

    def _with_parts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Adds name, appliance_code, number (in kWh), written, stated, earlier, later."""
        codes, tidy = self.appliances.codes(rows["raw"], self._limits.name_characters)
        rows = rows.with_columns(
            appliance_code=_looked_up("raw", codes, pl.UInt32), name=_looked_up("raw", tidy, pl.String)
        ).with_row_index("order")
        rows = numbers.with_numbers(rows, self._form.numbers)
        # Adding zero makes -0.0 plain 0.0.
        rows = rows.with_columns(number=pl.col("number") / pl.col("factor") + 0.0)
        several = any(column.minutes for column in self._file.layout.values)
        return timestamps.with_instants(rows, self._form.timestamps, self._file.zone, minutes=several)

    def _put_by(self, good: pl.DataFrame) -> None:
        if good.is_empty():
            return
        self.repeated += good.height - good["later"].null_count()
        stated = int(good["stated"].sum())
        self.stated += stated
        self.naive += good.height - stated
        local = timestamps.to_local(pl.col("earlier"), self._file.rules.timezone)
        month = local.dt.year().cast(pl.Int32) * 12 + local.dt.month() - 1
        kept = good.select(
            pl.col("record").alias("line"),
            "column",
            pl.col("appliance_code").alias("code"),
            pl.col("earlier").alias("utc"),
            "later",
            "stated",
            pl.col("number").alias("kwh"),
            "estimated",
            month.alias("month"),
        )
        put_by_month(self.candidates, kept.select(pl.col(name).cast(kind) for name, kind in CANDIDATE.items()))

    def _set_apart(self, number: int, bad: pl.DataFrame) -> None:
        bad = rules.with_codes(bad, self._limits, self._latest, self._file.header)
        for code, count, line in bad.group_by("code").agg(pl.len(), pl.col("line").min()).iter_rows():
            self.codes[code] += count
            self.first_lines.setdefault(code, line)
        for code, count in bad.group_by("appliance_code").len().iter_rows():
            if code is not None:
                self.rejected_by_appliance[code] += count
        if self.first_rejected is None:
            first = bad.sort("line").select("line", "code", "reason", "text", "moment", "value").row(0, named=True)
            cell = rules.CELLS.get(str(first["code"]))
            found = str(first[cell] if cell else "" if self._file.layout.private else first["text"] or "")
            shown = found if len(found) <= _SHOWN_CHARACTERS else found[:_SHOWN_CHARACTERS] + " …"
            self.first_rejected = {"line": first["line"], "found": repr(shown), "reason": first["reason"]}
        text = pl.concat_str("moment", "raw", "value", separator=",", ignore_nulls=True)
        kept = bad.with_columns(text=text) if self._file.layout.private else bad
        # A copy of the text: what is only looked at keeps the whole chunk in memory.
        copied = pl.concat_str(pl.col("text"), pl.lit("")).alias("text")
        self.rejected.put(number, kept.sort("line").select(*REJECTED).with_columns(copied))
