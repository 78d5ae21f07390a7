"""A large upload judged by many machines: the rules are those of `energy.intake`, and so is what comes out.

1. The driver looks at all of the file, as a Lambda does: what it is, how it is encoded, in which lines its records
   begin. This reads bytes and compares none with a rule, so it takes a second or two for each gigabyte.
2. Workers read extents of whole records from S3 and judge every row by itself, in the form that the first of them
   shows; they also tell what all of them prove. Only if that is another form is everything read again.
3. Rows are shuffled by month; a month's duplicates and contradictions are settled by one worker.
4. The driver adds up what was counted. If the file is not refused, workers write the months.

A file that is not its own text (packed, UTF-16, XML, old line ends), or whose readings need those before them
(registers, ends of intervals), is judged by the driver alone, in turn, with memory that does not grow with the file.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from energy import store
from energy.contracts import Upload
from energy.errors import InputRejected
from energy.intake import judging, outcome, records, settling
from energy.intake.form import Evidence, Form
from energy.intake.judging import Judged
from energy.intake.outcome import Counted, Settled, only_of, pieces
from energy.intake.reading import File, Pass, put_by_month
from energy.intake.records import Extent
from energy.intake.settling import CANDIDATE
from energy.intake.source import MAX_SPARK_TEXT_BYTES, Source, open_source
from energy.intake.spool import Spool
from energy.site_config import Rules
from jobs.spreading import ANSWER, Batches, answer, arriving, batches_of, pieces_in, received, spread_out

# Hashing puts several months into one task and none into another; with more tasks than months it seldom does.
_TASKS_PER_MONTH = 4

# Instants travel as microseconds: Spark would read them in a time zone.
_INSTANTS = ("utc", "later")
_CANDIDATES = pa.schema(
    [
        ("number", pa.int64()),
        ("content", pa.binary()),
        ("part", pa.int64()),
        ("line", pa.int64()),
        ("column", pa.int32()),
        ("code", pa.int64()),
        ("utc", pa.int64()),
        ("later", pa.int64()),
        ("stated", pa.bool_()),
        ("kwh", pa.float64()),
        ("estimated", pa.bool_()),
        ("month", pa.int32()),
    ]
)
_SETTLED = pa.schema(
    [
        *(_CANDIDATES.field(name) for name in ("number", "content", "line", "column", "code", "utc", "kwh")),
        *(_CANDIDATES.field(name) for name in ("estimated", "month")),
        ("doubtful", pa.bool_()),
    ]
)
_SQL_TYPES = {
    pa.int64(): "long",
    pa.int32(): "int",
    pa.binary(): "binary",
    pa.bool_(): "boolean",
    pa.float64(): "double",
}
_SETTLED_COLUMNS = ["line", "column", "code", "utc", "kwh", "estimated", "month"]


def judge(spark: SparkSession, path: Path, rules: Rules, upload: Upload, scratch: Path) -> Judged:
    """As `energy.intake.judging.judge`, of a file that is an upload."""
    source = open_source(path, upload.key, MAX_SPARK_TEXT_BYTES)
    file = judging.file_of(source, rules, upload.last_modified, scratch)
    extents = records.extents(source.raw(), file.layout.header_line) if _is_divisible(source, file) else None
    if not extents:
        return judging.judge_in_turn(source, file)
    file = _Divided(**vars(file), path=path, extents=extents)
    read = _read(spark, file, upload)
    return judging.conclude(source, file, read.done, read.form, read.settled)


def _is_divisible(source: Source, file: File) -> bool:
    """Whether parts of the text can be judged without the others, and the readings of a month without other months."""
    layout = file.layout
    is_energy = all(column.kind == "energy" for column in layout.values) and layout.marks == "start"
    return source.is_plain and is_energy and file.zone == file.rules.timezone


@dataclass(frozen=True)
class _Divided(File):
    """A file on the driver's disk, in the chunks that lie at these extents."""

    path: Path
    extents: list[Extent]

    def chunks(self) -> Iterator[records.Chunk]:
        """The text below the header."""
        with self.path.open("rb") as file:
            for extent in self.extents:
                file.seek(extent.start)
                yield records.chunk_of(file.read(extent.end - extent.start), extent.first_line)


# ----------------------------------------------------------------------------------------- every row judged by itself


@dataclass
class _Part:
    """What one task has read, and the months of the rows that it has put by; they themselves go ahead."""

    evidence: Evidence
    done: Pass | None
    months: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Read:
    """A file that was read. `rows` are kept by Spark: those put by, under the numbers that each part gave to its
    appliances; `numbers` are those of the whole file, by part.
    """

    spark: SparkSession
    form: Form
    done: Pass
    rows: DataFrame
    numbers: dict[int, list[int]]
    months: list[int]

    def settled(self, file: File, done: Pass, ranks: pl.Series) -> Settled:
        """`energy.intake.outcome.Settle`, month by month on the workers."""
        places = pl.concat(
            [
                pl.DataFrame({"part": part, "number": range(len(numbers)), "code": ranks.gather(numbers)})
                for part, numbers in self.numbers.items()
                if numbers
            ]
            or [pl.DataFrame(schema={"part": pl.Int64, "number": pl.Int64, "code": pl.UInt32})]
        ).with_columns(pl.col("part", "number").cast(pl.Int64), pl.col("code").cast(pl.UInt32))
        rows = self.rows.filter("content is null").drop("number", "content")
        tasks = _TASKS_PER_MONTH * len(self.months) if done.rows_read > outcome.PIECE_ROWS else 1
        kept = _kept(rows.repartition(tasks, "month").mapInArrow(partial(_settle, file, places), _ddl(_SETTLED)))
        found = Settled(_Months(kept, self.months, []))
        counted = [one for _, one in sorted(_answers(kept), key=lambda answered: answered[0])]
        for one in counted:
            found.count(one)
        doubtful = [one for one in counted if not one.doubtful.is_empty()]
        if doubtful:
            found.take_apart(doubtful)
            found.readings = _Months(kept, _with_readings(kept, self.months, found.several), found.several)
            found.lines = _lines(kept, found.several)
        return found


def _read(spark: SparkSession, file: _Divided, upload: Upload) -> _Read:
    """As `energy.intake.judging` reads a file: mostly its first chunk shows the form that all of it proves."""
    first = Evidence(file.layout, file.rules.readings)
    judging.prove(first, file.read(next(file.chunks())))
    form = judging.form_so_far(first)
    spread = spread_out(spark, file.extents)
    # The first chunk's form, if it shows one, then the one that all of the file proves.
    for _ in range(2):
        rows = _kept(spread.mapInArrow(partial(_judge_extents, file, form, upload), _ddl(_CANDIDATES)))
        evidence, done, parts = _gathered(file, form, rows)
        proved = evidence.form()
        if done and proved == form:
            months = set[int]().union(*(part.months for part in parts.values()))
            numbers = {number: done.absorb(part.done) for number, part in parts.items() if part.done}
            return _Read(spark, proved, done, rows, numbers, sorted(months))
        rows.unpersist()
        form = proved
    raise AssertionError("a file proved two forms")


def _judge_extents(file: File, form: Form | None, upload: Upload, batches: Batches) -> Batches:
    """On a worker: the rows of some extents, and what they say of the file."""
    with tempfile.TemporaryDirectory() as scratch:
        file = replace(file, scratch=Path(scratch))
        part = _Part(Evidence(file.layout, file.rules.readings), Pass(file, form) if form else None)
        numbers = []
        for number, extent in pieces_in(batches):
            numbers.append(number)
            try:
                yield from _judge_chunk(file, part, number, numbers[0], _chunk(upload, extent))
            except InputRejected as refusal:
                yield from answer(number, (refusal.code, refusal.problem), _CANDIDATES)
                return
        if numbers:
            yield from answer(numbers[0], part, _CANDIDATES)


def _judge_chunk(file: File, part: _Part, number: int, first: int, chunk: records.Chunk) -> Batches:
    found = file.read(chunk)
    judging.prove(part.evidence, found)
    done = part.done
    if done is None:
        return
    done.read(number, found)
    for month in done.candidates.keys():  # noqa: SIM118
        part.months.add(month)
        for frame in done.candidates.frames(month):
            yield from batches_of(_to_travel(frame).with_columns(part=pl.lit(first, dtype=pl.Int64)), _CANDIDATES)
        done.candidates.drop(month)
    for rejected in done.rejected.frames(number):
        yield from answer(number, rejected, _CANDIDATES)
    done.rejected.drop(number)


def _gathered(file: File, form: Form | None, rows: DataFrame) -> tuple[Evidence, Pass | None, dict[int, _Part]]:
    """What all parts prove together, their rejected rows, and the parts in their order. The first refusal counts."""
    evidence, done = Evidence(file.layout, file.rules.readings), Pass(file, form) if form else None
    parts: dict[int, _Part] = {}
    refusals: list[tuple[int, tuple[str, str]]] = []
    for number, told in _answers(rows):
        if isinstance(told, tuple):
            refusals.append((number, told))
        elif isinstance(told, _Part):
            parts[number] = told
        elif done is not None:
            done.rejected.put(number, told)
    if refusals:
        raise InputRejected(*min(refusals)[1])
    parts = dict(sorted(parts.items()))
    for part in parts.values():
        evidence.absorb(part.evidence)
    return evidence, done, parts


def _chunk(upload: Upload, extent: Extent) -> records.Chunk:
    content = store.read_range(upload.key, extent.start, extent.end, upload.version_id, upload.etag)
    return records.chunk_of(content, extent.first_line)


# ---------------------------------------------------------------------------------------- what a month's rows tell


def _settle(file: File, places: pl.DataFrame, batches: Batches) -> Batches:
    """On a worker: the candidates of some months to settled readings, and what is counted of them."""
    with tempfile.TemporaryDirectory() as scratch:
        waiting: Spool[int] = Spool(Path(scratch), "candidates")
        for frame in _frames(batches):
            placed = frame.rename({"code": "number"}).join(places, on=["part", "number"], how="left")
            put_by_month(waiting, placed.select(pl.col(name).cast(kind) for name, kind in CANDIDATE.items()))
        for month in waiting.keys():  # noqa: SIM118
            for place, candidates in enumerate(_pieces_of(waiting, month, file.zone)):
                settled = settling.settle(candidates, file.zone)
                for rows, doubtful in ((settled.readings, False), (settled.contradicting, True)):
                    yield from batches_of(_to_travel(rows).with_columns(doubtful=pl.lit(doubtful)), _SETTLED)
                # A month has fewer than a hundred pieces, as it has fewer days.
                yield from answer(month * 100 + place, Counted.of(settled), _SETTLED)


def _pieces_of(spool: Spool[int], month: int, timezone: str) -> Iterator[pl.DataFrame]:
    one: Spool[int] = Spool(Path(), "month")
    one.take(spool, month)
    return pieces(one, timezone)


@dataclass(frozen=True)
class _Months:
    """`energy.intake.outcome.Readings` that Spark keeps."""

    rows: DataFrame
    months: list[int]
    several: list[int]

    def keys(self) -> list[int]:
        """The months, sorted."""
        return self.months

    def whole(self, key: int) -> pl.DataFrame:
        """All rows of a month, brought to the driver."""
        found: list[pl.DataFrame] = []
        wanted = self.rows.filter(f"content is null and month = {int(key)}")
        for _, rows in received(wanted.mapInArrow(_pickled, ANSWER)):
            found.append(rows)
        return _finished(pl.concat(found), self.several)

    def each(self, put: Callable[[int, pl.DataFrame], None]) -> None:
        """Gives all rows of each month, on the workers."""
        rows = self.rows.filter("content is null").drop("number", "content")
        for _ in received(rows.mapInArrow(partial(_put_months, put, self.several), ANSWER)):
            pass


def _put_months(put: Callable[[int, pl.DataFrame], None], several: list[int], batches: Batches) -> Batches:
    """On a worker: whole months given to `put`."""
    with tempfile.TemporaryDirectory() as scratch:
        waiting: Spool[int] = Spool(Path(scratch), "settled")
        for frame in _frames(batches):
            put_by_month(waiting, frame)
        for month in waiting.keys():  # noqa: SIM118
            finished = _finished(waiting.whole(month), several)
            if not finished.is_empty():
                put(month, finished)
            waiting.drop(month)
            yield from answer(month, None)


def _finished(rows: pl.DataFrame, several: list[int]) -> pl.DataFrame:
    """The readings of a month, with those of several meters added up, and without others that contradict."""
    readings = rows.filter(~pl.col("doubtful")).select(_SETTLED_COLUMNS)
    doubtful = only_of(rows.filter("doubtful"), several).select(_SETTLED_COLUMNS)
    return readings if doubtful.is_empty() else pl.concat([readings, settling.summed(doubtful)])


def _with_readings(kept: DataFrame, months: list[int], several: list[int]) -> list[int]:
    """The months that keep a reading."""
    doubtful = f"code in ({', '.join(map(str, several))})" if several else "false"
    found = kept.filter(f"content is null and (not doubtful or {doubtful})").select("month").distinct().collect()
    return sorted({row["month"] for row in found} & set(months))


def _lines(kept: DataFrame, several: list[int]) -> pl.DataFrame | None:
    """line, column and code of rows that contradict each other."""
    found = [rows for _, rows in received(kept.filter("doubtful").mapInArrow(_pickled, ANSWER))]
    apart = only_of(pl.concat(found), several, but=True) if found else None
    return None if apart is None or apart.is_empty() else apart.select("line", "column", "code")


# ------------------------------------------------------------------------------------------------------- how it travels


def _ddl(schema: pa.Schema) -> str:
    return ", ".join(f"`{field.name}` {_SQL_TYPES[field.type]}" for field in schema)


def _kept(rows: DataFrame) -> DataFrame:
    """Rows that are worked on more than once, on the disks of the workers."""
    rows = rows.persist(StorageLevel.DISK_ONLY)
    rows.count()
    return rows


def _answers(rows: DataFrame) -> Iterator[tuple[int, Any]]:
    return arriving(rows.filter("content is not null").select("number", "content"))


def _to_travel(frame: pl.DataFrame) -> pl.DataFrame:
    instants = [pl.col(name).dt.epoch("us") for name in _INSTANTS if name in frame.columns]
    return frame.with_columns(*instants, pl.col("code").cast(pl.Int64), pl.col("column").cast(pl.Int32))


def _frames(batches: Batches) -> Iterator[pl.DataFrame]:
    """Batches as they were before they travelled."""
    for batch in batches:
        frame = pl.DataFrame(pl.from_arrow(batch))
        if frame.is_empty():
            continue
        instants = [pl.from_epoch(name, time_unit="us") for name in _INSTANTS if name in frame.columns]
        code = [pl.col("code").cast(pl.UInt32)] if "part" not in frame.columns else []
        yield frame.with_columns(*instants, *code)


def _pickled(batches: Batches) -> Batches:
    for frame in _frames(batches):
        yield from answer(0, frame.drop("number", "content", strict=False))
