"""What a file amounts to, once all of its rows were judged one by one: its readings, settled and converted to kWh."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

import polars as pl

from energy.intake import energies, rules, settling
from energy.intake.form import Form
from energy.intake.reading import REJECTED, Appliances, File, Pass, put_by_month
from energy.intake.spool import Spool
from energy.intake.steps import COUNTS, Steps
from energy.intake.timestamps import to_local

# So many rows are settled at once; a month with more is taken by days.
PIECE_ROWS = 500_000
_LINELESS = pl.exclude("line", "column")
_SHOWN = 3
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


class Readings(Protocol):
    """Settled readings by month, on this machine (a Spool) or on others."""

    def keys(self) -> list[int]:
        """The months, sorted."""

    def whole(self, key: int) -> pl.DataFrame:
        """All rows of a month."""

    def each(self, put: Callable[[int, pl.DataFrame], None]) -> None:
        """Gives all rows of each month, in any order of the months."""


@dataclass(frozen=True)
class Outcome:
    """`readings` by month: utc, code, kwh, estimated; `code` is the place in `names`, which are sorted.

    `accepted`, `duplicates`, `estimated`, `contradicting` count rows by the appliance's place in `names`; `codes`
    counts rows that all of them together set apart.
    """

    names: list[str]
    timezone: str
    readings: Readings
    accepted: Counter[int]
    duplicates: Counter[int]
    estimated: Counter[int]
    contradicting: Counter[int]
    rejected_by_appliance: Counter[int]
    codes: Counter[str]
    warnings: dict[str, str]
    notes: dict[str, str]
    read_as: dict[str, str]
    first_rejected: dict[str, str | int] | None
    set_apart: list[Spool[int]]

    @property
    def duplicate_rows(self) -> int:
        """Rows that were there again."""
        return sum(self.duplicates.values())

    def rejected(self) -> Iterator[pl.DataFrame]:
        """line, code, reason, text, by line: one frame for each chunk of the file that has any."""
        for number in sorted({number for spool in self.set_apart for number in spool.keys()}):  # noqa: SIM118
            parts = [frame for spool in self.set_apart for frame in spool.frames(number)]
            yield pl.concat(parts).sort("line", maintain_order=True)


def concluded(file: File, done: Pass, form: Form, settle: "Settle") -> Outcome:
    """What a pass over a file put by, settled by `settle`."""
    shown = done.appliances.shown()
    places = sorted(range(len(shown)), key=lambda number: shown[number])
    ranks = pl.Series("rank", [0] * len(shown), dtype=pl.UInt32)
    if places:
        ranks = pl.Series("rank", range(len(shown)), dtype=pl.UInt32)[pl.Series(places).arg_sort()]
    names = [shown[number] for number in places]
    settled = settle(file, done, ranks)
    readings, warnings, steps = settled.readings, {}, settled.steps
    if isinstance(readings, Spool):
        energy = energies.of(file, readings, names, steps)
        readings, warnings, steps = energy.readings, energy.warnings, energy.steps
    outcome = Outcome(
        names=names,
        timezone=file.rules.timezone,
        readings=readings,
        accepted=settled.accepted,
        duplicates=settled.duplicates,
        estimated=settled.estimated,
        contradicting=settled.contradicting,
        rejected_by_appliance=Counter({int(ranks[code]): n for code, n in done.rejected_by_appliance.items()}),
        codes=Counter({"CONFLICTING_READING": sum(settled.contradicting.values())}),
        warnings={},
        notes={},
        read_as=_read_as(file, form, done),
        first_rejected=None,
        set_apart=[done.rejected],
    )
    outcome.warnings.update(_warnings(file, done), **warnings, **steps.warnings(names, file.rules.timezone))
    outcome.notes.update(_notes(done, settled.several, names))
    if settled.lines is not None:
        contradicting, first = _picked(file, settled.lines, done.appliances, ranks)
        outcome.set_apart.append(contradicting)
        return replace(outcome, first_rejected=first)
    return outcome


@dataclass
class Settled:
    """A file's readings by month, each counted once, and what that took: rows by the appliance's place.

    `readings` that are not on this machine are energy already. `several`: appliances that are several meters of one
    name. `lines`: line, column and code of rows that contradict each other; null where there are none.
    """

    readings: Readings
    accepted: Counter[int] = field(default_factory=Counter)
    duplicates: Counter[int] = field(default_factory=Counter)
    estimated: Counter[int] = field(default_factory=Counter)
    contradicting: Counter[int] = field(default_factory=Counter)
    several: list[int] = field(default_factory=list)
    steps: Steps = field(default_factory=Steps)
    lines: pl.DataFrame | None = None

    def count(self, counted: "Counted") -> None:
        """Counts a piece that was settled, the next in time."""
        for code, rows, estimated in counted.readings.iter_rows():
            self.accepted[code] += rows
            self.estimated[code] += estimated
        self.duplicates.update(dict(counted.duplicates.iter_rows()))
        self.steps.add_counted(counted.steps)

    def take_apart(self, doubtful: Iterable["Counted"]) -> None:
        """Several meters of one name are added up; other contradictions are set apart."""
        found = list(doubtful)
        self.several = settling.several_meters((one.instants for one in found), set(self.accepted))
        for code, rows, estimated in pl.concat(one.doubtful for one in found).iter_rows():
            if code in self.several:
                self.accepted[code] += rows
                self.estimated[code] += estimated
            else:
                self.contradicting[code] += rows


Settle: TypeAlias = Callable[[File, Pass, pl.Series], Settled]
"""(file, pass over it, place of each of its appliances) to what it amounts to."""


@dataclass(frozen=True)
class Counted:
    """What is counted of settled rows. `readings`, `doubtful`: code, rows, estimated; `steps` as `Steps.counted`,
    `instants` as `settling.instants_of`.
    """

    readings: pl.DataFrame
    duplicates: pl.DataFrame
    steps: pl.DataFrame
    doubtful: pl.DataFrame
    instants: pl.DataFrame

    @classmethod
    def of(cls, settled: settling.Settled) -> "Counted":
        """Of whole days."""
        # Grouped once: that is most of the work.
        by_code = settled.readings.group_by("code").agg(*COUNTS, estimated=pl.col("estimated").sum())
        return cls(
            readings=by_code.select("code", pl.col("len").alias("rows"), "estimated"),
            duplicates=settled.duplicates,
            steps=by_code.drop("estimated"),
            doubtful=_rows(settled.contradicting),
            instants=settling.instants_of(settled.contradicting),
        )


def _rows(readings: pl.DataFrame) -> pl.DataFrame:
    return readings.group_by("code").agg(rows=pl.len(), estimated=pl.col("estimated").sum())


def settled(file: File, done: Pass, ranks: pl.Series) -> Settled:
    """The readings that a pass put by, settled one piece after the other; what it put by is forgotten."""
    readings: Spool[int] = Spool(file.scratch, "settled")
    doubtful: Spool[int] = Spool(file.scratch, "contradicting")
    # The lines of all readings are a fourth of what waits on disk; only what is still to be converted asks for them.
    wanted = _LINELESS if energies.are_read_so(file.layout) else pl.all()
    found, in_doubt = Settled(readings), []
    for candidates in pieces(done.candidates, file.zone):
        ranked = candidates.with_columns(ranks.gather(candidates["code"]).alias("code"))
        settled = settling.settle(ranked, file.zone)
        counted = Counted.of(settled)
        found.count(counted)
        put_by_month(readings, settled.readings.select(wanted))
        put_by_month(doubtful, settled.contradicting)
        if not settled.contradicting.is_empty():
            in_doubt.append(counted)
    if in_doubt:
        found.take_apart(in_doubt)
        found.lines = _contradicting(doubtful, found.several)
        for month in doubtful.keys():  # noqa: SIM118
            readings.put(month, settling.summed(only_of(doubtful.whole(month), found.several)).select(wanted))
    return found


def only_of(rows: pl.DataFrame, codes: list[int], but: bool = False) -> pl.DataFrame:
    """The rows of some appliances, or (`but`) those of all others."""
    return rows.filter(pl.col("code").is_in(codes) != but)


def _contradicting(doubtful: Spool[int], several: list[int]) -> pl.DataFrame | None:
    every = pl.concat([doubtful.whole(month) for month in doubtful.keys()])  # noqa: SIM118
    apart = only_of(every, several, but=True)
    return None if apart.is_empty() else apart.select("line", pl.col("column").cast(pl.Int32), "code")


def pieces(spool: Spool[int], timezone: str) -> Iterator[pl.DataFrame]:
    """All rows in the order of months, in pieces of whole local days; what was given is forgotten."""
    waiting: list[pl.DataFrame] = []
    for month in spool.keys():  # noqa: SIM118
        if waiting and sum(frame.height for frame in waiting) + spool.rows(month) > PIECE_ROWS:
            yield pl.concat(waiting)
            waiting = []
        if spool.rows(month) > PIECE_ROWS:
            yield from _by_days(spool, month, timezone)
        else:
            waiting.append(spool.whole(month))
        spool.drop(month)
    if waiting:
        yield pl.concat(waiting)


def _by_days(spool: Spool[int], month: int, timezone: str) -> Iterator[pl.DataFrame]:
    days = -(-31 // -(-spool.rows(month) // PIECE_ROWS))
    day = to_local(pl.col("utc"), timezone).dt.day() - 1
    for first in range(0, 31, days):
        piece = pl.concat([frame.filter(day.is_between(first, first + days - 1)) for frame in spool.frames(month)])
        if not piece.is_empty():
            yield piece


def _picked(
    file: File, lines: pl.DataFrame, appliances: Appliances, ranks: pl.Series
) -> tuple[Spool[int], dict[str, str | int]]:
    """The text of rows known by line and appliance, and the first of them."""
    reason = rules.REASONS["CONFLICTING_READING"]
    found: Spool[int] = Spool(file.scratch, "picked")
    first: dict[str, str | int] | None = None
    wanted = lines["line"].unique()
    for number, chunk in enumerate(file.chunks()):
        rows = file.rows(chunk).rows.filter(pl.col("record").is_in(wanted.implode()))
        if rows.is_empty():
            continue
        codes, _ = appliances.codes(rows["raw"], file.rules.limits.name_characters)
        coded = rows.with_columns(place=pl.col("raw").replace_strict(codes, default=None, return_dtype=pl.UInt32))
        coded = coded.filter(pl.col("place").is_not_null())
        coded = coded.with_columns(ranks.gather(coded["place"]).alias("place"))
        coded = coded.join(
            lines,
            left_on=["record", "column", "place"],
            right_on=["line", "column", "code"],
            how="semi",
            maintain_order="left",
        )
        if file.layout.private:
            coded = coded.with_columns(text=pl.concat_str("moment", "raw", "value", separator=",", ignore_nulls=True))
        apart = coded.with_columns(code=pl.lit("CONFLICTING_READING"), reason=pl.lit(reason)).select(*REJECTED)
        found.put(number, apart)
        if first is None and not apart.is_empty():
            row = apart.row(0, named=True)
            first = {"line": row["line"], "found": repr(row["text"][:40]), "reason": reason}
    if first is None:
        raise AssertionError("contradicting rows were not found again")
    return found, first


def _warnings(file: File, done: Pass) -> dict[str, str]:
    found = {}
    if done.repeated:
        found["AMBIGUOUS_LOCAL_TIME"] = (
            f"{done.repeated:,} reading(s) lie in the hour that clocks repeat in {file.zone}; the order in the file "
            "decided."
        )
    if done.naive and done.stated:
        found["NAIVE_TIMESTAMP"] = f"{done.naive:,} timestamp(s) have no offset; read as local time in {file.zone}."
    several = done.appliances.normalised()
    if several:
        shown = "; ".join(" = ".join(repr(name) for name in names[:_SHOWN]) for names in several[:_SHOWN])
        found["NAME_NORMALISED"] = (
            f"{len(several):,} appliance(s) are spelled in several ways and were taken for one each: {shown}."
        )
    return found


def _notes(done: Pass, several: list[int], names: list[str]) -> dict[str, str]:
    found = {}
    if several:
        shown = ", ".join(repr(names[code]) for code in several[:_SHOWN])
        found["SEVERAL_METERS"] = (
            f"Under {shown} every time is there as often as any other, with different values: taken for several meters "
            "of one name, whose energy was added up."
        )
    if done.left_out:
        found["LEFT_OUT"] = (
            f"{done.left_out:,} row(s) hold no energy used, as another fuel, export or a total, and were left out."
        )
    return found


def _read_as(file: File, form: Form, done: Pass) -> dict[str, str]:
    layout = file.layout
    units = sorted({f"{column.kind} in {column.unit}" for column in layout.values})
    found = {
        "format": layout.family,
        "delimiter": _DELIMITERS[layout.delimiter],
        "decimal mark": {".": "point", ",": "comma"}[form.numbers.decimal],
        "readings": "each row's own unit" if layout.unit_column is not None else ", ".join(units),
    }
    if done.naive:
        found["time zone"] = f"{file.zone}, as the format lays down" if layout.timezone else file.zone
    return found
